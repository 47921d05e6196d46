"""How far does an embedding go with few labels?"""

import numpy as np
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier

from latentcells import _checks
from latentcells._arrays import labelled_embedding, labels, same_cells
from latentcells.evaluate._annotation import linear_probe


def few_labels(z, label, test, per_type=10, n_neighbors=15, standardise=True, seed=0) -> dict:
    """Label the test cells from a few labelled training cells of each type.

    ``per_type`` cells of each type are drawn at random from the cells that are not ``test``; a linear
    probe (logistic regression) and their nearest neighbours, exact and Euclidean, label the test cells.
    Macro-F1 is the mean over labels of F1, so that a rare label weighs as much as a common one.

    Args:
        z: (cells, dimensions), an embedding, or any dense matrix.
        label: (cells,), the true labels.
        test: (cells,), true for the cells to be scored.
        per_type: labelled cells of each type (fewer where a type has fewer); None takes all of them.
        n_neighbors: how many labelled cells vote, at most ``per_type``.
        standardise: whether the probe sees dimensions with unit variance over the labelled cells, or z as it is.
        seed: of the draw.

    Returns:
        ``probe_macro_f1``, ``knn_macro_f1``, in [0, 1].

    Raises:
        ValueError: for NaN in ``z``, missing labels, different cells (by number, or by the index of two pandas
            objects), fewer than 2 labels, a label with no cell to learn from, no cell to be scored.
        TypeError: for a number of cells or neighbours that is not an integer.

    Example:
        >>> import numpy as np
        >>> z = np.repeat([[0.0], [9.0]], 20, axis=0)
        >>> few_labels(z, ["B"] * 20 + ["T"] * 20, np.arange(40) % 2 == 0, per_type=1)["knn_macro_f1"]
        1.0
    """
    points, codes, _ = labelled_embedding(z, label, "few_labels")
    _checks.at_least(n_neighbors, 1, "n_neighbors")
    labelled = draw_labels(label, test, per_type, seed)
    same_cells(z=z, label=label, test=test)
    test = np.asarray(test, bool)
    if not test.any():
        raise ValueError(f"test is true for none of the {len(test)} cells: none is left to be scored")
    votes = min(n_neighbors, len(labelled), per_type or len(labelled))
    scores = {}
    for name, classifier in {"probe": linear_probe(standardise), "knn": KNeighborsClassifier(votes)}.items():
        predicted = classifier.fit(points[labelled], codes[labelled]).predict(points[test])
        scores[f"{name}_macro_f1"] = float(f1_score(codes[test], predicted, average="macro"))
    return scores


def draw_labels(label, test, per_type=10, seed=0) -> np.ndarray:
    """Which cells `few_labels` draws to be labelled.

    Args:
        label: (cells,), the true labels.
        test: (cells,), true for the cells to be scored, which are not drawn.
        per_type: cells of each type (fewer where a type has fewer); None takes all of them.
        seed: of the draw.

    Returns:
        (labelled cells,) positions, type by type in the order of their names.

    Raises:
        ValueError: for different cells (by number, or by the index of two pandas objects), missing labels, and a
            label with test cells only.
        TypeError: for a number of cells that is not an integer.

    Example:
        >>> draw_labels(["B", "T", "B", "T"], [False, False, True, True], per_type=1).tolist()
        [0, 1]
    """
    if np.shape(test) != np.shape(label):
        raise ValueError(
            f"test has shape {np.shape(test)}, label {np.shape(label)}: pass true or false for each cell"
        )
    same_cells(label=label, test=test)
    test = np.asarray(test, bool)
    codes, names = labels(label, len(test))
    rng, drawn = np.random.default_rng(_checks.at_least(seed, 0, "seed")), []
    per_type = len(codes) if per_type is None else _checks.at_least(per_type, 1, "per_type")
    for code, name in enumerate(names):
        cells = np.flatnonzero((codes == code) & ~test)
        if not len(cells):
            raise ValueError(
                f"label {name!r} has test cells only, none to learn from: split by label, as lc.preprocess.split does"
            )
        drawn.append(rng.permutation(cells)[:per_type])
    return np.concatenate(drawn)
