"""Cells that come a mini-batch at a time: each mini-batch goes through the same door as cells in memory."""

import re
from collections.abc import Iterator
from itertools import chain, islice

import keras
import tensorflow as tf

_FIRST = 8  # mini-batches that a model prepares itself from


def is_stream(cells) -> bool:
    """Whether the cells come a mini-batch at a time: `tf.data.Dataset`, `keras.utils.PyDataset`, an iterator."""
    return isinstance(cells, (tf.data.Dataset, keras.utils.PyDataset, Iterator))


def check_stream(stream, check):
    """The same mini-batches, checked one by one as they come, and the first few of them at once.

    Args:
        stream: of x, (x, y) or (x, y, sample_weight), each mini-batch in a form that ``check`` takes.
        check: a function of those three that gives a tuple of NumPy arrays, or refuses.

    Returns:
        the checked stream, and a list of its first mini-batches.
    """
    if isinstance(stream, tf.data.Dataset):
        stream = stream.map(_dense)
        first = [check(*_unpack(element)) for element in stream.take(_FIRST).as_numpy_iterator()]
        return (_map(stream, check, first[0]) if first else stream), first
    if isinstance(stream, keras.utils.PyDataset):
        checked = _CheckedPyDataset(stream, check)
        return checked, [checked[i] for i in range(min(_FIRST, stream.num_batches or _FIRST))]
    first = [check(*_unpack(batch)) for batch in islice(stream, _FIRST)]
    return chain(first, (check(*_unpack(batch)) for batch in stream)), first


def from_all_workers(data):
    """The cells of every worker of a distributed training, the same for each of them; a lone worker has all."""
    if getattr(keras.distribution.distribution(), "num_processes", 1) == 1:
        return data
    from jax.experimental import multihost_utils  # Keras distributes a training on JAX alone

    return keras.tree.map_structure(lambda array: multihost_utils.process_allgather(array, tiled=True), data)


def cells_of(stream):
    """The cells of each mini-batch of a stream, without targets and weights, in NumPy."""
    if isinstance(stream, tf.data.Dataset):
        elements = stream.map(_dense).as_numpy_iterator()
    elif isinstance(stream, keras.utils.PyDataset):
        elements = (stream[i] for i in range(stream.num_batches))
    else:
        elements = stream
    return (_unpack(element)[0] for element in elements)


def with_plain_refusals(call):
    """What ``call()`` gives; a refusal of ours comes out as it was, without the trace of TensorFlow's pipeline."""
    try:
        return call()
    except tf.errors.OpError as error:
        refusal = _refusal_in(error)
        if refusal is None:
            raise
    raise refusal


def _refusal_in(error):
    found = re.search(r"(ValueError|TypeError): (.+)", error.message)
    if found is None or "latentcells" not in error.message:
        return None
    return {"ValueError": ValueError, "TypeError": TypeError}[found[1]](found[2])


class _CheckedPyDataset(keras.utils.PyDataset):
    """Another PyDataset's mini-batches, checked."""

    def __init__(self, dataset, check):
        super().__init__(dataset.workers, dataset.use_multiprocessing, dataset.max_queue_size)
        self.dataset, self.check = dataset, check

    @property
    def num_batches(self):
        return self.dataset.num_batches

    def __getitem__(self, index):
        return self.check(*_unpack(self.dataset[index]))

    def on_epoch_begin(self):
        self.dataset.on_epoch_begin()

    def on_epoch_end(self):
        self.dataset.on_epoch_end()


def _unpack(element):
    """x, y and sample_weight of a mini-batch, None where there is none."""
    element = element if isinstance(element, tuple) else (element,)
    return (*element, None, None)[:3]


def _dense(*element):
    """The tensors of a mini-batch, a sparse one as a dense one."""
    element = element if len(element) > 1 else element[0]
    return tf.nest.map_structure(
        lambda tensor: tf.sparse.to_dense(tensor) if isinstance(tensor, tf.SparseTensor) else tensor, element
    )


def _map(dataset, check, example):
    """The dataset with ``check`` applied; ``example`` is what it gives for one mini-batch."""
    checked = tf.nest.flatten(example)

    def in_numpy(*flat):
        element = tf.nest.pack_sequence_as(dataset.element_spec, flat)
        return tf.nest.flatten(check(*_unpack(element)))

    def in_graph(*element):
        element = element if len(element) > 1 else element[0]
        flat = tf.numpy_function(in_numpy, tf.nest.flatten(element), [array.dtype for array in checked])
        for tensor, array in zip(flat, checked, strict=True):
            tensor.set_shape((None, *array.shape[1:]))
        return tf.nest.pack_sequence_as(example, flat)

    return dataset.map(in_graph)
