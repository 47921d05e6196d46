import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold

from latentcells.evaluate import annotation

KEYS = {"knn_macro_f1", "knn_accuracy", "probe_macro_f1", "probe_accuracy"}


def mixture(distance, sizes=(80, 50, 20), dimensions=4, seed=0):
    """Gaussian types whose means are ``distance`` apart, and their labels."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    means = distance * np.eye(len(sizes), dimensions)
    return rng.normal(size=(len(codes), dimensions)) + means[codes], np.array(["B", "T", "NK"])[codes]


def by_hand(z, label, n_neighbors, folds, seed):
    """The reference sorts all distances for the neighbours, and standardises the probe's training cells by hand."""
    knn, probe = np.empty_like(label), np.empty_like(label)
    for train, test in StratifiedKFold(folds, shuffle=True, random_state=seed).split(z, label):
        distances = np.linalg.norm(z[test][:, None] - z[train], axis=2)
        votes = label[train][np.argsort(distances, axis=1)[:, :n_neighbors]]
        knn[test] = [max(sorted(set(vote)), key=list(vote).count) for vote in votes]
        center, scale = z[train].mean(axis=0), z[train].std(axis=0)
        fitted = LogisticRegression(max_iter=1000).fit((z[train] - center) / scale, label[train])
        probe[test] = fitted.predict((z[test] - center) / scale)
    scores = {}
    for name, predicted in (("knn", knn), ("probe", probe)):
        scores[f"{name}_macro_f1"] = f1_score(label, predicted, average="macro")
        scores[f"{name}_accuracy"] = (predicted == label).mean()
    return scores


@pytest.mark.parametrize(("n_neighbors", "folds", "seed"), [(15, 5, 0), (3, 4, 1), (1, 2, 2)])
def test_equals_the_computation_by_hand(n_neighbors, folds, seed):
    z, label = mixture(2.0)
    z *= [1, 10, 100, 0.1]  # this scale must affect the neighbours but not the probe
    result = annotation(z, label, n_neighbors, folds, seed)
    assert result == pytest.approx(by_hand(z, label, n_neighbors, folds, seed), abs=1e-12)


def test_types_far_apart_score_1():
    assert annotation(*mixture(50.0)) == dict.fromkeys(KEYS, 1.0)


def test_permuted_labels_score_as_chance():
    z, label = mixture(50.0, sizes=(100, 100, 100))
    scores = annotation(z, np.random.default_rng(0).permutation(label))
    assert all(abs(score - 1 / 3) < 0.1 for score in scores.values()), scores


def test_a_rare_label_weighs_as_much_as_a_common_one():
    z, label = mixture(50.0, sizes=(200, 20, 0))
    label[-20:] = ["B", "T"] * 10  # half of the rare type is mislabelled
    scores = annotation(z, label)
    assert scores["knn_macro_f1"] < scores["knn_accuracy"] - 0.1


def test_the_probe_ignores_scale():
    z, label = mixture(2.0)
    scaled = annotation(z * 1e-3 + 5, label)
    assert scaled["probe_accuracy"] == annotation(z, label)["probe_accuracy"]


@pytest.mark.parametrize(
    "kind", [list, pd.Series, pd.Categorical, lambda label: pd.Series(label, index=range(150)[::-1])]
)
def test_labels_of_any_kind(kind):
    z, label = mixture(2.0)
    assert annotation(z, kind(label)) == annotation(z, label)
    assert annotation(z.astype(np.float32), pd.factorize(label)[0]).keys() == KEYS


def test_results_are_reproducible_and_arguments_unchanged():
    z, label = mixture(2.0)
    before, state = z.copy(), np.random.get_state()[1].copy()  # noqa: NPY002 - the test is about the global state
    assert annotation(z, label) == annotation(z, label)
    np.testing.assert_array_equal(z, before)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_a_collapsed_embedding_scores_as_chance():
    scores = annotation(np.zeros((90, 3)), np.repeat(["a", "b", "c"], 30))
    assert scores["knn_accuracy"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_refuses_values_that_are_not_finite(bad):
    z, label = mixture(2.0)
    z[3, 1] = bad
    with pytest.raises(ValueError, match=f"z must be finite, got {bad}"):
        annotation(z, label)


@pytest.mark.parametrize("shape", [(150,), (150, 2, 2), ()])
def test_refuses_another_shape(shape):
    with pytest.raises(ValueError, match=r"z must have the shape \(cells, dimensions\), got \("):
        annotation(np.zeros(shape), ["a"] * 150)


def test_refuses_lengths_that_differ():
    with pytest.raises(
        ValueError, match=r"label has shape \(149,\), there are 150 cells: pass one label per cell"
    ):
        annotation(np.zeros((150, 2)), ["a"] * 149)


@pytest.mark.parametrize("missing", [None, np.nan])
def test_refuses_missing_labels(missing):
    with pytest.raises(ValueError, match="label lacks a value for 1 of 150 cells: drop those cells"):
        annotation(np.zeros((150, 2)), ["a"] * 149 + [missing])


def test_refuses_one_label():
    with pytest.raises(ValueError, match="label is 'a' for all cells: annotation needs at least 2 labels"):
        annotation(np.zeros((150, 2)), ["a"] * 150)


def test_refuses_a_type_with_fewer_cells_than_folds():
    z, label = mixture(2.0, sizes=(80, 50, 4))
    with pytest.raises(
        ValueError, match="label 'NK' has 4 of the 5 cells that 5 folds need: drop its cells, or"
    ):
        annotation(z, label)
    assert annotation(z, label, folds=4).keys() == KEYS


def test_refuses_more_neighbours_than_training_cells():
    z, label = mixture(2.0, sizes=(6, 6, 0))
    assert annotation(z, label, n_neighbors=9).keys() == KEYS
    with pytest.raises(ValueError, match="n_neighbors=10 is more than the 9 training cells: lower it"):
        annotation(z, label, n_neighbors=10)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_neighbors": 0}, "n_neighbors must be at least 1, got 0"),
        ({"folds": 1}, "folds must be at least 2, got 1"),
    ],
)
def test_refuses_numbers_that_are_too_small(arguments, message):
    with pytest.raises(ValueError, match=message):
        annotation(*mixture(2.0), **arguments)
