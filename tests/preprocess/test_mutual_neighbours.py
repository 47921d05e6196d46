import numpy as np
import pytest

from latentcells.preprocess._mutual_neighbours import mutual_neighbours, nearest, shared_space, walk


def by_definition(z, batch, n_neighbors):
    """Pair by pair: each is among the ``n_neighbors`` of the other's batch that are nearest to the other."""

    def close(i, j):
        distance = np.linalg.norm(z - z[i], axis=1)
        return distance[j] <= np.sort(distance[batch == batch[j]])[:n_neighbors].max()

    return [
        [j for j in range(len(z)) if batch[i] != batch[j] and close(i, j) and close(j, i)]
        for i in range(len(z))
    ]


@pytest.mark.parametrize("n_neighbors", [1, 3, 50])
def test_mutual_neighbours_equal_their_definition(n_neighbors):
    rng = np.random.default_rng(0)
    z, batch = rng.normal(size=(60, 3)), rng.choice(["a", "b", "c"], 60, p=[0.6, 0.3, 0.1])
    got = [partners.tolist() for partners in mutual_neighbours(z, batch, n_neighbors)]
    assert got == by_definition(z, batch, n_neighbors)


def test_partners_are_mutual_and_in_another_batch():
    rng = np.random.default_rng(1)
    z, batch = rng.normal(size=(80, 2)), rng.integers(0, 3, 80)
    partners = mutual_neighbours(z, batch)
    assert sum(map(len, partners)) > 80
    for i, found in enumerate(partners):
        assert all(i in partners[j] and batch[i] != batch[j] for j in found)


def test_neighbours_are_looked_for_in_each_other_batch():
    z, batch = np.array([[0.0], [0.1], [0.2], [5.0]]), [0, 1, 2, 1]
    assert [partners.tolist() for partners in mutual_neighbours(z, batch, 1)] == [[1, 2], [0, 2], [0, 1], []]


def test_a_batch_shift_does_not_part_the_types():
    rng = np.random.default_rng(2)
    types, batch = np.arange(200) % 4, np.arange(200) // 4 % 2
    z = rng.normal(size=(200, 8)) + 10 * np.eye(4, 8)[types] + 3 * np.eye(2, 8, 6)[batch]
    pairs = [(i, j) for i, partners in enumerate(mutual_neighbours(z, batch)) for j in partners]
    assert len(pairs) > 200 and all(types[i] == types[j] for i, j in pairs)


def test_a_type_that_one_batch_lacks_has_hardly_a_partner_there():
    rng = np.random.default_rng(3)
    types, batch = np.arange(300) % 3, np.arange(300) // 3 % 2
    kept = ~((types == 2) & (batch == 1))
    types, batch = types[kept], batch[kept]
    z = rng.normal(size=(len(types), 5)) + 10 * np.eye(3, 5)[types]
    has = np.array([len(partners) > 0 for partners in mutual_neighbours(z, batch)])
    assert has[types == 2].mean() < 0.1 and has[types != 2].mean() > 0.8


def test_one_batch_gives_no_partner():
    assert [len(partners) for partners in mutual_neighbours(np.eye(4), [0] * 4)] == [0] * 4


@pytest.mark.parametrize("n_neighbors", [1, 4, 99])
def test_nearest_are_in_order_and_begin_with_the_cell(n_neighbors):
    z = np.random.default_rng(0).normal(size=(30, 3))
    distance = np.linalg.norm(z[:, None] - z, axis=2)
    near = nearest(z, n_neighbors)
    assert near.shape == (30, min(n_neighbors, 30))
    np.testing.assert_array_equal(near, np.argsort(distance, axis=1)[:, :n_neighbors])
    np.testing.assert_array_equal(near[:, 0], np.arange(30))


def test_a_walk_stays_within_what_is_connected():
    z = np.concatenate([np.arange(20.0), 100 + np.arange(20.0)])[:, None]
    near, start = nearest(z, 3), np.arange(40)
    for steps in (1, 3, 50):
        end = walk(near, start, steps, np.random.default_rng(0))
        assert ((end < 20) == (start < 20)).all() and (end != start).any()
        assert np.abs(z[end] - z[start]).max() <= 2 * steps


def test_a_walk_of_no_step_stays():
    start = np.array([3, 1, 3])
    np.testing.assert_array_equal(walk(np.zeros((5, 2), int), start, 0, np.random.default_rng(0)), start)


def test_a_longer_walk_leads_farther():
    z = np.arange(200.0)[:, None]
    near, start = nearest(z, 5), np.full(500, 100)
    short, long = (np.std(walk(near, start, steps, np.random.default_rng(0))) for steps in (1, 25))
    assert long == pytest.approx(5 * short, rel=0.2)  # the root of 25


def test_a_walk_takes_each_neighbour_as_often():
    near = np.array([[0, 1, 2, 3]] * 4)
    end = np.bincount(walk(near, np.zeros(4000, int), 1, np.random.default_rng(0)))
    assert (np.abs(end - 1000) < 5 * np.sqrt(750)).all()


def test_the_shared_space_does_not_heed_depth():
    counts = np.random.default_rng(0).poisson(5.0, (40, 12)).astype("float32")
    np.testing.assert_allclose(shared_space(3 * counts), shared_space(counts), atol=1e-5)


def test_the_shared_space_keeps_the_angles_between_cells():
    """As long as it has a dimension for each of the genes."""
    counts = np.random.default_rng(0).poisson(5.0, (40, 12)).astype("float64")
    log1p = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    direction = log1p / np.linalg.norm(log1p, axis=1, keepdims=True)
    z = shared_space(counts)
    assert z.shape == (40, 12)
    got, expected = (np.linalg.norm(x[:, None] - x, axis=2) for x in (z, direction))
    np.testing.assert_allclose(got, expected, atol=1e-7)
    assert shared_space(counts, 3).shape == (40, 3) and shared_space(counts[:5]).shape == (5, 5)
