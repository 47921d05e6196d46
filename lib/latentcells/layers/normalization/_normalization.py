"""What batch, layer and group normalisation have in common."""

import keras
from keras import ops

from latentcells import _checks


class Normalization(keras.layers.Layer):
    r"""Standardise, then scale by :math:`\gamma_j` and shift by :math:`\beta_j`, both learned.

    .. math::
        \gamma_j \frac{x_{ij} - \bar x}{\sqrt{v + \epsilon}} + \beta_j

    The subclasses differ in what the mean :math:`\bar x` and the variance :math:`v` are taken over.
    Of m values the variance is the mean square, with 1/m, as in Keras.

    Args:
        epsilon: added to the variance, in its unit; Keras's default is 0.001.

    Call arguments:
        x: (cells, features).

    Returns:
        (cells, features), in the type of x; the moments are taken in float32.

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
        """A scale, a shift and whatever else is kept: one a feature."""
        return input_shape[-1:]

    def _standardise(self, x, mean, variance):
        """Of float32 x; the result has the layer's own type."""
        scale = ops.cast(self.gamma, "float32") * ops.rsqrt(variance + self.epsilon)
        return ops.cast((x - mean) * scale + ops.cast(self.beta, "float32"), self.compute_dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "epsilon": self.epsilon}
