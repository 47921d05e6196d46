"""The scores run compiled: every embedding below has the same shape, so that they are compiled once."""

import sys
import warnings

import anndata as ad
import numpy as np
import pytest
from sklearn.decomposition import PCA

from latentcells.evaluate import integration

BIO = ["isolated_labels", "kmeans_nmi", "kmeans_ari", "silhouette_label", "clisi"]
BATCH = ["bras", "ilisi", "kbet", "graph_connectivity", "pcr"]


def cells(n=180, seed=0):
    """Three types in two batches; log1p in X; an embedding that mixes, one that does not, one without types."""
    rng = np.random.default_rng(seed)
    types, batches = np.arange(n) % 3, np.arange(n) // 3 % 2
    profile, shift = rng.gamma(1.0, 3.0, (3, 60))[types], rng.lognormal(0, 0.5, (2, 60))[batches]
    adata = ad.AnnData(np.log1p(rng.poisson(profile * shift)).astype("float32"))
    adata.obs["label"] = np.array(["B", "NK", "T"])[types]
    adata.obs["batch"] = np.array(["plate 1", "plate 2"])[batches]
    z = rng.normal(size=(n, 10)) + 8.0 * np.eye(3, 10)[types]
    adata.obsm["mixed"] = z
    adata.obsm["split"] = z + 30.0 * np.eye(2, 10, 5)[batches]
    adata.obsm["shuffled"] = rng.permutation(z)
    adata.obsm["before"] = PCA(50, random_state=0).fit_transform(adata.X)
    return adata


@pytest.fixture(scope="module")
def adata():
    return cells()


@pytest.fixture(scope="module")
def scores(adata):
    found = {key: integration(adata, key, unintegrated="before") for key in ("mixed", "shuffled")}
    with pytest.warns(UserWarning, match="^PCR comparison score is negative"):  # more batch than before
        found["split"] = integration(adata, "split", unintegrated="before")
    return found


# -- what it computes --------------------------------------------------------------------------------------------


def test_ten_scores_two_means_and_a_total(scores):
    for found in scores.values():
        assert list(found) == [*BIO, *BATCH, "scib_bio", "scib_batch", "scib_total"]
        assert all(type(value) is float and -0.02 <= value <= 1 for value in found.values())  # ARI by chance
        assert found["scib_bio"] == pytest.approx(np.mean([found[name] for name in BIO]), abs=1e-12)
        assert found["scib_batch"] == pytest.approx(np.mean([found[name] for name in BATCH]), abs=1e-12)
        total = 0.6 * found["scib_bio"] + 0.4 * found["scib_batch"]
        assert found["scib_total"] == pytest.approx(total, abs=1e-12)


def test_mixed_batches_and_separate_types_score_high(scores):
    mixed = scores["mixed"]
    assert mixed["scib_bio"] > 0.85 and mixed["scib_batch"] > 0.85
    assert mixed["kmeans_ari"] == 1.0 and mixed["graph_connectivity"] > 0.95


def test_separate_batches_score_low_on_mixing(scores):
    mixed, split = scores["mixed"], scores["split"]
    assert split["scib_batch"] < mixed["scib_batch"] - 0.3
    for name in ("bras", "ilisi", "kbet", "pcr"):
        assert split[name] < mixed[name] - 0.3
    assert split["clisi"] > 0.95  # the neighbours are of one type still


def test_shuffled_cells_score_low_on_biology_and_high_on_mixing(scores):
    mixed, shuffled = scores["mixed"], scores["shuffled"]
    for name in ("kmeans_nmi", "kmeans_ari", "clisi"):
        assert shuffled[name] < 0.2
    assert shuffled["scib_bio"] < mixed["scib_bio"] - 0.4
    assert shuffled["ilisi"] > 0.85


def test_equals_the_benchmarker_of_scib_metrics(adata, scores):
    """On its default settings, from exact neighbours found by its own function."""
    from scib_metrics.benchmark import Benchmarker
    from scib_metrics.nearest_neighbors import NeighborsResults

    def exact(z, k):
        distance = np.linalg.norm(z[:, None].astype("float64") - z[None], axis=2)
        indices = np.argsort(distance, axis=1, kind="stable")[:, :k]
        return NeighborsResults(indices=indices, distances=np.take_along_axis(distance, indices, axis=1))

    copy = adata.copy()
    copy.obsm["mixed"] = copy.obsm["mixed"].astype("float32")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # theirs, of pandas, tqdm and their plots
        benchmarker = Benchmarker(
            copy, "batch", "label", ["mixed"], pre_integrated_embedding_obsm_key="before", progress_bar=False
        )
        benchmarker.prepare(neighbor_computer=exact)
        benchmarker.benchmark()
        table = benchmarker.get_results(min_max_scale=False, clean_names=False)
    theirs = [
        "isolated_labels", "nmi_ari_cluster_labels_kmeans_nmi", "nmi_ari_cluster_labels_kmeans_ari",
        "silhouette_label", "clisi_knn", "bras", "ilisi_knn", "kbet_per_label", "graph_connectivity", "pcr_comparison",
        "Bio conservation", "Batch correction", "Total",
    ]  # fmt: skip
    expected = table.loc["mixed", theirs].astype(float)
    np.testing.assert_allclose(list(scores["mixed"].values()), expected, rtol=1e-5)


