"""The series in float64, where rounding is far below their error."""

import numpy as np
import pytest
from scipy.special import digamma, gammaln, poch

from latentcells.likelihoods._series import (
    HALF_LOG_2PI,
    digamma_less_log,
    log_gamma_series,
    rising_factorial,
)

Y = np.geomspace(1e-4, 1e3, 200)
ROUNDING = 1e-13


def test_the_rising_factorial_is_scipys():
    np.testing.assert_allclose(rising_factorial(Y), poch(Y, 4), rtol=1e-12)


def test_the_error_of_log_gamma_is_below_the_first_omitted_term():
    """At most 3.7e-8."""
    log_gamma = (Y + 3.5) * np.log(Y + 4) - (Y + 4) + HALF_LOG_2PI
    log_gamma += log_gamma_series(Y + 4) - np.log(rising_factorial(Y))
    omitted = 1 / (1680 * (Y + 4) ** 7)
    assert omitted.max() < 3.7e-8
    assert (np.abs(log_gamma - gammaln(Y)) <= omitted + ROUNDING * (1 + np.abs(gammaln(Y)))).all()


def test_the_error_of_digamma_is_below_the_first_omitted_term():
    """At most 6.4e-8."""
    error = np.abs(np.log(Y + 4) + digamma_less_log(Y) - digamma(Y))
    omitted = 1 / (240 * (Y + 4) ** 8)
    assert omitted.max() < 6.4e-8
    assert (error <= omitted + ROUNDING * (1 + np.abs(digamma(Y)))).all()


@pytest.mark.backend
def test_the_series_take_tensors_of_float32():
    from keras import ops

    y = np.float32(Y)
    tensor = ops.convert_to_tensor(y)
    for function in (log_gamma_series, digamma_less_log, rising_factorial):
        np.testing.assert_allclose(function(tensor), function(y.astype("float64")), rtol=1e-6)
