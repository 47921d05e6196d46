import numpy as np
import pytest
from scipy import stats

from latentcells.likelihoods import poisson_log_prob
from tests.helpers import gradient
from tests.likelihoods.references import COUNTS, MEANS, nb

pytestmark = pytest.mark.backend


def poisson(x, mean):
    return np.asarray(poisson_log_prob(np.float32(x), np.float32(mean)))


def test_poisson_equals_scipy():
    """Float32 resolves 1e-7 of the largest term; for up to 100 molecules that leaves four decimals of 1 + |log p|."""
    x, mean = np.meshgrid(COUNTS, MEANS, indexing="ij")
    error = np.abs(poisson(x, mean) - stats.poisson.logpmf(x, mean.astype("float64")))
    assert (error <= 3e-6 * (1 + x * (1 + np.abs(np.log(mean))) + mean)).all()
    few = x[:, 0] <= 100
    expected = stats.poisson.logpmf(x, mean.astype("float64"))[few]
    np.testing.assert_allclose(poisson(x, mean)[few], expected, rtol=5e-5, atol=5e-5)


@pytest.mark.parametrize("mean", [0.5, 4.0, 100.0])
def test_poisson_sums_to_one(mean):
    np.testing.assert_allclose(np.exp(poisson(np.arange(400), mean)).sum(), 1.0, atol=2e-5)


def test_poisson_is_the_limit_of_the_negative_binomial():
    x = np.arange(30)
    np.testing.assert_allclose(poisson(x, 4.0), nb(x, 4.0, 1e6), rtol=1e-4)


def test_poisson_gradient():
    x, mean = np.float32([0, 1, 5, 40]), np.float32([0.01, 2, 4, 10])
    (to_mean,) = gradient(lambda m: poisson_log_prob(x, m), mean)
    np.testing.assert_allclose(to_mean, x / mean - 1, rtol=1e-5)
