"""Layer normalisation: moments over the features of each cell."""

import keras
from keras import ops

from latentcells.layers.normalization._normalization import Normalization


@keras.saving.register_keras_serializable(package="latentcells")
class LayerNormalization(Normalization):
    r"""Standardise each cell over its features (Ba et al. 2016, arXiv:1607.06450).

    .. math::
        \bar x_i = \frac1G \sum_{j=1}^{G} x_{ij}, \qquad v_i = \frac1G \sum_{j=1}^{G} (x_{ij} - \bar x_i)^2

    Cells do not depend on each other: training and inference are the same. A factor common to all features of a
    cell, such as its library size, drops out up to :math:`\epsilon`. Equal to `keras.layers.LayerNormalization`.

    Args:
        epsilon: added to the variance, in its unit.

    Call arguments:
        x: (cells, features).

    Returns:
        (cells, features).

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import LayerNormalization
        >>> x = np.float32([[0, 2], [0, 20]])
        >>> np.asarray(LayerNormalization(epsilon=1e-9)(x)).round(3).tolist()
        [[-1.0, 1.0], [-1.0, 1.0]]
    """

    def call(self, x):
        x = self._widen(x)
        return self._standardise(x, ops.mean(x, axis=-1, keepdims=True), ops.var(x, axis=-1, keepdims=True))
