"""The Poisson distribution, of counts."""

import keras
from keras import ops

from latentcells.likelihoods._count_likelihood import CountLikelihood
from latentcells.likelihoods._likelihood import to_float32
from latentcells.likelihoods._series import HALF_LOG_2PI, log_gamma_series, rising_factorial


def poisson_log_prob(x, mean):
    r"""Log-probability of counts whose variance is their mean :math:`\mu`.

    .. math::
        \log p(x) = x \log \mu - \mu - \log x!

    Args:
        x: (cells, genes), counts.
        mean: broadcastable to x, positive, in counts.

    Returns:
        (cells, genes) float32, in nats.

    Example:
        >>> import numpy as np
        >>> from latentcells.likelihoods import poisson_log_prob
        >>> round(float(poisson_log_prob(np.float32([5]), np.float32([4]))[0]), 3)
        -1.856
    """
    x, mean = to_float32(x, mean)
    # log x! = log Γ(x + 1) as in `_series`; its large part, x log(x + 5), is taken together with x log μ
    return (
        x * ops.log(mean / (x + 5.0))
        + (x - mean)
        - 4.5 * ops.log(x + 5.0)
        - log_gamma_series(x + 5.0)
        + ops.log(rising_factorial(x + 1.0))
        + (5.0 - HALF_LOG_2PI)
    )


@keras.saving.register_keras_serializable(package="latentcells")
class Poisson(CountLikelihood):
    r"""`poisson_log_prob` of counts; nothing but z and the library size makes counts vary.

    Args:
        n_genes: genes that the head gives parameters for.
        seed: whole number; of the initial weights.

    Call arguments:
        hidden: (cells, units), the decoder's last hidden layer.
        library: (cells, 1), the total count of each cell.

    Returns:
        ``mean`` (cells, genes), in counts: the library size shared out over the genes by a softmax.

    Example:
        >>> import numpy as np
        >>> from latentcells.likelihoods import Poisson
        >>> parameters = Poisson(n_genes=3)(np.ones((2, 4), "float32"), np.float32([[10], [500]]))
        >>> {name: tuple(value.shape) for name, value in parameters.items()}
        {'mean': (2, 3)}
    """

    def log_prob(self, x, parameters):
        return poisson_log_prob(x, parameters["mean"])

    def sample(self, parameters, rng):
        return rng.poisson(parameters["mean"]).astype("float32")
