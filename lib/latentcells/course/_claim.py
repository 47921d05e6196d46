"""Claims: the sentences of the book that a cell checks."""


def claim(text: str, condition) -> None:
    """Print ``✓ text`` when ``condition`` holds, raise otherwise.

    Args:
        text: the claim, one plain sentence. Print no measured digits in it that may change
            from machine to machine: the notebooks' outputs are compared word for word.
        condition: anything with a truth value. A NumPy array must be reduced with
            ``.all()`` or ``.any()`` first.

    Raises:
        AssertionError: when the condition does not hold; the message repeats the claim.

    Example:
        >>> from latentcells.course._claim import claim
        >>> claim("two and two make four", 2 + 2 == 4)
        ✓ two and two make four
    """
    if not bool(condition):
        raise AssertionError(f"✗ {text}")
    print(f"✓ {text}")
