import keras
import numpy as np
import pytest

from latentcells.datasets import simulate


@pytest.fixture(scope="session")
def counts():
    """Counts (96, 20) of two kinds of cells at different depths; no cell and no gene is empty."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 96)
    mean = rng.gamma(2.0, 2.0, (2, 20))[kind] * rng.uniform(0.5, 2.0, (96, 1))
    return (rng.poisson(mean) + np.eye(96, 20)).astype("float32")


@pytest.fixture(scope="session")
def plates(counts):
    """The same cells on two plates, the second with lower yields of some genes; the input of a `BatchVAE`."""
    rng = np.random.default_rng(1)
    second = rng.integers(0, 2, 96) == 1
    shift = rng.uniform(0.2, 1.0, 20)
    x = np.where(second[:, None], rng.binomial(counts.astype(int), shift) + np.eye(96, 20), counts)
    return {"x": x.astype("float32"), "batch": np.where(second, "plate 2", "plate 1")}


TYPES = ["B", "NK", "T"]
TRANSFORMER = {
    "n_genes": 30,
    "n_tokens": 8,
    "dim": 8,
    "n_heads": 2,
    "depth": 1,
}  # a small model for ``typed``
SETS = [
    [0, 1, 2, 3],
    [4, 5],
    list(range(6, 20)),
    [20, 3, 25],
    list(range(24, 30)),
]  # sets of genes of ``typed``


@pytest.fixture(scope="session")
def typed():
    """Counts (160, 30) and names of three simulated types, and 80 more cells; twelve genes are markers."""
    adata = simulate(240, 30, 3, 1, markers_per_type=4, library=300.0, seed=3)
    x = adata.X.toarray().astype("float32")
    y = np.array(TYPES)[adata.obs["label"].str.removeprefix("type ").astype(int)]
    return {"x": x[:160], "y": y[:160], "new x": x[160:], "new y": y[160:]}


def one_step(model, x, y=None, **keywords):
    """The model after one step on all cells, run in the fastest way for a single step on each backend."""
    eager = keras.backend.backend() == "tensorflow"
    model.compile(optimizer=keras.optimizers.Adam(0.01), run_eagerly=eager, steps_per_execution=1)
    model.fit(x, y, batch_size=len(x), verbose=0, **keywords)
    return model
