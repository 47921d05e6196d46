import keras
import numpy as np
import pytest
from scipy import stats

from latentcells.objectives import kl_to_standard_normal
from tests.helpers import gradient


def kl(mean, log_var):
    return np.asarray(kl_to_standard_normal(np.float32(mean), np.float32(log_var)))


def test_of_the_prior_from_itself_is_zero():
    np.testing.assert_array_equal(kl(np.zeros((4, 3)), np.zeros((4, 3))), np.zeros(4))


@pytest.mark.parametrize(("mean", "log_var"), [(0.7, -1.3), (-2.0, 0.4), (0.0, 2.0), (5.0, -6.0)])
def test_equals_the_integral(mean, log_var):
    q = stats.norm(mean, np.exp(0.5 * log_var))
    z = np.linspace(*q.interval(1 - 1e-15), 200_001)
    integral = np.trapezoid(q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), z)
    np.testing.assert_allclose(kl([[mean]], [[log_var]]), [integral], rtol=1e-5)


def test_sums_over_the_latent_axis_and_over_nothing_else():
    rng = np.random.default_rng(0)
    mean, log_var = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    single = np.stack([kl(mean[:, [k]], log_var[:, [k]]) for k in range(3)], axis=1)
    assert kl(mean, log_var).shape == (5,)
    np.testing.assert_allclose(kl(mean, log_var), single.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(kl(np.tile(mean, 2), np.tile(log_var, 2)), 2 * kl(mean, log_var), rtol=1e-5)


def test_is_the_mean_log_ratio_of_draws():
    mean, log_var, draws = np.float32([[1.0, -0.5]]), np.float32([[0.5, -1.0]]), 400_000
    z = stats.norm.rvs(mean, np.exp(0.5 * log_var), size=(draws, 2), random_state=0)
    ratio = (stats.norm.logpdf(z, mean, np.exp(0.5 * log_var)) - stats.norm.logpdf(z)).sum(axis=1)
    np.testing.assert_allclose(kl(mean, log_var), ratio.mean(), atol=5 * ratio.std() / np.sqrt(draws))


def test_gradient():
    mean, log_var = np.float32([[0.5, -2.0]]), np.float32([[1.0, -1.0]])
    to_mean, to_log_var = gradient(kl_to_standard_normal, mean, log_var)
    np.testing.assert_allclose(to_mean, mean, rtol=1e-6)
    np.testing.assert_allclose(to_log_var, (np.exp(log_var) - 1) / 2, rtol=1e-6)


def test_takes_symbolic_tensors():
    assert kl_to_standard_normal(keras.Input((3,)), keras.Input((3,))).shape == (None,)
