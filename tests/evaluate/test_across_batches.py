import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LinearRegression
from sklearn.metrics import r2_score

from latentcells.evaluate import across_batches, proportions

NAMES = ("a", "b", "c")


def mixtures(cells=40, noise=0.1, shift=0.0, seed=0):
    """A random linear map of each cell's three proportions to 5 dimensions, on two plates, the second one shifted."""
    rng = np.random.default_rng(seed)
    parts = rng.dirichlet([1, 1, 1], 2 * cells)
    plate = np.repeat(["p1", "p2"], cells)
    z = parts @ rng.normal(size=(3, 5)) + noise * rng.normal(size=(2 * cells, 5))
    z[plate == "p2"] += shift
    return z, parts, plate


def neighbours_by_hand(z, y, batch, scored, n_neighbors):
    outside = batch != scored
    distances = np.linalg.norm(z[~outside][:, None] - z[outside], axis=2)
    nearest = np.argsort(distances, axis=1)[:, :n_neighbors]
    return y[outside][nearest].mean(axis=1)


def test_a_linear_function_of_z_is_predicted_without_error():
    z, parts, plate = mixtures(noise=0.0)
    scores = proportions(z, parts, plate)
    assert min(scores["ridge_r2"].values()) > 0.999
    np.testing.assert_allclose(scores["ridge"], parts, atol=0.01)


def test_noise_without_signal_is_no_better_than_the_mean():
    _, parts, plate = mixtures(cells=300)
    noise = np.random.default_rng(1).normal(size=(600, 5))
    scores = proportions(noise, parts, plate)
    assert max(scores["ridge_r2"].values()) < 0.02 and max(scores["knn_r2"].values()) < 0.02


def test_the_ridge_is_least_squares_with_many_cells():
    z, parts, plate = mixtures(cells=400)
    scores = proportions(z, parts, plate)
    for scored in ("p1", "p2"):
        inside = plate == scored
        predicted = LinearRegression().fit(z[~inside], parts[~inside]).predict(z[inside])
        np.testing.assert_allclose(scores["ridge"][inside], predicted, atol=0.01)
        assert scores["ridge_r2"][scored] == pytest.approx(r2_score(parts[inside], predicted), abs=0.005)


@pytest.mark.parametrize("n_neighbors", [1, 5, 15])
def test_the_neighbours_equal_those_by_hand(n_neighbors):
    z, parts, plate = mixtures()
    scores = proportions(z, parts, plate, n_neighbors)
    for scored in ("p1", "p2"):
        by_hand = neighbours_by_hand(z, parts, plate, scored, n_neighbors)
        np.testing.assert_allclose(scores["knn"][plate == scored], by_hand, atol=1e-12)


def test_no_cell_is_predicted_from_its_own_batch():
    """The relation of target and z is the opposite in the other plate, so cross-batch predictions are wrong."""
    rng = np.random.default_rng(0)
    z, plate = rng.normal(size=(400, 1)), np.repeat(["p1", "p2"], 200)
    target = z[:, 0] * np.where(plate == "p1", 1, -1)  # the opposite in the other plate
    scores = across_batches(z, target, plate)
    assert max(scores["ridge_r2"].values()) < -1 and max(scores["knn_r2"].values()) < -1


def test_a_batch_effect_lowers_the_scores():
    z, parts, plate = mixtures()
    z_shifted = mixtures(shift=3.0)[0]
    scores, scores_shifted = (proportions(space, parts, plate) for space in (z, z_shifted))
    for key in ("ridge_r2", "knn_r2"):
        assert max(scores_shifted[key].values()) < min(scores[key].values()) - 0.2


def test_each_of_three_batches_is_predicted_from_the_other_two():
    z, parts, _ = mixtures(cells=60)
    batch = np.resize(["p1", "p2", "p3"], len(z))
    scores = proportions(z, parts, batch, n_neighbors=5)
    assert list(scores["knn_r2"]) == ["p1", "p2", "p3"]
    by_hand = neighbours_by_hand(z, parts, batch, "p2", 5)
    np.testing.assert_allclose(scores["knn"][batch == "p2"], by_hand, atol=1e-12)


