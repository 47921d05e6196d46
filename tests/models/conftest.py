import numpy as np
import pytest


@pytest.fixture(scope="session")
def counts():
    """Counts (96, 20) of two kinds of cells at several depths; no cell and no gene is empty."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 96)
    mean = rng.gamma(2.0, 2.0, (2, 20))[kind] * rng.uniform(0.5, 2.0, (96, 1))
    return (rng.poisson(mean) + np.eye(96, 20)).astype("float32")
