import numpy as np
import pytest
from scipy import stats

from latentcells.likelihoods import gaussian_log_prob
from tests.helpers import gradient

pytestmark = pytest.mark.backend


def test_gaussian_equals_scipy():
    x, mean, log_var = np.meshgrid([0.0, 1.0, 3.5], [-1.0, 0.2, 4.0], [-6.0, -1.0, 0.0, 3.0])
    result = gaussian_log_prob(*map(np.float32, (x, mean, log_var)))
    np.testing.assert_allclose(result, stats.norm.logpdf(x, mean, np.exp(log_var / 2)), rtol=1e-5, atol=1e-6)


def test_gaussian_integrates_to_one():
    x = np.linspace(-20, 20, 20_001, dtype="float32")
    density = np.exp(gaussian_log_prob(x, np.float32(1.0), np.float32(0.6)))
    np.testing.assert_allclose(np.trapezoid(density, x), 1.0, rtol=1e-4)


def test_gaussian_gradient():
    x, mean, log_var = (np.float32(a) for a in ([0.5, 2.0], [1.0, 1.5], [-1.0, 2.0]))
    to_mean, to_log_var = gradient(lambda m, v: gaussian_log_prob(x, m, v), mean, log_var)
    variance = np.exp(log_var)
    np.testing.assert_allclose(to_mean, (x - mean) / variance, rtol=1e-5)
    np.testing.assert_allclose(to_log_var, ((x - mean) ** 2 / variance - 1) / 2, rtol=1e-5)
