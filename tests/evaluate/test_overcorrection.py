import numpy as np
import pandas as pd
import pytest

from latentcells.evaluate import overcorrection


def two_batches(offset_of_the_second, cells=60, seed=0):
    """Types 20 apart in two batches, the second one shifted; type "T" is only in the first batch."""
    rng = np.random.default_rng(seed)
    label = np.array(["B", "NK", "T"] * cells)
    centre = {"B": [0.0, 0.0], "NK": [20.0, 0.0], "T": [0.0, 20.0]}
    z = rng.normal(size=(3 * cells, 2)) + [centre[name] for name in label]
    second = (np.arange(3 * cells) % 2 == 1) & (label != "T")
    return z + second[:, None] * np.array(offset_of_the_second), label


def by_hand(z, label, of, n_neighbors):
    shares = []
    for i in np.flatnonzero(label == of):
        distance = np.linalg.norm(z - z[i], axis=1)
        distance[i] = np.inf
        shares.append((label[np.argsort(distance)[:n_neighbors]] != of).mean())
    return np.mean(shares)


def test_a_separate_type_scores_0():
    z, label = two_batches([0.0, 0.0])
    assert [overcorrection(z, label, of) for of in ("B", "NK", "T")] == [0.0, 0.0, 0.0]


def test_a_type_mixed_with_another_scores_high():
    """The other batch's B cells are shifted to where its missing T cells would be."""
    z, label = two_batches([0.0, 20.0])
    assert overcorrection(z, label, of="T") > 0.25
    assert overcorrection(z, label, of="NK") == 0.0


def test_the_score_rises_with_the_mixing():
    scores = [overcorrection(*two_batches([0.0, shift]), of="T") for shift in (10.0, 16.0, 18.0, 20.0)]
    assert scores[0] == 0.0 and scores == sorted(scores) and scores[1] < scores[-1]


def test_a_shuffled_embedding_scores_the_share_of_the_others():
    z, label = two_batches([0.0, 0.0], cells=200)
    shuffled = np.random.default_rng(0).permutation(z)
    assert abs(overcorrection(shuffled, label, of="B") - 400 / 599) < 0.05


@pytest.mark.parametrize("n_neighbors", [1, 5, 15])
@pytest.mark.parametrize("of", ["B", "T"])
def test_equals_the_computation_by_hand(of, n_neighbors):
    z, label = two_batches([0.0, 17.0])
    assert overcorrection(z, label, of, n_neighbors) == pytest.approx(
        by_hand(z, label, of, n_neighbors), abs=1e-12
    )


def test_a_cell_does_not_count_as_its_own_neighbour():
    z, label = np.array([[0.0], [1.0], [2.0], [100.0]]), np.array(["a", "b", "a", "b"])
    assert overcorrection(z, label, of="a", n_neighbors=1) == 1.0


def test_coinciding_cells_are_distinguished():
    """Among 40 identical points a cell may not even be one of its own nearest neighbours."""
    assert overcorrection(np.zeros((40, 2)), ["a"] * 40, of="a") == 0.0
    share = overcorrection(np.zeros((40, 2)), ["a", "b"] * 20, of="a")
    assert 0.0 <= share <= 1.0


@pytest.mark.parametrize("kind", [list, pd.Series, pd.Categorical])
def test_labels_of_any_kind(kind):
    z, label = two_batches([0.0, 17.0])
    result = overcorrection(z.astype(np.float32), kind(label), of="T")
    assert type(result) is float and result == pytest.approx(overcorrection(z, label, of="T"))


def refused(message, kind=ValueError, **changed):
    z, label = two_batches([0.0, 0.0])
    with pytest.raises(kind, match=message) as refusal:
        overcorrection(**{"z": z, "label": label, "of": "B", **changed})
    assert "\n" not in str(refusal.value)


def test_refuses_anything_but_an_embedding():
    refused(r"^z must have the shape \(cells, dimensions\), got \(180,\)", z=np.zeros(180))
    refused("^z must be finite, got inf", z=np.full((180, 2), np.inf))


def test_refuses_labels_that_do_not_fit():
    refused(r"^label has shape \(2,\), there are 180 cells: pass one label per cell", label=["B", "T"])
    refused("^label lacks a value for 1 of 180 cells", label=["B"] * 179 + [None])


def test_refuses_a_label_without_cells():
    refused("^of='Mono' is unknown: choose from 'B', 'NK', 'T'$", of="Mono")


def test_refuses_a_label_with_too_few_cells():
    message = "^label 'B' has 60 cells, too few for n_neighbors=60 of its own kind: lower it"
    refused(message, n_neighbors=60)
    z, label = two_batches([0.0, 0.0])
    assert overcorrection(z, label, "B", n_neighbors=59) == 0.0


def test_refuses_an_invalid_number_of_neighbours():
    refused("^n_neighbors must be at least 1, got 0", n_neighbors=0)
    refused("^n_neighbors must be an integer, got 1.5", TypeError, n_neighbors=1.5)
