"""What batch, layer and group normalisation have in common."""

import keras
from keras import ops

from latentcells import _checks


class Normalization(keras.layers.Layer):
    r"""Standardise, then apply a learned scale :math:`\gamma_j` and offset :math:`\beta_j`.

    .. math::
        \gamma_j \frac{x_{ij} - \bar x}{\sqrt{v + \epsilon}} + \beta_j

    The subclasses differ in the axis of the mean :math:`\bar x` and the variance :math:`v`. The variance of m
    values divides by m, as in Keras.

    Args:
        epsilon: added to the variance, in its unit; Keras's default is 0.001.

    Call arguments:
        x: (cells, features).

    Returns:
        (cells, features), in the layer's compute dtype; the moments are computed in float32, or wider where that is.

    Raises:
        ValueError: for another rank.
    """

    def __init__(self, epsilon=1e-3, **kwargs):
        super().__init__(**kwargs)
        self.epsilon = _checks.positive(epsilon, "epsilon", "0.001 keeps a constant feature finite")
        self.supports_masking = True

    def build(self, input_shape):
        if len(input_shape) != 2:
            raise ValueError(f"x must be (cells, features), got shape {tuple(input_shape)}")
        shape = self._parameter_shape(input_shape)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta")

    def _parameter_shape(self, input_shape):
        """The shape of the scale, the offset and the moving averages: one value a feature."""
        return input_shape[-1:]

    @property
    def _moment_dtype(self):
        """Float32 where the layer computes in half precision, which is too short for moments."""
        return keras.backend.result_type(self.compute_dtype, "float32")

    def _widen(self, tensor):
        """The tensor in the precision of the moments."""
        return ops.cast(tensor, self._moment_dtype)

    def _standardise(self, x, mean, variance):
        """The layer's output; the arguments have the precision of the moments."""
        scale = self._widen(self.gamma) * ops.rsqrt(variance + self.epsilon)
        return ops.cast((x - mean) * scale + self._widen(self.beta), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
