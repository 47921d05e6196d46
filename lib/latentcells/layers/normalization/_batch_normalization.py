"""Batch normalisation: moments of each feature over the cells."""

import keras
from keras import ops

from latentcells import _checks
from latentcells.layers.normalization._normalization import Normalization


@keras.saving.register_keras_serializable(package="latentcells")
class BatchNormalization(Normalization):
    r"""Standardise each feature over the cells of the mini-batch (Ioffe & Szegedy 2015, arXiv:1502.03167).

    .. math::
        \bar x_j = \frac1m \sum_{i=1}^{m} x_{ij}, \qquad v_j = \frac1m \sum_{i=1}^{m} (x_{ij} - \bar x_j)^2

    In training the moments are those of the m cells of the mini-batch, which also update the moving averages; in
    inference, and with ``trainable=False`` always, they are the moving averages. Equal to
    `keras.layers.BatchNormalization`.

    Args:
        momentum: weight of the old value of a moving average in a training step, in [0, 1).
        epsilon: added to the variance, in its unit.

    Call arguments:
        x: (cells, features).
        training: whether to take the moments of the mini-batch.
        mask: (cells,), true for the cells that enter the moments; all by default.

    Returns:
        (cells, features).

    Raises:
        ValueError: for a momentum outside [0, 1), or a training mini-batch of one cell.

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
        self.moving_mean = self._add_moving("moving_mean", "zeros", shape)
        self.moving_variance = self._add_moving("moving_variance", "ones", shape)

    def _add_moving(self, name, start, shape):
        return self.add_weight(
            shape=shape,
            initializer=start,
            dtype=self._moment_dtype,
            trainable=False,
            autocast=False,
            name=name,
        )

    def call(self, x, training=False, mask=None):
        x = self._widen(x)
        if not (training and self.trainable):
            return self._standardise(x, self.moving_mean, self.moving_variance)
        if x.shape[0] == 1:
            raise ValueError(
                "a training mini-batch of 1 cell has no variance: take batch_size=2 or more, or layer normalisation"
            )
        mean, variance = self._moments(x, mask)
        self._update_moving(mean, variance)
        return self._standardise(x, mean, variance)

    def _update_moving(self, mean, variance):
        for moving, current in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(self.momentum * moving + (1.0 - self.momentum) * current)

    def _moments(self, x, mask):
        if mask is None:
            return ops.mean(x, axis=0), ops.var(x, axis=0)
        weight = ops.expand_dims(self._widen(mask), -1)
        weight = weight / ops.maximum(ops.sum(weight), 1.0)  # all cells masked: moments of 0, not NaN
        mean = ops.sum(weight * x, axis=0)
        return mean, ops.sum(weight * ops.square(x - mean), axis=0)

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum}
