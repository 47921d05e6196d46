"""The scores are compiled by JAX; all embeddings below have the same shape, so that this happens once."""

import inspect
import sys
import warnings

import anndata as ad
import numpy as np
import pandas as pd
import pytest
from sklearn.decomposition import PCA

from latentcells.evaluate import integration
from tests.helpers import refused

BIO = ["isolated_labels", "kmeans_nmi", "kmeans_ari", "silhouette_label", "clisi"]
BATCH = ["bras", "ilisi", "kbet", "graph_connectivity", "pcr"]


def cells(n=180, seed=0):
    """Three types in two batches: embeddings with mixed batches, separate batches and no types, and their PCA."""
    rng = np.random.default_rng(seed)
    types, batches = np.arange(n) % 3, np.arange(n) // 3 % 2
    profile, effect = rng.gamma(1.0, 3.0, (3, 60))[types], rng.lognormal(0, 0.5, (2, 60))[batches]
    x = np.log1p(rng.poisson(profile * effect)).astype("float32")
    z = rng.normal(size=(n, 10)) + 8.0 * np.eye(3, 10)[types]
    spaces = {"mixed": z, "split": z + 30.0 * np.eye(2, 10, 5)[batches], "shuffled": rng.permutation(z)}
    label, batch = np.array(["B", "NK", "T"])[types], np.array(["plate 1", "plate 2"])[batches]
    return spaces, {"batch": batch, "label": label, "before": PCA(50, random_state=0).fit_transform(x)}


SPACES, DESIGN = cells()
GOOD = {"z": SPACES["mixed"], **DESIGN}


@pytest.fixture(scope="module")
def scores():
    result = {name: integration(SPACES[name], **DESIGN) for name in ("mixed", "shuffled")}
    with pytest.warns(
        UserWarning, match="^PCR comparison score is negative"
    ):  # the batch effect is larger than before
        result["split"] = integration(SPACES["split"], **DESIGN)
    return result


# -- what it computes --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_ten_scores_two_means_and_a_total(scores):
    for space_scores in scores.values():
        assert list(space_scores) == [*BIO, *BATCH, "scib_bio", "scib_batch", "scib_total"]
        assert all(
            type(value) is float and -0.02 <= value <= 1 for value in space_scores.values()
        )  # the ARI may be slightly negative by chance
        assert space_scores["scib_bio"] == pytest.approx(
            np.mean([space_scores[name] for name in BIO]), abs=1e-12
        )
        assert space_scores["scib_batch"] == pytest.approx(
            np.mean([space_scores[name] for name in BATCH]), abs=1e-12
        )
        total = 0.6 * space_scores["scib_bio"] + 0.4 * space_scores["scib_batch"]
        assert space_scores["scib_total"] == pytest.approx(total, abs=1e-12)


@pytest.mark.slow
def test_mixed_batches_and_separate_types_score_high(scores):
    mixed = scores["mixed"]
    assert mixed["scib_bio"] > 0.85 and mixed["scib_batch"] > 0.85
    assert mixed["kmeans_ari"] == 1.0 and mixed["graph_connectivity"] > 0.95


@pytest.mark.slow
def test_separate_batches_score_low_on_mixing(scores):
    mixed, split = scores["mixed"], scores["split"]
    assert split["scib_batch"] < mixed["scib_batch"] - 0.3
    for name in ("bras", "ilisi", "kbet", "pcr"):
        assert split[name] < mixed[name] - 0.3
    assert split["clisi"] > 0.95  # the neighbours are still of one type


@pytest.mark.slow
def test_shuffled_cells_score_low_on_biology_and_high_on_mixing(scores):
    mixed, shuffled = scores["mixed"], scores["shuffled"]
    for name in ("kmeans_nmi", "kmeans_ari", "clisi"):
        assert shuffled[name] < 0.2
    assert shuffled["scib_bio"] < mixed["scib_bio"] - 0.4
    assert shuffled["ilisi"] > 0.85


@pytest.mark.slow
def test_equals_the_benchmarker_of_scib_metrics(scores):
    """With its default settings and exact neighbours, found by sorting all distances."""
    from scib_metrics.benchmark import Benchmarker
    from scib_metrics.nearest_neighbors import NeighborsResults

    def exact(z, k):
        distance = np.linalg.norm(z[:, None].astype("float64") - z[None], axis=2)
        indices = np.argsort(distance, axis=1, kind="stable")[:, :k]
        return NeighborsResults(indices=indices, distances=np.take_along_axis(distance, indices, axis=1))

    obs = pd.DataFrame({key: DESIGN[key] for key in ("batch", "label")}, map(str, range(180)))
    obsm = {"mixed": SPACES["mixed"].astype("float32"), "before": DESIGN["before"]}
    adata = ad.AnnData(np.zeros((180, 1), "float32"), obs, obsm=obsm)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own, about pandas, tqdm and plots
        benchmarker = Benchmarker(
            adata, "batch", "label", ["mixed"], pre_integrated_embedding_obsm_key="before", progress_bar=False
        )
        benchmarker.prepare(neighbor_computer=exact)
        benchmarker.benchmark()
        table = benchmarker.get_results(min_max_scale=False, clean_names=False)
    metrics = [
        "isolated_labels", "nmi_ari_cluster_labels_kmeans_nmi", "nmi_ari_cluster_labels_kmeans_ari",
        "silhouette_label", "clisi_knn", "bras", "ilisi_knn", "kbet_per_label", "graph_connectivity", "pcr_comparison",
        "Bio conservation", "Batch correction", "Total",
    ]  # fmt: skip
    expected = table.loc["mixed", metrics].astype(float)
    np.testing.assert_allclose(list(scores["mixed"].values()), expected, rtol=1e-5)


