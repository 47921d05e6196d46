"""What functions ask of an AnnData, an embedding and labels before they start."""

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


def embedding(z, name="z") -> np.ndarray:
    """``z`` as (cells, dimensions) float64; ``name`` is what a message calls it.

    Raises:
        ValueError: if it is not 2-dimensional, is empty or holds NaN or infinite values.
    """
    z = np.asarray(z)
    if z.ndim != 2 or not z.size:
        raise ValueError(
            f"{name} must have the shape (cells, dimensions), got {z.shape}: pass a dense 2-D array"
        )
    _checks.finite(z, name)
    return z.astype(np.float64)


def varying(z, name="z") -> np.ndarray:
    """``z`` (cells, dimensions) itself, if any of its dimensions tells cells apart.

    Raises:
        ValueError: for an embedding that is the same for all cells.
    """
    if not np.ptp(z, axis=0).any():
        raise ValueError(
            f"{name} is {z[0, :3].tolist()} for all {len(z)} cells: it has collapsed, train the model anew"
        )
    return z


def same_cells(**of):
    """Refuse things of different cells: by their number, and by name where two are pandas objects.

    Raises:
        ValueError: with the two numbers, or with the first row whose cells differ.
    """
    (first, due), *others = of.items()
    n_cells = {name: found.shape[0] if sparse.issparse(found) else len(found) for name, found in of.items()}
    for name, found in others:
        if n_cells[name] != n_cells[first]:
            raise ValueError(
                f"{name} has {n_cells[name]} cells, {first} has {n_cells[first]}: pass the same cells in the same order"
            )
        if not (hasattr(found, "index") and hasattr(due, "index")) or callable(found.index):
            continue
        if len(differ := np.flatnonzero(np.asarray(found.index != due.index))):
            row = differ[0]
            raise ValueError(
                f"row {row} is cell {found.index[row]!r} in {name} and {due.index[row]!r} in {first}: pass the same "
                f"cells in the same order, {name}.loc[{first}.index]"
            )


def labels(label, n_cells, asker=None, name="label") -> tuple[np.ndarray, pd.Index]:
    """One label per cell, as codes (cells,) and the sorted names they stand for.

    ``asker`` names what needs two labels or more; None is content with one. ``name`` is what a message calls them.

    Raises:
        ValueError: if there is no cell, there are not ``n_cells`` labels, some are missing, or all are the same to an
            asker.
    """
    if not n_cells:
        raise ValueError(f"{name} has no cell: pass one {name} per cell")
    label = pd.Series(label, dtype=object)  # NumPy would turn a missing value among strings into "nan"
    if label.shape != (n_cells,):
        raise ValueError(f"{name} has shape {label.shape}, z has {n_cells} cells: pass one {name} per cell")
    codes, names = pd.factorize(label, sort=True)
    if missing := int((codes < 0).sum()):
        raise ValueError(f"{name} lacks a value for {missing} of {n_cells} cells: drop those cells")
    if asker is not None and len(names) < 2:
        raise ValueError(f"{name} is {names[0]!r} for all cells: {asker} needs at least 2 labels")
    return codes, names
