import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse


@pytest.fixture
def adata():
    """240 cells × 80 genes: negative-binomial counts, 3 labels of unequal size, 4 donors, 2 batches."""
    rng = np.random.default_rng(0)
    label = np.repeat(["B", "T", "NK"], [150, 70, 20])
    mean = rng.gamma(1.0, 2.0, size=(3, 80))[pd.factorize(label)[0]] * rng.gamma(4.0, 0.25, size=(240, 1))
    counts = sparse.csr_matrix(rng.poisson(mean * rng.gamma(2.0, 0.5, size=mean.shape)).astype(np.int32))
    donor, batch = rng.choice(list("wxyz"), size=240), rng.choice(["p1", "p2"], size=240)
    obs = pd.DataFrame({"label": pd.Categorical(label), "donor": donor, "batch": batch})
    obs.index = [f"cell{i}" for i in range(240)]
    var = pd.DataFrame(index=[f"gene{i}" for i in range(80)])
    return anndata.AnnData(counts, obs=obs, var=var, layers={"counts": counts.copy()})


@pytest.fixture
def unchanged(adata):
    """Fails if the test changes the values, layers, names or ``uns`` of ``adata``."""
    before = adata.copy()
    yield
    assert (adata.X != before.X).nnz == 0
    assert adata.X.dtype == before.X.dtype
    assert (adata.layers["counts"] != before.layers["counts"]).nnz == 0
    pd.testing.assert_frame_equal(adata.obs, before.obs)
    pd.testing.assert_frame_equal(adata.var, before.var)
    assert dict(adata.uns) == dict(before.uns)
