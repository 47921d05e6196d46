r"""Likelihoods of one cell's expression: log-probabilities, and the decoder heads that give their parameters.

A function ``*_log_prob`` is the mathematics, gene by gene. A class is a Keras layer: it turns the
decoder's last hidden layer into parameters and says which data it is meant for.
"""

import math

import keras
import numpy as np
from keras import ops

from latentcells import _checks

_HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def _stirling_tail(inverse, square):
    """What Stirling's formula for log-gamma lacks at t: 1/(12t) - 1/(360t³) + 1/(1260t⁵), of 1/t and 1/t²."""
    return inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0))


def _digamma_tail(y, product, inverse, square):
    """Digamma at y less log(y + 4), of 1/(y + 4), its square and y (y + 3)."""
    series = inverse * (0.5 + inverse * (1.0 / 12.0 - square * (1.0 / 120.0 - square / 252.0)))
    return -series - (2.0 * y + 3.0) * (2.0 * product + 2.0) / (product * (product + 2.0))


def _sum_to(gradient, parameter):
    """The gradient of a parameter that was broadcast: a sum over what it was spread over."""
    leading = len(gradient.shape) - len(parameter.shape)
    gradient = ops.sum(gradient, axis=tuple(range(leading))) if leading else gradient
    spread = tuple(i for i, n in enumerate(parameter.shape) if n == 1)
    return ops.sum(gradient, axis=spread, keepdims=True) if spread else gradient


def bernoulli_log_prob(x, logits):
    r""":math:`x \log p + (1 - x) \log(1 - p)` with :math:`p = \mathrm{sigmoid}(\mathrm{logits})`, stable for any logit.

    Args:
        x: (cells, genes) in [0, 1]. Between 0 and 1 the value is a cross-entropy and no probability.
        logits: (cells, genes).

    Returns:
        (cells, genes), in nats.
    """
    return x * logits - ops.softplus(logits)


def gaussian_log_prob(x, mean, log_var):
    r""":math:`-\tfrac12 (\log 2\pi + \log\sigma^2 + (x - \mu)^2 / \sigma^2)`.

    Args:
        x: (cells, genes), real (log1p).
        mean: (cells, genes).
        log_var: broadcastable to x, the logarithm of the variance.

    Returns:
        (cells, genes), in nats.
    """
    return -_HALF_LOG_2PI - 0.5 * (log_var + ops.square(x - mean) * ops.exp(-log_var))


