"""Drawn cells against real ones: does a model generate what was measured?"""

import numpy as np
from scipy.stats import ks_2samp
from sklearn.decomposition import PCA
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

from latentcells import _checks
from latentcells._arrays import dense_matrix

COMPONENTS, TREES, FOLDS = 50, 100, 5


def generation(drawn, real, n_genes=100, seed=0) -> dict:
    """How far drawn cells are from real ones, by four scores that need no labels.

    Real cells against other real cells give the values to aim at: nobody reaches 0 with a finite number of cells.

    Args:
        drawn: (cells, genes), counts from a model, at the library sizes of real cells.
        real: (cells, genes), counts of real cells that the model has not seen.
        n_genes: how many genes, the most expressed of the real cells, ``pairs`` looks at.
        seed: whole number; of the classifier, and of its folds.

    Returns:
        ``zeros``, the mean over genes of the difference between the two shares of zeros; ``depth``, the largest
        difference between the two distributions of a cell's total (Kolmogorov-Smirnov); ``pairs``, the root mean
        squared difference between the two correlations of a pair of genes, of log1p counts; ``auc``, how well a
        classifier tells drawn from real cells: the area under its ROC curve, 0.5 for a coin, 1 for no mistake. It is
        a random forest on 50 principal components of log1p counts, scored by cross-validation.

    Raises:
        ValueError: for what holds no counts, another number of genes, or fewer than 10 drawn or real cells.

    References:
        classifier: Lopez-Paz and Oquab 2017, https://arxiv.org/abs/1610.06545; on single cells: Marouf et al. 2020,
        https://doi.org/10.1038/s41467-019-14018-z

    Example:
        >>> import numpy as np
        >>> rng = np.random.default_rng(0)
        >>> real, drawn = rng.poisson(2.0, (60, 5)), rng.poisson(2.0, (60, 5))
        >>> generation(drawn, real)["zeros"] < 0.1
        True
    """
    cells = {"drawn": dense_matrix(drawn, "drawn"), "real": dense_matrix(real, "real")}
    for name, counts in cells.items():
        _checks.counts(counts, name)
        if len(counts) < 2 * FOLDS:
            raise ValueError(f"{name} has {len(counts)} cells, needed are {2 * FOLDS}: draw or hold out more")
    drawn, real = (counts.astype("float64") for counts in cells.values())
    if drawn.shape[1] != real.shape[1]:
        raise ValueError(f"drawn has {drawn.shape[1]} genes, real has {real.shape[1]}: pass the same genes")
    _checks.at_least(n_genes, 2, "n_genes")
    _checks.at_least(seed, 0, "seed")
    zeros = np.abs((drawn == 0).mean(axis=0) - (real == 0).mean(axis=0)).mean()
    depth = ks_2samp(drawn.sum(axis=1), real.sum(axis=1)).statistic
    expressed = np.argsort(-real.sum(axis=0), kind="stable")[:n_genes]
    difference = _correlations(drawn[:, expressed]) - _correlations(real[:, expressed])
    return {
        "zeros": float(zeros),
        "depth": float(depth),
        "pairs": float(np.sqrt(np.mean(difference**2))),
        "auc": _auc(drawn, real, seed),
    }


def _correlations(counts):
    """The correlation of each pair of genes, (pairs,); 0 for a gene that does not vary."""
    log1p = np.log1p(counts)
    centred = log1p - log1p.mean(axis=0)
    length = np.sqrt((centred**2).sum(axis=0))
    unit = centred / np.where(length > 0, length, 1)
    return (unit.T @ unit)[np.triu_indices(counts.shape[1], 1)]


def _auc(drawn, real, seed):
    log1p = np.log1p(np.concatenate([drawn, real]))
    is_drawn = np.repeat([1, 0], [len(drawn), len(real)])
    values = PCA(min(COMPONENTS, *log1p.shape), random_state=seed).fit_transform(log1p)
    forest = RandomForestClassifier(TREES, min_samples_leaf=5, random_state=seed)
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed)
    share = cross_val_predict(forest, values, is_drawn, cv=folds, method="predict_proba")[:, 1]
    return float(roc_auc_score(is_drawn, share))
