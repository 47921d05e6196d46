import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from latentcells.preprocess import mutual_neighbours, shared_space
from tests.helpers import refused


def by_definition(z, batch, n_neighbors):
    """Pair by pair: each cell is among the ``n_neighbors`` cells of its batch that are nearest to the other."""

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
    result = [partners.tolist() for partners in mutual_neighbours(z, batch, n_neighbors)]
    assert result == by_definition(z, batch, n_neighbors)


def test_partners_are_mutual_and_in_another_batch():
    rng = np.random.default_rng(1)
    z, batch = rng.normal(size=(80, 2)), rng.integers(0, 3, 80)
    partners = mutual_neighbours(z, batch)
    assert sum(map(len, partners)) > 80
    for i, partners_of_cell in enumerate(partners):
        assert all(i in partners[j] and batch[i] != batch[j] for j in partners_of_cell)


def test_neighbours_are_searched_in_each_other_batch():
    z, batch = np.array([[0.0], [0.1], [0.2], [5.0]]), [0, 1, 2, 1]
    assert [partners.tolist() for partners in mutual_neighbours(z, batch, 1)] == [[1, 2], [0, 2], [0, 1], []]


def test_a_batch_effect_does_not_pair_different_types():
    rng = np.random.default_rng(2)
    types, batch = np.arange(200) % 4, np.arange(200) // 4 % 2
    z = rng.normal(size=(200, 8)) + 10 * np.eye(4, 8)[types] + 3 * np.eye(2, 8, 6)[batch]
    pairs = [(i, j) for i, partners in enumerate(mutual_neighbours(z, batch)) for j in partners]
    assert len(pairs) > 200 and all(types[i] == types[j] for i, j in pairs)


def test_a_type_that_one_batch_lacks_has_few_partners_there():
    rng = np.random.default_rng(3)
    types, batch = np.arange(300) % 3, np.arange(300) // 3 % 2
    keep = ~((types == 2) & (batch == 1))
    types, batch = types[keep], batch[keep]
    z = rng.normal(size=(len(types), 5)) + 10 * np.eye(3, 5)[types]
    has_partner = np.array([len(partners) > 0 for partners in mutual_neighbours(z, batch)])
    assert has_partner[types == 2].mean() < 0.1 and has_partner[types != 2].mean() > 0.8


def test_tables_and_names_of_any_kind_give_the_same():
    rng = np.random.default_rng(1)
    z, batch = rng.normal(size=(80, 2)), rng.choice(["a", "b", "c"], 80)
    expected = [partners.tolist() for partners in mutual_neighbours(z, batch)]
    cells = [f"cell {i}" for i in range(80)]
    for one, other in (
        (pd.DataFrame(z, cells), pd.Series(batch, cells)),
        (z.tolist(), pd.Categorical(batch)),
    ):
        assert [partners.tolist() for partners in mutual_neighbours(one, other)] == expected


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"z": np.full((4, 2), np.nan)}, ValueError, "^z must be finite, got nan"),
        ({"z": np.zeros(4)}, ValueError, r"^z must have the shape \(cells, dimensions\), got \(4,\)"),
        ({"z": ad.AnnData(np.zeros((4, 2)))}, TypeError, "^z is an AnnData: pass a dense array"),
        (
            {"batch": [0, 0, 1]},
            ValueError,
            r"^batch has shape \(3,\), there are 4 cells: pass one batch per cell$",
        ),
        (
            {"batch": ["a", "a", "b", None]},
            ValueError,
            "^batch lacks a value for 1 of 4 cells: drop those cells$",
        ),
        ({"n_neighbors": 0}, ValueError, "^n_neighbors must be at least 1, got 0$"),
        ({"n_neighbors": 2.0}, TypeError, "^n_neighbors must be an integer, got 2.0"),
    ],
)
def test_mutual_neighbours_refuse(change, kind, message):
    refused(lambda: mutual_neighbours(**{"z": np.eye(4), "batch": [0, 0, 1, 1], **change}), message, kind)


def test_one_batch_gives_no_partner():
    assert [len(partners) for partners in mutual_neighbours(np.eye(4), [0] * 4)] == [0] * 4


def test_the_shared_space_ignores_depth():
    counts = np.random.default_rng(0).poisson(5.0, (40, 12)).astype("float32")
    np.testing.assert_allclose(shared_space(3 * counts), shared_space(counts), atol=1e-5)


def test_the_shared_space_keeps_the_angles_between_cells():
    """This holds if it has one dimension for each gene."""
    counts = np.random.default_rng(0).poisson(5.0, (40, 12)).astype("float64")
    log1p = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    direction = log1p / np.linalg.norm(log1p, axis=1, keepdims=True)
    z = shared_space(counts)
    assert z.shape == (40, 12)
    result, expected = (np.linalg.norm(x[:, None] - x, axis=2) for x in (z, direction))
    np.testing.assert_allclose(result, expected, atol=1e-7)
    assert shared_space(counts, 3).shape == (40, 3) and shared_space(counts[:5]).shape == (5, 5)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_array, pd.DataFrame, lambda x: x.tolist()])
def test_counts_of_any_kind(kind):
    counts = np.random.default_rng(0).poisson(5.0, (40, 12)).astype("float32")
    np.testing.assert_allclose(shared_space(kind(counts)), shared_space(counts), atol=1e-5)


COUNTS = np.random.default_rng(0).poisson(5.0, (40, 12))


@pytest.mark.parametrize(
    ("change", "kind", "message"),
    [
        ({"counts": np.log1p(COUNTS)}, ValueError, "^counts must hold counts .* looks like log1p data"),
        ({"counts": COUNTS - 1.0}, ValueError, "^counts must hold counts .* looks like z-scores"),
        ({"counts": np.where(COUNTS == 5, np.nan, COUNTS)}, ValueError, "^counts must be finite, got nan"),
        (
            {"counts": COUNTS * (np.arange(40) != 3)[:, None]},
            ValueError,
            "^counts has 1 cells with a total of 0",
        ),
        ({"counts": ad.AnnData(COUNTS.astype("float32"))}, TypeError, "^got a whole AnnData: pass a matrix"),
        ({"n_components": 0}, ValueError, "^n_components must be at least 1, got 0$"),
        ({"n_components": "all"}, TypeError, "^n_components must be an integer, got 'all'"),
    ],
)
def test_the_shared_space_refuses(change, kind, message):
    refused(lambda: shared_space(**{"counts": COUNTS, **change}), message, kind)
