"""A mixture of a cell and a neighbour."""

import keras
from keras import ops

from latentcells.layers.augmentation._count_thinning import CountThinning


@keras.saving.register_keras_serializable(package="latentcells")
class NeighbourMixing(CountThinning):
    r"""Replace a share of a cell's molecules by those of a neighbour.

    .. math::
        x'_{ij} = a_{ij} + b_{ij}, \quad a_{ij} \sim \mathrm{Binomial}(x_{ij}, s_i), \quad
        b_{ij} \sim \mathrm{Binomial}(n_{ij}, 1 - s_i), \quad s_i \sim \mathrm{Uniform}(\mathrm{low}, 1)

    where n is the neighbour. Mixup (Zhang et al. 2018, arXiv:1710.09412) draws a point between two;
    drawing molecules keeps whole numbers.

    Args:
        low: the smallest share of a cell's own molecules that is kept, in (0, 1).
        seed: whole number.

    Call arguments:
        x: (cells, genes), counts.
        neighbour: (cells, genes), the counts of a neighbour of each cell.
        training: whether to mix; False returns x.

    Returns:
        (cells, genes), counts.

    Raises:
        ValueError: for a share outside (0, 1), and where the shapes differ.

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import NeighbourMixing
        >>> x, neighbour = np.float32([[1000, 0]]), np.float32([[0, 1000]])
        >>> mixed = np.asarray(NeighbourMixing(0.5, seed=0)(x, neighbour))
        >>> bool(500 - 60 < mixed[0, 0] and 0 < mixed[0, 1] < 500 + 60)
        True
    """

    def call(self, x, neighbour, training=True):
        if tuple(x.shape) != tuple(neighbour.shape):
            raise ValueError(
                f"neighbour has shape {tuple(neighbour.shape)}, x {tuple(x.shape)}: one neighbour a cell"
            )
        x, neighbour = (ops.cast(values, "float32") for values in (x, neighbour))
        return self._draw(x, neighbour) if training else x

    def _draw(self, x, neighbour):
        """The mixed counts, (cells, genes)."""
        own_share = self._draw_share(x)
        return self._thin(x, own_share) + self._thin(neighbour, 1.0 - own_share)
