"""Batch normalisation taken apart: its noise without its moments, its moments without their noise, two momenta."""

import latentcells as lc  # before Keras, because it silences TensorFlow's log

import keras  # isort: skip
from keras import ops  # isort: skip

QUICK = 0.9  # the second momentum


def vae_with(layer):
    """A VAE class with ``layer(name=...)`` before each ReLU of its encoder; a string names a layer of the library."""

    class VAE(lc.models.VAE):
        def _normalized(self, tensor, name):
            return layer(name=name)(tensor)

    return VAE


class Frozen(lc.layers.BatchNormalization):
    """Batch normalisation whose moments do not change after ``warm_up`` steps: a fixed affine map, without noise."""

    def __init__(self, warm_up=125, momentum=QUICK, **kwargs):
        super().__init__(momentum, **kwargs)
        self.warm_up = warm_up

    def build(self, input_shape):
        super().build(input_shape)
        self.steps = self._add_moving("steps", "zeros", ())

    def call(self, x, training=False):
        if not training:
            return super().call(x)
        self.steps.assign_add(1.0)
        warm = ops.cast(self.steps <= self.warm_up, "float32")
        mean, variance = self._moments(x, None)
        step = (1.0 - self.momentum) * warm
        for moving, current in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign((1.0 - step) * moving + step * current)
        return self._standardise(
            x,
            warm * mean + (1.0 - warm) * self.moving_mean,
            warm * variance + (1.0 - warm) * self.moving_variance,
        )


class NoiseOnly(keras.layers.Layer):
    r"""The noise that a mini-batch of m cells adds in batch normalisation, and nothing of the normalisation.

    .. math::
        y_{ij} = \bar x_j + \frac{x_{ij} - \bar x_j - s_j a_j / \sqrt m}{1 + c_j / \sqrt{2m}}

    The mean and standard deviation :math:`\bar x_j, s_j` of the mini-batch only set the size of the noise; a and c are
    standard normal, drawn at each step for each unit. In inference the layer does nothing.
    """

    def __init__(self, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.generator = keras.random.SeedGenerator(seed)

    def call(self, x, training=False):
        if not training:
            return x
        m = ops.cast(ops.shape(x)[0], x.dtype)
        mean = ops.stop_gradient(ops.mean(x, axis=0))
        sd = ops.stop_gradient(ops.std(x, axis=0))
        a, c = ops.unstack(keras.random.normal((2, x.shape[1]), seed=self.generator))
        return mean + (x - mean - sd * a / ops.sqrt(m)) / (1 + c / ops.sqrt(2 * m))


class TwoMomenta(lc.layers.BatchNormalization):
    """Batch normalisation that also has the moving averages of another momentum, which training does not read."""

    def build(self, input_shape):
        super().build(input_shape)
        shape = self._parameter_shape(input_shape)
        self.quick = [
            self._add_moving(name, start, shape)
            for name, start in (("quick_mean", "zeros"), ("quick_variance", "ones"))
        ]

    def _update_moving(self, mean, variance):
        super()._update_moving(mean, variance)
        for moving, current in zip(self.quick, (mean, variance), strict=True):
            moving.assign(QUICK * moving + (1.0 - QUICK) * current)

    def use_quick(self):
        """Normalise by the averages of the second momentum in inference."""
        self.moving_mean.assign(self.quick[0])
        self.moving_variance.assign(self.quick[1])
