"""What functions ask of an AnnData, an embedding, labels and tables before they start."""

import numpy as np
import pandas as pd
from scipy import sparse

from latentcells import _checks

NOT_FITTED = "%(name)s is not fitted: call fit(train) with the training cells first"


def layer_names(adata) -> list[str]:
    """The names of the layers; from 0.13 on anndata lists ``X`` among them, as ``None``."""
    return [name for name in adata.layers if name is not None]


def column(adata, name, argument, otherwise=None) -> pd.Series:
    """One column of ``adata.obs`` without missing values, (cells,).

    Args:
        adata: AnnData.
        name: the column.
        argument: the argument of the caller that named it.
        otherwise: what else the message may offer where there is no such column.

    Raises:
        ValueError: for a column that is absent (lists the columns) or lacks values.
    """
    if not isinstance(name, str) or name not in adata.obs:
        columns = list(adata.obs.columns)
        remedies = [f"choose from {columns}" if columns else f"set adata.obs[{name!r}]", otherwise]
        raise ValueError(f"{argument}={name!r} is no column of obs: {', or '.join(filter(None, remedies))}")
    if missing := int(adata.obs[name].isna().sum()):
        raise ValueError(f"obs[{name!r}] lacks a value for {missing} of {adata.n_obs} cells: drop them")
    return adata.obs[name]


def dense_matrix(x, name, columns="genes") -> np.ndarray:
    """``x`` as an array of finite numbers, (cells, ``columns``); ``name`` is what a message calls it.

    Raises:
        TypeError: for an AnnData, and for values that are not numbers.
        ValueError: if it is sparse, not 2-dimensional or empty, or holds masked, NaN or infinite values.
    """
    if hasattr(x, "obs_names"):
        example = "lc.inputs(adata)" if columns == "genes" else "obsm['X_pca']"
        raise TypeError(f"{name} is an AnnData: pass a dense array, such as {example}")
    shape = np.shape(x)
    if sparse.issparse(x) or len(shape) != 2 or 0 in shape:
        raise ValueError(
            f"{name} must have the shape (cells, {columns}), got {'sparse ' * sparse.issparse(x)}{shape}: "
            "pass a dense 2-D array"
        )
    _checks.finite(x, name)
    return np.asarray(x)


def embedding(z, name="z") -> np.ndarray:
    """``z`` as (cells, dimensions) float64; ``name`` is what a message calls it.

    Raises:
        TypeError, ValueError: as `dense_matrix`.
    """
    return dense_matrix(z, name, "dimensions").astype(np.float64)


def varying(z, name="z") -> np.ndarray:
    """``z`` (cells, dimensions) itself, if it is not the same for all cells.

    Raises:
        ValueError: for an embedding that is the same for all cells.
    """
    if not np.ptp(z, axis=0).any():
        raise ValueError(
            f"{name} is {z[0, :3].tolist()} for all {len(z)} cells: it has collapsed, train the model anew"
        )
    return z


def same_cells(**arguments) -> None:
    """Refuse arguments about different cells: another number, or, of two pandas objects, another index.

    Args:
        arguments: name -> what a function was given, with a row a cell. The first is the one that the others are
            compared with; ``None`` is passed over, and so is what has no length.

    Raises:
        ValueError: with the two numbers of cells, or with the first row whose cells differ.

    Example:
        >>> same_cells(z=pd.DataFrame([[0.5], [0.7]], ["cell 1", "cell 2"]), label=["B", "T"])
    """
    first, *others = [(name, value) for name, value in arguments.items() if np.ndim(value)]
    for other in others:
        _same_number(*first, *other)
    tables = [
        (name, value) for name, value in (first, *others) if isinstance(value, pd.DataFrame | pd.Series)
    ]
    for other in tables[1:]:
        _same_index(*tables[0], *other)


def _same_number(first, one, name, other):
    n_first, n_other = (np.shape(value)[0] for value in (one, other))
    if n_first != n_other:
        raise ValueError(
            f"{name} has {n_other} cells, {first} has {n_first}: pass the same cells in the same order"
        )


def _same_index(first, one, name, other):
    if one.index.equals(other.index):
        return
    row = int(np.flatnonzero(np.asarray(one.index != other.index))[0])
    reordered = one.index.is_unique and other.index.is_unique and one.index.isin(other.index).all()
    remedy = f"{name}.loc[{first}.index]" if reordered else "or arrays, which have no index"
    raise ValueError(
        f"row {row} is cell {other.index[row]!r} in {name} and {one.index[row]!r} in {first}: pass the same cells "
        f"in the same order, {remedy}"
    )


def labels(label, n_cells, asker=None, name="label") -> tuple[np.ndarray, pd.Index]:
    """One label a cell, as codes (cells,) and the sorted names that they stand for.

    Args:
        label: (cells,), of any kind.
        n_cells: how many there must be.
        asker: the function that needs at least 2 labels; None if one is enough.
        name: what a message calls them.

    Raises:
        ValueError: if there is no cell, there are not ``n_cells`` labels, some are missing, or all are the same and
            an asker needs 2.
    """
    if not n_cells:
        raise ValueError(f"{name} has no cell: pass one {name} per cell")
    label = pd.Series(label, dtype=object)  # NumPy would turn a missing value among strings into "nan"
    if label.shape != (n_cells,):
        raise ValueError(
            f"{name} has shape {label.shape}, there are {n_cells} cells: pass one {name} per cell"
        )
    codes, names = pd.factorize(label, sort=True)
    if missing := int((codes < 0).sum()):
        raise ValueError(f"{name} lacks a value for {missing} of {n_cells} cells: drop those cells")
    if asker is not None and len(names) < 2:
        raise ValueError(f"{name} is {names[0]!r} for all cells: {asker} needs at least 2 labels")
    return codes, names


def labelled_embedding(z, label, asker=None, name="z") -> tuple[np.ndarray, np.ndarray, pd.Index]:
    """``z`` as `embedding` gives it, and the codes and the names of its cells' `labels`.

    Raises:
        TypeError, ValueError: as `embedding`, `labels` and `same_cells`.
    """
    points = embedding(z, name)
    codes, names = labels(label, len(points), asker)
    same_cells(**{name: z, "label": label})
    return points, codes, names


def ranked_labels(label, n_cells) -> tuple[np.ndarray, pd.Index]:
    """`labels` for a ranking of genes: at least 2 labels of at least 2 cells.

    Raises:
        ValueError: as `labels`, and for a label with a single cell.
    """
    codes, names = labels(label, n_cells, "ranking genes")
    sizes = np.bincount(codes)
    if sizes.min() < 2:
        raise ValueError(
            f"label {names[sizes.argmin()]!r} has 1 cell, at least 2 are needed: drop it or merge it"
        )
    return codes, names


def same_names(table, names, name, axis="columns") -> None:
    """Refuse a pandas table whose columns (or rows) are named otherwise than ``names`` says.

    A default index, 0 to n - 1, names nothing.

    Raises:
        ValueError: with the first name that differs.
    """
    own = getattr(table, axis, None)
    if not isinstance(own, pd.Index) or isinstance(own, pd.RangeIndex) or len(own) != len(names):
        return
    for i, (here, there) in enumerate(zip(own, names, strict=True)):
        if str(here) != str(there):
            raise ValueError(
                f"{axis.removesuffix('s')} {i} of {name} is {here!r}, but the names say {there!r}: pass the names in "
                f"the order of the {axis}"
            )
