import re

import anndata
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

from latentcells import inputs
from latentcells.preprocess import HighlyVariableGenes, LibrarySize, split
from latentcells.preprocess._highly_variable_genes import METHODS
from tests.helpers import refused


def scanpy_genes(adata, n, method, batch):
    """The genes that scanpy's own functions choose."""
    adata = adata.copy()
    if method in ("seurat", "cell_ranger"):
        sc.pp.normalize_total(adata, target_sum=1e4)
        sc.pp.log1p(adata)
    pp = sc.experimental.pp if method == "pearson_residuals" else sc.pp
    pp.highly_variable_genes(adata, n_top_genes=n, flavor=method, batch_key=batch)
    return list(adata.var_names[adata.var["highly_variable"]])


@pytest.mark.usefixtures("unchanged")
@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("batch", [None, "batch"])
def test_equals_scanpy(adata, method, batch):
    for n in (1, 10, 30):
        genes = HighlyVariableGenes(n, method, batch).fit(adata).genes_
        assert list(genes) == scanpy_genes(adata, n, method, batch)


@pytest.mark.parametrize("method", METHODS)
def test_methods_differ(adata, method):
    genes = set(HighlyVariableGenes(20, method).fit(adata).genes_)
    others = [set(HighlyVariableGenes(20, other).fit(adata).genes_) for other in METHODS if other != method]
    assert all(genes != other for other in others)


@pytest.mark.parametrize("method", METHODS)
def test_batch_leaves_out_a_gene_that_varies_only_between_batches(adata, method):
    counts = inputs(adata)
    level = np.where(adata.obs["batch"] == "p1", *((0.2, 10) if method == "seurat_v3" else (1, 30)))
    libraries = counts.sum(axis=1) / counts.sum(axis=1).mean()
    counts[:, 7] = np.random.default_rng(0).poisson(level * libraries)
    adata.layers["counts"] = sparse.csr_matrix(counts)
    assert "gene7" in HighlyVariableGenes(20, method).fit(adata).genes_
    assert "gene7" not in HighlyVariableGenes(20, method, batch="batch").fit(adata).genes_


@pytest.mark.parametrize("method", METHODS)
def test_fit_reads_the_counts_whatever_x_holds(adata, method):
    genes = list(HighlyVariableGenes(20, method).fit(adata).genes_)
    logged = LibrarySize().fit(adata).transform(adata)
    assert list(HighlyVariableGenes(20, method).fit(logged).genes_) == genes
    del adata.layers["counts"]
    adata.X = inputs(adata)  # dense
    assert list(HighlyVariableGenes(np.int64(20), method).fit(adata).genes_) == genes


@pytest.mark.usefixtures("unchanged")
def test_transform_keeps_the_training_order_and_the_unit(adata):
    hvg = HighlyVariableGenes(20).fit(adata)
    assert list(hvg.genes_) == [gene for gene in adata.var_names if gene in set(hvg.genes_)]
    logged = LibrarySize().fit(adata).transform(adata)
    result = hvg.transform(logged[:50, ::-1])
    assert list(result.var_names) == list(hvg.genes_)
    assert not result.is_view
    np.testing.assert_array_equal(inputs(result), inputs(logged[:50, hvg.genes_]))
    np.testing.assert_array_equal(inputs(result, "counts"), inputs(adata[:50, hvg.genes_]))


def test_test_cells_have_no_effect(adata):
    train, test = split(adata)
    counts = inputs(train)
    counts[:, :20] = 3  # constant in the training cells, highly variable in the test cells
    train.layers["counts"] = sparse.csr_matrix(counts)
    test.layers["counts"] = test.X = sparse.csr_matrix(inputs(test) * (1 + 99 * (np.arange(80) < 20)))
    for method in METHODS[2:]:
        hvg = HighlyVariableGenes(60, method).fit(train)
        assert list(hvg.transform(test).var_names) == [f"gene{i}" for i in range(20, 80)]


@pytest.mark.parametrize("method", METHODS)
def test_ties_still_give_n_genes(adata, method):
    counts = inputs(adata)
    counts[:, 40:] = counts[:, :40]
    adata.layers["counts"] = sparse.csr_matrix(counts)
    for n in (9, 80):
        assert len(HighlyVariableGenes(n, method).fit(adata).genes_) == n


