"""Likelihoods of one cell's expression: log-probabilities, and the decoder heads that give their parameters.

A function ``*_log_prob`` is the mathematics, gene by gene. A class is a Keras layer: it turns the
decoder's last hidden layer into parameters and says which data it is meant for.
"""

from latentcells.likelihoods._bernoulli import Bernoulli, bernoulli_log_prob
from latentcells.likelihoods._gaussian import Gaussian, gaussian_log_prob
from latentcells.likelihoods._likelihood import Likelihood
from latentcells.likelihoods._negative_binomial import NegativeBinomial, negative_binomial_log_prob
from latentcells.likelihoods._poisson import Poisson, poisson_log_prob
from latentcells.likelihoods._zero_inflated_negative_binomial import (
    ZeroInflatedNegativeBinomial,
    zero_inflated_negative_binomial_log_prob,
)

__all__ = [
    "Bernoulli",
    "Gaussian",
    "Likelihood",
    "NegativeBinomial",
    "Poisson",
    "ZeroInflatedNegativeBinomial",
    "bernoulli_log_prob",
    "gaussian_log_prob",
    "negative_binomial_log_prob",
    "poisson_log_prob",
    "zero_inflated_negative_binomial_log_prob",
]


def __dir__():
    return __all__
