import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from latentcells._neighbours import ExactNeighbours, nearest, nearest_others, walk


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cell_is_its_own_nearest_at_exactly_0(dtype):
    """Far from the origin, where a squared distance is the small difference of large numbers."""
    z = (np.random.default_rng(0).normal(size=(200, 5)) + 30).astype(dtype)
    graph = ExactNeighbours(7).fit_transform(z)
    neighbours = graph.indices.reshape(200, 8)
    np.testing.assert_array_equal(neighbours[:, 0], np.arange(200))
    np.testing.assert_array_equal(graph.diagonal(), 0)
    exact = pairwise_distances(z.astype("float64"), metric="minkowski", p=2)
    np.testing.assert_allclose(graph.data.reshape(200, 8), np.sort(exact, axis=1)[:, :8], atol=1e-4)


# -- positions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("n_neighbors", [1, 4, 99])
def test_nearest_neighbours_are_sorted_and_begin_with_the_cell(n_neighbors):
    z = np.random.default_rng(0).normal(size=(30, 3))
    distance = np.linalg.norm(z[:, None] - z, axis=2)
    neighbours = nearest(z, n_neighbors)
    assert neighbours.shape == (30, min(n_neighbors, 30))
    np.testing.assert_array_equal(neighbours, np.argsort(distance, axis=1)[:, :n_neighbors])
    np.testing.assert_array_equal(neighbours[:, 0], np.arange(30))


@pytest.mark.parametrize("n_neighbors", [1, 4, 99])
def test_nearest_among_other_cells(n_neighbors):
    rng = np.random.default_rng(0)
    z, others = rng.normal(size=(30, 3)), rng.normal(size=(12, 3))
    distance = np.linalg.norm(z[:, None] - others, axis=2)
    np.testing.assert_array_equal(
        nearest(z, n_neighbors, others), np.argsort(distance, axis=1)[:, :n_neighbors]
    )


@pytest.mark.parametrize("cells", [None, np.array([7, 3, 29])])
@pytest.mark.parametrize("n_neighbors", [1, 4, 29])
def test_nearest_others_exclude_the_cell(n_neighbors, cells):
    z = np.random.default_rng(0).normal(size=(30, 3))
    distance = np.linalg.norm(z[:, None] - z, axis=2)
    np.fill_diagonal(distance, np.inf)
    expected = np.argsort(distance, axis=1)[:, :n_neighbors]
    np.testing.assert_array_equal(
        nearest_others(z, n_neighbors, cells), expected if cells is None else expected[cells]
    )


def test_coinciding_cells_have_as_many_neighbours_and_never_themselves():
    neighbours = nearest_others(np.zeros((40, 2)), 5)
    assert neighbours.shape == (40, 5)
    assert (neighbours != np.arange(40)[:, None]).all()


# -- walks -------------------------------------------------------------------------------------------------------


def test_a_walk_stays_in_its_connected_component():
    z = np.concatenate([np.arange(20.0), 100 + np.arange(20.0)])[:, None]
    neighbours, start = nearest(z, 3), np.arange(40)
    for steps in (1, 3, 50):
        end = walk(neighbours, start, steps, np.random.default_rng(0))
        assert ((end < 20) == (start < 20)).all() and (end != start).any()
        assert np.abs(z[end] - z[start]).max() <= 2 * steps


def test_a_walk_of_no_steps_stays_in_place():
    start = np.array([3, 1, 3])
    np.testing.assert_array_equal(walk(np.zeros((5, 2), int), start, 0, np.random.default_rng(0)), start)


def test_a_longer_walk_leads_farther():
    z = np.arange(200.0)[:, None]
    neighbours, start = nearest(z, 5), np.full(500, 100)
    short, long = (np.std(walk(neighbours, start, steps, np.random.default_rng(0))) for steps in (1, 25))
    assert long == pytest.approx(5 * short, rel=0.2)  # 5 is the square root of 25


def test_a_walk_takes_each_neighbour_equally_often():
    neighbours = np.array([[0, 1, 2, 3]] * 4)
    end = np.bincount(walk(neighbours, np.zeros(4000, int), 1, np.random.default_rng(0)))
    assert (np.abs(end - 1000) < 5 * np.sqrt(750)).all()
