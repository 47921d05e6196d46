from latentcells.likelihoods import (
    Bernoulli,
    Gaussian,
    NegativeBinomial,
    Poisson,
    ZeroInflatedNegativeBinomial,
)
from latentcells.likelihoods._get_likelihood import get_likelihood
from tests.helpers import refused


def test_a_name_gives_its_class():
    classes = Bernoulli, Gaussian, NegativeBinomial, Poisson, ZeroInflatedNegativeBinomial
    names = "bernoulli", "gaussian", "negative_binomial", "poisson", "zero_inflated_negative_binomial"
    assert tuple(map(get_likelihood, names)) == classes


def test_an_unknown_likelihood_lists_the_choices():
    refused(
        lambda: get_likelihood("binomial"),
        "^likelihood='binomial' is unknown: choose from 'bernoulli', 'gaussian', 'negative_binomial', "
        "'poisson', 'zero_inflated_negative_binomial'$",
    )
