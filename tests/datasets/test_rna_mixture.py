import numpy as np
import pandas as pd

LINES = ["H2228_prop", "H1975_prop", "HCC827_prop"]


def test_rna_mixture(real, contract):
    adata = real("rna_mixture")
    contract(adata, "rna_mixture")
    assert adata.shape == (636, 13880)
    assert int(adata.X.sum()) == 23910532
    assert adata.obs["batch"].value_counts().to_dict() == {"CEL-seq2": 340, "SORT-seq": 296}
    assert sorted(adata.obs["mRNA_amount"].unique()) == [3.75, 7.5, 15, 30]


def test_proportions_are_proportions(real):
    obs = real("rna_mixture").obs
    np.testing.assert_allclose(obs[LINES].sum(axis=1), 1, atol=0.011)
    assert set(obs.loc[obs["label"] == "H2228 68 / H1975 16 / HCC827 16", "H2228_prop"]) == {0.68}


def test_mixes_1_and_2_share_a_label(real):
    obs = real("rna_mixture").obs
    assert (obs["mix"].nunique(), obs["label"].nunique()) == (8, 7)
    assert set(obs.loc[obs["label"] == "H2228 33 / H1975 33 / HCC827 33", "mix"]) == {1, 2}
    assert (pd.crosstab(obs["label"], obs["batch"]) > 0).all(axis=None)


def test_spike_ins_are_no_genes(real):
    var = real("rna_mixture").var
    assert var["gene_ids"].str.startswith("ENSG").all()
    assert not var.index.str.startswith("ERCC-").any()


def test_more_rna_gives_more_counts(real):
    adata = real("rna_mixture")
    totals = pd.Series(np.asarray(adata.X.sum(axis=1)).ravel()).groupby(adata.obs["mRNA_amount"].to_numpy())
    assert totals.median().is_monotonic_increasing
