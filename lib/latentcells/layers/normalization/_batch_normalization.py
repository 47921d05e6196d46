"""Batch normalisation: over the cells, a feature at a time."""

import keras
from keras import ops

from latentcells import _checks
from latentcells.layers.normalization._normalization import Normalization


@keras.saving.register_keras_serializable(package="latentcells")
class BatchNormalization(Normalization):
    r"""Standardise each feature over the cells of the batch (Ioffe & Szegedy 2015, arXiv:1502.03167).

    .. math::
        \bar x_j = \frac1m \sum_{i=1}^{m} x_{ij}, \qquad v_j = \frac1m \sum_{i=1}^{m} (x_{ij} - \bar x_j)^2

    In training the m cells of the mini-batch give the moments and move the averages that inference uses.
    A layer with ``trainable=False`` infers in training, too. Equal to `keras.layers.BatchNormalization`.

    Args:
        momentum: share of the moving averages that a training step keeps.
        epsilon: added to the variance, in its unit.

    Call arguments:
        x: (cells, features).
        training: whether the batch gives the moments.
        mask: (cells,), true for the cells that count in the moments; all by default.

    Returns:
        (cells, features).

    Raises:
        ValueError: for a momentum outside [0, 1), or a training batch of one cell.

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import BatchNormalization
        >>> x = np.float32([[0, 10], [2, 30]])
        >>> np.asarray(BatchNormalization(epsilon=1e-9)(x, training=True)).round(3).tolist()
        [[-1.0, -1.0], [1.0, 1.0]]
    """

    def __init__(self, momentum=0.99, epsilon=1e-3, **kwargs):
        super().__init__(epsilon, **kwargs)
        self.momentum = _checks.share(momentum, "momentum", zero=True)

    def build(self, input_shape):
        super().build(input_shape)
        shape = self._parameter_shape(input_shape)
        self.moving_mean = self._moving("moving_mean", "zeros", shape)
        self.moving_variance = self._moving("moving_variance", "ones", shape)

    def _moving(self, name, start, shape):
        return self.add_weight(shape=shape, initializer=start, trainable=False, autocast=False, name=name)

    def call(self, x, training=False, mask=None):
        x = ops.cast(x, "float32")
        if not (training and self.trainable):
            return self._standardise(x, self.moving_mean, self.moving_variance)
        if x.shape[0] == 1:
            raise ValueError(
                "a training batch of 1 cell has no variance: take batch_size=2 or more, or layer normalisation"
            )
        mean, variance = self._moments(x, mask)
        self._move(mean, variance)
        return self._standardise(x, mean, variance)

    def _move(self, mean, variance):
        for moving, batch in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1.0 - self.momentum) * batch)

    @staticmethod
    def _moments(x, mask):
        if mask is None:
            return ops.mean(x, axis=0), ops.var(x, axis=0)
        weight = ops.expand_dims(ops.cast(mask, "float32"), -1)
        weight = weight / ops.maximum(ops.sum(weight), 1.0)  # no cell counts: moments of 0, not NaN
        mean = ops.sum(weight * x, axis=0)
        return mean, ops.sum(weight * ops.square(x - mean), axis=0)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}
