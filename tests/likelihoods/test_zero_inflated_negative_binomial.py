import numpy as np
import pytest
from scipy.special import expit

from latentcells.likelihoods import zero_inflated_negative_binomial_log_prob
from tests.helpers import gradient
from tests.likelihoods.references import COUNTS, nb, scipy_nb, slope, zinb

pytestmark = pytest.mark.backend


def test_zinb_equals_the_mixture():
    x, logits = np.meshgrid(np.arange(20), [-6.0, -1.0, 0.0, 2.0])
    inflation = expit(logits)
    expected = np.log(inflation * (x == 0) + (1 - inflation) * np.exp(scipy_nb(x, 2.0, 0.8)))
    np.testing.assert_allclose(zinb(x, 2.0, 0.8, logits), expected, rtol=2e-5, atol=1e-5)


def test_zinb_without_inflation_is_nb():
    np.testing.assert_allclose(zinb(COUNTS, 2.0, 0.8, -200.0), nb(COUNTS, 2.0, 0.8), rtol=1e-6)


def test_zinb_is_stable_for_any_logit():
    np.testing.assert_allclose(
        zinb([0, 0, 3], 2.0, 0.8, [1e4, -1e4, 1e4]), [0.0, nb(0, 2.0, 0.8), -1e4], atol=5
    )
    to_mean, to_logits = gradient(
        lambda m, lo: zero_inflated_negative_binomial_log_prob(np.float32([0, 0, 3]), m, np.float32(0.8), lo),
        np.float32([2.0, 2.0, 2.0]),
        np.float32([300.0, -300.0, 300.0]),
    )
    assert np.isfinite(to_mean).all() and np.isfinite(to_logits).all()


def test_zinb_gradient():
    x, mean, logits = np.float32([0, 0, 3]), np.float32([0.5, 2.0, 2.0]), np.float32([-1.0, 1.0, 0.3])

    def mixture(m, lo):
        return np.log(expit(lo) * (x == 0) + expit(-lo) * np.exp(scipy_nb(x, m, 0.8)))

    to_mean, to_logits = gradient(
        lambda m, lo: zero_inflated_negative_binomial_log_prob(x, m, np.float32(0.8), lo), mean, logits
    )
    np.testing.assert_allclose(to_mean, slope(lambda m: mixture(m, logits.astype("f8")), mean), rtol=1e-4)
    np.testing.assert_allclose(to_logits, slope(lambda lo: mixture(mean, lo), logits), rtol=1e-4)
