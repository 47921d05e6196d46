import numpy as np
import pytest
from scipy import stats
from scipy.special import digamma, gammaln

from latentcells.likelihoods import negative_binomial_log_prob
from tests.helpers import gradient
from tests.likelihoods.references import COUNTS, MEANS, THETAS, nb, scipy_nb, slope, zinb

pytestmark = pytest.mark.backend


def test_nb_equals_scipy_over_the_whole_range():
    """Float32 resolves 1e-7 of the sum's largest term; the tolerance is 3e-6 of 1 + the terms' absolute sum."""
    x, mean, theta = np.meshgrid(COUNTS, MEANS, THETAS, indexing="ij")
    wide_x, wide_mean, wide_theta = (a.astype("float64") for a in (x, mean, theta))
    terms = gammaln(wide_x + 1) + np.abs(wide_x * np.log(wide_mean))
    terms += (wide_x + wide_theta) * np.log1p(wide_mean / wide_theta)
    error = np.abs(nb(x, mean, theta) - scipy_nb(x, mean, theta))
    assert (error <= 3e-6 * (1 + terms)).all()


def test_nb_equals_scipy_for_typical_counts():
    """For up to 100 molecules of a gene, with four decimals relative to 1 + |log p|."""
    x, mean, theta = np.meshgrid(COUNTS[COUNTS <= 100], MEANS, THETAS, indexing="ij")
    np.testing.assert_allclose(nb(x, mean, theta), scipy_nb(x, mean, theta), rtol=5e-5, atol=5e-5)


def test_nb_keeps_its_digits_at_a_large_theta():
    """The usual difference of two log-gamma values gives -1.787."""
    np.testing.assert_allclose(nb(5, 4, 1e6), -1.856, atol=5e-4)
    np.testing.assert_allclose(nb(5, 4, 1e6), scipy_nb(5, 4, 1e6), atol=1e-5)


def test_nb_becomes_poisson():
    x, mean = np.meshgrid(np.arange(30), [0.1, 1.0, 4.0, 20.0])
    np.testing.assert_allclose(nb(x, mean, 1e6), stats.poisson.logpmf(x, mean.astype("float64")), rtol=1e-3)


@pytest.mark.parametrize(("mean", "theta"), [(0.5, 0.3), (4.0, 2.0), (10.0, 1e4)])
def test_nb_and_zinb_sum_to_one(mean, theta):
    x = np.arange(2000)
    np.testing.assert_allclose(np.exp(nb(x, mean, theta)).sum(), 1.0, atol=2e-5)
    np.testing.assert_allclose(np.exp(zinb(x, mean, theta, -0.7)).sum(), 1.0, atol=2e-5)


def test_nb_has_the_stated_moments():
    """Mean μ and variance μ + μ²/θ by summation, and the entropy by SciPy's draws."""
    mean, theta, x = 3.0, 1.5, np.arange(500)
    p = np.exp(nb(x, mean, theta).astype("float64"))
    np.testing.assert_allclose((p * x).sum(), mean, rtol=1e-4)
    np.testing.assert_allclose((p * (x - mean) ** 2).sum(), mean + mean**2 / theta, rtol=1e-4)
    draws = stats.nbinom.rvs(theta, theta / (theta + mean), size=200_000, random_state=0)
    negative_log_prob = -nb(draws, mean, theta).astype("float64")
    entropy = stats.nbinom.entropy(theta, theta / (theta + mean))
    assert abs(negative_log_prob.mean() - entropy) < 5 * negative_log_prob.std() / np.sqrt(200_000)


def test_nb_gradient():
    x, mean, theta = (np.float32(a) for a in ([0, 1, 5, 40, 3], [0.01, 2, 4, 10, 5], [0.1, 1, 100, 3, 1e4]))
    to_mean, to_theta = gradient(lambda m, t: negative_binomial_log_prob(x, m, t), mean, theta)
    np.testing.assert_allclose(to_mean, slope(lambda m: scipy_nb(x, m, theta), mean), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(to_theta, slope(lambda t: scipy_nb(x, mean, t), theta), rtol=2e-3, atol=1e-6)


def test_nb_gradient_keeps_its_digits():
    """With respect to log μ and log θ, which a decoder learns; automatic differentiation would keep two digits."""
    x, mean, theta = np.meshgrid(COUNTS, MEANS, THETAS[THETAS <= 10], indexing="ij")
    gradients = gradient(lambda m, t: negative_binomial_log_prob(x, m, t), mean, theta)
    x, mean, theta = (a.astype("float64") for a in (x, mean, theta))
    excess = (x - mean) / (theta + mean)
    to_theta = digamma(x + theta) - digamma(theta) - np.log1p(mean / theta) - excess
    np.testing.assert_allclose(gradients[0] * mean, theta * excess, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(gradients[1] * theta, theta * to_theta, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (2, 1), (2, 3)])
def test_nb_gradient_is_summed_over_the_broadcast_axes_of_theta(shape):
    x, mean = np.float32([[0, 1, 5], [2, 0, 7]]), np.float32([[0.5, 1, 2], [3, 4, 5]])
    theta = np.random.default_rng(0).gamma(2.0, 1.0, shape).astype("float32")
    (summed,) = gradient(lambda t: negative_binomial_log_prob(x, mean, t), theta)
    wide = np.broadcast_to(theta, x.shape)
    (broadcast_gradient,) = gradient(lambda t: negative_binomial_log_prob(x, mean, t), wide)
    axes = tuple(i for i in range(2) if np.shape(np.empty(shape)[(None,) * (2 - len(shape))])[i] == 1)
    assert np.shape(summed) == shape
    np.testing.assert_allclose(summed, np.sum(broadcast_gradient, axis=axes).reshape(shape), rtol=1e-5)


def test_nb_gradient_of_x_is_zero_because_x_is_data():
    (to_x,) = gradient(lambda x: negative_binomial_log_prob(x, np.float32(4), np.float32(2)), np.float32([5]))
    np.testing.assert_array_equal(to_x, 0)


def test_nb_gradient_is_finite_at_the_limits():
    x, mean, theta = np.meshgrid(COUNTS, MEANS, THETAS, indexing="ij")
    assert all(
        np.isfinite(g).all() for g in gradient(lambda m, t: negative_binomial_log_prob(x, m, t), mean, theta)
    )
