"""One place that turns a name into a likelihood."""

from latentcells import _checks
from latentcells.likelihoods._bernoulli import Bernoulli
from latentcells.likelihoods._gaussian import Gaussian
from latentcells.likelihoods._negative_binomial import NegativeBinomial
from latentcells.likelihoods._poisson import Poisson
from latentcells.likelihoods._zero_inflated_negative_binomial import ZeroInflatedNegativeBinomial

LIKELIHOODS = {
    "bernoulli": Bernoulli,
    "gaussian": Gaussian,
    "negative_binomial": NegativeBinomial,
    "poisson": Poisson,
    "zero_inflated_negative_binomial": ZeroInflatedNegativeBinomial,
}


def get_likelihood(name):
    """The likelihood class of a name.

    Raises:
        ValueError: for a name that is not one of them; it lists them.

    Example:
        >>> get_likelihood("gaussian").__name__
        'Gaussian'
    """
    return LIKELIHOODS[_checks.choice(name, tuple(LIKELIHOODS), "likelihood")]
