"""Hide a random share of each cell's genes."""

import keras
from keras import ops

from latentcells import _checks
from latentcells.layers.augmentation._augmentation import Augmentation


@keras.saving.register_keras_serializable(package="latentcells")
class GeneMasking(Augmentation):
    r"""Set each value to 0 with probability ``rate``, the same for all genes.

    A masked autoencoder learns to predict the hidden values (He et al. 2022, arXiv:2111.06377).

    Args:
        rate: the expected share of the genes that are hidden, in (0, 1).
        seed: whole number.

    Call arguments:
        x: (cells, genes), counts.
        training: whether to hide values; False returns x.

    Returns:
        (cells, genes), counts.

    Raises:
        ValueError: for a rate outside (0, 1).

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import GeneMasking
        >>> x = np.full((100, 100), 7, "float32")
        >>> sorted(set(np.asarray(GeneMasking(0.3, seed=0)(x)).ravel().tolist()))
        [0.0, 7.0]
    """

    def __init__(self, rate=0.3, seed=0, **kwargs):
        super().__init__(seed, **kwargs)
        self.rate = _checks.share(rate, "rate")

    def _draw_mask(self, x):
        """Where to hide, (cells, genes): 1 for the values of x that are hidden."""
        return ops.cast(self._uniform(ops.shape(x)) < self.rate, "float32")

    def _hide(self, x, mask):
        """The visible counts, (cells, genes), and the library size that they lead to expect, (cells, 1)."""
        visible = ops.cast(x, "float32") * (1.0 - mask)
        return visible, ops.sum(visible, axis=-1, keepdims=True) / (1.0 - self.rate)

    def _draw(self, x):
        return x * (1.0 - self._draw_mask(x))

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
