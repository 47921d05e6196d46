import numpy as np
import pytest

from latentcells._batching import in_batches, n_cells


def test_n_cells_counts_the_rows_of_a_nest():
    assert n_cells({"a": [np.zeros((3, 2)), np.zeros(3)]}) == 3


@pytest.mark.parametrize("batch_size", [1, 3, 10, 99])
def test_in_batches_concatenates_dictionaries(batch_size):
    a, b = np.arange(10.0, dtype="float32"), np.ones((10, 2), "float32")
    result = in_batches(lambda x, y: {"sum": x[:, None] + y, "x": x}, a, b, batch_size=batch_size)
    np.testing.assert_array_equal(result["sum"], a[:, None] + b)
    np.testing.assert_array_equal(result["x"], a)
    assert isinstance(result["x"], np.ndarray)


@pytest.mark.parametrize("batch_size", [1, 3, 99])
def test_in_batches_slices_dictionaries(batch_size):
    a, b = np.arange(10.0, dtype="float32"), np.ones((10, 2), "float32")
    result = in_batches(
        lambda x, c: x["a"][:, None] * x["b"] + c[:, None], {"a": a, "b": b}, a, batch_size=batch_size
    )
    np.testing.assert_array_equal(result, 2 * np.stack([a, a], axis=1))


@pytest.mark.parametrize("batch_size", [0, -1])
def test_in_batches_refuses_an_empty_batch(batch_size):
    with pytest.raises(ValueError, match=f"^batch_size must be at least 1, got {batch_size}$"):
        in_batches(lambda x: x, np.ones(3), batch_size=batch_size)
