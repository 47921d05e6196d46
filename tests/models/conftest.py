import numpy as np
import pytest


@pytest.fixture(scope="session")
def counts():
    """Counts (96, 20) of two kinds of cells at several depths; no cell and no gene is empty."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 96)
    mean = rng.gamma(2.0, 2.0, (2, 20))[kind] * rng.uniform(0.5, 2.0, (96, 1))
    return (rng.poisson(mean) + np.eye(96, 20)).astype("float32")


@pytest.fixture(scope="session")
def plates(counts):
    """The same cells on two plates, one of which yields other genes less; what a `BatchVAE` takes."""
    rng = np.random.default_rng(1)
    second = rng.integers(0, 2, 96) == 1
    shift = rng.uniform(0.2, 1.0, 20)
    x = np.where(second[:, None], rng.binomial(counts.astype(int), shift) + np.eye(96, 20), counts)
    return {"x": x.astype("float32"), "batch": np.where(second, "plate 2", "plate 1")}
