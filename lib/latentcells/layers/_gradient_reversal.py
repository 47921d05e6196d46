"""The identity with a reversed gradient: trains one part of a network against another."""

import keras
from keras import ops

from latentcells import _checks


@keras.saving.register_keras_serializable(package="latentcells")
class GradientReversal(keras.layers.Layer):
    r"""The identity, which multiplies the gradient by :math:`-\lambda` on its way back.

    The layers after it learn to predict, the layers before it learn to make the prediction hard
    (Ganin & Lempitsky 2015, arXiv:1409.7495).

    Args:
        strength: :math:`\lambda`, 0 or more.

    Call arguments:
        x: any shape.

    Returns:
        x.

    Raises:
        ValueError: for a negative strength.

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import GradientReversal
        >>> np.asarray(GradientReversal(2.0)(np.float32([1, 5]))).tolist()
        [1.0, 5.0]
    """

    def __init__(self, strength=1.0, **kwargs):
        super().__init__(**kwargs)
        self.strength = _checks.not_negative(strength, "strength", "1 reverses the gradient as it is")

    def call(self, x):
        # the value is x, its derivative -strength
        return ops.stop_gradient(x + self.strength * x) - self.strength * x

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "strength": self.strength}
