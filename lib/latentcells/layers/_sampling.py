"""Reparameterised sampling from a diagonal normal distribution."""

import keras
from keras import ops

from latentcells import _checks, _seeds


@keras.saving.register_keras_serializable(package="latentcells")
class Sampling(keras.layers.Layer):
    r"""Draw :math:`z = \mu + \sigma \odot \varepsilon` with :math:`\varepsilon \sim N(0, I)`.

    The noise does not depend on the parameters, so that the gradient flows through
    :math:`\mu` and :math:`\sigma = \exp(\tfrac12 \log\sigma^2)` (Kingma & Welling 2014,
    arXiv:1312.6114). The layer samples in training and in inference alike; where no noise is wanted, use the mean.

    Args:
        seed: whole number; the layer has its own random state, independent of the backend's global one.

    Call arguments:
        z_mean: (cells, latent_dim).
        z_log_var: (cells, latent_dim), the logarithm of the variance.

    Returns:
        (cells, latent_dim).

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import Sampling
        >>> z = Sampling(seed=0)(np.ones((2, 3)), np.full((2, 3), -80.0))
        >>> np.asarray(z).tolist()
        [[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]]
    """

    def __init__(self, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.seed = _checks.at_least(seed, 0, "seed")
        self.seed_generator = _seeds.generator(self.seed)

    def call(self, z_mean, z_log_var):
        noise = keras.random.normal(ops.shape(z_mean), dtype=z_mean.dtype, seed=self.seed_generator)
        return z_mean + ops.exp(0.5 * z_log_var) * noise

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