def test_by_default_the_expression_is_what_was_before(adata, scores):
    """Other names of the columns, too, and the cells of a sparse matrix."""
    from scipy import sparse

    other = ad.AnnData(sparse.csr_matrix(adata.X), obsm={"mixed": adata.obsm["mixed"]})
    other.obs["plate"] = adata.obs["batch"].astype("category").to_numpy()
    other.obs["type"] = adata.obs["label"].to_numpy()
    state, before = np.random.get_state()[1].copy(), adata.obsm["mixed"].copy()  # noqa: NPY002
    found = integration(other, "mixed", batch="plate", label="type")
    assert found == pytest.approx(scores["mixed"], rel=1e-4)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    np.testing.assert_array_equal(other.obsm["mixed"], before)


# -- warnings and bad input: before anything is compiled ---------------------------------------------------------


@pytest.fixture
def unscored(monkeypatch):
    """Scores that cost nothing."""
    module = sys.modules[integration.__module__]  # the package's attribute of this name is the function
    monkeypatch.setattr(module, "_scores", lambda *arrays: dict.fromkeys([*BIO, *BATCH], 0.5))


def test_types_in_one_batch_only_are_named(adata, unscored):
    copy = adata.copy()
    copy.obs.loc[copy.obs["label"] == "T", "batch"] = "plate 2"
    with pytest.warns(UserWarning, match=r"^in one batch only: T; nothing can be said of the mixing") as seen:
        integration(copy, "mixed", unintegrated="before")
    assert [warning.filename for warning in seen] == [__file__]
    copy.obs.loc[copy.obs["label"] == "B", "batch"] = "plate 1"
    with pytest.warns(UserWarning, match=r"^in one batch only: B, T; nothing can be said"):
        integration(copy, "mixed", unintegrated="before")


def refused(adata, message, *arguments, **keywords):
    with pytest.raises(ValueError, match=message) as refusal:
        integration(adata, *(arguments or ["mixed"]), **{"unintegrated": "before", **keywords})
    assert "\n" not in str(refusal.value)


def test_a_missing_embedding_is_refused(adata):
    choices = r"choose from \['mixed', 'split', 'shuffled', 'before'\]"
    refused(adata, f"^no embedding 'X_scvi' in obsm: {choices}", "X_scvi")
    refused(adata, f"^no embedding 'X_pca' in obsm: {choices}", unintegrated="X_pca")


@pytest.mark.parametrize("argument", ["batch", "label"])
def test_a_missing_column_is_refused(adata, argument):
    message = rf"^{argument}='plate' is no column of obs: choose from \['label', 'batch'\]"
    refused(adata, message, **{argument: "plate"})


@pytest.mark.parametrize("column", ["batch", "label"])
def test_missing_names_are_refused(adata, column):
    copy = adata.copy()
    copy.obs[column] = copy.obs[column].astype(object)
    copy.obs.iloc[0, copy.obs.columns.get_loc(column)] = None
    refused(copy, rf"^obs\['{column}'\] lacks a value for 1 of 180 cells: drop them")


@pytest.mark.parametrize("key", ["mixed", "before"])
def test_values_that_are_not_finite_are_refused(adata, key):
    copy = adata.copy()
    copy.obsm[key][3, 1] = np.nan
    refused(copy, "^z must be finite, got nan")


def test_one_batch_is_refused(adata):
    one = adata[adata.obs["batch"] == "plate 1"].copy()
    refused(one, r"^obs\['batch'\] is 'plate 1' for all cells: one batch needs no integration")


def test_a_batch_of_one_cell_is_refused(adata):
    copy = adata.copy()
    copy.obs["batch"] = ["plate 3", *copy.obs["batch"][1:]]
    refused(copy, "^batch 'plate 3' has 1 cell, too few to be mixed: drop it, or merge it")


def test_the_same_column_twice_is_refused(adata):
    refused(adata, "^batch and label are both 'batch': a batch is a plate", label="batch")


def test_batches_that_are_types_are_refused(adata):
    copy = adata.copy()
    copy.obs["batch"] = np.where(copy.obs["label"] == "B", "plate 1", "plate 2")
    refused(copy, r"^every label in obs\['label'\] is in one batch only: batch and label are confounded")


def test_too_few_cells_are_refused(adata, unscored):
    refused(adata[:90].copy(), "^there are 90 cells, the scores need more than 90: take more cells")
    assert integration(adata[:91].copy(), "mixed", unintegrated="before")["scib_total"] == 0.5


def test_counts_in_place_of_log1p_are_refused(adata):
    copy = adata.copy()
    copy.X = np.expm1(copy.X).round()
    refused(copy, "^X must hold log1p data .*: looks like counts", unintegrated=None)
