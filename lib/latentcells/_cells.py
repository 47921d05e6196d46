"""The one door for cells: whatever holds them becomes a float32 matrix, dense or CSR, with the names it carries."""

from typing import NamedTuple

import keras
import numpy as np
import pandas as pd
from scipy import sparse

from latentcells import _checks
from latentcells._arrays import column, layer_names

NO_FILL = "no fill"
NOT_CELLS = "x must be (cells, genes), got {}: pass an AnnData, a matrix or a table, one row a cell"


class Expression(NamedTuple):
    """Cells as they came in.

    Attributes:
        matrix: (cells, genes) float32, a dense array or CSR in canonical form.
        genes: the genes' names, or None where the form carries none.
        cells: the cells' names, or None.
    """

    matrix: np.ndarray | sparse.csr_matrix
    genes: pd.Index | None = None
    cells: pd.Index | None = None


def inputs(adata, layer=None, batch=None):
    """The expression matrix as a model's input, and where it is asked for each cell's batch.

    Args:
        adata: AnnData, (cells, genes), dense or sparse.
        layer: a layer's name, for instance ``"counts"``; ``X`` by default.
        batch: a column of ``obs``, for instance ``"batch"``, for models that are told the batch.

    Returns:
        (cells, genes) dense float32, a copy, in the unit of what was read; with ``batch`` a dictionary of that
        array, ``"x"``, and the batches' names, ``"batch"``, (cells,).

    Raises:
        ValueError: for a layer or a column that is not there (lists those that are), and for no ``X``.
        TypeError: for anything but an AnnData.

    Example:
        >>> import anndata, numpy as np
        >>> adata = anndata.AnnData(np.array([[0, 3], [1, 0]]), obs={"batch": ["plate 1", "plate 2"]})
        >>> inputs(adata)
        array([[0., 3.],
               [1., 0.]], dtype=float32)
        >>> inputs(adata, batch="batch")["batch"].tolist()
        ['plate 1', 'plate 2']
    """
    _checks.in_memory(adata)
    if layer is not None and layer not in adata.layers:
        raise ValueError(f"no layer {layer!r}: choose from {layer_names(adata)}, or None for X")
    x = _matrix_of(adata, layer)
    _checks.not_masked(x, "X" if layer is None else f"layers[{layer!r}]")
    x = np.array(x.toarray() if sparse.issparse(x) else x, dtype=np.float32)
    if batch is None:
        return x
    return {"x": x, "batch": column(adata, batch, "batch").astype(str).to_numpy()}


def read(cells, layer=None) -> Expression:
    """Expression out of any form that holds it in memory; its values are not looked at yet.

    Args:
        cells: AnnData, array, pandas table, list of rows, or scipy sparse matrix of any kind.
        layer: of an AnnData: the layer to read where there is one of that name, else ``X``.

    Raises:
        TypeError: for anything else, and for values that are no numbers.
        ValueError: for another rank, no cell, or an AnnData without the matrix.
    """
    genes = gene_names(cells)
    if hasattr(cells, "obs_names"):
        _checks.in_memory(cells)
        x = _matrix_of(cells, layer if layer in cells.layers else None)
        return Expression(_float32(x), genes, cells.obs_names)
    if cells is None or isinstance(cells, (str, bytes, dict, set)):
        raise TypeError(NOT_CELLS.format(type(cells).__name__))
    if _is_table(cells):
        return Expression(_float32(cells.to_numpy()), genes, cells.index)
    return Expression(_float32(cells))


def gene_names(cells):
    """The names of the genes, a pandas Index: ``var_names`` or a table's columns if they are texts; or None."""
    if hasattr(cells, "obs_names"):
        return cells.var_names
    if _is_table(cells) and all(isinstance(name, str) for name in cells.columns):
        return cells.columns
    return None


def _is_table(cells):
    return hasattr(cells, "columns") and hasattr(cells, "index")


def match_genes(expression, expected, fill=None):
    """The matrix with the genes that a model has learned from, in its order.

    Args:
        expression: `Expression`.
        expected: the model's genes, or None where it knows no names; nothing is matched then.
        fill: 0 takes genes that the cells lack as 0; None refuses them, and so does `NO_FILL`, for a caller that
            has no such argument to offer.

    Raises:
        ValueError: for repeated names, and for missing genes: more than half, or any unless they are filled.
    """
    _checks.choice(fill, (None, 0, NO_FILL), "fill")
    genes = expression.genes
    if expected is None or genes is None or genes.equals(expected):
        return expression.matrix
    _checks.unique_names(genes)
    position = genes.get_indexer(expected)
    missing, most = expected[position < 0], len(expected) / 2
    if len(missing) and (fill != 0 or len(missing) > most):
        first = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        remedy = (
            "pass fill=0 to take them as 0" if fill is None else "keep them in the cells that it learns from"
        )
        if len(missing) > most:
            remedy = "translate the names"
        raise ValueError(f"x lacks {len(missing)} of the model's {len(expected)} genes ({first}): {remedy}")
    return _columns(expression.matrix, position)


def stack(nests):
    """Mini-batches of cells one below the other; expression, (cells, genes), as CSR, the rest as arrays."""
    return keras.tree.map_structure(
        lambda *parts: (
            sparse.vstack(list(map(sparse.csr_matrix, parts)), format="csr")
            if parts[0].ndim == 2
            else np.concatenate(parts)
        ),
        *nests,
    )


def n_cells(nest) -> int:
    """The rows of a nest of arrays, the same number in each."""
    return keras.tree.flatten(nest)[0].shape[0]


def choose_rows(nest, rows):
    """Those rows of each array, or sparse matrix, of a nest."""
    return keras.tree.map_structure(lambda array: array[rows], nest)


def to_dense(nest):
    """The nest with each sparse matrix as an array."""
    return keras.tree.map_structure(lambda array: array.toarray() if sparse.issparse(array) else array, nest)


def blocks(nest, size):
    """Dense blocks of ``size`` rows, one after the other: no more than that is ever made dense."""
    for start in range(0, n_cells(nest), size):
        yield to_dense(choose_rows(nest, slice(start, start + size)))


def _matrix_of(adata, layer):
    if layer is not None:
        return adata.layers[layer]
    _checks.has_x(adata)
    return adata.X


def _float32(x):
    """A matrix of numbers as float32: CSR in canonical form, or a dense array, copied only where it must be."""
    x = _checks.matrix(x, "x")
    if x.ndim != 2 or not x.shape[0]:
        raise ValueError(NOT_CELLS.format(f"shape {tuple(x.shape)}"))
    with np.errstate(over="ignore"):  # becomes infinite, which the check of the values refuses
        if not sparse.issparse(x):
            return x.astype(np.float32, copy=False)
        csr = sparse.csr_matrix(x, dtype=np.float32)
    if not csr.has_canonical_format:
        csr = csr.copy()
        csr.sum_duplicates()
    return csr


def _columns(x, position):
    """The columns at those positions; zeros where a position is -1."""
    if not sparse.issparse(x):
        chosen = x[:, position]
        chosen[:, position < 0] = 0
        return chosen
    blank = sparse.csr_matrix((x.shape[0], 1), dtype=x.dtype)
    chosen = sparse.hstack([x, blank], format="csr")[:, np.where(position < 0, x.shape[1], position)]
    chosen.sort_indices()
    return chosen