@pytest.mark.parametrize("method", METHODS)
def test_a_batch_may_express_fewer_genes_than_n(adata, method):
    counts = inputs(adata)
    counts[adata.obs["batch"] == "p1", :40] = 0
    adata.layers["counts"] = sparse.csr_matrix(counts)
    assert len(HighlyVariableGenes(60, method, batch="batch").fit(adata).genes_) == 60


def test_fill_adds_missing_genes_as_zeros(adata):
    adata.uns["source"] = {"name": "test"}
    adata.obsm["z"] = np.ones((240, 2))
    hvg = HighlyVariableGenes(20).fit(adata)
    missing, present = hvg.genes_[[3, 11]], hvg.genes_.delete([3, 11])
    for x in (adata.X, inputs(adata)):
        adata.X = x
        with pytest.warns(
            UserWarning, match=rf"^2 of the 20 .* missing \({missing[0]}, {missing[1]}\): .*zeros"
        ):
            result = hvg.transform(adata[:, adata.var_names.difference(missing)], fill=0)
        assert list(result.var_names) == list(hvg.genes_)
        assert not inputs(result[:, missing]).any()
        assert not inputs(result[:, missing], "counts").any()
        np.testing.assert_array_equal(inputs(result[:, present]), inputs(adata[:, present]))
        np.testing.assert_array_equal(inputs(result[:, present], "counts"), inputs(adata[:, present]))
        pd.testing.assert_frame_equal(result.obs, adata.obs)
        assert result.uns["source"] == {"name": "test"}
        assert result.obsm["z"].shape == (240, 2)
        assert result.layers["counts"].dtype == np.int32


@pytest.mark.filterwarnings("ignore:.*they are zeros in every cell:UserWarning")
@pytest.mark.filterwarnings("ignore:Observation names are not unique:UserWarning")
@pytest.mark.parametrize(
    "stored",
    [np.asarray, np.asfortranarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array],
)
def test_fill_keeps_everything_that_is_not_per_gene(adata, stored):
    hvg = HighlyVariableGenes(20).fit(adata)
    missing = hvg.genes_[[3, 11]]
    adata.X, adata.raw = stored(inputs(adata)), adata
    adata.layers["counts"] = stored(inputs(adata, "counts").astype("int32"))
    adata.obs_names = ["cell0", *adata.obs_names[:-1]]
    adata.obsm["z"], adata.varm["PCs"] = np.ones((240, 2)), np.arange(160.0).reshape(80, 2)
    adata.obsp["distances"] = sparse.eye(240, format="csr")
    adata.uns["source"] = {"name": "test"}
    whole = hvg.transform(adata)
    result = hvg.transform(adata[:, adata.var_names.difference(missing)], fill=0)
    assert list(result.obs_names) == list(adata.obs_names) and list(result.var_names) == list(hvg.genes_)
    for one, other in [(result.X, whole.X), (result.layers["counts"], whole.layers["counts"])]:
        assert type(one) is type(other) and one.dtype == other.dtype
    zeroed = inputs(whole) * ~hvg.genes_.isin(missing)
    np.testing.assert_array_equal(inputs(result), zeroed)
    np.testing.assert_array_equal(inputs(result, "counts"), zeroed)
    assert result.raw.shape == (240, 80) and (result.raw.X != adata.raw.X).sum() == 0
    loadings = np.where(hvg.genes_.isin(missing)[:, None], np.nan, whole.varm["PCs"])
    np.testing.assert_array_equal(result.varm["PCs"], loadings)
    np.testing.assert_array_equal(result.obsm["z"], whole.obsm["z"])
    assert (result.obsp["distances"] != whole.obsp["distances"]).nnz == 0
    assert dict(result.uns) == dict(whole.uns)


@pytest.mark.filterwarnings("ignore:.*they are zeros in every cell:UserWarning")
def test_fit_and_transform_need_no_x_beside_the_counts(adata):
    expected = HighlyVariableGenes(20).fit(adata)
    layer = anndata.AnnData(obs=adata.obs, var=adata.var, layers={"counts": adata.X})
    hvg = HighlyVariableGenes(20).fit(layer)
    assert list(hvg.genes_) == list(expected.genes_)
    fewer = layer[:, layer.var_names.difference(hvg.genes_[:3])]
    for result in (hvg.transform(layer), hvg.transform(fewer, fill=0)):
        assert result.X is None and list(result.var_names) == list(hvg.genes_)
        np.testing.assert_array_equal(
            inputs(result[:, hvg.genes_[3:]], "counts"), inputs(adata[:, hvg.genes_[3:]])
        )
    other = anndata.AnnData(obs=adata.obs, var=adata.var, layers={"spliced": adata.X})
    refused(
        lambda: hvg.fit(other), r"^the AnnData has no X: set adata\.X = adata\.layers\['spliced'\]\.copy\(\)$"
    )


