import numpy as np
import pytest
import tensorflow as tf

from latentcells.models.base import CellModel, batches, in_batches


def seen(dataset):
    return [np.asarray(batch[0]) for batch in dataset]


def test_batches_keep_the_order_and_the_rest():
    a, b = np.arange(10), np.arange(10) * 2.0
    got = list(batches((a, b), 4))
    assert [len(x) for x, _ in got] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in got]), a)
    np.testing.assert_array_equal(np.concatenate([y for _, y in got]), b)


def test_batches_know_their_number():
    for shuffle in (False, True):
        assert int(batches((np.arange(10),), 4, shuffle).cardinality()) == 3


def test_shuffled_batches_hold_each_row_once_in_a_new_order_each_time():
    a = np.arange(50)
    data = batches((a, a + 100), 8, shuffle=True)
    first, second = np.concatenate(seen(data)), np.concatenate(seen(data))
    assert not np.array_equal(first, a) and not np.array_equal(first, second)
    np.testing.assert_array_equal(np.sort(first), a)
    np.testing.assert_array_equal(np.sort(second), a)
    assert all(np.array_equal(y, x + 100) for x, y in data)


def test_the_seed_alone_gives_the_order():
    def order(seed, around=None):
        if around is not None:
            tf.random.set_seed(around)
        return np.concatenate(seen(batches((np.arange(50),), 50, shuffle=True, seed=seed)))

    np.testing.assert_array_equal(order(0, around=1), order(0, around=2))
    assert not np.array_equal(order(0), order(1))


@pytest.mark.parametrize("batch_size", [1, 3, 10, 99])
def test_in_batches_puts_dictionaries_together(batch_size):
    a, b = np.arange(10.0, dtype="float32"), np.ones((10, 2), "float32")
    got = in_batches(lambda x, y: {"sum": x[:, None] + y, "x": x}, a, b, batch_size=batch_size)
    np.testing.assert_array_equal(got["sum"], a[:, None] + b)
    np.testing.assert_array_equal(got["x"], a)
    assert isinstance(got["x"], np.ndarray)


@pytest.mark.parametrize("batch_size", [0, -1])
def test_in_batches_refuses_a_batch_of_none(batch_size):
    with pytest.raises(ValueError, match=f"^batch_size must be at least 1, got {batch_size}$"):
        in_batches(lambda x: x, np.ones(3), batch_size=batch_size)


def test_a_model_checks_the_shape_and_the_values():
    model = CellModel(3)
    checked = model.check(np.arange(6).reshape(2, 3))
    assert checked.dtype == np.float32 and checked.shape == (2, 3)
    for x, message in (
        (np.zeros(3), r"^x must be \(cells, genes\), got shape \(3,\)"),
        (np.zeros((0, 3)), r"^x must be \(cells, genes\), got shape \(0, 3\)"),
        (np.zeros((2, 4)), r"^x has 4 genes, expected 3"),
        (np.full((2, 3), np.nan), r"^x must be finite, got nan"),
        (np.full((2, 3), np.inf), r"^x must be finite, got inf"),
    ):
        with pytest.raises(ValueError, match=message) as refusal:
            model.check(x)
        assert "\n" not in str(refusal.value)


def test_a_model_needs_genes_and_a_seed():
    for keywords, kind, message in (
        ({"n_genes": 0}, ValueError, "n_genes must be at least 1, got 0"),
        ({"n_genes": 2.5}, TypeError, "n_genes must be an integer, got 2.5"),
        ({"n_genes": 3, "seed": -1}, ValueError, "seed must be at least 0, got -1"),
        ({"n_genes": 3, "seed": None}, TypeError, "seed must be an integer, got None"),
    ):
        with pytest.raises(kind, match=message):
            CellModel(**keywords)
