import errno
import shutil
import urllib.error
from pathlib import Path

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
import tqdm.auto
from scipy import sparse

import latentcells.datasets as datasets

RAW, PROCESSED = "pbmc3k_raw.h5ad", "pbmc3k_processed.h5ad"


@pytest.fixture(scope="session")
def lookalikes(tmp_path_factory):
    """Files of the same shapes and names as scanpy's, with other numbers in them."""
    rng = np.random.default_rng(0)
    folder = tmp_path_factory.mktemp("scanpy")
    gene = np.tile(np.arange(13714), 3)  # each in three cells
    cell = (gene + np.repeat(np.arange(3), 13714)) % 2700
    x = sparse.csr_matrix((rng.integers(1, 9, gene.size).astype(np.float32), (cell, gene)), (2700, 13714))
    cells, genes = pd.Index([f"cell{i}" for i in range(2700)]), pd.Index([f"G{i}" for i in range(13714)])
    ad.AnnData(x, pd.DataFrame(index=cells), pd.DataFrame(index=genes)).write_h5ad(folder / RAW)
    kept = cells[31 : 31 + 2638][::-1]
    louvain = pd.Categorical(np.array(["B cells", "NK cells"])[np.arange(2638) % 2])
    obs = pd.DataFrame({"louvain": louvain}, index=kept)
    z = rng.normal(size=(2638, 1838)).astype(np.float32)
    ad.AnnData(z, obs, pd.DataFrame(index=genes[100:1938])).write_h5ad(folder / PROCESSED)
    return folder


@pytest.fixture
def scanpy_has(lookalikes, monkeypatch):
    """scanpy_has(folder): scanpy 'downloads' from there what its folder lacks."""
    monkeypatch.delenv("LATENTCELLS_OFFLINE", raising=False)
    calls = []

    def offer(source):
        def loader(name):
            def load():
                path = Path(sc.settings.datasetdir) / name
                if not path.is_file():
                    calls.append(path)
                    source(path) if callable(source) else shutil.copy(source / name, path)
                return ad.read_h5ad(path)

            return load

        monkeypatch.setattr(sc.datasets, "pbmc3k", loader(RAW))
        monkeypatch.setattr(sc.datasets, "pbmc3k_processed", loader(PROCESSED))
        return calls

    return offer


@pytest.fixture
def filled(cache, lookalikes):
    return Path(shutil.copytree(lookalikes, cache))


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


def test_scanpys_own_file_with_all_genes_gives_the_same(filled):
    """scanpy's file has 32,738 genes, among them 19,024 that fewer than 3 cells show."""
    before, small = datasets.pbmc3k(), ad.read_h5ad(filled / RAW)
    rare = sparse.lil_matrix((2700, 32738 - 13714), dtype=np.float32)
    rare[0, :], rare[1, ::2] = 4, 1
    common = np.isin(np.arange(32738), np.random.default_rng(0).choice(32738, 13714, replace=False))
    order = np.where(common, np.cumsum(common) - 1, 13714 + np.cumsum(~common) - 1)
    names = np.array([*small.var_names, *(f"rare{i}" for i in range(rare.shape[1]))])[order]
    x = sparse.hstack([small.X, rare.tocsr()], "csr")[:, order]
    ad.AnnData(x, small.obs, pd.DataFrame({"gene_ids": "ENSG"}, index=names)).write_h5ad(filled / RAW)
    after = datasets.pbmc3k()
    assert after.shape == (2638, 13714)
    assert after.var_names.equals(before.var_names) and (after.X != before.X).nnz == 0


def test_cells_and_genes_follow_the_processed_file(filled, contract):
    adata, z = datasets.pbmc3k(), datasets.pbmc3k_processed()
    contract(adata, "pbmc3k")
    contract(z, "pbmc3k_processed", x="z-scores")
    raw = ad.read_h5ad(filled / RAW)
    assert adata.obs_names.equals(z.obs_names)
    assert (adata.X != raw[adata.obs_names].X).nnz == 0
    assert (z.layers["counts"] != raw[z.obs_names, z.var_names].X).nnz == 0


def test_a_folder_that_holds_both_files_is_only_read(filled, files, monkeypatch):
    def no_write(*args, **kwargs):
        raise AssertionError("nothing is to be written")

    for target in ("tempfile.TemporaryDirectory", "tempfile.mkdtemp", "os.replace"):
        monkeypatch.setattr(target, no_write)
    datasets.pbmc3k()
    assert files(filled) == [PROCESSED, RAW]


