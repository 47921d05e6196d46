import numpy as np
import scanpy as sc

from latentcells.datasets import pbmc_reference


def test_pbmc_reference(contract):
    adata = pbmc_reference()
    contract(adata, "pbmc_reference")
    assert adata.shape == (700, 765)
    assert int(adata.X.sum()) == 486651
    assert adata.obs["label"].nunique() == 10


def test_counts_match_the_values_that_scanpy_ships():
    shipped = sc.datasets.pbmc68k_reduced().raw.X.toarray()
    counts = pbmc_reference().X.toarray()
    values = np.expm1(shipped.astype(np.float64))
    smallest = np.where(values > 0, values, np.inf).min(axis=1, keepdims=True)
    assert np.abs(values / smallest - counts).max() < 0.12
    assert ((counts > 0) == (shipped > 0)).all()


def test_scaled_has_z_scores_beside_the_counts(contract):
    adata = pbmc_reference(scaled=True)
    contract(adata, "pbmc_reference", x="z-scores")
    assert adata.layers["counts"].sum() == 486651
    assert np.abs(adata.X.mean(axis=0)).max() < 1


def test_it_needs_neither_cache_nor_network(cache, files, monkeypatch):
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")
    pbmc_reference()
    assert files(cache) == []
