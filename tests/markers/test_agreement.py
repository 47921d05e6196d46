from itertools import combinations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import rankdata, spearmanr
from sklearn.metrics import jaccard_score

from latentcells.markers import precision_at, rank, rank_agreement, stability
from tests.helpers import refused

GENES = np.array([f"gene {i}" for i in range(50)])
LABEL = np.repeat(["B", "T", "NK"], 10)
REFERENCE = {"B": set(GENES[:8]), "T": set(GENES[20:45])}


def ranking(seed=0, genes=GENES):
    return rank(np.random.default_rng(seed).normal(size=(30, len(genes))), LABEL, genes)


def top(one, k):
    return np.isin(GENES, one.index[:k])


# -- precision ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 7, 50])
def test_precision_counts_the_hits(k):
    one = ranking()
    expected = {c: sum(gene in REFERENCE[c] for gene in one[c].index[:k]) / k for c in REFERENCE}
    assert precision_at(one, REFERENCE, k) == {
        "by_label": expected,
        "mean": pytest.approx(np.mean([*expected.values()])),
    }


def test_precision_at_all_genes_is_the_share_of_the_reference():
    assert precision_at(ranking(), REFERENCE, 50)["by_label"] == {"B": 8 / 50, "T": 25 / 50}


def test_the_best_and_the_worst():
    x = np.outer(LABEL == "B", np.arange(50, 0, -1.0))
    assert precision_at(rank(x, LABEL, GENES), REFERENCE, 8)["by_label"]["B"] == 1
    assert precision_at(rank(-x, LABEL, GENES), REFERENCE, 8)["by_label"]["B"] == 0


def test_chance_is_the_share_of_the_reference():
    mean = np.mean([precision_at(ranking(seed), REFERENCE, 10)["by_label"]["T"] for seed in range(200)])
    assert mean == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("kind", [list, dict.fromkeys, pd.Index])
def test_the_reference_may_be_of_any_kind(kind):
    reference = {name: kind(sorted(genes)) for name, genes in REFERENCE.items()}
    assert precision_at(ranking(), reference) == precision_at(ranking(), REFERENCE)


# -- agreement ---------------------------------------------------------------------------------------------------


def test_agreement_is_scipys_spearman_of_the_shared_genes():
    one, other = ranking(0), ranking(1, GENES[10:][::-1])
    result = rank_agreement(one, other)
    shared = list(GENES[10:])
    expected = {c: spearmanr(one[c][shared], other[c][shared]).statistic for c in one}
    assert result["by_label"] == pytest.approx(expected, abs=1e-12)
    assert result["mean"] == pytest.approx(np.mean([*expected.values()]))


def test_a_ranking_agrees_with_itself_and_not_with_its_reverse():
    one = ranking()
    reverse = {name: -scores[::-1] for name, scores in one.items()}
    assert rank_agreement(one, one)["mean"] == pytest.approx(1)
    assert rank_agreement(one, reverse)["mean"] == pytest.approx(-1)


def test_genes_with_the_same_score_share_their_rank():
    """The reference is Pearson's correlation of the ranks; nearly all genes of one ranking have score 0."""
    one, other = pd.Series([2.0, *[0] * 7], list("abcdefgh")), pd.Series([2.0, 1, *[0] * 6], list("haebcdfg"))
    expected = np.corrcoef(rankdata(one), rankdata(other[one.index]))[0, 1]
    assert rank_agreement({"B": one}, {"B": other})["mean"] == pytest.approx(expected)


# -- stability ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("k", [1, 12, 50])
def test_stability_is_the_mean_of_scikit_learns_jaccard(k):
    rankings = [ranking(seed) for seed in range(4)]
    expected = {
        c: np.mean([jaccard_score(top(a[c], k), top(b[c], k)) for a, b in combinations(rankings, 2)])
        for c in rankings[0]
    }
    result = stability(rankings, k)
    assert result["by_label"] == pytest.approx(expected, abs=1e-12)
    assert result["mean"] == pytest.approx(np.mean([*expected.values()]))


def test_the_limits():
    one = ranking()
    reverse = {name: scores[::-1] for name, scores in one.items()}
    assert stability([one, one, one])["mean"] == 1
    assert stability([one, reverse], 25)["mean"] == 0
    assert stability([one, reverse], 50)["mean"] == 1


# -- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "score", [lambda k: precision_at(ranking(), REFERENCE, k), lambda k: stability(PAIR, k)]
)
@pytest.mark.parametrize(
    ("k", "kind", "message"),
    [
        (0, ValueError, "^k must be at least 1, got 0"),
        (51, ValueError, "^k=51 is more than the 50 genes of the ranking: lower it"),
        (2.5, TypeError, "^k must be an integer, got 2.5"),
    ],
)
def test_refuses_k(score, k, kind, message):
    refused(lambda: score(k), message, kind)


PAIR = [ranking(0), ranking(1)]


def test_refuses_a_label_of_the_reference_that_the_ranking_lacks():
    refused(
        lambda: precision_at(ranking(), {"Mono": {"LYZ"}}),
        "^label='Mono' is unknown: choose from 'B', 'NK', 'T'",
    )


def test_refuses_an_empty_reference():
    refused(lambda: precision_at(ranking(), {}), "^reference holds no label: pass label -> genes")


@pytest.mark.parametrize("score", [rank_agreement, lambda *rankings: stability(rankings)])
def test_refuses_labels_that_differ(score):
    fewer = {name: scores for name, scores in ranking().items() if name != "NK"}
    for pair in ((ranking(), fewer), (fewer, ranking())):
        refused(
            lambda pair=pair: score(*pair), "^label 'NK' is in one ranking and not in another: rank the same"
        )


def test_refuses_genes_that_differ():
    message = "^gene 'gene 0' is in one ranking and not in another: rank the same genes"
    refused(lambda: stability([ranking(), ranking(), ranking(1, GENES[1:])]), message)


def test_refuses_too_few_shared_genes():
    other = ranking(0, np.char.add("other ", GENES))
    refused(
        lambda: rank_agreement(ranking(), other),
        "^the rankings share 0 genes: rank the same genes, at least 2",
    )


def test_refuses_scores_that_rank_nothing():
    flat = rank(np.zeros((30, 50)), LABEL, GENES)
    refused(
        lambda: rank_agreement(ranking(), flat), "^label 'B' has one score for all shared genes: nothing is"
    )


def test_refuses_one_ranking():
    refused(
        lambda: stability([ranking()]), "^got 1 ranking: stability compares at least 2, of different seeds"
    )
