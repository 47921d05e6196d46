"""The normal distribution, of log1p values."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks
from latentcells.likelihoods._likelihood import Likelihood, sum_over_cells, to_float32
from latentcells.likelihoods._series import HALF_LOG_2PI


def gaussian_log_prob(x, mean, log_var):
    r""":math:`-\tfrac12 (\log 2\pi + \log\sigma^2 + (x - \mu)^2 / \sigma^2)`.

    Args:
        x: (cells, genes), real (log1p).
        mean: broadcastable to x.
        log_var: broadcastable to x, the logarithm of the variance.

    Returns:
        (cells, genes) float32, in nats.

    Example:
        >>> import numpy as np
        >>> from latentcells.likelihoods import gaussian_log_prob
        >>> round(float(gaussian_log_prob(*np.float32([[2], [2], [0]]))[0]), 4)  # -log(2π)/2
        -0.9189
    """
    x, mean, log_var = to_float32(x, mean, log_var)
    return -HALF_LOG_2PI - 0.5 * (log_var + ops.square(x - mean) * ops.exp(-log_var))


@keras.saving.register_keras_serializable(package="latentcells")
class Gaussian(Likelihood):
    """`gaussian_log_prob` of log1p values, with one learned variance for all genes.

    As in probabilistic PCA (Tipping & Bishop 1999, doi:10.1111/1467-9868.00196). With a variance for each gene, a
    gene that is almost never expressed could outweigh all others.

    Args:
        n_genes: genes that the head gives parameters for.
        seed: whole number; of the initial weights.

    Call arguments:
        hidden: (cells, units), the decoder's last hidden layer.
        library: (cells, 1), unused.

    Returns:
        ``mean`` (cells, genes), and ``log_var`` (1,), the same for all cells and genes.

    Example:
        >>> import numpy as np
        >>> from latentcells.likelihoods import Gaussian
        >>> parameters = Gaussian(n_genes=3)(np.ones((2, 4), "float32"), np.ones((2, 1), "float32"))
        >>> {name: tuple(value.shape) for name, value in parameters.items()}
        {'mean': (2, 3), 'log_var': (1,)}
    """

    @staticmethod
    def _check(x):
        _checks.log1p(x, "x")

    def _start_at(self, x):
        mean = sum_over_cells(x) / x.shape[0]
        variance = sum_over_cells(x, lambda values: (values - mean) ** 2) / x.shape[0]
        self.dense.bias.assign(mean)
        self.log_var.assign(np.log(variance.mean(keepdims=True) + 1e-6))

    def build(self, hidden_shape, library_shape):
        super().build(hidden_shape, library_shape)
        self.log_var = self.add_weight(shape=(1,), initializer="zeros", name="log_var")

    def call(self, hidden, library):
        return {"mean": self.dense(hidden), "log_var": ops.clip(self.log_var, -10.0, 10.0)}

    def log_prob(self, x, parameters):
        return gaussian_log_prob(x, parameters["mean"], parameters["log_var"])

    def sample(self, parameters, rng):
        mean, sd = parameters["mean"], np.exp(0.5 * parameters["log_var"])
        return mean + sd * rng.standard_normal(mean.shape, dtype="float32")

    def mean(self, parameters):
        return parameters["mean"]
