"""Batch normalisation with separate moments for each domain: a plate, a protocol, a donor."""

import keras
from keras import ops

from latentcells import _checks
from latentcells.layers.normalization._batch_normalization import BatchNormalization


@keras.saving.register_keras_serializable(package="latentcells")
class DomainBatchNormalization(BatchNormalization):
    r"""Standardise each feature over the cells of one domain (Chang et al. 2019, arXiv:1906.03950).

    .. math::
        \bar x_{dj} = \frac{1}{m_d} \sum_{i:\, d_i = d} x_{ij}, \qquad
        v_{dj} = \frac{1}{m_d} \sum_{i:\, d_i = d} (x_{ij} - \bar x_{dj})^2

    The sums run over the :math:`m_d` cells of domain d in the mini-batch. Each domain also has its own moving
    averages, scale and offset: the layer is a `BatchNormalization` for each domain. It removes every difference
    between the means of the domains, also where that comes from other cell types.

    Args:
        n_domains: how many domains there are.
        momentum: weight of the old value of a moving average in a training step, in [0, 1).
        epsilon: added to the variance, in its unit.

    Call arguments:
        x: (cells, features).
        domain: (cells,), whole numbers from 0 to ``n_domains`` - 1.
        training: whether to take the moments of the mini-batch. A domain with fewer than 2 of its cells has no
            variance: they are normalised by its moving averages, which do not change.

    Returns:
        (cells, features).

    Raises:
        ValueError: for fewer than 1 domain, or a momentum outside [0, 1).
        TypeError: for a number of domains that is not an integer.

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import DomainBatchNormalization
        >>> x, domain = np.float32([[0], [2], [100], [140]]), np.array([0, 0, 1, 1])
        >>> layer = DomainBatchNormalization(2, epsilon=1e-9)
        >>> np.asarray(layer(x, domain, training=True)).round(3).ravel().tolist()
        [-1.0, 1.0, -1.0, 1.0]
    """

    def __init__(self, n_domains, momentum=0.99, epsilon=1e-3, **kwargs):
        super().__init__(momentum, epsilon, **kwargs)
        self.n_domains = _checks.at_least(n_domains, 1, "n_domains")

    def build(self, x_shape, domain_shape):
        super().build(x_shape)

    def _parameter_shape(self, input_shape):
        return self.n_domains, input_shape[-1]

    def call(self, x, domain, training=False):
        x, domain = self._widen(x), ops.cast(domain, "int32")
        mean, variance = self.moving_mean, self.moving_variance
        if training and self.trainable:
            mean, variance = self._domain_moments(x, domain)
        mean, variance, gamma, beta = (
            ops.take(self._widen(values), domain, axis=0)
            for values in (mean, variance, self.gamma, self.beta)
        )
        return ops.cast((x - mean) * gamma * ops.rsqrt(variance + self.epsilon) + beta, self.compute_dtype)

    def _domain_moments(self, x, domain):
        """Mean and variance of each domain, (domains, features); updates the moving averages."""
        member = ops.one_hot(domain, self.n_domains, dtype=self._moment_dtype)
        n_cells = ops.expand_dims(ops.sum(member, axis=0), -1)
        weight = ops.transpose(member) / ops.maximum(n_cells, 1.0)
        mean = ops.matmul(weight, x)
        variance = ops.matmul(weight, ops.square(x - ops.take(mean, domain, axis=0)))
        moving_mean, moving_variance = map(ops.convert_to_tensor, (self.moving_mean, self.moving_variance))
        mean = ops.where(n_cells >= 2, mean, moving_mean)
        variance = ops.where(n_cells >= 2, variance, moving_variance)
        self._update_moving(mean, variance)
        return mean, variance

    def compute_output_shape(self, x_shape, domain_shape):
        return x_shape

    def get_config(self):
        return {**super().get_config(), "n_domains": self.n_domains}