def test_masked_counts_are_refused(adata):
    hvg = HighlyVariableGenes(20).fit(adata)
    adata.layers["counts"] = np.ma.masked_equal(inputs(adata), 0)
    message = r'layers\["counts"\] is a masked array \(\d+ of 19200 values masked\): fill it'
    refused(lambda: hvg.fit(adata), f"^{message}")
    fewer = adata[:, adata.var_names.difference(hvg.genes_[:3])].copy()
    fewer.layers["counts"] = np.ma.masked_equal(inputs(fewer), 0)
    with pytest.warns(UserWarning, match="they are zeros in every cell"):
        refused(lambda: hvg.transform(fewer, fill=0), r"^layers\['counts'\] is a masked array")


def test_refuses_missing_genes(adata):
    hvg = HighlyVariableGenes(20).fit(adata)
    missing = hvg.genes_[:4]
    names = ", ".join(missing[:3])
    with pytest.raises(ValueError, match=rf"4 of the 20 chosen genes are missing \({names}, …\): .*fill=0"):
        hvg.transform(adata[:, adata.var_names.difference(missing)])
    with pytest.raises(ValueError, match=rf"1 of the 20 chosen genes are missing \({missing[0]}\): .*fill=0"):
        hvg.transform(adata[:, adata.var_names.difference(missing[:1])])


def test_fill_says_which_genes_are_missing(adata):
    """In a one-line warning that points at the caller; there is none if no gene is missing."""
    hvg = HighlyVariableGenes(20).fit(adata)
    for n_missing in (4, 10):
        with pytest.warns(UserWarning, match="missing") as warned:
            result = hvg.transform(adata[:, adata.var_names.difference(hvg.genes_[:n_missing])], fill=0)
        first = ", ".join(hvg.genes_[:3])
        message = f"{n_missing} of the 20 chosen genes are missing ({first}, …): they are zeros in every cell"
        (warning,) = (w for w in warned if w.category is UserWarning)
        assert str(warning.message) == message and warning.filename == __file__
        assert list(result.var_names) == list(hvg.genes_)
    hvg.transform(adata, fill=0)


def test_fill_is_refused_where_most_genes_are_missing(adata):
    hvg = HighlyVariableGenes(20).fit(adata)
    message = r"^11 of the 20 chosen genes are missing \(.*, …\): spell the genes as in the training data$"
    with pytest.raises(ValueError, match=message):
        hvg.transform(adata[:, adata.var_names.difference(hvg.genes_[:11])], fill=0)


@pytest.mark.parametrize("fill", [None, 0])
def test_says_when_genes_are_named_by_another_system(adata, fill):
    spellings = {
        "symbols": list(adata.var_names),
        "Ensembl identifiers": [f"ENSG{i:011d}" for i in range(80)],
        "Ensembl identifiers with a version": [f"ENSG{i:011d}.12" for i in range(80)],
    }
    for expected, names in spellings.items():
        adata.var_names = names
        hvg = HighlyVariableGenes(20).fit(adata)
        for received, others in spellings.items():
            if received == expected:
                continue
            adata.var_names = ["spike-in", *others[1:]]  # not every name reveals the system
            problem = re.escape(
                f"these genes are {received} ({'spike-in' if received == 'symbols' else others[1]})"
            )
            remedy = re.escape(f"those of the training data {expected} ({hvg.genes_[0]}): translate them")
            with pytest.raises(ValueError, match=rf"^20 of the 20 chosen genes .*: {problem}, {remedy}$"):
                hvg.transform(adata, fill=fill)


def test_refuses_another_fill(adata):
    with pytest.raises(ValueError, match="fill=1 is unknown: choose from None, 0"):
        HighlyVariableGenes(20).fit(adata).transform(adata, fill=1)


def test_refuses_to_transform_before_fit(adata):
    with pytest.raises(ValueError, match=r"HighlyVariableGenes is not fitted: call fit\(train\)"):
        HighlyVariableGenes(20).transform(adata)


