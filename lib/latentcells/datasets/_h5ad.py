"""The cells and the gene names of an ``.h5ad`` file, in each layout that `anndata.read_h5ad` opens."""

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
from anndata.io import read_elem, sparse_dataset
from scipy import sparse

from latentcells import _checks


def open_h5ad(path: str | Path) -> h5py.File:
    """Open the file to read.

    Raises:
        FileNotFoundError: where there is no such file.
        ValueError: for a zarr store and for a file that is not HDF5, or not whole.
    """
    path = Path(path)
    if not path.exists():
        raise FileNotFoundError(f"there is no file {path}: adata.write_h5ad(path) writes one")
    if path.is_dir() or path.suffix == ".zip":
        raise ValueError(
            f"{path} is not an .h5ad file: write a zarr store as one, anndata.read_zarr(path).write_h5ad(new_path)"
        )
    with suppress(OSError):
        return h5py.File(path)
    raise ValueError(f"{path} is not an .h5ad file, or it is cut off: adata.write_h5ad(path) writes one")


class Rows:
    """The matrix of an open file: ``shape``, and ``x[start:stop]``, those cells as they are stored, CSR or dense.

    anndata's own slices look up its version each time, which takes ten times as long as to read a block.

    Args:
        file: an open ``.h5ad`` file.
        layer: a layer's name, or None for ``X``.

    Raises:
        ValueError: for a matrix that is absent, stored by genes (CSC) or empty.
    """

    def __init__(self, file: h5py.File, layer: str | None):
        self.stored = _matrix(file, layer)
        self.dense = isinstance(self.stored, h5py.Dataset)
        if not self.dense and "indptr" not in self.stored:
            kind = self.stored.attrs.get("encoding-type", "a group")
            raise ValueError(f"{file.filename} stores {kind}, no matrix of numbers: choose another layer")
        whole = self.stored if self.dense else sparse_dataset(self.stored)
        if not self.dense and whole.format != "csr":
            raise ValueError(
                f"{file.filename} stores its matrix by genes ({whole.format.upper()}): store it by cells, "
                "scipy.sparse.csr_matrix(adata.X)"
            )
        self.shape = tuple(int(n) for n in whole.shape)
        if 0 in self.shape:
            raise ValueError(
                f"{file.filename} has {self.shape[0]} cells and {self.shape[1]} genes: keep one at least"
            )
        if not self.dense:
            self.data, self.indices, self.ends = (self.stored[key] for key in ("data", "indices", "indptr"))

    def __getitem__(self, cells: slice) -> np.ndarray | sparse.csr_matrix:
        if self.dense:
            return self.stored[cells]
        ends = self.ends[cells.start : cells.stop + 1]
        stored = slice(int(ends[0]), int(ends[-1]))
        parts = self.data[stored], self.indices[stored], ends - ends[0]
        return sparse.csr_matrix(parts, (len(ends) - 1, self.shape[1]))


def gene_columns(file: h5py.File, genes: Iterable[str] | None) -> np.ndarray | None:
    """The positions of ``genes`` in the file, (genes,), or None for all of them.

    Raises:
        TypeError: for ``genes`` that are no list.
        ValueError: for an empty list, a gene that the file lacks, and names that repeat in the file.
    """
    if genes is None:
        return None
    if isinstance(genes, str) or not hasattr(genes, "__iter__"):
        raise TypeError(f"genes must be a list of names, got {genes!r}: pass [{genes!r}]")
    genes = list(genes)
    if not genes:
        raise ValueError("genes names no gene, got []: name one at least, or pass None for all")
    names = _gene_names(file)
    _checks.unique_names(names)
    columns = names.get_indexer(genes)
    if (columns < 0).any():
        missing = genes[int((columns < 0).argmax())]
        raise ValueError(f"gene {missing!r} is not in {file.filename}: choose from adata.var_names")
    return columns


def _matrix(file: h5py.File, layer: str | None) -> h5py.Dataset | h5py.Group:
    """``X`` or a layer as it is stored: an HDF5 data set if it is dense, a group if it is sparse."""
    layers = file.get("layers", {})
    has_x = (
        "X" in file and getattr(file["X"], "shape", ()) is not None
    )  # anndata may write None as an empty X
    if layer is None and has_x:
        return file["X"]
    if layer is not None and layer in layers:
        return layers[layer]
    asked = "X" if layer is None else f"layer {layer!r}"
    choices = [*map(repr, layers), *(["None for X"] if has_x else [])]
    if choices:
        raise ValueError(f"no {asked} in {file.filename}: choose layer from {', '.join(choices)}")
    if "matrix" in file:
        raise ValueError(
            f"{file.filename} is a file of 10x Genomics: convert it, sc.read_10x_h5(path).write_h5ad(new_path)"
        )
    raise ValueError(f"{file.filename} holds neither X nor layers: adata.write_h5ad(path) writes such a file")


def _gene_names(file: h5py.File) -> pd.Index:
    """``var_names``; before 0.7 anndata wrote ``var`` as one table, whose first column are the names."""
    var = file["var"]
    if isinstance(var, h5py.Group):
        return read_elem(var).index
    names = var.fields(var.dtype.names[0])[()]
    return pd.Index([name.decode() if isinstance(name, bytes) else str(name) for name in names])
