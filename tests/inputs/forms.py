"""Valid data, the forms that hold the same numbers, and the kinds of unusual or invalid input."""

from dataclasses import dataclass
from functools import partial

import anndata
import numpy as np
import pandas as pd
from scipy import sparse

rng = np.random.default_rng(0)
N_CELLS, N_GENES = 96, 6
GENES = [f"gene {i}" for i in range(N_GENES)]
CELLS = np.array([f"cell {i}" for i in range(N_CELLS)])
LABEL = np.array(["B", "T"])[np.arange(N_CELLS) % 2]
BATCH = np.array(["plate 1", "plate 2"])[np.arange(N_CELLS) // 2 % 2]
COUNTS = (rng.poisson(4.0, (N_CELLS, N_GENES)) + 1).astype("float32")
COUNTS[1::3, 2] = 0
LOG1P = np.log1p(1e2 * COUNTS / COUNTS.sum(axis=1, keepdims=True))
Z = (rng.normal(size=(N_CELLS, 2)) + 3 * (np.arange(N_CELLS) % 2)[:, None]).astype("float32")
PROBABILITY = np.exp(-np.logaddexp(0, np.stack([Z[:, 0], -Z[:, 0]], axis=1)))
GOOD = {"counts": COUNTS, "log1p": LOG1P, "embedding": Z, "probabilities": PROBABILITY}

# -- the same numbers in another form ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Form:
    """``numbers`` makes numbers that the container can hold; ``convert`` puts them into the container."""

    convert: object
    numbers: object = np.asarray


def _read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def _unsorted_with_zeros(x):
    """CSR with column indices in reverse order and stored zeros."""
    columns = np.tile(np.arange(x.shape[1])[::-1], len(x))
    return sparse.csr_matrix((x[:, ::-1].ravel(), columns, np.arange(0, x.size + 1, x.shape[1])), x.shape)


def _binary(x):
    """0 and 1, with at least one 1 in each row."""
    return ((x > np.median(x)) | (x == x.max(axis=1, keepdims=True))).astype("float32")


def _half(x):
    return x.astype("float16").astype("float32")


ARRAYS = {
    "float64": Form(lambda x: x.astype("float64")),
    "float16": Form(lambda x: x.astype("float16"), _half),
    "int64": Form(lambda x: x.astype("int64"), np.rint),
    "uint16": Form(lambda x: x.astype("uint16"), lambda x: np.rint(np.abs(x))),
    "bool": Form(lambda x: x.astype(bool), _binary),
    "big-endian": Form(lambda x: x.astype(">f4")),
    "Fortran order": Form(np.asfortranarray),
    "every other row of an array": Form(lambda x: np.repeat(x, 2, axis=0)[::2]),
    "read-only": Form(_read_only),
}
SPARSE = {
    "CSR": Form(sparse.csr_matrix),
    "CSR, unsorted, with stored zeros": Form(_unsorted_with_zeros),
    "CSC": Form(sparse.csc_matrix),
    "CSR array": Form(sparse.csr_array),
}


def as_adata(x):
    """An AnnData with this matrix and the labels of the valid cells."""
    n_cells, n_genes = x.shape
    obs = pd.DataFrame({"label": LABEL[:n_cells], "batch": BATCH[:n_cells]}, CELLS[:n_cells])
    return anndata.AnnData(x, obs, pd.DataFrame(index=GENES[:n_genes]))


def _view(x):
    adata = as_adata(x)
    extra = adata[:3].copy()
    extra.obs_names = ["extra 1", "extra 2", "extra 3"]
    view = anndata.concat([adata, extra])[: adata.n_obs]
    assert view.is_view
    return view


MATRIX_FORMS = {
    **ARRAYS,
    **SPARSE,
    "COO": Form(sparse.coo_matrix),
    "DataFrame": Form(pd.DataFrame),
    "DataFrame of named cells": Form(lambda x: pd.DataFrame(x, CELLS)),
    "list": Form(lambda x: x.tolist()),
    "AnnData": Form(as_adata),
}
ADATA_FORMS = {
    name: Form(lambda x, form=form: as_adata(form.convert(x)), form.numbers)
    for name, form in (ARRAYS | SPARSE).items()
} | {"view": Form(_view)}

# -- unusual and invalid input ----------------------------------------------------------------------------------------


def _with_value(value, x):
    x = x.copy()
    x[1, 1] = value
    return x


def _other_unit(x):
    """Log1p data where counts are expected; large counts where anything else is."""
    return np.log1p(x) if x is COUNTS else 9.0 * COUNTS[:, : x.shape[1]]


def _masked(x):
    return np.ma.masked_array(x, np.arange(x.size).reshape(x.shape) == 1)


NUMBERS = {
    "NaN": partial(_with_value, np.nan),
    "infinity": partial(_with_value, np.inf),
    "-1": partial(_with_value, -1.0),
    "z-scores": lambda x: (x - x.mean(axis=0)) / x.std(axis=0),
    "another unit": _other_unit,
    "masked values": _masked,
    "no cells": lambda x: x[:0],
    "no genes": lambda x: x[:, :0],
    "one cell": lambda x: x[:1],
    "one gene": lambda x: x[:, :1],
}
MATRIX_KINDS = {
    **NUMBERS,
    "one row, 1-D": lambda x: x[0],
    "text": lambda x: np.full(x.shape, "many"),
    "objects": lambda x: np.full(x.shape, None, object),
    "None": lambda x: None,
}
# for a matrix with separate labels, which have the index of the valid cells
MISALIGNED = {"misaligned index": lambda x: pd.DataFrame(x, CELLS[::-1])}


def _repeated(names, x):
    adata = as_adata(x)
    values = list(getattr(adata, names))
    setattr(adata, names, [values[1], *values[1:]])
    return adata


def _without_x(x):
    adata = as_adata(x)
    return anndata.AnnData(None, adata.obs, adata.var, layers={"counts": x})


ADATA_KINDS = {name: lambda x, change=change: as_adata(change(x)) for name, change in NUMBERS.items()} | {
    "repeated gene names": partial(_repeated, "var_names"),
    "repeated cell names": partial(_repeated, "obs_names"),
    "no X": _without_x,
    "a matrix": np.asarray,
    "None": lambda x: None,
}


def rows_like(x, values):
    """The values of the cells in ``x``, with an index if ``x`` is a table of named cells."""
    n_cells = len(x) if isinstance(x, list) else (getattr(x, "shape", None) or [N_CELLS])[0]
    values = values[:n_cells]
    if not isinstance(x, pd.DataFrame) or isinstance(x.index, pd.RangeIndex):
        return values
    return (pd.Series if values.ndim == 1 else pd.DataFrame)(values, CELLS[:n_cells])
