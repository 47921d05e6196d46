import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse, stats

from latentcells.markers import differential_expression
from tests.helpers import refused

GENES = [f"gene {i}" for i in range(30)]
LABEL = np.repeat(["T", "B", "NK"], [40, 25, 15])


def data(seed=0, kind=np.asarray):
    """Log1p values, most of them 0; each label has ten marker genes, and the last gene is never expressed."""
    rng = np.random.default_rng(seed)
    rate = 0.5 + 1.5 * (np.arange(30)[None, :] // 10 == pd.factorize(LABEL)[0][:, None])
    x = np.log1p(rng.poisson(rate) * 1.7).astype(np.float32)
    x[:, -1] = 0
    adata = anndata.AnnData(kind(x), pd.DataFrame({"label": pd.Categorical(LABEL)}, map(str, range(80))))
    adata.var_names = GENES
    return adata


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_matrix])
def test_equals_scanpys_own_table(kind):
    adata = data(kind=kind)
    ranking = differential_expression(adata)
    with np.errstate(invalid="ignore"):
        sc.tl.rank_genes_groups(adata, "label", method="wilcoxon", tie_correct=True)
    assert list(ranking) == ["B", "NK", "T"]
    for name, result in ranking.items():
        table = sc.get.rank_genes_groups_df(adata, name).set_index("names")["scores"]
        np.testing.assert_allclose(result, table[result.index], rtol=1e-6)
        np.testing.assert_allclose(
            result, table.to_numpy(), rtol=1e-6
        )  # the order is the same, except for ties
        assert sorted(result.index) == sorted(GENES) and result.name == name and result.index.name == "gene"


def test_the_score_is_scipys_z():
    adata = data()
    result = differential_expression(adata)["NK"]["gene 25"]
    one, others = (adata[(LABEL == "NK") == is_nk].X[:, 25] for is_nk in (True, False))
    p_value = stats.mannwhitneyu(one, others, method="asymptotic", use_continuity=False).pvalue
    assert 2 * stats.norm.sf(abs(result)) == pytest.approx(p_value, rel=1e-4)


def test_the_genes_of_a_label_come_first():
    first = {name: set(ranking.index[:9]) for name, ranking in differential_expression(data()).items()}
    assert (
        first["T"] <= set(GENES[:10]) and first["B"] <= set(GENES[10:20]) and first["NK"] <= set(GENES[20:])
    )


def test_a_gene_that_no_cell_expresses_has_zero():
    assert all(ranking[GENES[-1]] == 0 for ranking in differential_expression(data()).values())


def test_unused_categories_and_the_raw_values_do_not_matter():
    adata = data()
    adata.obs["label"] = adata.obs["label"].cat.add_categories("Mono")
    adata.raw = adata[::-1].copy()
    for name, expected in differential_expression(data()).items():
        pd.testing.assert_series_equal(differential_expression(adata)[name], expected)


def test_another_column_of_any_kind():
    adata = data()
    adata.obs["type"] = np.repeat([2, 0, 1], [40, 25, 15])
    ranking = differential_expression(adata, "type")
    assert list(ranking) == [0, 1, 2]
    np.testing.assert_array_equal(ranking[2], differential_expression(adata)["T"])


def test_the_arguments_are_unchanged():
    adata = data()
    before = adata.copy()
    differential_expression(adata)
    np.testing.assert_array_equal(adata.X, before.X)
    assert not adata.uns and list(adata.obs) == ["label"] and adata.obs.equals(before.obs)


# -- bad input ---------------------------------------------------------------------------------------------------


def test_refuses_counts_and_z_scores():
    counts, z = data(), data()
    counts.X = np.rint(counts.X)
    z.X = z.X - 1
    refused(lambda: differential_expression(counts), "^X must hold log1p data")
    refused(lambda: differential_expression(z), "^X must hold log1p data .* looks like z-scores")


@pytest.mark.filterwarnings("ignore:Variable names are not unique:UserWarning")
def test_refuses_repeated_genes():
    adata = data()
    adata.var_names = ["CD19", *GENES[1:-1], "CD19"]
    refused(
        lambda: differential_expression(adata),
        "^1 gene names repeat .CD19.: call adata.var_names_make_unique",
    )


@pytest.mark.parametrize(
    ("label", "message"),
    [
        (["B"] * 80, "^label is 'B' for all cells"),
        (["B"] * 79 + ["T"], "^label 'T' has 1 cell, at least 2 are needed"),
        ([None] + ["B"] * 40 + ["T"] * 39, r"^obs\['label'\] lacks a value for 1 of 80 cells: drop them"),
    ],
)
def test_refuses_labels(label, message):
    adata = data()
    adata.obs["label"] = pd.Categorical(label)
    refused(lambda: differential_expression(adata), message)


def test_refuses_a_column_that_is_not_there():
    refused(lambda: differential_expression(data(), "type"), "^label='type' is no column of obs: choose from")
