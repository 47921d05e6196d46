"""What every model of the course shares: a `fit` that is seeded, checked and as quick as its own step."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from latentcells import _checks
from latentcells._batching import n_cells


def batches(arrays, batch_size, order=None) -> tf.data.Dataset:
    """Mini-batches of arrays in memory.

    The rows are gathered by one thread that leaves the cores to the training step: `tf.data`'s
    own parallelism costs a small machine more than it brings.

    Args:
        arrays: tuple (or nest) of arrays with the same number of rows.
        batch_size: rows a batch; the last one may be smaller.
        order: `tf.Variable` with the number of each row, read anew at each batch; as they lie by default.

    Returns:
        a dataset of nests like ``arrays``.
    """
    with tf.device("CPU"):  # where tf.data runs
        tensors = tf.nest.map_structure(tf.convert_to_tensor, arrays)

    def pick(rows):
        rows = rows if order is None else tf.gather(order, rows)
        return tf.nest.map_structure(lambda t: tf.gather(t, rows), tensors)

    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = 1
    options.autotune.enabled = False
    n = len(tf.nest.flatten(tensors)[0])
    return tf.data.Dataset.range(n).batch(batch_size).map(pick).prefetch(2).with_options(options)


def taken(x):
    """What `fit` is to learn from: a table, or a list of cells, becomes an array; what Keras alone reads stays.

    Raises:
        TypeError: for None, a text, an AnnData.
    """
    if x is None or isinstance(x, str) or hasattr(x, "obs_names"):
        raise TypeError(f"x must be (cells, genes), got {type(x).__name__}: lc.inputs(adata) gives it")
    return np.asarray(x) if isinstance(x, list) or hasattr(x, "to_numpy") else x


class Shuffle(keras.callbacks.Callback):
    """A new order of the cells at each epoch, by the seed and the epoch's number alone.

    `tf.data`'s own shuffle also heeds TensorFlow's global seed, and costs each epoch a longer start.

    Args:
        n: cells.
        seed: whole number.
    """

    def __init__(self, n, seed):
        super().__init__()
        self.n, self.seed = n, seed
        with tf.device("CPU"):
            self.order = tf.Variable(tf.range(n, dtype="int64"))

    def on_epoch_begin(self, epoch, logs=None):
        self.order.assign(np.random.default_rng([self.seed, epoch]).permutation(self.n))


class CellModel(keras.Model):
    """A `keras.Model` whose rows are cells.

    A model that cannot learn from one cell says why in ``lone_cell``: the reason, and another mend than a
    larger batch.

    Args:
        n_genes: genes a cell; input with another number is refused.
        seed: whole number; of the weights, of the noise and of the order of the cells in `fit`.

    Attributes:
        compares_cells: whether held-out cells need company, too.
    """

    compares_cells = False

    def __init__(self, n_genes, seed=0, **kwargs):
        # no autocast: a library size summed in half precision is wrong or infinite
        super().__init__(autocast=False, **kwargs)
        self.n_genes = _checks.at_least(n_genes, 1, "n_genes")
        self.seed = _checks.at_least(seed, 0, "seed")
        self.lone_cell = None

    def check(self, x, training=False):
        """Refuse cells that the model cannot take (ValueError, one line); (cells, genes) float32."""
        x = np.asarray(x)
        if x.ndim != 2 or not len(x):
            raise ValueError(f"x must be (cells, genes), got shape {x.shape}: lc.inputs(adata) gives it")
        _checks.same_genes(x.shape[1], self.n_genes, "x")
        _checks.finite(x, "x")
        return x.astype("float32", copy=False)

    def prepare(self, x):
        """What a model takes over from its training cells, (cells, genes), before the first step."""

    def compile(self, optimizer="adam", steps_per_execution=None, **kwargs):
        """Keras's `compile`; eight training steps a Python call by default, one on PyTorch, which takes no more.

        On two cores the Python between the steps costs a quarter of a small model's time. Callbacks'
        batch methods are called every ``steps_per_execution`` batches, their epoch methods as always.
        """
        if steps_per_execution is None:
            steps_per_execution = 1 if keras.backend.backend() == "torch" else 8
        super().compile(optimizer=optimizer, steps_per_execution=steps_per_execution, **kwargs)

    def compile_from_config(self, config):
        """Compile a loaded model as it was; Keras leaves that to a model with a `compile` of its own."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def fit(self, x=None, y=None, batch_size=None, epochs=1, *, shuffle=True, sample_weight=None, **kwargs):
        """Keras's `fit`; arrays are checked, and shuffled by the model's own seed.

        Args:
            x: (cells, genes) array or table, or a dictionary of arrays where the model says so; anything
                else that Keras takes (`tf.data`, `PyDataset`, sparse …) is passed on as it is.
            y: target, where the model has one.
            batch_size: cells a step; 128 by default for an array.
            epochs: passes over the cells.
            shuffle: draw a new order of the cells at each epoch.
            sample_weight: (cells,), the weight of each cell's loss.
            kwargs: as in `keras.Model.fit`; ``validation_data`` may be an array of cells.

        Returns:
            keras.callbacks.History.

        Raises:
            ValueError: for data that the model is not meant for, with the mend.
            TypeError: for no cells at all, a name, or an AnnData.
        """
        x = taken(x)
        self.built = True  # as its networks are; a callback that restores weights asks
        optimizer = getattr(self, "optimizer", None)  # Keras says what to do where `compile` was not called
        if optimizer is not None and not optimizer.built:
            optimizer.build(self.trainable_variables)  # else TensorFlow traces the first step twice
        held_out = kwargs.get("validation_data")
        held_out = held_out if isinstance(held_out, tuple) else (held_out,)
        if isinstance(held_out[0], (np.ndarray, dict)):
            kwargs["validation_data"] = (self.check(held_out[0]), *held_out[1:])
        if not isinstance(x, (np.ndarray, dict)):
            shuffle = shuffle and not isinstance(x, tf.data.Dataset)  # Keras warns that it cannot
            return super().fit(
                x, y, batch_size, epochs, shuffle=shuffle, sample_weight=sample_weight, **kwargs
            )
        batch_size = _checks.at_least(128 if batch_size is None else batch_size, 1, "batch_size")
        data = _pack(self.check(x, training=True), y, sample_weight)
        if share := kwargs.pop("validation_split", 0.0):
            cut = int(n_cells(data) * (1 - share))
            kwargs["validation_data"] = _cells(data, slice(cut, None))
            data = _cells(data, slice(cut))
        n = n_cells(data)
        self._check_batches(n, batch_size)
        kwargs.setdefault("validation_batch_size", batch_size)
        held_out = kwargs.get("validation_data")
        if self.compares_cells and isinstance(held_out, tuple) and isinstance(held_out[0], np.ndarray):
            self._check_batches(len(held_out[0]), kwargs["validation_batch_size"], "validation_")
        # neither held-out cells nor cells of weight 0
        self.prepare(data[0] if sample_weight is None else _cells(data[0], np.asarray(data[2]) > 0))
        shuffler = None
        if shuffle:
            shuffler = self._shuffler(data[0], epochs)
            kwargs["callbacks"] = [*keras.tree.flatten(kwargs.get("callbacks") or []), shuffler]
        return super().fit(self._dataset(data, batch_size, shuffler), epochs=epochs, shuffle=False, **kwargs)

    def _mean_loss(self, loss, sample_weight=None):
        """The loss of a training step: the (weighted) mean over cells, and what the layers add.

        Where several replicas take the step, their gradients are added up: each takes its share of the loss.
        """
        weighted = loss if sample_weight is None else loss * ops.cast(sample_weight, loss.dtype)
        return (ops.mean(weighted) + sum(self.losses)) / tf.distribute.get_strategy().num_replicas_in_sync

    def save_own_variables(self, store):
        """The model's own weights, and how far its noise has come: training goes on with the next draws."""
        super().save_own_variables(store)
        for i, state in enumerate(self._noise()):
            store[f"noise {i}"] = state

    def load_own_variables(self, store):
        """What `save_own_variables` saved; a file of before it knew the noise leaves that at its start."""
        names = list(store.keys())
        stored = {name: store[name] for name in names}
        noise = {name: stored.pop(name) for name in names if name.startswith("noise")}
        super().load_own_variables(stored)
        for i, state in enumerate(self._noise()):
            if f"noise {i}" in noise:
                state.assign(noise[f"noise {i}"])

    def _noise(self):
        """The state of each generator of random numbers in the model, in order."""
        return [variable for variable in self.variables if variable.name == "seed_generator_state"]

    def build(self, input_shape=None):
        """Nothing to do: the networks are built with the model."""

    def _shuffler(self, x, epochs):
        """The callback that orders the training cells anew."""
        return Shuffle(n_cells(x), self.seed)

    def _dataset(self, data, batch_size, shuffler):
        """The batches of a training; ``shuffler`` is None where the cells keep their order."""
        return batches(data, batch_size, None if shuffler is None else shuffler.order)

    def _check_batches(self, n, batch_size, of=""):
        """Some models cannot take a step on one cell, not even the last one, and some not even a held-out one."""
        if self.lone_cell and (n % batch_size or min(n, batch_size)) == 1:
            reason, otherwise = self.lone_cell
            size = next((size for size in range(batch_size + 1, n + 1) if n % size != 1), None)
            mend = f"take {of}batch_size={size}" if size else "take more cells"
            raise ValueError(
                f"{of}batch_size={batch_size} leaves a {'held-out' if of else 'training'} batch of 1 of the {n} cells, "
                f"which {reason}: {mend}{otherwise}"
            )


def _pack(x, y, sample_weight):
    """Keras's tuple; a weight needs a target beside it, and a model without one ignores it."""
    if sample_weight is None:
        return (x,) if y is None else (x, y)
    return x, np.zeros(n_cells(x), "float32") if y is None else y, sample_weight


def _cells(arrays, chosen):
    """The chosen cells of each array of a nest."""
    return keras.tree.map_structure(lambda a: np.asarray(a)[chosen], arrays)
