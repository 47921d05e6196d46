"""Annotation: can the cells of an embedding be labelled?"""

from math import ceil

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from latentcells import _checks
from latentcells._arrays import labelled_embedding


def annotation(z, label, n_neighbors=15, folds=5, seed=0) -> dict:
    """Label every cell from the other folds' cells, by its neighbours and by a linear probe.

    Stratified cross-validation: each cell is predicted once, by classifiers that did not see it. The neighbours are
    exact and Euclidean in ``z`` as it is; the probe is logistic regression on standardised dimensions. Macro-F1 is
    the mean over labels of F1 = 2PR / (P + R), with precision P and recall R over all cells, so that a rare label
    weighs as much as a common one.

    Args:
        z: (cells, dimensions), an embedding, or any dense matrix.
        label: (cells,), the true labels.
        n_neighbors: how many training cells vote.
        folds: the number of folds.
        seed: of the split into folds.

    Returns:
        ``knn_macro_f1``, ``knn_accuracy``, ``probe_macro_f1``, ``probe_accuracy``, each in [0, 1].

    Raises:
        ValueError: for NaN in ``z``, missing labels, different cells (by number, or by the index of two pandas
            objects), fewer than 2 labels, a label with fewer cells than folds, more neighbours than training cells.
        TypeError: for a number of neighbours or folds that is not an integer.

    References:
        Cover and Hart 1967, https://doi.org/10.1109/TIT.1967.1053964

    Example:
        >>> import numpy as np
        >>> z = np.repeat([[0.0], [9.0]], 20, axis=0)
        >>> annotation(z, ["B"] * 20 + ["T"] * 20)["knn_macro_f1"]
        1.0
    """
    z, codes, names = labelled_embedding(z, label, "annotation")
    _check_sizes(codes, names, n_neighbors, folds)
    _checks.at_least(seed, 0, "seed")
    split = StratifiedKFold(folds, shuffle=True, random_state=seed)
    scores = {}
    for name, classifier in {"knn": KNeighborsClassifier(n_neighbors), "probe": linear_probe()}.items():
        predicted = cross_val_predict(classifier, z, codes, cv=split)
        scores[f"{name}_macro_f1"] = float(f1_score(codes, predicted, average="macro"))
        scores[f"{name}_accuracy"] = float(accuracy_score(codes, predicted))
    return scores


def linear_probe(standardise=True):
    """A classifier of scikit-learn, not fitted: logistic regression, on standardised dimensions or not."""
    regression = LogisticRegression(max_iter=1000)
    return make_pipeline(StandardScaler(), regression) if standardise else regression


def _check_sizes(codes, names, n_neighbors, folds):
    _checks.at_least(n_neighbors, 1, "n_neighbors")
    _checks.at_least(folds, 2, "folds")
    cells = np.bincount(codes)
    rarest = cells.argmin()
    if cells[rarest] < folds:
        raise ValueError(
            f"label {names[rarest]!r} has {cells[rarest]} of the {folds} cells that {folds} folds need: "
            "drop its cells, or lower folds"
        )
    training = len(codes) - ceil(len(codes) / folds)
    if n_neighbors > training:
        raise ValueError(f"n_neighbors={n_neighbors} is more than the {training} training cells: lower it")
