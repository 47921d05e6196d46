import hashlib
import importlib
import shutil
from dataclasses import replace
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import latentcells.datasets as datasets
from tests.datasets.test_stream import before_0_7

module = importlib.import_module("latentcells.datasets._pbmc3k")  # the function has its name
RAW, PROCESSED = "pbmc3k_raw.h5ad", "pbmc3k_processed.h5ad"
SOURCES = {RAW: "PBMC3K_RAW", PROCESSED: "PBMC3K_PROCESSED"}


@pytest.fixture(scope="session")
def lookalikes(tmp_path_factory):
    """Files like scanpy's with a tenth of the cells and genes."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("scanpy")
    gene = np.tile(np.arange(1371), 3)  # each gene in three cells
    cell = (gene + np.repeat(np.arange(3), 1371)) % 270
    x = sparse.csr_matrix((rng.integers(1, 9, gene.size).astype(np.float32), (cell, gene)), (270, 1371))
    cells, genes = pd.Index([f"cell{i}" for i in range(270)]), pd.Index([f"G{i}" for i in range(1371)])
    ad.AnnData(x, pd.DataFrame(index=cells), pd.DataFrame(index=genes)).write_h5ad(folder / RAW)
    processed_cells = cells[3 : 3 + 264][::-1]
    louvain = pd.Categorical(np.array(["B cells", "NK cells"])[np.arange(264) % 2])
    obs = pd.DataFrame({"louvain": louvain}, index=processed_cells)
    z = rng.normal(size=(264, 184)).astype(np.float32)
    ad.AnnData(z, obs, pd.DataFrame(index=genes[10:194])).write_h5ad(folder / PROCESSED)
    return folder


@pytest.fixture
def pin(monkeypatch):
    """pin(path): the file replaces the published one of the same name."""

    def replace_source(path, **fields):
        name, content = SOURCES[path.name], path.read_bytes()
        checksums = {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content), "rebuilt": ()}
        monkeypatch.setattr(module, name, replace(getattr(module, name), **checksums | fields))
        return content

    return replace_source


@pytest.fixture
def filled(cache, lookalikes, pin):
    """A cache folder that holds both files."""
    for name in SOURCES:
        pin(lookalikes / name)
    return Path(shutil.copytree(lookalikes, cache))


@pytest.fixture
def offered(server, lookalikes, pin):
    """A server with both files, in the order in which they are requested."""
    contents = [pin(lookalikes / name, host=server.address) for name in (PROCESSED, RAW)]
    server.promise(*((200, content, len(content)) for content in contents))
    return server


def test_pbmc3k(real, contract):
    adata = real("pbmc3k")
    contract(adata, "pbmc3k")
    assert adata.shape == (2638, 13714)
    assert int(adata.X.sum()) == 6254880
    assert adata.obs["label"].nunique() == 8
    assert adata.obs["batch"].nunique() == 1
    assert "circular" in adata.uns["source"]["note"]


def test_pbmc3k_processed(real, contract):
    adata, counts = real("pbmc3k_processed"), real("pbmc3k")
    contract(adata, "pbmc3k_processed", x="z-scores")
    assert adata.shape == (2638, 1838)
    assert adata.X.dtype == np.float32
    assert (adata.obs["label"] == adata.obs["louvain"]).all()
    assert (adata.layers["counts"] != counts[:, adata.var_names].X).nnz == 0


def test_scanpys_own_file_with_all_genes_gives_the_same(filled, pin):
    """scanpy's file has more genes, including those that fewer than 3 cells express."""
    before, small = datasets.pbmc3k(), ad.read_h5ad(filled / RAW)
    rare = sparse.lil_matrix((270, 3274 - 1371), dtype=np.float32)
    rare[0, :], rare[1, ::2] = 4, 1
    common = np.isin(np.arange(3274), np.random.default_rng(0).choice(3274, 1371, replace=False))
    order = np.where(common, np.cumsum(common) - 1, 1371 + np.cumsum(~common) - 1)
    names = np.array([*small.var_names, *(f"rare{i}" for i in range(rare.shape[1]))])[order]
    x = sparse.hstack([small.X, rare.tocsr()], "csr")[:, order]
    ad.AnnData(x, small.obs, pd.DataFrame({"gene_ids": "ENSG"}, index=names)).write_h5ad(filled / RAW)
    pin(filled / RAW)
    after = datasets.pbmc3k()
    assert after.shape == (264, 1371)
    assert after.var_names.equals(before.var_names) and (after.X != before.X).nnz == 0


def test_cells_and_genes_follow_the_processed_file(filled, contract):
    adata, z = datasets.pbmc3k(), datasets.pbmc3k_processed()
    contract(adata, "pbmc3k")
    contract(z, "pbmc3k_processed", x="z-scores")
    raw = ad.read_h5ad(filled / RAW)
    assert adata.obs_names.equals(z.obs_names)
    assert (adata.X != raw[adata.obs_names].X).nnz == 0
    assert (z.layers["counts"] != raw[z.obs_names, z.var_names].X).nnz == 0


