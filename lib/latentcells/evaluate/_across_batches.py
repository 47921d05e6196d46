"""Known quantities: can a regression that was fitted on other batches predict them from an embedding?"""

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
    r"""Predict quantities of each batch's cells by regressions that were fitted on the other batches only.

    Ridge regression on standardised dimensions finds what is linear in ``z``; its penalty is chosen by leave-one-out
    error on the cells that it is fitted on. The mean of the nearest neighbours, exact and Euclidean in ``z`` as it
    is, finds any shape. With the quantity y, its prediction and its mean over the batch's cells,

    .. math:: R^2 = 1 - \frac{\sum_i (y_i - \hat y_i)^2}{\sum_i (y_i - \bar y)^2},

    averaged over quantities: 1 is perfect, 0 is as good as the batch's own mean, and a batch effect can make it
    negative.

    Args:
        z: (cells, dimensions), an embedding, or any dense matrix.
        target: (cells,) or (cells, quantities), numbers.
        batch: (cells,), at least two names.
        n_neighbors: how many cells are averaged.

    Returns:
        ``ridge_r2`` and ``knn_r2``, each a dictionary from the scored batch's name to its R²; ``ridge`` and ``knn``,
        the predictions, of the shape of ``target``.

    Raises:
        ValueError: for NaN, an embedding that is the same for all cells, different cells (by number, or by the index
            of two pandas objects), one batch only, a quantity that does not vary in a batch, more neighbours than
            there are cells to fit on.
        TypeError: for a number of neighbours that is not an integer.

    References:
        Hoerl and Kennard 1970, https://doi.org/10.1080/00401706.1970.10488634

    Example:
        >>> import numpy as np
        >>> z = np.random.default_rng(0).normal(size=(60, 2))
        >>> scores = across_batches(z, z @ [2, 1], np.repeat(["plate 1", "plate 2"], 30), n_neighbors=5)
        >>> round(scores["ridge_r2"]["plate 2"], 3)
        1.0
    """
    return _predict_across(z, target, batch, n_neighbors, "target")


def proportions(z, proportions, batch, n_neighbors=15) -> dict:
    """`across_batches` for mixing proportions.

    Args:
        z: (cells, dimensions), an embedding, or any dense matrix.
        proportions: (cells, parts), rows that sum to 1.
        batch: (cells,), at least two names.
        n_neighbors: how many cells are averaged.

    Returns:
        as `across_batches`.

    Raises:
        ValueError: for proportions that are negative or do not sum to 1 within 0.02, and as `across_batches`.
        TypeError: for a number of neighbours that is not an integer.

    Example:
        >>> import numpy as np
        >>> parts = np.random.default_rng(0).dirichlet([1, 1, 1], 60)
        >>> scores = proportions(parts[:, :2], parts, np.repeat(["plate 1", "plate 2"], 30), n_neighbors=5)
        >>> round(scores["ridge_r2"]["plate 1"], 3)
        1.0
    """
    _checks.proportions(proportions, "proportions")
    return _predict_across(z, proportions, batch, n_neighbors, "proportions")


def _predict_across(z, target, batch, n_neighbors, name):
    """`across_batches`, whose messages call the quantities ``name``."""
    points = varying(embedding(z))
    same_cells(z=z, **{name: target}, batch=batch)
    codes, batches = labels(batch, len(points), name="batch")
    if len(batches) < 2:
        raise ValueError(f"batch is {batches[0]!r} for all cells: none is left to fit on, pass two or more")
    y = _quantities(target, codes, batches, name)
    _check_neighbours(n_neighbors, codes, batches)
    regressions = {
        "ridge": make_pipeline(StandardScaler(), RidgeCV(PENALTIES)),
        "knn": KNeighborsRegressor(n_neighbors, algorithm="brute"),
    }
    result = {}
    for kind, regression in regressions.items():
        predicted, r2 = np.empty(y.shape), {}
        for code, scored in enumerate(batches):
            inside = codes == code
            fitted = regression.fit(points[~inside], y[~inside])
            predicted[inside] = fitted.predict(points[inside]).reshape(y[inside].shape)
            r2[str(scored)] = float(r2_score(y[inside], predicted[inside]))
        result |= {f"{kind}_r2": r2, kind: predicted.reshape(np.shape(target))}
    return result


def _quantities(target, codes, batches, name):
    """(cells, quantities), which vary in each batch."""
    y = np.asarray(target)
    _checks.finite(y, name)
    if len(y) != len(codes) or y.ndim > 2:
        raise ValueError(
            f"{name} has shape {y.shape}, z has {len(codes)} cells: pass one row of numbers per cell"
        )
    y = y.reshape(len(y), -1).astype(np.float64)
    for code, batch in enumerate(batches):
        if (flat := np.ptp(y[codes == code], axis=0) == 0).any():
            column = int(flat.argmax())
            raise ValueError(
                f"{name} {column} is {y[codes == code][0, column]:g} for all cells of batch {batch!r}: R² needs a "
                "quantity that varies, drop it or merge the batch"
            )
    return y


def _check_neighbours(n_neighbors, codes, batches):
    _checks.at_least(n_neighbors, 1, "n_neighbors")
    cells = np.bincount(codes)
    fewest = int(len(codes) - cells.max())
    if n_neighbors > fewest:
        raise ValueError(
            f"n_neighbors={n_neighbors} is more than the {fewest} cells outside batch "
            f"{batches[cells.argmax()]!r}: lower it"
        )
