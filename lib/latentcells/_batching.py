"""A function of many cells, some cells at a time."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks


def n_cells(arrays) -> int:
    """The rows of a nest of arrays, the same number in each."""
    return len(keras.tree.flatten(arrays)[0])


def in_batches(function, *arrays, batch_size):
    """Call ``function`` on ``batch_size`` rows of the arrays at a time; NumPy arrays, put together again."""
    step = _checks.at_least(batch_size, 1, "batch_size")
    parts = [
        keras.tree.map_structure(
            ops.convert_to_numpy,
            function(
                *keras.tree.map_structure(lambda a, i=i: ops.convert_to_tensor(a[i : i + step]), arrays)
            ),
        )
        for i in range(0, n_cells(arrays), step)
    ]
    return keras.tree.map_structure(lambda *rows: np.concatenate(rows), *parts)
