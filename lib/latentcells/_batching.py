"""Mini-batches of cells in memory: for a training, and for a function of many cells."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops
from scipy import sparse

from latentcells import _checks
from latentcells._cells import blocks, n_cells


def in_batches(function, *arrays, batch_size):
    """Call ``function`` on ``batch_size`` rows of the arrays at a time; NumPy arrays, put together again."""
    step = _checks.at_least(batch_size, 1, "batch_size")
    parts = [
        keras.tree.map_structure(
            ops.convert_to_numpy, function(*keras.tree.map_structure(ops.convert_to_tensor, rows))
        )
        for rows in blocks(arrays, step)
    ]
    return keras.tree.map_structure(lambda *rows: np.concatenate(rows), *parts)


def batches(arrays, batch_size, order=None) -> tf.data.Dataset:
    """Mini-batches of arrays in memory; a sparse matrix is made dense a mini-batch at a time.

    The rows are gathered by one thread that leaves the cores to the training step: `tf.data`'s
    own parallelism costs a small machine more than it brings.

    Args:
        arrays: tuple (or nest) of arrays, or CSR matrices, with the same number of rows.
        batch_size: rows a mini-batch; the last one may be smaller.
        order: `tf.Variable` with the number of each row, read anew at each mini-batch; as they lie by default.

    Returns:
        a dataset of nests like ``arrays``.
    """
    with tf.device("CPU"):  # where tf.data runs
        gather = tf.nest.map_structure(_gatherer, arrays)

    def pick(rows):
        rows = rows if order is None else tf.gather(order, rows)
        return tf.nest.map_structure(lambda gather_rows: gather_rows(rows), gather)

    options = tf.data.Options()
    options.threading.max_intra_op_parallelism = 1
    options.autotune.enabled = False
    dataset = tf.data.Dataset.range(n_cells(arrays)).batch(batch_size).map(pick)
    return dataset.prefetch(2).with_options(options)


def _gatherer(array):
    """A function from the numbers of rows to the rows, dense."""
    if not sparse.issparse(array):
        tensor = tf.convert_to_tensor(array)
        return lambda rows: tf.gather(tensor, rows)

    def gather_sparse(rows):  # scipy is three times as quick here as TensorFlow's own sparse gather
        cells = tf.numpy_function(lambda chosen: array[chosen].toarray(), [rows], array.dtype, stateful=False)
        return tf.ensure_shape(cells, (None, array.shape[1]))

    return gather_sparse


class Shuffle(keras.callbacks.Callback):
    """A new order of the cells at each epoch, by the seed and the epoch's number alone.

    `tf.data`'s own shuffle also depends on TensorFlow's global seed, and costs each epoch a longer start.

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