def test_refuses_an_unknown_method():
    match = "method='vst' is unknown: choose from 'seurat', 'cell_ranger', 'seurat_v3', 'pearson_residuals'"
    with pytest.raises(ValueError, match=match):
        HighlyVariableGenes(20, "vst")


def test_refuses_an_invalid_number_of_genes():
    with pytest.raises(ValueError, match="n must be at least 1, got 0"):
        HighlyVariableGenes(0)
    with pytest.raises(TypeError, match=r"n must be an integer, got 2000\.0"):
        HighlyVariableGenes(2000.0)


@pytest.mark.parametrize("method", METHODS)
def test_refuses_more_genes_than_vary(adata, method):
    counts = inputs(adata)
    counts[:, 7] = 0
    adata.layers["counts"] = sparse.csr_matrix(counts)
    assert len(HighlyVariableGenes(79, method).fit(adata).genes_) == 79
    with pytest.raises(
        ValueError, match=r"n=80 is more than the 79 genes that vary .*\(80 genes in all\): lower n"
    ):
        HighlyVariableGenes(80, method).fit(adata)


NO_COUNTS = r"must hold counts \(whole numbers, 0 or more\), got \d+\.\d+: looks like log1p data; "


@pytest.mark.parametrize("method", METHODS)
def test_refuses_log1p_data_without_counts(adata, method):
    logged = LibrarySize().fit(adata).transform(adata)
    del logged.layers["counts"]
    name = r'X \(there is no layers\["counts"\]\)'
    refused(
        lambda: HighlyVariableGenes(20, method).fit(logged),
        rf"^{name} {NO_COUNTS}start from the counts, this AnnData holds none$",
    )


def test_says_where_the_counts_are(adata):
    logged = LibrarySize().fit(adata).transform(adata)
    x, fit = logged.X.copy(), HighlyVariableGenes(20).fit
    del logged.layers["counts"]
    logged.raw = adata
    raw = r"adata\.raw\[:, adata\.var_names\]\.X\.copy\(\)$"
    refused(lambda: fit(logged), rf"like log1p data; set adata\.X = {raw}")
    logged.layers["counts"] = x
    message = rf'^layers\["counts"\] {NO_COUNTS}set adata\.layers\["counts"\] = '
    refused(lambda: fit(logged), message + raw)
    logged.X = adata.X
    refused(lambda: fit(logged), message + r"adata\.X\.copy\(\)$")
    logged.layers["counts"] = logged.raw[:, logged.var_names].X.copy()  # follow the remedy
    assert list(fit(logged).genes_) == list(fit(adata).genes_)


def test_refuses_empty_cells(adata):
    adata.layers["counts"] = sparse.csr_matrix(inputs(adata) * (np.arange(240) != 7)[:, None])
    with pytest.raises(ValueError, match=r'layers\["counts"\] has 1 cells with a total of 0'):
        HighlyVariableGenes(20).fit(adata)


@pytest.mark.filterwarnings("ignore:Variable names are not unique")  # anndata's own, on slicing
def test_refuses_repeated_gene_names(adata):
    hvg = HighlyVariableGenes(20).fit(adata)
    adata.var_names = ["gene0", *adata.var_names[:-1]]
    for call in (hvg.fit, hvg.transform):
        with pytest.raises(ValueError, match=r"1 gene names repeat \(gene0\)"):
            call(adata)


def test_refuses_an_unknown_batch(adata):
    with pytest.raises(
        ValueError, match=r"batch='plate' is no column of obs: choose from \['label', 'donor'"
    ):
        HighlyVariableGenes(20, batch="plate").fit(adata)


def test_refuses_a_batch_of_one_cell(adata):
    adata.obs["batch"] = ["p3", *adata.obs["batch"][1:]]
    with pytest.raises(
        ValueError, match=r"batch 'p3' of obs\['batch'\] has 1 cell, too few for a variance: drop"
    ):
        HighlyVariableGenes(20, batch="batch").fit(adata)


def test_a_failure_of_scanpy_is_reported_in_one_line(adata):
    with pytest.raises(
        ValueError, match=r"method='seurat_v3' cannot rank these \d+ genes over 2 cells \("
    ) as error:
        HighlyVariableGenes(2, "seurat_v3").fit(adata[:2])
    assert "\n" not in str(error.value)
    assert error.value.__suppress_context__
