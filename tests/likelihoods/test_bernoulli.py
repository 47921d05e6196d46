import keras
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit

from latentcells.likelihoods import bernoulli_log_prob
from tests.helpers import gradient

pytestmark = pytest.mark.backend


def test_bernoulli_equals_scipy():
    x, logits = np.meshgrid([0, 1], np.linspace(-8, 8, 33))
    result = bernoulli_log_prob(np.float32(x), np.float32(logits))
    np.testing.assert_allclose(result, stats.bernoulli.logpmf(x, expit(logits)), rtol=1e-4, atol=1e-6)


def test_bernoulli_equals_the_cross_entropy_between_zero_and_one():
    x, logits = np.float32([[0.2, 0.9, 0.5]]), np.float32([[-1.0, 3.0, 0.0]])
    expected = -keras.losses.binary_crossentropy(x, logits, from_logits=True) * x.shape[1]
    np.testing.assert_allclose(np.sum(bernoulli_log_prob(x, logits)), expected[0], rtol=1e-5)


def test_bernoulli_is_stable_for_any_logit():
    x, logits = np.float32([0, 1, 0, 1]), np.float32([1e4, 1e4, -1e4, -1e4])
    np.testing.assert_array_equal(bernoulli_log_prob(x, logits), [-1e4, 0.0, 0.0, -1e4])
    (to_logits,) = gradient(lambda lo: bernoulli_log_prob(x, lo), logits)
    np.testing.assert_array_equal(to_logits, [-1.0, 0.0, 0.0, 1.0])


def test_bernoulli_gradient():
    x, logits = np.float32([0, 1, 0.3]), np.float32([0.5, -2.0, 1.0])
    (to_logits,) = gradient(lambda lo: bernoulli_log_prob(x, lo), logits)
    np.testing.assert_allclose(to_logits, x - expit(logits), rtol=1e-5)
