"""The same cell, sequenced less deeply."""

import keras
from keras import ops

from latentcells import _checks
from latentcells.layers.augmentation._augmentation import Augmentation


@keras.saving.register_keras_serializable(package="latentcells")
class CountThinning(Augmentation):
    r"""Keep each molecule with a probability that is drawn for the cell.

    .. math::
        x'_{ij} \sim \mathrm{Binomial}(x_{ij}, s_i), \qquad s_i \sim \mathrm{Uniform}(\mathrm{low}, 1)

    This simulates sequencing at a lower depth. A Poisson count stays Poisson, with :math:`s_i` times the mean.

    Args:
        low: the smallest share of a cell's molecules that is kept, in (0, 1).
        seed: whole number.

    Call arguments:
        x: (cells, genes), counts.
        training: whether to thin; False returns x.

    Returns:
        (cells, genes), counts, none larger than in x.

    Raises:
        ValueError: for a share outside (0, 1).

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import CountThinning
        >>> x = np.full((3, 1000), 10, "float32")
        >>> total = np.asarray(CountThinning(0.5, seed=0)(x)).sum(axis=1)
        >>> bool(total.min() > 4500 and total.max() < 10_000)
        True
    """

    def __init__(self, low=0.5, seed=0, **kwargs):
        super().__init__(seed, **kwargs)
        self.low = _checks.share(low, "low")

    def _draw(self, x):
        return self._thin(x, self._draw_share(x))

    def _thin(self, x, share):
        """Keep each molecule with probability ``share``."""
        share = ops.broadcast_to(share, ops.shape(x))
        return keras.random.binomial(ops.shape(x), x, share, dtype="float32", seed=self.seed_generator)

    def _draw_share(self, x):
        """A share for each cell, (cells, 1), uniform between ``low`` and 1."""
        return self._uniform((ops.shape(x)[0], 1), self.low)

    def get_config(self):
        return {**super().get_config(), "low": self.low}
