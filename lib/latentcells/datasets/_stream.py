"""Cells from a file that need not fit into memory."""

from pathlib import Path

import h5py
import numpy as np
from anndata.io import read_elem
from scipy import sparse

from latentcells import _checks

BLOCK = 256  # cells that lie side by side in the file and are read in one go


def stream(path, layer="counts", genes=None, batch_size=128, blocks=16, shuffle=True, seed=0):
    """Batches of cells, read from an ``.h5ad`` file as training goes: a `tf.data.Dataset` for `fit`.

    An epoch takes the file's blocks of 256 neighbouring cells in a new order, ``blocks`` of them at a time, shuffles
    the cells of these, makes them dense and cuts them into batches. That takes a few times ``blocks`` × 256 cells ×
    genes × 4 bytes, however large the file is. Cells that lie far apart in the file meet in a batch only if their
    blocks are drawn together: write a file that is sorted, by type or by donor, in random order.

    Args:
        path: an ``.h5ad`` file whose matrix is dense or stored by cells (CSR).
        layer: a layer's name, or None for ``X``. Of ``"counts"`` the values are checked as they are read.
        genes: the names of the genes to keep, in this order; None keeps all.
        batch_size: cells a batch; the last one may be smaller.
        blocks: read, and shuffled, together.
        shuffle: False takes the cells as they lie.
        seed: whole number; of the order of the cells.

    Returns:
        `tf.data.Dataset` of (cells, genes) float32, in the unit of the file. Each pass over it is another epoch.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a layer or a gene that is not there, a matrix stored by genes (CSC), a file without cells.

    Example:
        >>> import os, tempfile, latentcells as lc
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "cells.h5ad")
        ...     lc.datasets.simulate(300, 60, seed=0).write_h5ad(path)
        ...     [tuple(batch.shape) for batch in lc.datasets.stream(path)]
        [(128, 60), (128, 60), (44, 60)]
    """
    import tensorflow as tf  # here, since the data sets alone need no deep learning library

    if not Path(path).is_file():
        raise FileNotFoundError(f"there is no file {path}: adata.write_h5ad(path) writes one")
    sizes = {"batch_size": batch_size, "blocks": blocks}
    batch_size, blocks = (_checks.at_least(size, 1, name) for name, size in sizes.items())
    _checks.at_least(seed, 0, "seed")
    with h5py.File(path) as file:
        (n_cells, n_genes), columns = _Rows(file, layer).shape, _columns(file, genes)
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


class _Rows:
    """The matrix of an open file: ``shape``, and ``x[start:stop]``, those cells as they are stored, CSR or dense.

    anndata's own slices look up its version each time, which takes ten times as long as to read a block.
    """

    def __init__(self, file, layer):
        names = list(file.get("layers", ()))
        if layer is not None and layer not in names:
            raise ValueError(f"no layer {layer!r} in {file.filename}: choose from {names}, or None for X")
        self.stored = file["X" if layer is None else f"layers/{layer}"]
        self.dense = isinstance(self.stored, h5py.Dataset)
        kind = "csr_matrix" if self.dense else self.stored.attrs["encoding-type"]
        if kind != "csr_matrix":
            raise ValueError(
                f"{file.filename} stores its matrix as {kind}, by genes: store it by cells, "
                "scipy.sparse.csr_matrix(adata.X)"
            )
        self.shape = tuple(int(n) for n in (self.stored.shape if self.dense else self.stored.attrs["shape"]))
        if 0 in self.shape:
            raise ValueError(
                f"{file.filename} has {self.shape[0]} cells and {self.shape[1]} genes: keep one at least"
            )
        if not self.dense:
            self.data, self.indices, self.ends = (self.stored[key] for key in ("data", "indices", "indptr"))

    def __getitem__(self, cells):
        if self.dense:
            return self.stored[cells]
        ends = self.ends[cells.start : cells.stop + 1]
        stored = slice(int(ends[0]), int(ends[-1]))
        parts = self.data[stored], self.indices[stored], ends - ends[0]
        return sparse.csr_matrix(parts, (len(ends) - 1, self.shape[1]))


def _columns(file, genes):
    """The numbers of the genes in the file, (genes,), or None for all of them."""
    if genes is None:
        return None
    there = read_elem(file["var"]).index
    columns = there.get_indexer(list(genes))
    if (columns < 0).any():
        lacking = list(genes)[int((columns < 0).argmax())]
        raise ValueError(f"gene {lacking!r} is not in {file.filename}: choose from adata.var_names")
    return columns


def _window(path, layer, columns, starts, order):
    """The cells of some blocks, (cells, genes) float32; ``order`` is a generator, or None for no shuffle."""
    with h5py.File(path) as file:
        x = _Rows(file, layer)
        read = [x[start : start + BLOCK] for start in starts]
    n = sum(block.shape[0] for block in read)
    places = np.arange(n) if order is None else order.permutation(n)
    window = np.empty((n, read[0].shape[1] if columns is None else len(columns)), np.float32)
    for block in read:
        (_checks.counts if layer == "counts" else _checks.finite)(block)
        here, places = np.split(places, [block.shape[0]])
        window[here] = _dense(block, columns)
    return window


def _dense(cells, columns):
    cells = cells if columns is None else cells[:, columns]
    return cells.toarray() if sparse.issparse(cells) else cells
