"""The zero-inflated negative binomial distribution, of counts."""

import keras
import numpy as np
from keras import ops
from scipy.special import expit

from latentcells.likelihoods._likelihood import to_float32
from latentcells.likelihoods._negative_binomial import NegativeBinomial, negative_binomial_log_prob


def zero_inflated_negative_binomial_log_prob(x, mean, theta, logits):
    r"""A count is 0 with probability :math:`\pi = \mathrm{sigmoid}(\mathrm{logits})`, else negative binomial.

    .. math::
        p(x) = \pi\,[x = 0] + (1 - \pi)\,\mathrm{NB}(x \mid \mu, \theta)

    Args:
        x: (cells, genes), counts.
        mean: (cells, genes), positive, the mean of the negative binomial part, in counts.
        theta: broadcastable to x, positive, the inverse dispersion.
        logits: broadcastable to x, of the inflation's probability.

    Returns:
        (cells, genes) float32, in nats (Risso et al. 2018, doi:10.1038/s41467-017-02554-5).

    Example:
        >>> import numpy as np
        >>> from latentcells.likelihoods import zero_inflated_negative_binomial_log_prob
        >>> x, mean, theta, logits = np.float32([[0], [100], [10], [0]])  # NB(0) is near 0, which leaves π = 1/2
        >>> round(float(zero_inflated_negative_binomial_log_prob(x, mean, theta, logits)[0]), 4)
        -0.6931
    """
    x, logits = to_float32(x, logits)
    not_inflated = negative_binomial_log_prob(x, mean, theta) - ops.softplus(logits)
    inflated = -ops.softplus(-logits)
    return ops.where(ops.equal(x, 0), ops.logaddexp(inflated, not_inflated), not_inflated)


@keras.saving.register_keras_serializable(package="latentcells")
class ZeroInflatedNegativeBinomial(NegativeBinomial):
    """`zero_inflated_negative_binomial_log_prob` of counts, with an inflation for each cell and gene.

    Args:
        n_genes: genes that the head gives parameters for.
        seed: whole number; of the initial weights.

    Call arguments:
        hidden: (cells, units), the decoder's last hidden layer.
        library: (cells, 1), the total count of each cell.

    Returns:
        ``mean`` (cells, genes), of the negative binomial part, in counts; ``theta`` (genes,), the same for all cells;
        ``inflation_logits`` (cells, genes).

    Example:
        >>> import numpy as np
        >>> from latentcells.likelihoods import ZeroInflatedNegativeBinomial
        >>> head = ZeroInflatedNegativeBinomial(n_genes=3)
        >>> parameters = head(np.ones((2, 4), "float32"), np.float32([[10], [500]]))
        >>> {name: tuple(value.shape) for name, value in parameters.items()}
        {'mean': (2, 3), 'theta': (3,), 'inflation_logits': (2, 3)}
    """

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

    def sample(self, parameters, rng):
        counts = super().sample(parameters, rng)
        inflated = rng.random(counts.shape) < expit(parameters["inflation_logits"])
        return np.where(inflated, np.float32(0), counts)

    def mean(self, parameters):
        return parameters["mean"] * ops.sigmoid(-parameters["inflation_logits"])