def test_files_of_an_old_anndata_are_read_without_a_warning(filled, pin):
    """scanpy's file of counts is such a file."""
    before, raw = datasets.pbmc3k(), ad.read_h5ad(filled / RAW)
    before_0_7(raw, filled / RAW)
    pin(filled / RAW)
    after = datasets.pbmc3k()
    assert after.obs_names.equals(before.obs_names) and after.var_names.equals(before.var_names)
    assert after.obs_names.name is after.var_names.name is None
    assert (after.X != before.X).nnz == 0


def test_a_folder_that_holds_both_files_is_only_read(filled, files, monkeypatch):
    def no_write(*args, **kwargs):
        raise AssertionError("nothing is to be written")

    for target in ("tempfile.NamedTemporaryFile", "os.makedirs", "os.mkdir", "shutil.move"):
        monkeypatch.setattr(target, no_write)
    datasets.pbmc3k()
    assert files(filled) == [PROCESSED, RAW]


def test_both_files_are_downloaded_once_and_silently(cache, files, offered, lookalikes, capfd):
    datasets.pbmc3k()
    assert files(cache) == [PROCESSED, RAW] and offered.requests == 2
    assert all((cache / name).read_bytes() == (lookalikes / name).read_bytes() for name in SOURCES)
    datasets.pbmc3k()
    assert offered.requests == 2
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ((404, b"", 0), "(HTTP 404)"),
        ((200, b"\x89HDF\r\n\x1a\n", 10**6), "(the download broke off)"),
        ((200, b"another file", 12), "(what came has another SHA-256)"),
    ],
    ids=["404", "cut off", "another file"],
)
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # pooch's, see conftest
def test_a_download_that_fails_leaves_nothing(cache, files, refused, offered, answer, words):
    offered.promise(answer)
    message = refused(datasets.pbmc3k)
    assert message.startswith(
        f"{PROCESSED} is not in {cache} and could not be fetched from {offered.address}/chan"
    )
    assert words in message
    assert files(cache) == []


@pytest.mark.parametrize("name", [RAW, PROCESSED])
def test_a_truncated_file_is_named_and_kept(filled, files, refused, monkeypatch, name):
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")
    content = (filled / name).read_bytes()[:1000]
    (filled / name).write_bytes(content)
    assert refused(datasets.pbmc3k).startswith(f"{name} is damaged in {filled}")
    assert (filled / name).read_bytes() == content
    assert files(filled) == [PROCESSED, RAW]


def test_a_truncated_file_is_replaced(filled, offered, lookalikes):
    (filled / RAW).write_bytes(b"cut off")
    offered.promise(offered.answers[1])
    assert datasets.pbmc3k().shape == (264, 1371)
    assert (filled / RAW).read_bytes() == (lookalikes / RAW).read_bytes()


@pytest.mark.parametrize("name", [RAW, PROCESSED])
def test_a_file_of_the_same_shape_with_other_numbers_is_refused(filled, refused, monkeypatch, name):
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")
    adata = ad.read_h5ad(filled / name)
    adata.X = adata.X + adata.X
    adata.write_h5ad(filled / name)
    assert refused(datasets.pbmc3k).startswith(f"{name} is damaged in {filled}")


@pytest.mark.parametrize("name", [RAW, PROCESSED])
def test_a_rebuilt_file_is_accepted_from_the_cache_but_not_from_the_network(
    filled, server, refused, pin, name
):
    content = pin(
        filled / name, sha256="0" * 64, rebuilt=(hashlib.sha256((filled / name).read_bytes()).hexdigest(),)
    )
    assert datasets.pbmc3k().shape == (264, 1371)
    pin(filled / name, sha256="0" * 64, rebuilt=getattr(module, SOURCES[name]).rebuilt, host=server.address)
    (filled / name).unlink()
    server.promise((200, content, len(content)))
    assert "(what came has another SHA-256)" in refused(datasets.pbmc3k)


def test_published_and_rebuilt_files_are_known():
    """Each file is pinned twice: as published by scanpy, and as rebuilt from the counts of 10x Genomics."""
    for name in SOURCES.values():
        source = getattr(module, name)
        assert len({source.sha256, *source.rebuilt}) == 2


def test_offline_refuses_at_once(cache, files, refused, offered, monkeypatch):
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")
    assert "LATENTCELLS_OFFLINE" in refused(datasets.pbmc3k)
    assert offered.requests == 0 and files(cache) == []


def test_a_cache_folder_that_is_a_file(cache, refused, offered):
    cache.write_text("not a folder")
    assert f"{PROCESSED} is not in {cache}" in refused(datasets.pbmc3k)
