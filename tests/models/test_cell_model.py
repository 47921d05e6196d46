import keras
import numpy as np
import pytest
import tensorflow as tf

from latentcells._batching import Shuffle, batches
from latentcells.models._cell_model import CellModel


def first_arrays(dataset):
    return [np.asarray(batch[0]) for batch in dataset]


def test_batches_keep_the_order_and_the_last_partial_batch():
    a, b = np.arange(10), np.arange(10) * 2.0
    result = list(batches((a, b), 4))
    assert [len(x) for x, _ in result] == [4, 4, 2]
    np.testing.assert_array_equal(np.concatenate([x for x, _ in result]), a)
    np.testing.assert_array_equal(np.concatenate([y for _, y in result]), b)


def test_batches_know_their_number():
    assert int(batches((np.arange(10),), 4).cardinality()) == 3


def test_batches_follow_a_changed_order():
    a, order = np.arange(50), Shuffle(50, seed=0).order
    data = batches((a, a + 100), 8, order)
    np.testing.assert_array_equal(np.concatenate(first_arrays(data)), a)
    order.assign(a[::-1])
    np.testing.assert_array_equal(np.concatenate(first_arrays(data)), a[::-1])
    assert all(np.array_equal(y, x + 100) for x, y in data)


def test_shuffle_depends_only_on_the_seed_and_the_epoch():
    def orders(seed, global_seed):
        tf.random.set_seed(global_seed)
        shuffler, drawn = Shuffle(50, seed), []
        for epoch in range(3):
            shuffler.on_epoch_begin(epoch)
            drawn.append(shuffler.order.numpy())
        return drawn

    first = orders(0, global_seed=1)
    np.testing.assert_array_equal(first, orders(0, global_seed=2))
    np.testing.assert_array_equal(np.sort(first), [np.arange(50)] * 3)
    distinct = {tuple(order) for order in [*first, *orders(1, global_seed=1), np.arange(50)]}
    assert len(distinct) == 7


class Reader(CellModel):
    """A model that learns nothing and records the number of each cell that `fit` passes to it."""

    def __init__(self, n):
        super().__init__(1)
        self.epochs, self.n = [[]], n
        self.weight = self.add_weight(shape=())

    def call(self, x):
        return x

    def compute_loss(self, x=None, *args, **kwargs):
        self.epochs[-1] += np.asarray(x)[:, 0].astype(int).tolist()
        if len(self.epochs[-1]) == self.n:
            self.epochs.append([])
        return 0.0 * self.weight + keras.ops.sum(x) * 0.0


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="needs eager training")
@pytest.mark.parametrize("shuffle", [True, False])
def test_fit_passes_each_cell_once_per_epoch(shuffle):
    def epochs(**kwargs):
        model = Reader(10)
        model.compile(run_eagerly=True, steps_per_execution=2)
        model.fit(cells, batch_size=3, shuffle=shuffle, verbose=0, **kwargs)
        return model.epochs[:-1]

    cells = np.arange(10, dtype="float32")[:, None]
    orders = epochs(epochs=4)
    assert [sorted(epoch) for epoch in orders] == [list(range(10))] * 4
    assert len({tuple(epoch) for epoch in orders}) == (4 if shuffle else 1)
    assert epochs(epochs=4, initial_epoch=2) == orders[2:], "a resumed training has the same order"


class Counting(CellModel):
    """Counts how often its loss function is called, which is once per tracing."""

    def __init__(self):
        super().__init__(n_genes=2)
        self.weight = self.add_weight(shape=(2,))
        self.tracings = 0

    def call(self, x):
        return x * self.weight

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        self.tracings += 1
        return keras.ops.mean(y_pred)


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="the others trace once anyway")
def test_the_first_step_is_traced_once():
    model = Counting()
    model.compile(optimizer="adam")
    model.fit(np.ones((6, 2), "float32"), batch_size=2, epochs=2, verbose=0)
    assert model.tracings == 1


def test_a_model_checks_the_shape_and_the_values():
    model = CellModel(3)
    cells = model._take(np.arange(6).reshape(2, 3)).matrix
    assert cells.dtype == np.float32 and cells.shape == (2, 3)
    for x, message in (
        (np.zeros(3), r"^x must be \(cells, genes\), got shape \(3,\)"),
        (np.zeros((0, 3)), r"^x must be \(cells, genes\), got shape \(0, 3\)"),
        (np.zeros((2, 4)), r"^x has 4 genes, expected 3"),
        (np.full((2, 3), np.nan), r"^x must be finite, got nan"),
        (np.full((2, 3), np.inf), r"^x must be finite, got inf"),
    ):
        with pytest.raises(ValueError, match=message) as refusal:
            model._take(x)
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


def test_fit_requires_compile():
    with pytest.raises(ValueError, match=r"^You must call `compile\(\)` before"):
        Counting().fit(np.ones((6, 2), "float32"))


# -- dictionaries of arrays --------------------------------------------------------------------------------------