def test_scanpy_downloads_into_the_cache_and_gets_its_settings_back(
    cache, files, lookalikes, scanpy_has, capfd
):
    calls = scanpy_has(lookalikes)
    before = sc.settings.datasetdir, sc.settings.verbosity, tqdm.auto.tqdm
    datasets.pbmc3k()
    assert [path.name for path in calls] == [PROCESSED, RAW]
    assert all(path.parent.parent == cache for path in calls)
    assert files(cache) == [PROCESSED, RAW]
    assert (sc.settings.datasetdir, sc.settings.verbosity, tqdm.auto.tqdm) == before
    datasets.pbmc3k()
    assert len(calls) == 2
    assert capfd.readouterr() == ("", "")


def test_no_bar_where_stderr_is_no_terminal(cache, scanpy_has, lookalikes, capfd):
    def download(path):
        for _ in tqdm.auto.tqdm(range(3)):
            pass
        shutil.copy(lookalikes / path.name, path)

    scanpy_has(download)
    datasets.pbmc3k()
    assert capfd.readouterr().err == ""


def fail(error):
    def download(path):
        path.write_bytes(b"half")
        raise error

    return download


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (fail(urllib.error.URLError("no such host")), "(no connection)"),
        (fail(urllib.error.HTTPError("http://x", 404, "Not Found", {}, None)), "(HTTP 404)"),
        (fail(OSError(errno.ENOSPC, "No space left on device")), "(No space left on device)"),
        (fail(PermissionError(errno.EACCES, "no")), "(permission denied)"),
        (fail(TimeoutError()), "(no answer in time)"),
        (lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n cut off"), "(it cannot be read)"),
        (
            lambda path: ad.AnnData(np.zeros((3, 2))).write_h5ad(path),
            "(the file does not hold what it should)",
        ),
    ],
    ids=["no network", "404", "full disk", "read-only", "timeout", "cut off", "another file"],
)
def test_a_download_that_fails_leaves_nothing(cache, files, refused, scanpy_has, source, words):
    scanpy_has(source)
    before = sc.settings.datasetdir
    message = refused(datasets.pbmc3k)
    assert message.startswith(f"{PROCESSED} is not in {cache} and could not be fetched from https://scanpy.")
    assert words in message
    assert files(cache) == []
    assert sc.settings.datasetdir == before


@pytest.mark.parametrize("name", [RAW, PROCESSED])
def test_a_truncated_file_is_named_and_kept(filled, files, refused, scanpy_has, name):
    content = (filled / name).read_bytes()[:100_000]
    (filled / name).write_bytes(content)
    scanpy_has(fail(urllib.error.URLError("no such host")))
    assert refused(datasets.pbmc3k).startswith(f"{name} is damaged in {filled}")
    assert (filled / name).read_bytes() == content
    assert files(filled) == [PROCESSED, RAW]


def test_a_truncated_file_is_replaced(filled, lookalikes, scanpy_has):
    (filled / RAW).write_bytes(b"cut off")
    assert len(scanpy_has(lookalikes)) == 0
    assert datasets.pbmc3k().shape == (2638, 13714)
    assert (filled / RAW).read_bytes() == (lookalikes / RAW).read_bytes()


def rewrite(change):
    def apply(path):
        adata = ad.read_h5ad(path)
        adata = change(adata)
        adata.write_h5ad(path)

    return apply


def fractional(adata):
    adata.X.data[0] = 0.5
    return adata


def renamed(adata):
    adata.obs_names = [f"other{i}" for i in range(adata.n_obs)]
    return adata


@pytest.mark.parametrize(
    "change", [fractional, renamed, lambda a: a[:2699].copy(), lambda a: a[:, 1:].copy()]
)
def test_counts_of_another_making_are_refused(filled, refused, monkeypatch, change):
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")
    rewrite(change)(filled / RAW)
    assert refused(datasets.pbmc3k).startswith(f"{RAW} is damaged in")


def test_offline_refuses_at_once(cache, files, refused, scanpy_has, lookalikes, monkeypatch):
    calls = scanpy_has(lookalikes)
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")
    assert "LATENTCELLS_OFFLINE" in refused(datasets.pbmc3k)
    assert not calls and files(cache) == []


def test_a_cache_folder_that_is_a_file(cache, refused, scanpy_has, lookalikes):
    scanpy_has(lookalikes)
    cache.write_text("not a folder")
    assert f"{PROCESSED} is not in {cache}" in refused(datasets.pbmc3k)
