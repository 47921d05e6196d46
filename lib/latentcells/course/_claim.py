"""Claims: the sentences of the book that a cell checks."""

import numpy as np


def claim(text: str, condition, /, **numbers) -> None:
    """Print ``✓ text (name number, …)`` if ``condition`` holds, raise otherwise.

    Args:
        text: the claim, one plain sentence without measured digits: nbval compares it word for word.
        condition: anything with a truth value. Reduce a NumPy array with ``.all()`` or ``.any()`` first.
        numbers: the numbers that the condition compares, by name; an underscore is shown as a space. Several numbers,
            for instance one a seed, are shown as their range. nbval compares them with the tolerance of
            ``conftest.py``.

    Raises:
        AssertionError: if the condition does not hold; the message repeats the claim and its numbers.
        TypeError: for a number that is none.

    Example:
        >>> claim("two and two make four", 2 + 2 == 4)
        ✓ two and two make four
        >>> vae, logistic = [0.71, 0.74], 0.8572
        >>> claim("no seed of the VAE comes near", max(vae) < 0.8, VAE=vae, logistic_regression=logistic)
        ✓ no seed of the VAE comes near (VAE 0.710 to 0.740, logistic regression 0.857)
    """
    shown = ", ".join(f"{name.replace('_', ' ')} {_shown(name, number)}" for name, number in numbers.items())
    sentence = f"{text} ({shown})" if shown else text
    if not bool(condition):
        raise AssertionError(f"✗ {sentence}")
    print(f"✓ {sentence}")


def _shown(name, number) -> str:
    """A number with three digits, a whole one with all of them; the range of several."""
    values = np.asarray(number)
    if values.dtype.kind not in "biuf" or not values.size:
        raise TypeError(f"{name} must be a number or several, got {number!r}: pass what the claim compares")
    low, high = _digits(values.min()), _digits(values.max())
    return low if low == high else f"{low} to {high}"


def _digits(value) -> str:
    if value.dtype.kind != "f":
        return f"{int(value):,}"
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:#.3g}" if value else "0"
