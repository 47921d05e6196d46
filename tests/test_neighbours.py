import numpy as np
import pytest
from sklearn.metrics import pairwise_distances

from latentcells._neighbours import ExactNeighbours


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_cell_is_its_own_nearest_at_exactly_0(dtype):
    """Far from the origin, where the square of a distance is the small difference of large numbers."""
    z = (np.random.default_rng(0).normal(size=(200, 5)) + 30).astype(dtype)
    graph = ExactNeighbours(7).fit_transform(z)
    near = graph.indices.reshape(200, 8)
    np.testing.assert_array_equal(near[:, 0], np.arange(200))
    np.testing.assert_array_equal(graph.diagonal(), 0)
    exact = pairwise_distances(z.astype("float64"), metric="minkowski", p=2)
    np.testing.assert_allclose(graph.data.reshape(200, 8), np.sort(exact, axis=1)[:, :8], atol=1e-4)
