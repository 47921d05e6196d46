"""What all scores ask of an embedding and of its labels."""

import numpy as np
import pandas as pd

from latentcells import checks


def embedding(z) -> np.ndarray:
    """``z`` as (cells, dimensions) float64.

    Raises:
        ValueError: if it is not 2-dimensional, is empty or holds NaN or infinite values.
    """
    z = np.asarray(z)
    if z.ndim != 2 or not z.size:
        raise ValueError(f"z must have the shape (cells, dimensions), got {z.shape}: pass a dense 2-D array")
    checks.finite(z, "z")
    return z.astype(np.float64)


def labels(label, n_cells, asker=None) -> tuple[np.ndarray, pd.Index]:
    """One label per cell, as codes (cells,) and the sorted names they stand for.

    ``asker`` names what needs two labels or more; None is content with one.

    Raises:
        ValueError: if there is no cell, there are not ``n_cells`` labels, some are missing, or all are the same to an
            asker.
    """
    if not n_cells:
        raise ValueError("label has no cell: pass one label per cell")
    label = pd.Series(label, dtype=object)  # NumPy would turn a missing value among strings into "nan"
    if label.shape != (n_cells,):
        raise ValueError(f"label has shape {label.shape}, z has {n_cells} cells: pass one label per cell")
    codes, names = pd.factorize(label, sort=True)
    if missing := int((codes < 0).sum()):
        raise ValueError(f"label lacks a value for {missing} of {n_cells} cells: drop those cells")
    if asker is not None and len(names) < 2:
        raise ValueError(f"label is {names[0]!r} for all cells: {asker} needs at least 2 labels")
    return codes, names
