"""Known quantities: can they be read from an embedding, by a rule that was learned in other batches?"""

import numpy as np
from sklearn.linear_model import RidgeCV
from sklearn.metrics import r2_score
from sklearn.neighbors import KNeighborsRegressor
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from latentcells import _checks
from latentcells._arrays import embedding, labels, same_cells, varying

PENALTIES = np.logspace(-3, 4, 15)


def across_batches(z, target, batch, n_neighbors=15) -> dict:
    r"""Predict quantities of each batch's cells by regressions that saw the other batches' cells only.

    Ridge regression on standardised dimensions reads what is linear in ``z``; its penalty is chosen by
    leave-one-out error among the cells that it learns from. The mean of the nearest neighbours, exact and
    Euclidean in ``z`` as it is, reads any shape. With the quantity y, its prediction and its mean over the
    batch's cells,

    .. math:: R^2 = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2},

    the mean over quantities: 1 is perfect, 0 is as good as the batch's own mean, and a shift between batches can
    make it negative.

    Args:
        z: (cells, dimensions), an embedding, or any dense matrix.
        target: (cells,) or (cells, quantities), numbers.
        batch: (cells,), at least two names.
        n_neighbors: how many cells are averaged.

    Returns:
        ``ridge_r2`` and ``knn_r2``, each a dictionary with the scored batch's name as key; ``ridge`` and ``knn``, the
        predictions, shaped as ``target``.

    Raises:
        ValueError: for NaN, an embedding that is the same for all cells, lengths that differ, tables (pandas) whose
            cells or order differ, one batch only, a quantity that does not vary in a batch, more neighbours than
            there are cells to learn from.
        TypeError: for a number of neighbours that is no integer.

    References:
        Hoerl and Kennard 1970, https://doi.org/10.1080/00401706.1970.10488634

    Example:
        >>> import numpy as np
        >>> z = np.random.default_rng(0).normal(size=(60, 2))
        >>> found = across_batches(z, z @ [2, 1], np.repeat(["plate 1", "plate 2"], 30), n_neighbors=5)
        >>> round(found["ridge_r2"]["plate 2"], 3)
        1.0
    """
    points = varying(embedding(z))
    same_cells(target=target, z=z, batch=batch)
    codes, names = labels(batch, len(points), name="batch")
    if len(names) < 2:
        raise ValueError(f"batch is {names[0]!r} for all cells: none is left to learn from, pass two or more")
    y = _quantities(target, codes, names)
    _check_neighbours(n_neighbors, codes, names)
    regressions = {
        "ridge": make_pipeline(StandardScaler(), RidgeCV(PENALTIES)),
        "knn": KNeighborsRegressor(n_neighbors, algorithm="brute"),
    }
    found = {}
    for name, regression in regressions.items():
        predicted, r2 = np.empty(y.shape), {}
        for code, of in enumerate(names):
            here = codes == code
            predicted[here] = (
                regression.fit(points[~here], y[~here]).predict(points[here]).reshape(y[here].shape)
            )
            r2[str(of)] = float(r2_score(y[here], predicted[here]))
        found |= {f"{name}_r2": r2, name: predicted.reshape(np.shape(target))}
    return found


def proportions(z, proportions, batch, n_neighbors=15) -> dict:
    """`across_batches` of mixing proportions.

    Args:
        z: (cells, dimensions), an embedding, or any dense matrix.
        proportions: (cells, parts), rows that sum to 1.
        batch: (cells,), at least two names.
        n_neighbors: how many cells are averaged.

    Returns:
        as `across_batches`.

    Raises:
        ValueError: for proportions that are negative or do not sum to 1 within 0.02, and as `across_batches`.

    Example:
        >>> import numpy as np
        >>> parts = np.random.default_rng(0).dirichlet([1, 1, 1], 60)
        >>> found = proportions(parts[:, :2], parts, np.repeat(["plate 1", "plate 2"], 30), n_neighbors=5)
        >>> round(found["ridge_r2"]["plate 1"], 3)
        1.0
    """
    _checks.proportions(proportions, "proportions")
    return across_batches(z, proportions, batch, n_neighbors)


def _quantities(target, codes, names):
    """(cells, quantities), which vary in each batch."""
    y = np.asarray(target)
    _checks.finite(y, "target")
    if len(y) != len(codes) or y.ndim > 2:
        raise ValueError(
            f"target has shape {y.shape}, z has {len(codes)} cells: pass one row of numbers per cell"
        )
    y = y.reshape(len(y), -1).astype(np.float64)
    for code, name in enumerate(names):
        if (flat := np.ptp(y[codes == code], axis=0) == 0).any():
            column = int(flat.argmax())
            value = y[codes == code][0, column]
            raise ValueError(
                f"target {column} is {value:g} for all cells of batch {name!r}: R² needs a quantity that varies, "
                "drop it or merge the batch"
            )
    return y


def _check_neighbours(n_neighbors, codes, names):
    _checks.at_least(n_neighbors, 1, "n_neighbors")
    cells = np.bincount(codes)
    fewest = int(len(codes) - cells.max())
    if n_neighbors > fewest:
        raise ValueError(
            f"n_neighbors={n_neighbors} is more than the {fewest} cells outside batch "
            f"{names[cells.argmax()]!r}: lower it"
        )
