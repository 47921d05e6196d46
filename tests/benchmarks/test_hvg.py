"""The functions of chapter 3's stored run, on the data that come with scanpy."""

import numpy as np
import pytest

import latentcells as lc
from benchmarks import hvg


@pytest.fixture
def cells():
    log1p = lc.preprocess.LibrarySize().fit(adata := lc.datasets.pbmc_reference()).transform(adata)
    outside = np.arange(adata.n_obs) % 10 == 0
    return hvg.Cells("pbmc_facs", hvg.expressed(log1p, ~outside), outside)


def test_genes_are_those_that_three_training_cells_express(cells):
    few = np.arange(cells.log1p.n_obs) < 40
    selected = hvg.expressed(cells.log1p, few)
    assert (np.count_nonzero(lc.inputs(selected)[few], axis=0) >= 3).all()
    assert 0 < selected.n_vars < cells.log1p.n_vars


def test_every_selection_returns_the_requested_number_of_genes(cells):
    for way in ("seurat", *hvg.CONTROLS):
        assert len(set(hvg.choose(cells, way, 50))) == 50
    assert len(hvg.choose(cells, hvg.ALL, None)) == cells.log1p.n_vars


def test_most_expressed_genes_have_the_largest_totals(cells):
    total = lc.inputs(cells.log1p, layer="counts")[~cells.outside].sum(axis=0)
    rest = ~cells.log1p.var_names.isin(genes := hvg.choose(cells, "most expressed", 50))
    assert total[cells.log1p.var_names.get_indexer(genes)].min() >= total[rest].max()


def test_random_genes_differ_between_seeds(cells):
    draws = [set(hvg.choose(cells, "random genes", 50, seed)) for seed in (0, 1)]
    assert draws[0] != draws[1]


@pytest.mark.usefixtures("eager")
def test_a_cell_without_the_chosen_genes_gets_the_prior_mean(cells, monkeypatch):
    monkeypatch.setattr(hvg, "EPOCHS", 1)
    genes = hvg.choose(cells, "random genes", 5)
    empty = np.asarray(cells.log1p[:, genes].X.sum(axis=1)).ravel() == 0
    z = hvg.vae(cells, genes, seed=0)
    assert empty.any()
    assert not z[empty].any()
    assert z[~empty].any(axis=1).all()


def test_a_choice_by_labels_on_all_cells_leaks(cells, monkeypatch):
    monkeypatch.setattr(hvg, "LEAK_GENES", 50)
    label = np.random.default_rng(0).permutation(cells.log1p.obs["label"].astype(str).to_numpy())
    frequent = np.isin(label, ("Dendritic", "CD14+ Monocyte", "CD19+ B"))
    log1p, label = cells.log1p[frequent], label[frequent]
    log1p = hvg.expressed(log1p, np.arange(log1p.n_obs))
    leaked, honest = (
        hvg.cross_validate(log1p, label, "F score", where, 0) for where in ("all cells", "training cells")
    )
    assert leaked > honest + 0.05