def test_one_quantity_keeps_its_shape():
    z, parts, plate = mixtures()
    scores = across_batches(z, parts[:, 0], plate)
    assert scores["ridge"].shape == (80,) and type(scores["ridge_r2"]["p1"]) is float


def test_tables_in_the_same_order_give_the_same_as_arrays():
    z, parts, plate = mixtures()
    cells = [f"well {i}" for i in range(80)]
    tables = pd.DataFrame(z, cells), pd.DataFrame(parts, cells, NAMES), pd.Series(plate, cells)
    assert proportions(*tables)["ridge_r2"] == proportions(z, parts, plate)["ridge_r2"]


def refused(message, kind=ValueError, function=proportions, **changed):
    z, parts, plate = mixtures()
    arguments = {"z": z, "proportions": parts, "batch": plate, **changed}
    if function is across_batches:
        arguments["target"] = changed.get("target", arguments.pop("proportions"))
        arguments.pop("proportions", None)
    with pytest.raises(kind, match=message) as refusal:
        function(**arguments)
    assert "\n" not in str(refusal.value)


def test_refuses_proportions_that_do_not_sum_to_1():
    parts = mixtures()[1]
    wrong = parts.copy()
    wrong[3] = [0.5, 0.5, 0.5]
    refused(
        r"^each row of proportions must .* row 3 is \[0.5, 0.5, 0.5\] with the sum 1.5: divide",
        proportions=wrong,
    )
    refused("row 0 .*: divide each row by its sum", proportions=100 * parts)
    wrong[3] = [1.5, -0.5, 0.0]
    refused("row 3", proportions=wrong)
    refused(r"^proportions must have the shape \(cells, parts\), got \(80,\)", proportions=parts[:, 0])


def test_accepts_proportions_that_were_rounded():
    z, parts, plate = mixtures(noise=0.0)
    assert min(proportions(z, parts.round(2), plate)["ridge_r2"].values()) > 0.99


def test_refuses_spaces_with_other_cells_or_another_order():
    z, parts, plate = mixtures()
    refused("^proportions has 80 cells, z has 79: pass the same cells in the same order$", z=z[1:])
    cells = [f"well {i}" for i in range(80)]
    table, parts = pd.DataFrame(z, cells), pd.DataFrame(parts, cells)
    refused(
        r"^row 0 is cell 'well 0' in proportions and 'well 79' in z: .* proportions.loc\[z.index\]$",
        z=table[::-1],
        proportions=parts,
    )
    moved = pd.Series(plate, [*cells[:78], "well 79", "well 78"])
    refused(
        r"^row 78 is cell 'well 79' in batch and 'well 78' in z: .* batch.loc\[z.index\]$",
        z=table,
        proportions=parts,
        batch=moved,
    )


def test_refuses_a_collapsed_embedding():
    refused(r"^z is \[2.0, 2.0, 2.0\] for all 80 cells: it has collapsed", z=np.full((80, 5), 2.0))


def test_refuses_one_batch():
    refused(
        "^batch is 'p1' for all cells: none is left to fit on, pass two or more$", batch=np.repeat("p1", 80)
    )


def test_refuses_a_quantity_that_does_not_vary_in_a_batch():
    amount = np.r_[np.full(40, 7.5), np.arange(40)]
    refused("^target 0 is 7.5 for all cells of batch 'p1'", function=across_batches, target=amount)


def test_refuses_a_target_of_another_shape():
    refused(
        r"^target has shape \(80, 2, 2\)", function=across_batches, target=np.arange(320.0).reshape(80, 2, 2)
    )
    refused("^target must be finite, got nan", function=across_batches, target=np.full(80, np.nan))


def test_refuses_more_neighbours_than_there_are_cells_to_fit_on():
    message = "^n_neighbors=31 is more than the 30 cells outside batch 'p1': lower it"
    refused(message, n_neighbors=31, batch=np.repeat(["p1", "p2"], [50, 30]))
    refused("^n_neighbors must be an integer, got 1.5", TypeError, n_neighbors=1.5)
