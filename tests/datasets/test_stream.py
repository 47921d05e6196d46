"""Training from disk: every cell once an epoch, in an order that the seed gives, and never the whole file at once."""

import importlib

import anndata
import keras
import numpy as np
import pytest
from scipy import sparse

import latentcells as lc
from latentcells.datasets import simulate, stream
from tests.helpers import refused

module = importlib.import_module("latentcells.datasets._stream")  # the function has its name


@pytest.fixture(scope="module")
def adata():
    return simulate(1000, 20, 2, markers_per_type=2, library=100.0, seed=0)


@pytest.fixture(scope="module")
def path(adata, tmp_path_factory):
    path = tmp_path_factory.mktemp("stream") / "cells.h5ad"
    adata.write_h5ad(path)
    return path


def rows(cells):
    return [batch.numpy() for batch in cells]


def sorted_rows(x):
    return x[np.lexsort(x.T)]


@pytest.mark.parametrize("batch_size", [64, 100, 1000, 5000])
@pytest.mark.parametrize("blocks", [1, 3])
def test_every_cell_once(adata, path, batch_size, blocks):
    batches = rows(stream(path, batch_size=batch_size, blocks=blocks))
    assert len(batches) == len(stream(path, batch_size=batch_size)) == -(-1000 // batch_size)
    assert {len(batch) for batch in batches[:-1]} <= {batch_size}
    x = np.concatenate(batches)
    assert x.dtype == np.float32
    np.testing.assert_array_equal(sorted_rows(x), sorted_rows(lc.inputs(adata)))


def test_without_a_shuffle_the_cells_come_as_they_lie(adata, path):
    np.testing.assert_array_equal(np.concatenate(rows(stream(path, shuffle=False))), lc.inputs(adata))


def test_the_seed_and_the_epoch_give_the_order(path):
    cells, again, other = stream(path, seed=1), stream(path, seed=1), stream(path, seed=2)
    first, second = rows(cells), rows(cells)
    for one, same in zip(first + second, rows(again) + rows(again), strict=True):
        np.testing.assert_array_equal(one, same)
    assert not np.array_equal(first[0], second[0]) and not np.array_equal(first[0], rows(other)[0])


def test_blocks_that_are_read_together_are_mixed(adata, path):
    """A batch then holds cells of more than one block of 256."""
    number = {x.tobytes(): i for i, x in enumerate(lc.inputs(adata))}
    blocks = {number[x.tobytes()] // module.BLOCK for x in rows(stream(path, blocks=4))[0]}
    assert len(blocks) == 4


def test_no_more_is_read_than_is_shuffled_together(path, monkeypatch):
    read, window, getitem = [], module._window, module._Rows.__getitem__

    def counted(rows, cells):
        block = getitem(rows, cells)
        read[-1] += block.shape[0]
        return block

    monkeypatch.setattr(module._Rows, "__getitem__", counted)
    monkeypatch.setattr(module, "_window", lambda *arguments: read.append(0) or window(*arguments))
    rows(stream(path, batch_size=64, blocks=2, shuffle=False))
    assert read == [512, 488]


def test_genes_by_name_and_x(adata, path):
    genes = [adata.var_names[7], adata.var_names[2]]
    x = np.concatenate(rows(stream(path, layer=None, genes=genes, shuffle=False)))
    np.testing.assert_array_equal(x, lc.inputs(adata[:, genes]))


def test_a_dense_file(adata, tmp_path):
    dense = anndata.AnnData(np.log1p(lc.inputs(adata)))
    dense.write_h5ad(tmp_path / "dense.h5ad")
    x = np.concatenate(rows(stream(tmp_path / "dense.h5ad", layer=None, shuffle=False)))
    np.testing.assert_array_equal(x, dense.X)


def test_a_model_learns_the_same_from_disk(adata, path):
    """To the bit, where the cells come in the same batches and the decoder starts at the same cell."""
    models = [lc.models.VAE(20, latent_dim=2, hidden=(4,), seed=0) for _ in range(2)]
    for model in models:
        model.compile(optimizer=keras.optimizers.Adam(0.01), steps_per_execution=1)
    models[0].fit(lc.inputs(adata), epochs=2, shuffle=False, verbose=0)
    models[1].prepare(lc.inputs(adata))
    models[1].fit(stream(path, shuffle=False), epochs=2, verbose=0)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_what_is_not_there_is_refused(path, tmp_path):
    refused(lambda: stream(tmp_path / "none.h5ad"), r"there is no file .*write_h5ad", FileNotFoundError)
    refused(
        lambda: stream(path, layer="spliced"), r"no layer 'spliced' in .*choose from \['counts'\], or None"
    )
    refused(
        lambda: stream(path, genes=["gene 1", "CD19"]),
        r"gene 'CD19' is not in .*choose from adata\.var_names",
    )
    refused(lambda: stream(path, batch_size=0), "batch_size must be at least 1, got 0")


def test_a_file_that_cannot_be_read_by_cells_is_refused(adata, tmp_path):
    anndata.AnnData(sparse.csc_matrix(adata.X)).write_h5ad(tmp_path / "csc.h5ad")
    refused(
        lambda: stream(tmp_path / "csc.h5ad", layer=None),
        "stores its matrix as csc_matrix, by genes: store it by cells",
    )
    anndata.AnnData(np.zeros((0, 3), "float32")).write_h5ad(tmp_path / "empty.h5ad")
    refused(lambda: stream(tmp_path / "empty.h5ad", layer=None), "has 0 cells and 3 genes")


def test_a_layer_that_holds_no_counts_is_refused_as_it_is_read(adata, tmp_path):
    adata = adata.copy()
    adata.layers["counts"] = adata.X / 2
    adata.write_h5ad(tmp_path / "half.h5ad")
    with pytest.raises(Exception, match=r"X must hold counts .*, got \d\.5: looks like"):
        rows(stream(tmp_path / "half.h5ad"))
