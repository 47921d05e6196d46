"""The count likelihoods in float32, and their references in float64."""

import numpy as np
from scipy import stats

from latentcells.likelihoods import negative_binomial_log_prob, zero_inflated_negative_binomial_log_prob

COUNTS = np.float32([0, 1, 2, 3, 5, 10, 30, 100, 300, 1000, 3000, 10000])
MEANS = np.float32(10.0) ** np.arange(-4, 4.5, 0.5, dtype="float32")
THETAS = np.float32(10.0) ** np.arange(-4, 6.5, 0.5, dtype="float32")


def nb(x, mean, theta):
    return np.asarray(negative_binomial_log_prob(*map(np.float32, (x, mean, theta))))


def zinb(x, mean, theta, logits):
    return np.asarray(zero_inflated_negative_binomial_log_prob(*map(np.float32, (x, mean, theta, logits))))


def scipy_nb(x, mean, theta):
    """SciPy's log-probability, in float64."""
    x, mean, theta = (np.asarray(a, "float64") for a in (x, mean, theta))
    return stats.nbinom.logpmf(x, theta, theta / (theta + mean))


def slope(function, x, step=1e-5):
    """Derivative by central differences, in float64; the step is relative."""
    x = np.asarray(x, "float64")
    h = step * np.maximum(np.abs(x), 1e-3)
    return (function(x + h) - function(x - h)) / (2 * h)
