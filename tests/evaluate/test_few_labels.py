import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score

from latentcells.evaluate import draw_labels, few_labels

KEYS = {"probe_macro_f1", "knn_macro_f1"}


def mixture(distance, sizes=(80, 50, 20), dimensions=4, seed=0):
    """Gaussian types whose means are ``distance`` apart, their labels, and a mask of the scored cells, every third."""
    rng = np.random.default_rng(seed)
    codes = np.repeat(np.arange(len(sizes)), sizes)
    means = distance * np.eye(len(sizes), dimensions)
    z = rng.normal(size=(len(codes), dimensions)) + means[codes]
    return z, np.array(["B", "T", "NK"])[codes], np.arange(len(codes)) % 3 == 0


def by_hand(z, label, test, labelled, n_neighbors, standardise=True):
    """The reference sorts all distances for the neighbours, and standardises the labelled cells by hand."""
    distances = np.linalg.norm(z[test][:, None] - z[labelled], axis=2)
    votes = label[labelled][np.argsort(distances, axis=1)[:, :n_neighbors]]
    predicted = [max(sorted(set(vote)), key=list(vote).count) for vote in votes]
    center, scale = z[labelled].mean(axis=0), z[labelled].std(axis=0)
    scaled = (z - center) / scale if standardise else z
    probe = LogisticRegression(max_iter=1000).fit(scaled[labelled], label[labelled])
    return {
        "knn_macro_f1": f1_score(label[test], predicted, average="macro"),
        "probe_macro_f1": f1_score(label[test], probe.predict(scaled[test]), average="macro"),
    }


# -- the draw ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("per_type", [1, 5])
def test_equally_many_cells_of_each_type_are_drawn_and_no_scored_ones(per_type):
    _, label, test = mixture(1.0)
    cells = draw_labels(label, test, per_type)
    assert not test[cells].any() and len(set(cells)) == len(cells)
    assert label[cells].tolist() == ["B"] * per_type + ["NK"] * per_type + ["T"] * per_type


def test_a_type_with_fewer_cells_gives_all_of_them():
    _, label, test = mixture(1.0)
    cells = draw_labels(label, test, per_type=20)
    assert [(label[cells] == name).sum() for name in ("B", "NK", "T")] == [20, 14, 20]


def test_none_draws_every_cell_that_is_not_scored():
    _, label, test = mixture(1.0)
    np.testing.assert_array_equal(np.sort(draw_labels(label, test, per_type=None)), np.flatnonzero(~test))


