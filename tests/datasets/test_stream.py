"""Training from disk: every cell once per epoch, in an order set by the seed, and never the whole file at once."""

import importlib
import re

import anndata
import h5py
import keras
import numpy as np
import pytest
import tensorflow as tf
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


def test_without_a_shuffle_the_cells_come_in_file_order(adata, path):
    np.testing.assert_array_equal(np.concatenate(rows(stream(path, shuffle=False))), lc.inputs(adata))


def test_the_seed_and_the_epoch_give_the_order(path):
    cells, same_seed, other_seed = stream(path, seed=1), stream(path, seed=1), stream(path, seed=2)
    first, second = rows(cells), rows(cells)
    for one, same in zip(first + second, rows(same_seed) + rows(same_seed), strict=True):
        np.testing.assert_array_equal(one, same)
    assert not np.array_equal(first[0], second[0]) and not np.array_equal(first[0], rows(other_seed)[0])


def test_blocks_that_are_read_together_are_mixed(adata, path):
    """A mini-batch then has cells from more than one block of 256."""
    number = {x.tobytes(): i for i, x in enumerate(lc.inputs(adata))}
    blocks = {number[x.tobytes()] // module.BLOCK for x in rows(stream(path, blocks=4))[0]}
    assert len(blocks) == 4


def test_only_the_blocks_that_are_shuffled_together_are_read(path, monkeypatch):
    rows_read, window, getitem = [], module._window, module.Rows.__getitem__

    def count_rows(rows, cells):
        block = getitem(rows, cells)
        rows_read[-1] += block.shape[0]
        return block

    monkeypatch.setattr(module.Rows, "__getitem__", count_rows)
    monkeypatch.setattr(module, "_window", lambda *arguments: rows_read.append(0) or window(*arguments))
    rows(stream(path, batch_size=64, blocks=2, shuffle=False))
    assert rows_read == [512, 488]


def test_genes_by_name_and_x(adata, path):
    genes = [adata.var_names[7], adata.var_names[2]]
    x = np.concatenate(rows(stream(path, layer=None, genes=genes, shuffle=False)))
    np.testing.assert_array_equal(x, lc.inputs(adata[:, genes]))


def as_table(names, width):
    """``obs`` or ``var`` as anndata wrote it before 0.7: one table whose first column holds the names."""
    kind = h5py.string_dtype() if width is None else f"S{width}"
    rows = [(name.encode(), i) for i, name in enumerate(names)]
    return np.array(rows, dtype=[("index", kind), ("number", "<i4")])


def before_0_7(adata, path, width=None):
    """Write a file of anndata 0.6: without encodings, and with sparse matrices in h5sparse's format."""
    with h5py.File(path, "w") as file:
        matrices = {"X": adata.X} | {f"layers/{name}": x for name, x in adata.layers.items()}
        for name, x in matrices.items():
            if not sparse.issparse(x):
                file[name] = x
                continue
            group = file.create_group(name)
            group.attrs.update(h5sparse_format=x.format, h5sparse_shape=x.shape)
            for part in ("data", "indices", "indptr"):
                group[part] = getattr(x, part)
        file["obs"], file["var"] = (as_table(names, width) for names in (adata.obs_names, adata.var_names))


def without_encoding_of_the_file(adata, path):
    """Write a file of anndata 0.7: its parts name their encodings, but the file itself does not."""
    adata.write_h5ad(path)
    with h5py.File(path, "a") as file:
        for name in ("encoding-type", "encoding-version"):
            del file.attrs[name]


LAYOUTS = {
    "anndata 0.6": before_0_7,
    "anndata 0.6, names of fixed width": lambda adata, path: before_0_7(adata, path, width=12),
    "anndata 0.7": without_encoding_of_the_file,
    "today's": lambda adata, path: adata.write_h5ad(path),
    "today's, compressed": lambda adata, path: adata.write_h5ad(path, compression="gzip"),
}
STORED = {"CSR": sparse.csr_matrix, "dense": lambda x: x.toarray(), "int64": lambda x: x.astype("int64")}


@pytest.mark.parametrize("stored", STORED)
@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.filterwarnings(
    "ignore:.*(very old version of AnnData|without encoding metadata)"
)  # anndata's own
def test_each_layout_that_anndata_reads(adata, tmp_path, layout, stored):
    x = STORED[stored](adata.X)
    cells = anndata.AnnData(x, var=adata.var[[]], layers={"counts": x})
    path = tmp_path / "cells.h5ad"
    LAYOUTS[layout](cells, path)
    np.testing.assert_array_equal(lc.inputs(anndata.read_h5ad(path)), lc.inputs(cells))
    genes = cells.var_names[15:2:-1]
    for layer in ("counts", None):
        result = np.concatenate(rows(stream(path, layer=layer, genes=genes, shuffle=False)))
        np.testing.assert_array_equal(result, lc.inputs(cells[:, genes]))


def test_log1p_in_x(adata, tmp_path):
    dense = anndata.AnnData(np.log1p(lc.inputs(adata)))
    dense.write_h5ad(tmp_path / "dense.h5ad")
    x = np.concatenate(rows(stream(tmp_path / "dense.h5ad", layer=None, shuffle=False)))
    np.testing.assert_array_equal(x, dense.X)


def test_a_file_without_x(adata, tmp_path):
    path = tmp_path / "layer.h5ad"
    anndata.AnnData(obs=adata.obs, var=adata.var, layers={"counts": adata.X}).write_h5ad(path)
    np.testing.assert_array_equal(np.concatenate(rows(stream(path, shuffle=False))), lc.inputs(adata))
    refused(lambda: stream(path, layer=None), f"^no X in {re.escape(str(path))}: choose layer from 'counts'$")


def test_a_model_learns_the_same_from_disk(adata, path):
    """To the bit, if the mini-batches are the same and the first cells, which prepare the model, are all of them."""
    models = [lc.models.VAE(20, latent_dim=2, hidden=(4,), seed=0) for _ in range(2)]
    for model in models:
        model.compile(optimizer=keras.optimizers.Adam(0.01), steps_per_execution=1)
    models[0].fit(lc.inputs(adata), epochs=2, shuffle=False, verbose=0)
    models[1].fit(stream(path, shuffle=False), epochs=2, verbose=0)
    for one, other in zip(*(model.get_weights() for model in models), strict=True):
        np.testing.assert_array_equal(one, other)


def test_missing_files_layers_and_genes_are_refused(path, tmp_path):
    missing, file = tmp_path / "none.h5ad", re.escape(str(path))
    refused(
        lambda: stream(missing),
        rf"^there is no file {re.escape(str(missing))}: adata\.write_h5ad\(path\) writes one$",
        FileNotFoundError,
    )
    refused(
        lambda: stream(path, layer="spliced"),
        rf"^no layer 'spliced' in {file}: choose layer from 'counts', None for X$",
    )
    refused(
        lambda: stream(path, genes=["gene 1", "CD19"]),
        rf"^gene 'CD19' is not in {file}: choose from adata\.var_names$",
    )
    refused(lambda: stream(path, batch_size=0), "^batch_size must be at least 1, got 0$")


@pytest.mark.parametrize("genes", ["gene 1", 5])
def test_genes_are_a_list(path, genes):
    message = re.escape(f"genes must be a list of names, got {genes!r}: pass [{genes!r}]")
    refused(lambda: stream(path, genes=genes), f"^{message}$", TypeError)
    refused(
        lambda: stream(path, genes=[]), r"^genes names no gene, got \[\]: name one at least, or pass None"
    )


@pytest.mark.filterwarnings("ignore:Variable names are not unique:UserWarning")
def test_names_that_repeat_are_refused_where_genes_are_named(adata, tmp_path):
    path = tmp_path / "repeated.h5ad"
    adata = adata.copy()
    adata.var_names = ["gene 1", *adata.var_names[1:]]
    adata.write_h5ad(path)
    refused(
        lambda: stream(path, genes=["gene 2"]),
        r"^1 gene names repeat \(gene 1\): call adata\.var_names_make_unique\(\)$",
    )
    np.testing.assert_array_equal(np.concatenate(rows(stream(path, shuffle=False))), lc.inputs(adata))


def test_a_matrix_that_is_not_stored_by_cells_is_refused(adata, tmp_path):
    for layout in ("anndata 0.6", "today's"):
        path = tmp_path / f"{layout}.h5ad"
        LAYOUTS[layout](anndata.AnnData(sparse.csc_matrix(adata.X)), path)
        refused(
            lambda path=path: stream(path, layer=None),
            rf"^{re.escape(str(path))} stores its matrix by genes \(CSC\): store it by cells, scipy\.sparse\.csr",
        )
    table = tmp_path / "table.h5ad"
    anndata.AnnData(adata.X, layers={"table": adata.to_df()}).write_h5ad(table)
    with h5py.File(table, "a") as file:
        del file["layers/table"]
        file.copy("obs", "layers/table")
    refused(
        lambda: stream(table, layer="table"), "stores dataframe, no matrix of numbers: choose another layer$"
    )
    anndata.AnnData(np.zeros((0, 3), "float32")).write_h5ad(tmp_path / "empty.h5ad")
    refused(
        lambda: stream(tmp_path / "empty.h5ad", layer=None), "has 0 cells and 3 genes: keep one at least$"
    )


def ten_x(path):
    with h5py.File(path, "w") as file:
        file["matrix/data"] = np.ones(3)


def other_hdf5(path):
    with h5py.File(path, "w") as file:
        file["weights"] = np.ones(3)


def cut_off(path):
    other_hdf5(path)
    path.write_bytes(path.read_bytes()[:600])


NOT_H5AD = {  # file name -> (function that writes it, message)
    "cells.zarr": (
        lambda path: path.mkdir(),
        r"is not an .h5ad file: .*anndata\.read_zarr\(path\)\.write_h5ad",
    ),
    "cells.zarr.zip": (
        lambda path: path.write_bytes(b"PK"),
        r"is not an .h5ad file: .*anndata\.read_zarr\(path\)",
    ),
    "cells.csv": (
        lambda path: path.write_text("gene"),
        r"is not an .h5ad file, or it is cut off: adata\.write_h5ad",
    ),
    "cut.h5ad": (cut_off, r"is not an .h5ad file, or it is cut off: adata\.write_h5ad\(path\) writes one$"),
    "10x.h5": (
        ten_x,
        r"is a file of 10x Genomics: convert it, sc\.read_10x_h5\(path\)\.write_h5ad\(new_path\)$",
    ),
    "model.h5": (other_hdf5, r"holds neither X nor layers: adata\.write_h5ad\(path\) writes such a file$"),
}


@pytest.mark.parametrize("name", NOT_H5AD)
@pytest.mark.parametrize("layer", ["counts", None])
def test_a_file_of_another_kind_is_refused(tmp_path, name, layer):
    write, message = NOT_H5AD[name]
    write(tmp_path / name)
    refused(lambda: stream(tmp_path / name, layer=layer), f"^{re.escape(str(tmp_path / name))} {message}")


def with_value(x, value):
    x = x.astype("float32")
    x[300, 3] = value
    return x


BAD = {  # layer and fault -> (change of the counts, message)
    "counts/half": (
        lambda x: with_value(x, 0.5),
        "got 0.5: looks like normalised data; write the file again with",
    ),
    "counts/nan": (lambda x: with_value(x, np.nan), "must be finite, got nan "),
    "counts/empty": (
        lambda x: sparse.csr_matrix(x.toarray() * (np.arange(1000) != 300)[:, None]),
        "cell 300 of {path} has no molecule in these 20 genes: leave such cells out of the file",
    ),
    "X/inf": (lambda x: with_value(x, np.inf), "X of {path} must be finite, got inf "),
    "log1p/nan": (lambda x: with_value(x, np.nan), "layers['log1p'] of {path} must be finite, got nan "),
}


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("shuffle", [True, False])
@pytest.mark.parametrize("dense", [True, False])
def test_bad_values_are_refused_as_they_are_read(adata, tmp_path, kind, shuffle, dense):
    """TensorFlow wraps the errors of its pipeline; the first line is the library's own."""
    layer, (change, message) = kind.split("/")[0], BAD[kind]
    x = change(adata.X.copy())
    x = x.toarray() if dense else sparse.csr_matrix(x)
    path = tmp_path / "bad.h5ad"
    anndata.AnnData(x, layers={} if layer == "X" else {layer: x}).write_h5ad(path)
    cells = stream(path, layer=None if layer == "X" else layer, shuffle=shuffle)
    with pytest.raises(tf.errors.InvalidArgumentError) as raised:
        rows(cells)
    assert message.format(path=path) in re.search("ValueError: (.*)", str(raised.value))[1]


def test_fit_raises_the_original_refusal(adata, tmp_path):
    x = with_value(adata.X, 0.5)
    anndata.AnnData(x, layers={"counts": x}).write_h5ad(tmp_path / "bad.h5ad")
    model = lc.models.VAE(20, latent_dim=2, hidden=(4,), seed=0)
    model.compile()
    with pytest.raises(
        ValueError, match=r"^layers\['counts'\] of .* must hold counts .*counts in that layer$"
    ):
        model.fit(stream(tmp_path / "bad.h5ad"), verbose=0)


def test_a_cell_may_be_empty_but_not_in_counts(adata, tmp_path):
    """Empty cells are refused only in counts, and only for the genes that are read."""
    x = adata.X.toarray().astype("float32")
    x[300, 1:], x[300, 0] = 0, 4
    path = tmp_path / "one_gene.h5ad"
    anndata.AnnData(x, var=adata.var[[]], layers={"counts": x}).write_h5ad(path)
    assert len(rows(stream(path))) == len(rows(stream(path, None, genes=adata.var_names[1:]))) == 8
    with pytest.raises(
        tf.errors.InvalidArgumentError, match=r"cell 300 of .* has no molecule in these 19 genes"
    ):
        rows(stream(path, genes=adata.var_names[1:]))
