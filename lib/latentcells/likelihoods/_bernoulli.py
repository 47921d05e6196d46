"""The Bernoulli distribution, of values in [0, 1]."""

import keras
import numpy as np
from keras import ops
from scipy.special import expit

from latentcells import _checks
from latentcells.likelihoods._likelihood import Likelihood, sum_over_cells, to_float32


def bernoulli_log_prob(x, logits):
    r""":math:`x \log p + (1 - x) \log(1 - p)` with :math:`p = \mathrm{sigmoid}(\mathrm{logits})`, stable for any logit.

    Args:
        x: (cells, genes) in [0, 1]. Between 0 and 1 the value is a cross-entropy and no probability.
        logits: broadcastable to x.

    Returns:
        (cells, genes) float32, in nats.

    Example:
        >>> import numpy as np
        >>> from latentcells.likelihoods import bernoulli_log_prob
        >>> round(float(bernoulli_log_prob(np.float32([1]), np.float32([0]))[0]), 4)  # log(1/2)
        -0.6931
    """
    x, logits = to_float32(x, logits)
    return x * logits - ops.softplus(logits)


@keras.saving.register_keras_serializable(package="latentcells")
class Bernoulli(Likelihood):
    """`bernoulli_log_prob` of values in [0, 1] (unit-scaled or detected / not detected).

    Args:
        n_genes: genes that the head gives parameters for.
        seed: whole number; of the initial weights.

    Call arguments:
        hidden: (cells, units), the decoder's last hidden layer.
        library: (cells, 1), unused.

    Returns:
        ``logits`` (cells, genes).

    Example:
        >>> import numpy as np
        >>> from latentcells.likelihoods import Bernoulli
        >>> parameters = Bernoulli(n_genes=3)(np.ones((2, 4), "float32"), np.ones((2, 1), "float32"))
        >>> tuple(parameters["logits"].shape)
        (2, 3)
    """

    @staticmethod
    def _check(x):
        _checks.unit(x, "x")

    def _start_at(self, x):
        mean = np.clip(sum_over_cells(x) / x.shape[0], 1e-3, 1 - 1e-3)
        self.dense.bias.assign(np.log(mean / (1 - mean)))

    def call(self, hidden, library):
        return {"logits": self.dense(hidden)}

    def log_prob(self, x, parameters):
        return bernoulli_log_prob(x, parameters["logits"])

    def sample(self, parameters, rng):
        return (rng.random(parameters["logits"].shape) < expit(parameters["logits"])).astype("float32")

    def mean(self, parameters):
        return ops.sigmoid(parameters["logits"])
