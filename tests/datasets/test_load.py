import importlib

import numpy as np
import pandas as pd
import pytest

import latentcells.datasets as datasets

module = importlib.import_module("latentcells.datasets._load")
MISSING = ["pbmc3k", "pbmc3k_processed", "pbmc_facs", "cell_mixture", "rna_mixture", "kang"]


@pytest.fixture
def offline(cache, monkeypatch):
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")


def test_names():
    assert datasets.names() == [*MISSING, "pbmc_reference", "simulate"]


def test_an_unknown_name_lists_the_names():
    with pytest.raises(ValueError, match=r"^name='pbmc4k' is unknown: choose from 'pbmc3k', .*'simulate'$"):
        datasets.load("pbmc4k", offline_ok=True)


@pytest.mark.parametrize("name", ["pbmc_reference", "simulate"])
def test_data_sets_without_a_file_are_always_available(offline, contract, name, capsys):
    contract(datasets.load(name), name)
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("name", MISSING)
def test_without_offline_ok_a_missing_file_is_an_error(offline, cache, files, refused, name):
    assert f" is not in {cache}" in refused(datasets.load, name)
    assert files(cache) == []


@pytest.mark.parametrize("name", ["pbmc3k", "pbmc_facs"])
def test_blood_falls_back_to_the_reference(offline, contract, capsys, name):
    adata = datasets.load(name, offline_ok=True)
    contract(adata, "pbmc_reference")
    assert capsys.readouterr() == (
        f"{name} is not at hand and could not be downloaded: "
        "running on pbmc_reference (700 cells, ships with scanpy).\n",
        "",
    )


def test_z_scores_fall_back_to_z_scores(offline, contract):
    contract(datasets.load("pbmc3k_processed", offline_ok=True), "pbmc_reference", x="z-scores")


@pytest.mark.parametrize("name", ["cell_mixture", "rna_mixture", "kang"])
def test_experiments_fall_back_to_simulation(offline, contract, capsys, name):
    adata = datasets.load(name, offline_ok=True)
    contract(adata, "simulate")
    assert capsys.readouterr().out == (
        f"{name} is not at hand and could not be downloaded: "
        f"running on simulate ({adata.n_obs} cells, drawn by lc.datasets.simulate).\n"
    )


@pytest.mark.parametrize("name", ["cell_mixture", "rna_mixture", "kang"])
def test_a_stand_in_has_the_columns_of_the_real_one(offline, name, request, monkeypatch):
    stand_in = datasets.load(name, offline_ok=True)
    monkeypatch.undo()
    adata = request.getfixturevalue("real")(name)
    for column in adata.obs:
        simulated, real_column = stand_in.obs[column], adata.obs[column]
        assert simulated.dtype.kind == real_column.dtype.kind
        if name != "kang" or column != "label":
            assert set(simulated) == set(real_column)


def test_simulated_cell_mixture_has_two_cell_lines_only_on_three_plates(offline):
    obs = datasets.load("cell_mixture", offline_ok=True).obs
    table = pd.crosstab(obs["label"], obs["batch"])
    assert (table.loc[["A549", "H838"], ["celseq2", "dropseq"]] == 0).all(axis=None)
    assert (table > 0).to_numpy().sum() == 5 * 5 - 4


def test_simulated_rna_mixture_holds_its_proportions(offline):
    adata = datasets.load("rna_mixture", offline_ok=True)
    lines = ["H2228_prop", "H1975_prop", "HCC827_prop"]
    np.testing.assert_allclose(adata.obs[lines].sum(axis=1), 1, atol=0.011)
    assert (adata.obs.groupby("label", observed=True)[lines].nunique() == 1).all(axis=None)
    assert adata.obs.groupby("label", observed=True)["mix"].nunique().max() == 2
    markers = adata[:, adata.var["marker_of"] == "type 0"].X.toarray().sum(axis=1) / adata.obs["library"]
    assert np.corrcoef(markers, adata.obs["H2228_prop"])[0, 1] > 0.85


def test_available_data_are_loaded_whatever_offline_ok_says(monkeypatch, capsys):
    monkeypatch.setitem(module._LOADERS, "kang", lambda: "the real one")
    assert datasets.load("kang", offline_ok=True) == datasets.load("kang") == "the real one"
    assert capsys.readouterr().out == ""


def test_other_errors_are_not_swallowed(monkeypatch):
    def broken():
        raise KeyError("a mistake of ours")

    monkeypatch.setitem(module._LOADERS, "kang", broken)
    with pytest.raises(KeyError):
        datasets.load("kang", offline_ok=True)
