import random
import time

import anndata
import numpy as np
import pytest
import scanpy as sc
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from latentcells.evaluate import clustering


def mixture(n_types=4, cells=60, distance=50.0, seed=0):
    rng = np.random.default_rng(seed)
    label = np.repeat(np.arange(n_types), cells)
    return rng.normal(size=(len(label), 5)) + distance * rng.normal(size=(n_types, 5))[label], label


def test_separate_types_are_the_clusters():
    z, label = mixture()
    result = clustering(z, label, n_clusters=4)
    assert (result["leiden_ari"], result["leiden_nmi"], result["n_clusters"]) == (1, 1, 4)
    assert result.keys() == {"leiden", "resolution", "n_clusters", "leiden_ari", "leiden_nmi"}


def test_permuted_labels_score_as_chance():
    z, label = mixture(cells=200)
    scores = clustering(z, np.random.default_rng(0).permutation(label), n_clusters=4)
    assert abs(scores["leiden_ari"]) < 0.02
    assert scores["leiden_nmi"] < 0.02


def test_equals_scanpy_at_the_resolution_it_reports():
    z, label = mixture(distance=1.5)
    result = clustering(z, label, n_clusters=6, n_neighbors=12, seed=3)
    adata = anndata.AnnData(z)
    sc.pp.neighbors(adata, n_neighbors=12, use_rep="X", random_state=3)  # exact for so few cells
    sc.tl.leiden(adata, result["resolution"], flavor="igraph", n_iterations=2, directed=False, random_state=3)
    leiden = adata.obs["leiden"].astype(int).to_numpy()
    np.testing.assert_array_equal(result["leiden"], leiden)
    assert result["n_clusters"] == len(set(leiden)) == 6
    assert result["leiden_ari"] == pytest.approx(adjusted_rand_score(label, leiden), abs=1e-12)
    assert result["leiden_nmi"] == pytest.approx(normalized_mutual_info_score(label, leiden), abs=1e-12)


def test_labels_do_not_influence_the_clusters():
    z, label = mixture(distance=1.5)
    result = clustering(z, label, n_clusters=6)
    for other in (None, np.random.default_rng(0).permutation(label), ["one"] * len(z)):
        with_other_labels = clustering(z, other, n_clusters=6)
        np.testing.assert_array_equal(with_other_labels["leiden"], result["leiden"])
        assert with_other_labels["resolution"] == result["resolution"]
    assert clustering(z, n_clusters=6).keys() == {"leiden", "resolution", "n_clusters"}


@settings(deadline=None, max_examples=10)
@given(st.integers(2, 12), st.integers(0, 5))
def test_the_number_of_clusters_is_the_requested_one(n_clusters, seed):
    z, _ = mixture(n_types=2, cells=100, distance=1.0, seed=seed)
    result = clustering(z, n_clusters=n_clusters, seed=seed)
    assert result["n_clusters"] == len(np.unique(result["leiden"]))
    assert abs(result["n_clusters"] - n_clusters) <= 1


def test_the_nearest_number_is_returned_if_the_graph_allows_no_fewer():
    z, _ = mixture(n_types=4, distance=1e4)  # four separate components: no resolution joins them
    assert clustering(z, n_clusters=1)["n_clusters"] == 4


def test_more_neighbours_than_scanpy_searches_exactly():
    z, label = mixture(n_types=3, cells=40)
    result = clustering(z, label, n_clusters=3, n_neighbors=39)
    assert result["leiden_ari"] == 1


def test_results_are_reproducible_and_arguments_unchanged():
    z, label = mixture(distance=1.5)
    before, numpy_state, state = z.copy(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    verbosity, jobs = sc.settings.verbosity, sc.settings.n_jobs
    first, second = clustering(z, label, 6), clustering(z, label, 6)
    np.testing.assert_array_equal(first["leiden"], second["leiden"])
    assert first["resolution"] == second["resolution"]
    np.testing.assert_array_equal(z, before)
    np.testing.assert_array_equal(np.random.get_state()[1], numpy_state)  # noqa: NPY002
    assert random.getstate() == state
    assert (sc.settings.verbosity, sc.settings.n_jobs) == (verbosity, jobs)


def test_the_seed_reaches_leiden():
    z = np.random.default_rng(0).normal(size=(300, 5))  # no groups: the result depends on the initial state
    one, two = (clustering(z, n_clusters=10, seed=seed)["leiden"] for seed in (0, 1))
    assert adjusted_rand_score(one, two) < 1


@pytest.mark.parametrize("z", [np.zeros((60, 3)), np.repeat(np.eye(3), 30, axis=0)])
def test_a_collapsed_embedding_is_not_an_error(z):
    assert clustering(z, n_clusters=3, label=range(len(z)))["n_clusters"] >= 1


def test_is_quick():
    z, label = mixture(n_types=10, cells=387, distance=1.0)
    start = time.process_time()
    assert abs(clustering(z, label)["n_clusters"] - 10) <= 1
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"n_clusters": 0}, "n_clusters must be at least 1, got 0"),
        ({"n_clusters": 241}, "n_clusters=241 is more than the 240 cells: lower it"),
        ({"n_neighbors": 1}, "n_neighbors must be at least 2, got 1"),
        ({"n_neighbors": 240}, "n_neighbors=240 must be less than the 240 cells: lower it"),
        ({"label": [1, 2]}, r"label has shape \(2,\), there are 240 cells: pass one label per cell"),
        ({"label": [None] * 240}, "label lacks a value for 240 of 240 cells"),
    ],
)
def test_refuses(arguments, message):
    with pytest.raises(ValueError, match=message):
        clustering(mixture()[0], **arguments)


def test_refuses_a_number_of_clusters_that_is_not_an_integer():
    with pytest.raises(TypeError, match=r"n_clusters must be an integer, got 10\.0"):
        clustering(mixture()[0], n_clusters=10.0)


def test_refuses_nan_and_another_shape():
    with pytest.raises(ValueError, match="z must be finite, got nan"):
        clustering([[0.0, np.nan]])
    with pytest.raises(ValueError, match=r"z must have the shape \(cells, dimensions\), got \(3,\)"):
        clustering([0.0, 1.0, 2.0])
