import numpy as np
import pandas as pd

from latentcells.datasets import _contract


def test_build_takes_dense_floats_and_does_not_change_the_input(contract):
    counts = np.array([[0.0, 2.0], [1.0, 0.0]])
    obs = pd.DataFrame({"label": ["a", "b"], "batch": "only"}, index=["c1", "c2"])
    source = _contract.about("name", _contract.Paper("who", "10.0/0"), "MIT", "url", "note")
    adata = _contract.build(counts, obs, pd.DataFrame(index=["G1", "G2"]), source)
    contract(adata, "name")
    assert obs["batch"].tolist() == ["only", "only"]
    adata.X.data[:] = 7
    assert adata.layers["counts"].toarray().tolist() == counts.tolist()


def test_gene_names_are_made_unique():
    var = _contract.genes(["E1", "E2", "E3"], ["A", "A", "B"])
    assert var.index.tolist() == ["A", "A-1", "B"]
    assert var["gene_ids"].tolist() == ["E1", "E2", "E3"]


def test_an_unknown_gene_keeps_its_id():
    var = _contract.genes_from_ids(["ENSG00000156738", "ENSG99999999999"])
    assert var.index.tolist() == ["MS4A1", "ENSG99999999999"]


def test_the_table_of_symbols_is_that_of_pbmc_facs(real):
    table = _contract.gene_symbols()
    assert len(table) == 16791
    raw = real("pbmc_facs").var
    first = raw[~raw.index.str.contains(r"-\d$")]
    assert all(table[i] == symbol for symbol, i in first["gene_ids"].items())