class Pairs(CellModel):
    """Takes ``{"x": (cells, genes), "group": (cells,)}`` and records what `fit` and `evaluate` pass to it."""

    def __init__(self):
        super().__init__(n_genes=1)
        self.weight = self.add_weight(shape=())
        self.trained, self.tested, self.prepared, self.checked = [], [], [], []

    def _read(self, x, fill=None):
        cells = super()._read(x["x"], fill)
        return cells._replace(matrix={"x": cells.matrix, "group": x["group"]})

    def _check(self, x, training=False):
        self.checked.append(training)
        return {"x": super()._check(x["x"]), "group": np.asarray(x["group"], "float32")}

    def _check_target(self, y, n_cells):
        return y

    def _prepare(self, x):
        self.prepared.append(x)

    def call(self, x, training=False):
        return x["x"] * self.weight

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        rows = [np.asarray(x["x"])[:, 0], np.asarray(x["group"])]
        rows += [np.full(len(rows[0]), np.nan) if w is None else np.asarray(w) for w in (y, sample_weight)]
        (self.trained if training else self.tested).append(np.stack(rows, axis=1))
        return 0.0 * self.weight + keras.ops.sum(x["x"]) * 0.0


def fit_and_record(x, **keywords):
    """The model after one epoch, and the rows (number, group, target, weight) that it was trained and tested on."""
    model = Pairs()
    model.compile(run_eagerly=True, steps_per_execution=1)
    model.fit(x, batch_size=4, verbose=0, **keywords)
    return model, *(np.concatenate(rows) if rows else None for rows in (model.trained, model.tested))


def pairs(n, start=0):
    number = np.arange(start, start + n, dtype="float32")
    return {"x": number[:, None], "group": 100 + number}


eager = pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="needs eager training")


@eager
@pytest.mark.parametrize("shuffle", [True, False])
def test_the_arrays_of_a_dictionary_stay_together(shuffle):
    model, rows, _ = fit_and_record(pairs(10), shuffle=shuffle)
    np.testing.assert_array_equal(rows[:, 1], 100 + rows[:, 0])
    np.testing.assert_array_equal(np.sort(rows[:, 0]), np.arange(10))
    assert shuffle != np.array_equal(rows[:, 0], np.arange(10))
    assert [len(batch) for batch in model.trained] == [4, 4, 2]
    assert model.checked == [True] and len(model.prepared) == 1
    np.testing.assert_array_equal(model.prepared[0]["group"], 100 + np.arange(10))


@eager
def test_a_share_of_a_dictionary_is_held_out():
    """The last cells are held out, with their targets and weights; they are not used to prepare the model."""
    y, weight = np.arange(10) / 2, np.arange(10) / 10
    model, rows, held_out = fit_and_record(pairs(10), y=y, sample_weight=weight, validation_split=0.3)
    np.testing.assert_array_equal(np.sort(rows[:, 0]), np.arange(7))
    np.testing.assert_array_equal(held_out[:, 0], [7, 8, 9])
    for part in (rows, held_out):
        np.testing.assert_allclose(part[:, 1:], part[:, :1] * [1, 0.5, 0.1] + [100, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(model.prepared[0]["x"][:, 0], np.arange(1, 7))  # cell 0 has weight 0


@eager
@pytest.mark.parametrize("wrap", [lambda x: x, lambda x: (x,), lambda x: (x, None)])
def test_held_out_cells_may_be_a_dictionary(wrap):
    model, rows, held_out = fit_and_record(pairs(6), validation_data=wrap(pairs(3, start=50)))
    np.testing.assert_array_equal(held_out[:, :2], [[50, 150], [51, 151], [52, 152]])
    np.testing.assert_array_equal(np.sort(rows[:, 0]), np.arange(6))
    assert sorted(model.checked) == [False, True]


@eager
def test_weights_go_with_the_cells_of_a_dictionary():
    weight = np.array([0, 1, 2, 0, 4, 5], "float32")
    model, rows, _ = fit_and_record(pairs(6), sample_weight=weight)
    np.testing.assert_array_equal(rows[:, 3], weight[rows[:, 0].astype(int)])
    np.testing.assert_array_equal(model.prepared[0]["group"], [101, 102, 104, 105])


# -- a training batch of one cell --------------------------------------------------------------------------------


class RefusesLoneCells(Counting):
    def __init__(self):
        super().__init__()
        self.lone_cell = "is alone", ", or stay at home"


@pytest.mark.parametrize(
    ("n", "batch_size", "remedy"),
    [
        (5, 4, "take batch_size=5"),
        (7, 2, "take batch_size=4"),
        (4, 1, "take batch_size=2"),
        (1, 8, "take more cells"),
    ],
)
def test_a_batch_of_one_cell_is_refused_where_the_model_says_so(n, batch_size, remedy):
    model, x = RefusesLoneCells(), np.ones((n, 2), "float32")
    model.compile()
    message = f"^batch_size={batch_size} leaves a training batch of 1 of the {n} cells, which is alone: "
    message += f"{remedy}, or stay"
    with pytest.raises(ValueError, match=message) as refusal:
        model.fit(x, batch_size=batch_size, verbose=0)
    assert "\n" not in str(refusal.value)
    assert model.tracings == 0
    CellModel(2)._check_batches(n, batch_size)  # other models accept it


@pytest.mark.parametrize(("n", "batch_size"), [(6, 4), (4, 4), (3, 8), (2, 2)])
def test_other_batches_are_accepted(n, batch_size):
    RefusesLoneCells()._check_batches(n, batch_size)


def test_only_the_training_cells_count_for_the_last_batch():
    """8 cells in batches of 4 are fine; the 5 that remain without the held-out share are not."""
    model, x = RefusesLoneCells(), np.ones((8, 2), "float32")
    model.compile()
    with pytest.raises(
        ValueError, match=r"^batch_size=4 leaves a training batch of 1 of the 5 cells, which is alone"
    ):
        model.fit(x, batch_size=4, validation_split=0.375, verbose=0)
