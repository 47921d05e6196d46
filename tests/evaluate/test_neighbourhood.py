import numpy as np
import pandas as pd
import pytest

from latentcells.evaluate import neighbourhood_preservation


def cloud(cells=200, dimensions=6, seed=0):
    return np.random.default_rng(seed).normal(size=(cells, dimensions))


def by_hand(z, reference, n_neighbors):
    shares = []
    for i in range(len(z)):
        near = []
        for space in (z, reference):
            distance = np.linalg.norm(space - space[i], axis=1)
            distance[i] = np.inf
            near.append(set(np.argsort(distance)[:n_neighbors]))
        shares.append(len(near[0] & near[1]) / n_neighbors)
    return np.mean(shares)


@pytest.mark.parametrize("n_neighbors", [1, 15])
def test_equals_the_same_by_hand(n_neighbors):
    reference = cloud()
    for z in (reference[:, :2], reference[:, :5], cloud(seed=1)):
        expected = by_hand(z, reference, n_neighbors)
        assert neighbourhood_preservation(z, reference, n_neighbors) == pytest.approx(expected, abs=1e-12)


def test_a_rotated_scaled_and_moved_space_keeps_every_neighbour():
    z = cloud()
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    assert neighbourhood_preservation(3 * z @ rotation + 7, z) == 1.0


def test_a_shuffled_space_keeps_as_many_as_chance():
    z = cloud(1000)
    shuffled = np.random.default_rng(1).permutation(z)
    assert neighbourhood_preservation(shuffled, z) == pytest.approx(15 / 999, abs=0.01)


def test_the_more_dimensions_are_dropped_the_fewer_are_kept():
    z = cloud()
    kept = [neighbourhood_preservation(z[:, :k], z) for k in (1, 2, 4, 6)]
    assert kept == sorted(kept) and kept[0] < 0.3 and kept[-1] == 1.0


def test_with_all_cells_as_neighbours_all_are_kept():
    assert neighbourhood_preservation(cloud(seed=1), cloud(), n_neighbors=199) == 1.0


def refused(message, kind=ValueError, **changed):
    with pytest.raises(kind, match=message) as refusal:
        neighbourhood_preservation(**{"z": cloud(), "reference": cloud(), **changed})
    assert "\n" not in str(refusal.value)


def test_refuses_spaces_with_other_cells_or_another_order():
    refused("^z has 199 cells, reference has 200: pass the same cells", z=cloud(199))
    table = pd.DataFrame(cloud(), [f"cell {i}" for i in range(200)])
    refused(
        "^row 0 is cell 'cell 199' in z and 'cell 0' in reference: .* z.loc", z=table[::-1], reference=table
    )
    assert neighbourhood_preservation(table, table) == 1.0


def test_refuses_a_collapsed_space():
    refused(r"^z is \[0.0, 0.0\] for all 200 cells: it has collapsed", z=np.zeros((200, 2)))
    refused("^reference is .* it has collapsed", reference=np.ones((200, 2)))


def test_refuses_what_is_no_embedding():
    refused(r"^z must have the shape \(cells, dimensions\), got \(200,\)", z=np.zeros(200))
    refused("^reference must be finite, got inf", reference=np.full((200, 2), np.inf))


def test_refuses_a_number_of_neighbours_that_is_none():
    refused("^n_neighbors=200 must be less than the 200 cells: lower it", n_neighbors=200)
    refused("^n_neighbors must be at least 1, got 0", n_neighbors=0)
    refused("^n_neighbors must be an integer, got 1.5", TypeError, n_neighbors=1.5)
