"""The seeds of the parts of a model."""

from collections.abc import Iterator

import keras
import numpy as np


def derived(seed, n) -> Iterator[int]:
    """``n`` seeds, all different, that one seed gives.

    They have 32 bits; on PyTorch 31, for there Keras 3.15 cannot store more in a seed generator.

    Example:
        >>> list(derived(0, 2)) == list(derived(0, 3))[:2]
        True
    """
    bits = 31 if keras.backend.backend() == "torch" else 32
    return (state % 2**bits for state in np.random.SeedSequence(seed).generate_state(n).tolist())
