"""The negative binomial distribution, of counts."""

import math

import keras
from keras import ops

from latentcells.likelihoods._count_likelihood import CountLikelihood
from latentcells.likelihoods._likelihood import to_float32
from latentcells.likelihoods._series import (
    HALF_LOG_2PI,
    digamma_less_log,
    log_gamma_series,
    rising_factorial,
)


def negative_binomial_log_prob(x, mean, theta):
    r"""Log-probability of counts with mean :math:`\mu` and variance :math:`\mu + \mu^2 / \theta`.

    .. math::
        \log p(x) = \log\frac{\Gamma(x + \theta)}{\Gamma(\theta)\, x!}
        + \theta \log\frac{\theta}{\theta + \mu} + x \log\frac{\mu}{\theta + \mu}

    The ratio of gamma functions is expanded as one term with ``log1p``, not as a difference of
    two: in float32 a difference loses the second digit at θ = 1e6, this form keeps the fifth.
    The limit θ → ∞ is the Poisson distribution (Hilbe 2011, doi:10.1017/CBO9780511973420).
    The gradients are derived by hand, which makes a training step a seventh faster; x is data and gets none.

    Args:
        x: (cells, genes), counts.
        mean: (cells, genes), positive, in counts.
        theta: broadcastable to x, positive, the inverse dispersion (1e-4 to 1e6).

    Returns:
        (cells, genes) float32, in nats.

    Example:
        >>> import numpy as np
        >>> from latentcells.likelihoods import negative_binomial_log_prob
        >>> x, mean, theta = np.float32([5]), np.float32([4]), np.float32([1e6])
        >>> round(float(negative_binomial_log_prob(x, mean, theta)[0]), 3)
        -1.856
    """
    return _negative_binomial(*to_float32(x, mean, theta))


# The value. Write n = x + θ (``total``), S for `log_gamma_series`, R for `rising_factorial`. The recurrence and
# Stirling's formula, see `_series`, give for each y of n, θ and x + 1
#     log Γ(y) = (y + 3.5) log(y + 4) - (y + 4) + ½ log 2π + S(y + 4) - log R(y).
# In log Γ(n) - log Γ(θ) - log Γ(x + 1)
#     the linear terms leave -(n + 4) + (θ + 4) + (x + 5) = 5, the constants -½ log 2π;
#     log(n + 4) = log(θ + 4) + ``growth`` with growth = log1p(x / (θ + 4)), so that the two large logarithms leave
#     (n + 3.5) log(n + 4) - (θ + 3.5) log(θ + 4) = (n + 3.5) growth + x log(θ + 4).
# The other two terms of log p are, with ``minus_log_p`` = log1p(μ / θ), where p = θ / (θ + μ),
#     θ log(θ / (θ + μ)) + x log(μ / (θ + μ)) = -n minus_log_p + x log μ - x log θ,
# and x log(θ + 4) - x log θ = x log1p(4 / θ). The sum of these is ``log_prob``.
#
# The gradient. With ψ = digamma and ``excess`` = (x - μ) / (θ + μ),
#     ∂ log p / ∂μ = x / μ - (x + θ) / (θ + μ) = excess θ / μ
#     ∂ log p / ∂θ = ψ(n) - ψ(θ) + log(θ / (θ + μ)) + 1 - (x + θ) / (θ + μ) = ψ(n) - ψ(θ) - minus_log_p - excess
#     ψ(n) - ψ(θ) = growth + (ψ(n) - log(n + 4)) - (ψ(θ) - log(θ + 4)), each bracket a `digamma_less_log`.
@ops.custom_gradient
def _negative_binomial(x, mean, theta):
    total = x + theta
    growth, minus_log_p = ops.log1p(x / (theta + 4.0)), ops.log1p(mean / theta)
    log_prob = (
        (total + 3.5) * growth
        - total * minus_log_p
        + x * (ops.log(mean) + ops.log1p(4.0 / theta))
        - (x + 4.5) * ops.log(x + 5.0)
        + log_gamma_series(total + 4.0)
        - log_gamma_series(x + 5.0)
        + ops.log(rising_factorial(theta) / rising_factorial(total) * rising_factorial(x + 1.0))
        + (5.0 - HALF_LOG_2PI - log_gamma_series(theta + 4.0))
    )

    def gradient(*args, upstream=None):
        upstream = args[0] if upstream is None else upstream
        excess = (x - mean) / (theta + mean)
        by_mean = upstream * excess * theta / mean
        by_theta = growth + digamma_less_log(total) - minus_log_p - excess - digamma_less_log(theta)
        return ops.zeros_like(x), _unbroadcast(by_mean, mean), _unbroadcast(upstream * by_theta, theta)

    return log_prob, gradient


def _unbroadcast(gradient, parameter):
    """The gradient of a parameter that was broadcast: the sum over the axes that broadcasting added or stretched."""
    n_added = len(gradient.shape) - len(parameter.shape)
    gradient = ops.sum(gradient, axis=tuple(range(n_added))) if n_added else gradient
    stretched = tuple(axis for axis, size in enumerate(parameter.shape) if size == 1)
    return ops.sum(gradient, axis=stretched, keepdims=True) if stretched else gradient


@keras.saving.register_keras_serializable(package="latentcells")
class NegativeBinomial(CountLikelihood):
    r"""`negative_binomial_log_prob` of counts, with one learned :math:`\theta` a gene.

    The mean is :math:`\mu_{ij} = \ell_i \, \mathrm{softmax}_j(\cdot)`: a cell's library size
    :math:`\ell_i` shared out over its genes (Lopez et al. 2018, doi:10.1038/s41592-018-0229-2).

    Args:
        n_genes: genes that the head gives parameters for.
        seed: whole number; of the initial weights.

    Call arguments:
        hidden: (cells, units), the decoder's last hidden layer.
        library: (cells, 1), the total count of each cell.

    Returns:
        ``mean`` (cells, genes), in counts, and ``theta`` (genes,), the same for all cells.

    Example:
        >>> import numpy as np
        >>> from latentcells.likelihoods import NegativeBinomial
        >>> parameters = NegativeBinomial(n_genes=3)(np.ones((2, 4), "float32"), np.float32([[10], [500]]))
        >>> {name: tuple(value.shape) for name, value in parameters.items()}
        {'mean': (2, 3), 'theta': (3,)}
    """

    def build(self, hidden_shape, library_shape):
        super().build(hidden_shape, library_shape)
        # nearly Poisson: dispersion that explains what z should explain switches dimensions off
        start = keras.initializers.Constant(math.log(10.0))
        self.log_theta = self.add_weight(shape=(self.n_genes,), initializer=start, name="log_theta")

    def call(self, hidden, library):
        theta = ops.exp(ops.clip(self.log_theta, -9.0, 13.0))
        return {**super().call(hidden, library), "theta": theta}

    def log_prob(self, x, parameters):
        return negative_binomial_log_prob(x, parameters["mean"], parameters["theta"])

    def sample(self, parameters, rng):
        # a Poisson count whose mean follows a gamma distribution
        mean, theta = parameters["mean"].astype("float64"), parameters["theta"].astype("float64")
        return rng.poisson(rng.gamma(theta, mean / theta)).astype("float32")
