import pandas as pd


def test_cell_mixture(real, contract):
    adata = real("cell_mixture")
    contract(adata, "cell_mixture")
    assert adata.shape == (1021, 11533)
    assert int(adata.X.sum()) == 27769260
    assert adata.obs["batch"].value_counts().to_dict() == {
        "celseq2_5cl_p3": 252,
        "celseq2": 240,
        "dropseq": 210,
        "celseq2_5cl_p2": 163,
        "celseq2_5cl_p1": 156,
    }
    assert adata.obs["protocol"].value_counts().to_dict() == {"CEL-seq2": 811, "Drop-seq": 210}


def test_two_cell_lines_are_only_on_three_plates(real):
    obs = real("cell_mixture").obs
    table = pd.crosstab(obs["label"], obs["batch"])
    assert (table.loc[["A549", "H838"], ["celseq2", "dropseq"]] == 0).all(axis=None)
    assert (table.drop(columns=["celseq2", "dropseq"]) > 0).all(axis=None)
    assert "H838 and A549" in real("cell_mixture").uns["source"]["note"]


def test_genes_have_symbols_where_known(real):
    var = real("cell_mixture").var
    assert var["gene_ids"].str.startswith("ENSG").all()
    assert var.index.str.startswith("ENSG").sum() == 11533 - 9710
    assert var.loc["EPCAM", "gene_ids"] == "ENSG00000119888"
