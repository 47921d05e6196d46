"""Batch normalisation with moments of its own for each domain: a plate, a protocol, a donor."""

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

    In training the :math:`m_d` cells of domain d in the mini-batch give its moments; its kept averages,
    its scale and its shift are its own, too. The layer is a `BatchNormalization` for each domain. It takes
    out every difference between the means of the domains, also where their cells are of other types.

    Args:
        n_domains: how many domains there are.
        momentum: share of the moving averages that a training step keeps.
        epsilon: added to the variance, in its unit.

    Call arguments:
        x: (cells, features).
        domain: (cells,), whole numbers from 0 to ``n_domains`` - 1.
        training: whether the batch gives the moments. A domain with fewer than 2 cells in the batch has
            no variance there: its cells are normalised by its kept averages, which do not move.

    Returns:
        (cells, features).

    Raises:
        ValueError, TypeError: for a number of domains below 1 or not whole.

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
        x, domain = ops.cast(x, "float32"), ops.cast(domain, "int32")
        mean, variance = self.moving_mean, self.moving_variance
        if training and self.trainable:
            mean, variance = self._of_domains(x, domain)
        mean, variance, gamma, beta = (
            ops.take(ops.cast(values, "float32"), domain, axis=0)
            for values in (mean, variance, self.gamma, self.beta)
        )
        return ops.cast((x - mean) * gamma * ops.rsqrt(variance + self.epsilon) + beta, self.compute_dtype)

    def _of_domains(self, x, domain):
        """Each domain's mean and variance, (domains, features); moves the averages."""
        member = ops.one_hot(domain, self.n_domains, dtype="float32")
        cells = ops.expand_dims(ops.sum(member, axis=0), -1)
        weight = ops.transpose(member) / ops.maximum(cells, 1.0)
        mean = ops.matmul(weight, x)
        variance = ops.matmul(weight, ops.square(x - ops.take(mean, domain, axis=0)))
        kept = (ops.convert_to_tensor(moving) for moving in (self.moving_mean, self.moving_variance))
        mean, variance = (ops.where(cells >= 2, *pair) for pair in zip((mean, variance), kept, strict=True))
        self._move(mean, variance)
        return mean, variance

    def compute_output_shape(self, x_shape, domain_shape):
        return x_shape

    def get_config(self):
        return {**super().get_config(), "n_domains": self.n_domains}