def test_the_draw_depends_only_on_the_seed():
    _, label, test = mixture(1.0)
    state = np.random.get_state()[1].copy()  # noqa: NPY002 - the test is about the global state
    one, two, other = (draw_labels(label, test, 5, seed) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002


def test_every_cell_has_the_same_chance_to_be_drawn():
    label, test = ["B"] * 5 + ["T"] * 5, np.arange(10) % 5 == 0
    n_draws = np.bincount(np.ravel([draw_labels(label, test, 2, seed) for seed in range(500)]), minlength=10)
    assert (n_draws[[0, 5]] == 0).all()
    assert (np.abs(n_draws[[1, 2, 3, 4, 6, 7, 8, 9]] - 250) < 5 * np.sqrt(125)).all()


# -- the scores --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("per_type", "n_neighbors", "seed"), [(10, 15, 0), (5, 3, 1), (None, 15, 2)])
@pytest.mark.parametrize("standardise", [True, False])
def test_equals_the_computation_by_hand(per_type, n_neighbors, seed, standardise):
    z, label, test = mixture(2.0)
    z *= [1, 2, 5, 0.5]  # this scale must affect the neighbours but not the standardised probe
    labelled = draw_labels(label, test, per_type, seed)
    votes = min(n_neighbors, per_type or n_neighbors)
    result = few_labels(z, label, test, per_type, n_neighbors, standardise, seed)
    assert result == pytest.approx(by_hand(z, label, test, labelled, votes, standardise), abs=1e-12)


def test_types_far_apart_need_one_label_each():
    assert few_labels(*mixture(50.0, dimensions=3), per_type=1) == dict.fromkeys(KEYS, 1.0)


def test_permuted_labels_score_as_chance():
    z, label, test = mixture(50.0, sizes=(200, 200, 200))
    scores = few_labels(z, np.random.default_rng(0).permutation(label), test)
    assert all(abs(score - 1 / 3) < 0.1 for score in scores.values()), scores


def test_more_labels_help():
    z, label, test = mixture(2.0, sizes=(200, 200, 200))
    one_label, many_labels = ([few_labels(z, label, test, n, seed=s) for s in range(5)] for n in (1, 50))
    for key in KEYS:
        assert (
            np.mean([scores[key] for scores in one_label])
            < np.mean([scores[key] for scores in many_labels]) - 0.05
        )


def test_labels_of_the_scored_cells_are_not_used():
    """The scored cells get wrong labels, and the predictions are still the true ones."""
    z, label, test = mixture(50.0)
    wrong = np.where(test, np.roll(label, 60), label)
    assert few_labels(z, wrong, test)["knn_macro_f1"] == pytest.approx(
        f1_score(wrong[test], label[test], average="macro"), abs=1e-12
    )


def test_the_scale_matters_only_to_the_plain_probe():
    z, label, test = mixture(2.0)
    small = {
        standardise: few_labels(z * 1e-4, label, test, None, 15, standardise) for standardise in (True, False)
    }
    assert small[True] == pytest.approx(few_labels(z, label, test, None))
    assert small[False]["probe_macro_f1"] < small[True]["probe_macro_f1"] - 0.1


def test_few_cells_of_every_type_are_enough():
    """Only three cells of each type can be labelled instead of ten, so that at most six neighbours vote."""
    z, label, test = mixture(50.0, sizes=(5, 5, 0))
    assert few_labels(z, label, test, per_type=10, n_neighbors=15).keys() == KEYS


@pytest.mark.parametrize("kind", [list, pd.Series, pd.Categorical])
def test_labels_of_any_kind(kind):
    z, label, test = mixture(2.0)
    assert few_labels(z, kind(label), list(test)) == few_labels(z, label, test)


def test_the_arguments_are_unchanged():
    z, label, test = mixture(2.0)
    before = z.copy(), label.copy(), test.copy()
    few_labels(z, label, test)
    assert all(np.array_equal(a, b) for a, b in zip(before, (z, label, test), strict=True))


# -- bad input ---------------------------------------------------------------------------------------------------


def refused(message, kind=ValueError, **changed):
    z, label, test = mixture(2.0)
    arguments = {"z": z, "label": label, "test": test, **changed}
    with pytest.raises(kind, match=message) as refusal:
        few_labels(**arguments)
    assert "\n" not in str(refusal.value)


def test_refuses_values_that_are_not_finite():
    z = mixture(2.0)[0]
    z[3, 1] = np.nan
    refused("^z must be finite, got nan", z=z)


def test_refuses_another_shape():
    refused(r"^z must have the shape \(cells, dimensions\), got \(150,\)", z=np.zeros(150))


def test_refuses_lengths_that_differ():
    refused(r"^label has shape \(149,\), there are 150 cells: pass one label per cell", label=["a"] * 149)
    message = r"^test has shape \(10,\), label \(150,\): pass true or false for each cell"
    refused(message, test=np.arange(10))


def test_refuses_missing_labels():
    refused("^label lacks a value for 1 of 150 cells: drop those cells", label=["a"] * 149 + [None])


def test_refuses_one_label():
    refused("^label is 'a' for all cells: few_labels needs at least 2 labels", label=["a"] * 150)


def test_refuses_no_cell_to_be_scored():
    refused("^test is true for none of the 150 cells: none is left to be scored", test=np.zeros(150, bool))


def test_refuses_a_label_that_only_test_cells_have():
    _, label, test = mixture(2.0)
    message = (
        "^label 'NK' has test cells only, none to learn from: split by label, as lc.preprocess.split does$"
    )
    refused(message, test=test | (label == "NK"))


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"n_neighbors": 0}, ValueError, "^n_neighbors must be at least 1, got 0"),
        ({"n_neighbors": 2.5}, TypeError, "^n_neighbors must be an integer, got 2.5"),
        ({"per_type": 0}, ValueError, "^per_type must be at least 1, got 0"),
        ({"per_type": "all"}, TypeError, "^per_type must be an integer, got 'all'"),
    ],
)
def test_refuses_numbers_that_are_too_small_or_no_integers(arguments, kind, message):
    refused(message, kind, **arguments)
