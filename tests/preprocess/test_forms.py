"""The same numbers give the same result in every storage format.

AnnData accepts a NumPy array, a table, CSR and CSC, as matrix or array, and refuses SciPy's other formats; so do the
preprocessing steps.
"""

import anndata
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from latentcells import inputs
from latentcells.preprocess import GeneModules, GeneSets, HighlyVariableGenes, LibrarySize, MinMax, split
from tests.helpers import refused

CELLS, GENES = [f"cell{i}" for i in range(30)], [f"gene{i}" for i in range(12)]


def unsorted(x):
    """CSR with columns in reverse order within each cell."""
    x = sparse.csr_matrix(x[:, ::-1])
    x.indices = x.shape[1] - 1 - x.indices
    x.has_sorted_indices = False
    return x


STORED = {
    "dense": np.asarray,
    "Fortran's order": np.asfortranarray,
    "a table": lambda x: pd.DataFrame(x, CELLS, GENES),
    "CSR": sparse.csr_matrix,
    "CSC": sparse.csc_matrix,
    "a CSR array": sparse.csr_array,
    "a CSC array": sparse.csc_array,
    "unsorted": unsorted,
}
ALL, FLOATS = ("bool", "uint8", "int32", "int64", "float32", "float64"), ("float32", "float64")


def variable_genes(adata):
    return inputs(HighlyVariableGenes(4, "pearson_residuals").fit(adata).transform(adata))


STEPS = {  # step -> (function, dtypes that can hold its data)
    "LibrarySize": (lambda a: inputs(LibrarySize(None).fit(a).transform(a)), ALL),
    "HighlyVariableGenes": (variable_genes, ALL),
    "MinMax": (lambda a: MinMax().fit(a).transform(a).X, ALL),
    "split": (lambda a: inputs(split(a, stratify=None)[1]), ALL),
    "GeneSets": (lambda a: GeneSets({"one": GENES[:3]}, min_size=2).fit(a).labels_, ALL),
    "GeneModules": (lambda a: GeneModules(3, components=3).fit(a).labels_, FLOATS),
}


@pytest.fixture(scope="module")
def numbers():
    """Numbers that the dtypes can hold: 0 and 1, or log1p values; no cell is empty."""
    rng = np.random.default_rng(0)
    whole = (rng.random((30, 12)) < 0.4) | (np.arange(12) == np.arange(30)[:, None] % 12)
    return {ALL: whole.astype("float32"), FLOATS: np.log1p(rng.poisson(3, (30, 12)) + 0.5).astype("float32")}


def as_adata(x):
    return anndata.AnnData(x, pd.DataFrame(index=CELLS), pd.DataFrame(index=GENES))


def as_view(x):
    """The AnnData as a view of one with an extra cell."""
    more = anndata.concat([as_adata(x), as_adata(x)[:1]])
    more.obs_names = [*CELLS, "one more"]
    return more[:30]


@pytest.mark.parametrize("form", STORED)
@pytest.mark.parametrize("step", STEPS)
@pytest.mark.filterwarnings("ignore:Observation names are not unique:UserWarning")
def test_every_storage_and_dtype_gives_the_same(numbers, step, form):
    call, dtypes = STEPS[step]
    expected = np.asarray(call(as_adata(numbers[dtypes])))
    forms = [(as_adata, dtype) for dtype in (dtypes if form == "dense" else (dtypes[0], "float64"))]
    for wrap, dtype in forms + ([] if form == "a table" else [(as_view, "float32")]):
        result = np.asarray(call(wrap(STORED[form](numbers[dtypes].astype(dtype)))))
        if result.dtype.kind == "f":
            np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)
        else:
            np.testing.assert_array_equal(result, expected)


@pytest.mark.parametrize("kind", ["coo", "lil", "dok", "bsr", "dia"])
def test_anndata_refuses_the_other_kinds_of_scipy(numbers, kind):
    with pytest.raises(ValueError, match="Only CSR and CSC matrices are supported"):
        as_adata(getattr(sparse, f"{kind}_matrix")(numbers[ALL]))


@pytest.mark.parametrize("step", ["LibrarySize", "HighlyVariableGenes", "MinMax", "GeneModules"])
def test_a_masked_x_is_refused(numbers, step):
    call, dtypes = STEPS[step]
    adata = as_adata(np.ma.masked_array(numbers[dtypes], np.eye(30, 12, dtype=bool)))
    refused(
        lambda: call(adata), r"^X is a masked array \(12 of 360 values masked\): fill it, x\.filled\(0\), or"
    )


def test_steps_that_read_no_values_accept_an_absent_x(numbers):
    full = as_adata(numbers[ALL])
    layer = anndata.AnnData(obs=full.obs, var=full.var, layers={"counts": full.X})
    call = STEPS["GeneSets"][0]
    np.testing.assert_array_equal(call(layer), call(full))
    for part, expected in zip(split(layer, stratify=None), split(full, stratify=None), strict=True):
        assert part.X is None
        np.testing.assert_array_equal(part.layers["counts"], expected.X)