@pytest.mark.slow
def test_tables_and_series_give_the_same_and_nothing_is_changed(scores):
    index = [f"cell {i}" for i in range(180)]
    z, before = SPACES["mixed"].copy(), DESIGN["before"].copy()
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    result = integration(
        pd.DataFrame(z, index),
        batch=pd.Series(pd.Categorical(DESIGN["batch"]), index),
        label=pd.Series(DESIGN["label"], index),
        before=pd.DataFrame(before, index),
    )
    assert result == pytest.approx(scores["mixed"], rel=1e-6)
    np.testing.assert_array_equal(np.random.get_state()[1], state)  # noqa: NPY002
    np.testing.assert_array_equal(z, SPACES["mixed"])
    np.testing.assert_array_equal(before, DESIGN["before"])


@pytest.mark.slow
def test_the_scores_of_the_stored_run_are_reproduced():
    """The scores of uncorrected components, which were computed on another CPU.

    kBET searches neighbours along eigenvectors. Those of the stored run started from a random vector, which changes
    kBET and the means that include it.
    """
    from benchmarks import batch_correction
    from benchmarks.records import FOLDER
    from latentcells import datasets
    from latentcells.course.results import load

    try:
        scores = batch_correction.score(batch_correction.pca, "cell_mixture", 0)
    except datasets.DataUnavailable as error:
        pytest.skip(str(error))
    stored = {
        row["metric"]: row["mean"]
        for row in load(FOLDER / "05_batch_correction.json")["rows"]
        if row["dataset"] == "cell_mixture" and row["method"] == "PCA-50" and row["metric"] in scores
    }
    assert stored.keys() == scores.keys()
    with_kbet = "kbet", "scib_batch", "scib_total"
    for name, value in scores.items():
        assert value == pytest.approx(stored[name], rel=2e-5, abs=0.01 if name in with_kbet else 1e-6), name


# -- warnings and bad input: before anything is compiled ---------------------------------------------------------


@pytest.fixture
def unscored(monkeypatch):
    """Replaces the computed scores by constants."""
    module = sys.modules[integration.__module__]  # the package's attribute of this name is the function
    monkeypatch.setattr(module, "_scores", lambda *arrays: dict.fromkeys([*BIO, *BATCH], 0.5))


@pytest.mark.usefixtures("unscored")
def test_types_in_only_one_batch_are_named():
    batch = np.where(DESIGN["label"] == "T", "plate 2", DESIGN["batch"])
    message = r"^in one batch only: T; the mixing of these types cannot be scored$"
    with pytest.warns(UserWarning, match=message) as warned:
        integration(**GOOD | {"batch": batch})
    assert [warning.filename for warning in warned] == [__file__]
    batch = np.where(DESIGN["label"] == "B", "plate 1", batch)
    with pytest.warns(UserWarning, match=r"^in one batch only: B, T; the mixing of these types"):
        integration(**GOOD | {"batch": batch})


def test_the_arguments_are_arrays_and_before_has_no_default():
    assert list(inspect.signature(integration).parameters) == ["z", "batch", "label", "before"]
    message = (
        "^before is None: pass the uncorrected embedding of the same cells, such as 50 principal components "
    )
    refused(lambda: integration(SPACES["mixed"], DESIGN["batch"], DESIGN["label"]), message)


def with_value(array, value):
    array = array.astype(object if value is None else array.dtype)
    array[3] = value
    return array


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"z": with_value(GOOD["z"], np.nan)}, "^z must be finite, got nan"),
        ({"before": with_value(GOOD["before"], np.inf)}, "^before must be finite, got inf"),
        ({"z": np.zeros(180)}, r"^z must have the shape \(cells, dimensions\), got \(180,\)"),
        ({"before": np.zeros((179, 3))}, "^before has 179 cells, z has 180: pass the same cells"),
        (
            {"batch": GOOD["batch"][1:]},
            r"^batch has shape \(179,\), there are 180 cells: pass one batch per cell$",
        ),
        (
            {"label": GOOD["label"][1:]},
            r"^label has shape \(179,\), there are 180 cells: pass one label per cell$",
        ),
        (
            {"batch": with_value(GOOD["batch"], None)},
            "^batch lacks a value for 1 of 180 cells: drop those cells$",
        ),
        (
            {"label": with_value(GOOD["label"], None)},
            "^label lacks a value for 1 of 180 cells: drop those cells$",
        ),
        ({"batch": ["plate 1"] * 180}, "^batch is 'plate 1' for all cells: one batch needs no integration$"),
        (
            {"batch": with_value(GOOD["batch"], "plate 3")},
            "^batch 'plate 3' has 1 cell, too few to be mixed: drop it, or merge it$",
        ),
        (
            {"batch": GOOD["label"]},
            "^every label is in one batch only: batch and label are confounded, no score can",
        ),
    ],
)
def test_refuses(change, message):
    refused(lambda: integration(**GOOD | change), message)


def test_refuses_an_anndata():
    message = r"^z is an AnnData: pass a dense array, such as obsm\['X_pca'\]$"
    refused(
        lambda: integration(ad.AnnData(np.zeros((180, 2))), "batch", "label", "X_pca"), message, TypeError
    )


@pytest.mark.usefixtures("unscored")
def test_too_few_cells_are_refused():
    ninety_cells = {name: value[:90] for name, value in GOOD.items()}
    refused(
        lambda: integration(**ninety_cells),
        "^there are 90 cells, the scores need more than 90: take more cells$",
    )
    assert integration(**{name: value[:91] for name, value in GOOD.items()})["scib_total"] == 0.5
