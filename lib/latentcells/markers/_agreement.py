"""How good is a ranking of genes, how well does it agree with another, and how stable is it over seeds?"""

from itertools import combinations

import numpy as np
from scipy.stats import spearmanr

from latentcells import _checks


def precision_at(ranking, reference, k=20) -> dict:
    r"""The share of the k best genes that are in a reference: :math:`|T_c \cap R_c| / k` for label c.

    :math:`T_c` are the k best genes of the label and :math:`R_c` its reference genes. With fewer than k of these, the
    maximum is :math:`|R_c| / k`; by chance it is :math:`|R_c|` over the number of genes, if all reference genes are
    among the ranked ones.

    Args:
        ranking: label -> Series indexed by gene, the best first, as `rank` returns it.
        reference: label -> its genes, such as `canonical` returns; only these labels are scored.
        k: how many of the best genes count.

    Returns:
        ``by_label``, label -> precision in [0, 1], and ``mean``, over the labels.

    Raises:
        ValueError: for a label that the ranking lacks, an empty reference, k below 1 or above the number of genes.
        TypeError: for k that is not an integer.

    References:
        Manning et al. 2008, Introduction to Information Retrieval, chapter 8, https://nlp.stanford.edu/IR-book/

    Example:
        >>> from latentcells.markers import rank
        >>> ranking = rank([[2, 1], [2, 1], [0, 3], [0, 3]], ["B", "B", "T", "T"], ["CD19", "CD3D"])
        >>> precision_at(ranking, {"B": {"CD19"}, "T": {"CD3D"}}, k=2)
        {'by_label': {'B': 0.5, 'T': 0.5}, 'mean': 0.5}
    """
    if not reference:
        raise ValueError("reference holds no label: pass label -> genes")
    for label in reference:
        _checks.choice(label, ranking, "label")
    best = {label: _best(ranking[label], k) for label in reference}
    return _summary({label: len(best[label] & set(reference[label])) / k for label in reference})


def rank_agreement(one, other) -> dict:
    """Spearman's correlation of two rankings' scores over the genes that both have.

    Genes with the same score share their rank: in a ranking by attention most genes may have 0.

    Args:
        one: label -> Series indexed by gene, as `rank` returns it.
        other: of the same labels; the genes may differ.

    Returns:
        ``by_label``, label -> correlation in [-1, 1], and ``mean``, over the labels.

    Raises:
        ValueError: for labels that differ, fewer than 2 shared genes, a label whose shared genes all have one score.

    References:
        Spearman 1904, https://doi.org/10.2307/1412159

    Example:
        >>> from latentcells.markers import rank
        >>> ranking = rank([[2, 1], [2, 1], [0, 3], [0, 3]], ["B", "B", "T", "T"], ["CD19", "CD3D"])
        >>> round(rank_agreement(ranking, ranking)["mean"], 6)
        1.0
    """
    _same([one, other], "label")
    return _summary({label: _spearman(one[label], other[label], label) for label in one})


def stability(rankings, k=20) -> dict:
    r"""How well the k best genes of several rankings agree: the mean of :math:`|T \cap T'| / |T \cup T'|` over pairs.

    Args:
        rankings: at least 2 of the same labels and genes, for instance of models that differ only in their seed; each
            is label -> Series indexed by gene, the best first, as `rank` returns it.
        k: how many of the best genes count.

    Returns:
        ``by_label``, label -> mean overlap in [0, 1], and ``mean``, over the labels.

    Raises:
        ValueError: for one ranking, labels or genes that differ, k below 1 or above the number of genes.
        TypeError: for k that is not an integer.

    References:
        Jaccard 1912, https://doi.org/10.1111/j.1469-8137.1912.tb05611.x

    Example:
        >>> from latentcells.markers import rank
        >>> ranking = rank([[2, 1], [2, 1], [0, 3], [0, 3]], ["B", "B", "T", "T"], ["CD19", "CD3D"])
        >>> stability([ranking, ranking, ranking], k=1)["mean"]
        1.0
    """
    if len(rankings) < 2:
        raise ValueError(f"got {len(rankings)} ranking: stability compares at least 2, of different seeds")
    _same(rankings, "label")
    by_label = {}
    for label in rankings[0]:
        _same([ranking[label].index for ranking in rankings], "gene")
        best = [_best(ranking[label], k) for ranking in rankings]
        by_label[label] = float(np.mean([len(a & b) / len(a | b) for a, b in combinations(best, 2)]))
    return _summary(by_label)


def _best(scores, k) -> set:
    if _checks.at_least(k, 1, "k") > len(scores):
        raise ValueError(f"k={k} is more than the {len(scores)} genes of the ranking: lower it")
    return set(scores.index[:k])


def _same(names, kind):
    """Refuse rankings whose labels, or genes, are not the same set."""
    for other in names[1:]:
        if differ := sorted(set(other) ^ set(names[0]), key=str):
            raise ValueError(
                f"{kind} {differ[0]!r} is in one ranking and not in another: rank the same {kind}s"
            )


def _spearman(one, other, label) -> float:
    shared = one.index.intersection(other.index)
    if len(shared) < 2:
        raise ValueError(f"the rankings share {len(shared)} genes: rank the same genes, at least 2")
    scores = [ranking[shared].to_numpy() for ranking in (one, other)]
    if any(np.ptp(s) == 0 for s in scores):
        raise ValueError(f"label {label!r} has one score for all shared genes: nothing is ranked")
    return float(spearmanr(*scores).statistic)


def _summary(by_label) -> dict:
    return {"by_label": by_label, "mean": float(np.mean(list(by_label.values())))}
