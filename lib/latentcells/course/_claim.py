"""Claims: the sentences of the book that a cell checks."""


def claim(text: str, condition) -> None:
    """Print ``✓ text`` if ``condition`` holds, raise otherwise.

    Args:
        text: the claim, one plain sentence. It should contain no measured digits that may differ between machines:
            the notebooks' outputs are compared word for word.
        condition: anything with a truth value. Reduce a NumPy array with ``.all()`` or ``.any()`` first.

    Raises:
        AssertionError: if the condition does not hold; the message repeats the claim.

    Example:
        >>> claim("two and two make four", 2 + 2 == 4)
        ✓ two and two make four
    """
    if not bool(condition):
        raise AssertionError(f"✗ {text}")
    print(f"✓ {text}")
