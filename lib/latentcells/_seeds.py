"""Seeds that every backend can store."""

from collections.abc import Iterator

import keras
import numpy as np


def derived(seed, n) -> Iterator[int]:
    """``n`` different seeds derived from one: for the parts of a model.

    Example:
        >>> list(derived(0, 2)) == list(derived(0, 3))[:2]
        True
    """
    return map(_storable, np.random.SeedSequence(seed).generate_state(n).tolist())


def generator(seed) -> keras.random.SeedGenerator:
    """Keras's generator of random numbers with this seed, a whole number of up to 32 bits."""
    return keras.random.SeedGenerator(_storable(seed))


def _storable(seed):
    """The seed; on PyTorch its last 31 bits, since Keras 3.15 stores it there as a signed 32-bit integer."""
    return seed % 2**31 if keras.backend.backend() == "torch" else seed