def negative_binomial_log_prob(x, mean, theta):
    r"""Log-probability of counts with mean :math:`\mu` and variance :math:`\mu + \mu^2 / \theta`.

    .. math::
        \log p(x) = \log\frac{\Gamma(x + \theta)}{\Gamma(\theta)\, x!}
        + \theta \log\frac{\theta}{\theta + \mu} + x \log\frac{\mu}{\theta + \mu}

    The ratio of gamma functions is expanded as one term with ``log1p``, not as a difference of
    two: in float32 a difference loses the second digit at θ = 1e6, this form keeps the fifth.
    The limit θ → ∞ is the Poisson distribution (Hilbe 2011, doi:10.1017/CBO9780511973420).
    The gradients are written out, which makes a training step a seventh quicker; x is data and gets none.

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
    return _negative_binomial(*(ops.convert_to_tensor(a, dtype="float32") for a in (x, mean, theta)))


@ops.custom_gradient
def _negative_binomial(x, mean, theta):
    # log-gamma and digamma by their series at + 4, where three terms are exact to 4e-8; the names
    # with a 0 belong to theta (one a gene, as a rule), those with a 1 to x! (`keras.ops` has no log-gamma)
    total = x + theta
    inverse_0, inverse = 1.0 / (theta + 4.0), 1.0 / (total + 4.0)
    square_0, square = ops.square(inverse_0), ops.square(inverse)
    product_0, product, product_1 = theta * (theta + 3.0), total * (total + 3.0), (x + 1.0) * (x + 4.0)
    rising_0, rising, rising_1 = (y * (y + 2.0) for y in (product_0, product, product_1))
    growth, spread = ops.log1p(x / (theta + 4.0)), ops.log1p(mean / theta)
    inverse_1 = 1.0 / (x + 5.0)
    log_prob = (
        (total + 3.5) * growth
        - total * spread
        + x * (ops.log(mean) + ops.log1p(4.0 / theta))
        - (x + 4.5) * ops.log(x + 5.0)
        + _stirling_tail(inverse, square)
        - _stirling_tail(inverse_1, ops.square(inverse_1))
        + ops.log(rising_0 / rising * rising_1)
        + (5.0 - _HALF_LOG_2PI - _stirling_tail(inverse_0, square_0))
    )

    def gradient(*args, upstream=None):
        upstream = args[0] if upstream is None else upstream
        excess = (x - mean) / (theta + mean)
        digamma = growth + _digamma_tail(total, product, inverse, square)
        by_theta = digamma - spread - excess - _digamma_tail(theta, product_0, inverse_0, square_0)
        by_mean = upstream * excess * theta / mean
        return ops.zeros_like(x), _sum_to(by_mean, mean), _sum_to(upstream * by_theta, theta)

    return log_prob, gradient


def zero_inflated_negative_binomial_log_prob(x, mean, theta, logits):
    r"""A count is 0 with probability :math:`\pi = \mathrm{sigmoid}(\mathrm{logits})`, else negative binomial.

    .. math::
        p(x) = \pi\,[x = 0] + (1 - \pi)\,\mathrm{NB}(x \mid \mu, \theta)

    Args:
        x: (cells, genes), counts.
        mean: (cells, genes), positive, the mean of the negative binomial part, in counts.
        theta: broadcastable to x, positive, the inverse dispersion.
        logits: (cells, genes), of the inflation's probability.

    Returns:
        (cells, genes), in nats (Risso et al. 2018, doi:10.1038/s41467-017-02554-5).
    """
    kept = negative_binomial_log_prob(x, mean, theta) - ops.softplus(logits)
    inflated = -ops.softplus(-logits)
    return ops.where(ops.equal(x, 0), ops.logaddexp(inflated, kept), kept)


class Likelihood(keras.layers.Layer):
    """A decoder head: what every likelihood of this module has in common.

    Args:
        n_genes: genes that the head gives parameters for.
        seed: whole number; of the initial weights.

    Call arguments:
        hidden: (cells, units), the decoder's last hidden layer.
        library: (cells, 1), the sum of each cell's values; only the count likelihoods read it.

    Returns:
        the parameters, a dictionary of float32 arrays for `log_prob` and `mean`.
    """

    def __init__(self, n_genes, seed=0, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})  # probabilities need it, also in mixed precision
        self.n_genes = _checks.at_least(n_genes, 1, "n_genes")
        self.seed = _checks.at_least(seed, 0, "seed")
        self.dense = self._dense("dense", self.seed)

    def _dense(self, name, seed):
        start = keras.initializers.GlorotUniform(seed=seed)
        return keras.layers.Dense(self.n_genes, kernel_initializer=start, name=name, dtype="float32")

    def _per_gene(self, name, start=0.0):
        return self.add_weight(
            shape=(self.n_genes,), initializer=keras.initializers.Constant(start), name=name
        )

    def build(self, hidden_shape, library_shape):
        self.dense.build(hidden_shape)

    def get_config(self):
        return {**super().get_config(), "n_genes": self.n_genes, "seed": self.seed}

    @staticmethod
    def check(x, training=False):
        """Refuse data that the likelihood is not meant for, or cannot be fitted to (ValueError, one line)."""
        raise NotImplementedError

    def start_at(self, x):
        """Set the biases so that an untrained decoder gives the average cell of ``x``, (cells, genes)."""
        raise NotImplementedError

    @staticmethod
    def encoder_input(x):
        """What the encoder sees of ``x``, (cells, genes): values of moderate size."""
        return x

    def log_prob(self, x, parameters):
        """Log-probability of each value, (cells, genes), in nats."""
        raise NotImplementedError

    def mean(self, parameters):
        """Expected value, (cells, genes), in the unit of the data."""
        raise NotImplementedError


@keras.saving.register_keras_serializable(package="latentcells")
class Bernoulli(Likelihood):
    """`bernoulli_log_prob` of values in [0, 1] (unit-scaled or detected / not detected)."""

    @staticmethod
    def check(x, training=False):
        _checks.unit(x, "x")

    def start_at(self, x):
        mean = np.clip(x.mean(axis=0), 1e-3, 1 - 1e-3)
        self.dense.bias.assign(np.log(mean / (1 - mean)))

    def call(self, hidden, library):
        return {"logits": self.dense(hidden)}

    def log_prob(self, x, parameters):
        return bernoulli_log_prob(x, parameters["logits"])

    def mean(self, parameters):
        return ops.sigmoid(parameters["logits"])


@keras.saving.register_keras_serializable(package="latentcells")
class Gaussian(Likelihood):
    """`gaussian_log_prob` of log1p values, with one learned variance for all genes.

    As in probabilistic PCA (Tipping & Bishop 1999, doi:10.1111/1467-9868.00196). A variance of its own would
    let a gene that is almost never expressed outweigh all others.
    """

    @staticmethod
    def check(x, training=False):
        _checks.log1p(x, "x")

    def start_at(self, x):
        self.dense.bias.assign(x.mean(axis=0))
        self.log_var.assign(np.log(x.var(axis=0).mean(keepdims=True) + 1e-6))

    def build(self, hidden_shape, library_shape):
        super().build(hidden_shape, library_shape)
        self.log_var = self.add_weight(shape=(1,), initializer="zeros", name="log_var")

    def call(self, hidden, library):
        return {"mean": self.dense(hidden), "log_var": ops.clip(self.log_var, -10.0, 10.0)}

    def log_prob(self, x, parameters):
        return gaussian_log_prob(x, parameters["mean"], parameters["log_var"])

    def mean(self, parameters):
        return parameters["mean"]


@keras.saving.register_keras_serializable(package="latentcells")
class NegativeBinomial(Likelihood):
    r"""`negative_binomial_log_prob` of counts, with one learned :math:`\theta` a gene.

    The mean is :math:`\mu_{ij} = \ell_i \, \mathrm{softmax}_j(\cdot)`: a cell's library size
    :math:`\ell_i` shared out over its genes (Lopez et al. 2018, doi:10.1038/s41592-018-0229-2).
    """

    @staticmethod
    def check(x, training=False):
        _checks.counted_cells(x, "x")

    def start_at(self, x):
        total = np.asarray(x.sum(axis=0, dtype=np.float64)).ravel() + 1.0
        self.dense.bias.assign(np.log(total / total.sum()))

    @staticmethod
    def encoder_input(x):
        return ops.log1p(x)

    def build(self, hidden_shape, library_shape):
        super().build(hidden_shape, library_shape)
        # nearly Poisson: dispersion that explains what z should explain switches dimensions off
        self.log_theta = self._per_gene("log_theta", start=math.log(10.0))

    def call(self, hidden, library):
        share = ops.softmax(self.dense(hidden))
        theta = ops.exp(ops.clip(self.log_theta, -9.0, 13.0))
        # 1e-8: a gene that the decoder has ruled out keeps a finite log-probability
        return {"mean": ops.cast(library, "float32") * share + 1e-8, "theta": theta}

    def log_prob(self, x, parameters):
        return negative_binomial_log_prob(x, parameters["mean"], parameters["theta"])

    def mean(self, parameters):
        return parameters["mean"]


@keras.saving.register_keras_serializable(package="latentcells")
class ZeroInflatedNegativeBinomial(NegativeBinomial):
    """`zero_inflated_negative_binomial_log_prob` of counts, with an inflation for each cell and gene."""

    def __init__(self, n_genes, seed=0, **kwargs):
        super().__init__(n_genes, seed, **kwargs)
        self.inflation = self._dense("inflation", self.seed + 1)

    def build(self, hidden_shape, library_shape):
        super().build(hidden_shape, library_shape)
        self.inflation.build(hidden_shape)

    def call(self, hidden, library):
        return {**super().call(hidden, library), "inflation_logits": self.inflation(hidden)}

    def log_prob(self, x, parameters):
        return zero_inflated_negative_binomial_log_prob(
            x, parameters["mean"], parameters["theta"], parameters["inflation_logits"]
        )

    def mean(self, parameters):
        return parameters["mean"] * ops.sigmoid(-parameters["inflation_logits"])


_CLASSES = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "negative_binomial": NegativeBinomial,
    "zero_inflated_negative_binomial": ZeroInflatedNegativeBinomial,
}


def get(name):
    """The likelihood class of a name.

    Raises:
        ValueError: for a name that is not one of the four, which it lists.

    Example:
        >>> from latentcells import likelihoods
        >>> likelihoods.get("gaussian").__name__
        'Gaussian'
    """
    return _CLASSES[_checks.choice(name, tuple(_CLASSES), "likelihood")]
