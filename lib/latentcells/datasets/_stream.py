"""Cells from a file that need not fit into memory."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from latentcells import _checks
from latentcells.datasets._h5ad import Rows, gene_columns, open_h5ad

if TYPE_CHECKING:
    import tensorflow as tf

BLOCK = 256  # cells that lie side by side in the file and are read in one go


def stream(
    path: str | Path,
    layer: str | None = "counts",
    genes: Iterable[str] | None = None,
    batch_size: int = 128,
    blocks: int = 16,
    shuffle: bool = True,
    seed: int = 0,
) -> "tf.data.Dataset":
    """Mini-batches of cells, read from an ``.h5ad`` file during training: a `tf.data.Dataset` for `fit`.

    An epoch takes the file's blocks of 256 neighbouring cells in a new order, ``blocks`` of them at a time, shuffles
    the cells of these, makes them dense and cuts them into mini-batches. That takes a few times ``blocks`` × 256
    cells × genes × 4 bytes, however large the file is. Cells that lie far apart in the file meet in a mini-batch only
    if their blocks are drawn together: write a file that is sorted, by type or by donor, in random order.

    Args:
        path: an ``.h5ad`` file of any version of anndata, whose matrix is dense or stored by cells (CSR).
        layer: a layer's name, or None for ``X``. Values are checked as they are read: those of ``"counts"`` must be
            counts, and a molecule in every cell; all others must be finite.
        genes: list of the names of the genes to keep, in this order; None keeps all.
        batch_size: cells in a mini-batch; the last one may be smaller.
        blocks: how many blocks are read, and shuffled, together.
        shuffle: False takes the cells in the order of the file.
        seed: whole number; the same seed gives the same order of the cells.

    Returns:
        `tf.data.Dataset` of (cells, genes) float32, in the unit of the file. Each pass over it is another epoch.

    Raises:
        FileNotFoundError: where there is no such file.
        TypeError: for ``genes`` that are no list.
        ValueError: for a file that is not ``.h5ad``, a layer, ``X`` or gene that is absent, gene names that repeat (if
            ``genes`` are asked for), a matrix stored by genes (CSC), a file without cells.
        tf.errors.InvalidArgumentError: while it is read, for NaN, infinite values, values of ``"counts"`` that are no
            counts, and cells without a molecule; TensorFlow puts its own trace around our "ValueError: ...".

    Example:
        >>> import os, tempfile, latentcells as lc
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "cells.h5ad")
        ...     lc.datasets.simulate(300, 60, seed=0).write_h5ad(path)
        ...     [tuple(batch.shape) for batch in lc.datasets.stream(path)]
        [(128, 60), (128, 60), (44, 60)]
    """
    import tensorflow as tf  # here, since the data sets alone need no deep learning library

    sizes = {"batch_size": batch_size, "blocks": blocks}
    batch_size, blocks = (_checks.at_least(size, 1, name) for name, size in sizes.items())
    _checks.at_least(seed, 0, "seed")
    with open_h5ad(path) as file:
        (n_cells, n_genes), columns = Rows(file, layer).shape, gene_columns(file, genes)
    shape = (None, n_genes if columns is None else len(columns))
    epochs = iter(range(2**63))

    def window(epoch, number):
        starts = np.arange(0, n_cells, BLOCK)
        starts = np.random.default_rng([seed, epoch]).permutation(starts) if shuffle else starts
        order = np.random.default_rng([seed, epoch, 1 + number]) if shuffle else None
        return _window(path, layer, columns, starts[number * blocks : (number + 1) * blocks], order)

    # not from_generator: with it, TensorFlow gives each large tensor's memory back at once, and all steps take longer
    def windows(_):
        epoch = tf.numpy_function(lambda: next(epochs), [], tf.int64)
        numbers = tf.data.Dataset.range(-(-n_cells // (BLOCK * blocks)))
        return numbers.map(
            lambda number: tf.ensure_shape(tf.numpy_function(window, [epoch, number], tf.float32), shape)
        )

    cells = tf.data.Dataset.from_tensors(0).flat_map(windows).prefetch(1).rebatch(batch_size)
    cells = cells.apply(tf.data.experimental.assert_cardinality(-(-n_cells // batch_size))).prefetch(2)
    options = tf.data.Options()
    options.autotune.enabled = False  # its threads take the cores from the training step
    return cells.with_options(options)


def _window(path, layer, columns, starts, order) -> np.ndarray:
    """The cells of some blocks, (cells, genes) float32; ``order`` is a generator, or None for no shuffle."""
    with open_h5ad(path) as file:
        x = Rows(file, layer)
        read = [x[start : start + BLOCK] for start in starts]
    n = sum(block.shape[0] for block in read)
    places = np.arange(n) if order is None else order.permutation(n)
    window = np.empty((n, x.shape[1] if columns is None else len(columns)), np.float32)
    for start, block in zip(starts, read, strict=True):
        block = block if columns is None else block[:, columns]
        _check(block, start, layer, path)
        here, places = np.split(places, [block.shape[0]])
        window[here] = block.toarray() if sparse.issparse(block) else block
    return window


def _check(block, start: int, layer: str | None, path) -> None:
    """Refuse what no model may learn from; ``start`` is the position of the block's first cell in the file."""
    name = f"X of {path}" if layer is None else f"layers[{layer!r}] of {path}"
    if layer != "counts":
        _checks.finite(block, name)
        return
    _checks.counts(block, name, "write the file again with counts in that layer")
    empty = np.flatnonzero(np.asarray(block.sum(axis=1)).ravel() == 0)
    if empty.size:
        raise ValueError(
            f"cell {start + empty[0]} of {path} has no molecule in these {block.shape[1]} genes: "
            "leave such cells out of the file"
        )
