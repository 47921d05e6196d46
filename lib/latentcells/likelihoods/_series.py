r"""Log-gamma and digamma, which `keras.ops` lacks, by Stirling's series (Abramowitz & Stegun 1964, 6.1.41, 6.3.18).

.. math::
    \log \Gamma(t) &= (t - \tfrac12) \log t - t + \tfrac12 \log 2\pi
        + \frac{1}{12 t} - \frac{1}{360 t^3} + \frac{1}{1260 t^5} - \dots \\
    \psi(t) &= \log t - \frac{1}{2 t} - \frac{1}{12 t^2} + \frac{1}{120 t^4} - \frac{1}{252 t^6} + \dots

The signs alternate, so that the error is below the first omitted term: :math:`1 / (1680 t^7)` and
:math:`1 / (240 t^8)`. At :math:`t \ge 4` these are 3.6e-8 and 6.4e-8, near the rounding of float32. A positive y
below 4 gets there by the recurrence of either function, which is why every series here is taken at y + 4:

.. math::
    \Gamma(y) = \frac{\Gamma(y + 4)}{y (y + 1)(y + 2)(y + 3)}, \qquad
    \psi(y) = \psi(y + 4) - \frac1y - \frac1{y + 1} - \frac1{y + 2} - \frac1{y + 3}

The functions are plain arithmetic, for tensors and for NumPy arrays of any precision.
"""

import math

HALF_LOG_2PI = 0.5 * math.log(2.0 * math.pi)


def rising_factorial(y):
    """The product y (y + 1)(y + 2)(y + 3), positive y: the outer two are y (y + 3), the inner two are 2 more."""
    outer = y * (y + 3.0)
    return outer * (outer + 2.0)


def log_gamma_series(t):
    """The three series terms of log Γ(t), t ≥ 4: what is left of it without (t - ½) log t - t + ½ log 2π."""
    inverse = 1.0 / t
    square = inverse * inverse
    return inverse * (1.0 / 12.0 - square * (1.0 / 360.0 - square / 1260.0))


def digamma_less_log(y):
    """ψ(y) - log(y + 4), positive y: the series of ψ at y + 4, less the four reciprocals of the recurrence.

    1/y + 1/(y + 3) = (2y + 3) / outer and 1/(y + 1) + 1/(y + 2) = (2y + 3) / (outer + 2), with outer = y (y + 3).
    """
    inverse = 1.0 / (y + 4.0)
    square = inverse * inverse
    series = inverse * (0.5 + inverse * (1.0 / 12.0 - square * (1.0 / 120.0 - square / 252.0)))
    outer = y * (y + 3.0)
    return -series - (2.0 * y + 3.0) * (2.0 * outer + 2.0) / (outer * (outer + 2.0))
