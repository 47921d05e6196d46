import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from latentcells import _checks
from latentcells.datasets import simulate

SMALL = {"n_cells": 300, "n_genes": 60, "n_types": 3, "n_batches": 2, "markers_per_type": 5}


def test_simulate(contract):
    adata = simulate(**SMALL)
    contract(adata, "simulate")
    assert adata.shape == (300, 60)
    assert adata.obsm["z"].shape == (300, 10)
    assert adata.varm["batch_shift"].shape == (60, 2)
    assert adata.var["marker_of"].value_counts().to_dict() == {
        "none": 45,
        "type 0": 5,
        "type 1": 5,
        "type 2": 5,
    }
    assert adata.obs["label"].value_counts().tolist() == [100, 100, 100]
    assert adata.obs["batch"].value_counts().tolist() == [150, 150]


def test_the_seed_decides():
    first, same, other = simulate(**SMALL, seed=3), simulate(**SMALL, seed=3), simulate(**SMALL, seed=4)
    assert (
        (first.X != same.X).nnz == 0
        and (first.obsm["z"] == same.obsm["z"]).all()
        and first.obs.equals(same.obs)
    )
    assert (first.X != other.X).nnz > 0


def test_no_global_random_state_is_touched():
    before = np.random.get_state()[1].copy()  # noqa: NPY002  the state that must not change
    simulate(**SMALL)
    assert (np.random.get_state()[1] == before).all()  # noqa: NPY002


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 600), st.integers(1, 4), st.integers(1, 3), st.integers(0, 3), st.integers(0, 10))
def test_any_size(n_cells, n_types, n_batches, markers, seed):
    adata = simulate(n_cells, 20, n_types, n_batches, markers_per_type=markers, latent_dim=2, seed=seed)
    assert adata.shape == (n_cells, 20)
    _checks.counts(adata.X)


def test_totals_follow_the_library():
    adata = simulate(400, 2000, library=3000)
    totals = np.asarray(adata.X.sum(axis=1)).ravel()
    assert abs(np.median(adata.obs["library"]) / 3000 - 1) < 0.1
    assert abs(np.mean(totals / adata.obs["library"]) - 1) < 0.01
    assert np.corrcoef(totals, adata.obs["library"])[0, 1] > 0.9


def test_a_library_for_each_cell():
    library = np.linspace(100, 1000, 300)
    assert (simulate(**SMALL, library=library).obs["library"] == library).all()


@pytest.mark.parametrize("theta", [0.5, 5.0, 1e6])
def test_the_variance_is_negative_binomial(theta):
    """Every gene is a marker of the only type, so that only the noise varies."""
    settings = {"n_types": 1, "n_batches": 1, "markers_per_type": 30, "batch_shift": 0.0}
    x = simulate(20_000, 30, **settings, library=np.full(20_000, 300.0), theta=theta).X.toarray()
    mean, variance = x.mean(axis=0), x.var(axis=0)
    np.testing.assert_allclose(np.median(variance / (mean + mean**2 / theta)), 1, rtol=0.05)


def test_markers_mark_their_type():
    adata = simulate(600, 200, 4, 1, markers_per_type=10, library=5000)
    for kind in adata.obs["label"].cat.categories:
        x = adata[:, adata.var["marker_of"] == kind].X.toarray().mean(axis=1)
        inside = adata.obs["label"] == kind
        assert 5 < x[inside].mean() / x[~inside].mean() < 12


def test_z_separates_the_types():
    adata = simulate(600, 200, 4, 1, library=5000)
    label = adata.obs["label"].cat.codes.to_numpy()
    centres = np.stack([adata.obsm["z"][label == t].mean(axis=0) for t in range(4)])
    nearest = ((adata.obsm["z"][:, None] - centres) ** 2).sum(axis=2).argmin(axis=1)
    assert (nearest == label).mean() > 0.99


def test_the_batch_shift_matches_the_reported_one():
    settings = {"n_types": 1, "markers_per_type": 200, "batch_shift": 0.5, "library": 20_000.0}
    adata = simulate(400, 200, n_batches=2, **settings)
    log_mean = [
        np.log(adata[adata.obs["batch"] == batch].X.toarray().mean(axis=0) + 0.1)
        for batch in ("batch 0", "batch 1")
    ]
    shift = adata.varm["batch_shift"]
    assert np.corrcoef(log_mean[1] - log_mean[0], shift[:, 1] - shift[:, 0])[0, 1] > 0.98


def test_mixtures_are_mixed_in_proportion():
    pure_and_half = [[1, 0], [0, 1], [0.5, 0.5]]
    settings = {"n_types": 2, "n_batches": 1, "markers_per_type": 50, "batch_shift": 0.0}
    adata = simulate(900, 100, mixtures=pure_and_half, **settings, library=np.full(900, 1e4), theta=1e6)
    a, b, half = (adata[adata.obs["label"] == f"mix {i}"].X.toarray().mean(axis=0) for i in range(3))
    np.testing.assert_allclose(half, (a + b) / 2, rtol=0.1, atol=0.5)
    assert adata.obs.loc[adata.obs["label"] == "mix 2", ["type 0_prop", "type 1_prop"]].eq(0.5).all(axis=None)


def test_a_large_matrix_is_never_dense():
    tracemalloc.start()
    adata = simulate(10_000, 1000, library=50.0)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert adata.X.nnz < 500_000
    assert peak < 10_000 * 1000 * 4  # bytes of the dense int32 matrix


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"n_cells": 0}, "n_cells must be at least 1, got 0"),
        ({"n_types": -1}, "n_types must be at least 1, got -1"),
        ({"latent_dim": 0}, "latent_dim must be at least 1"),
        ({"n_genes": 14}, "n_genes must be at least 15, got 14"),
        ({"markers_per_type": -1}, "markers_per_type must be at least 0"),
        ({"theta": 0.0}, "theta must be positive, got 0.0"),
        ({"marker_fold": -1}, "marker_fold must be positive, got -1"),
        ({"library": 0.0}, "library must be positive, got 0.0"),
        ({"library": [1.0, 2.0]}, "library must be a number or 300 numbers"),
        ({"mixtures": [0.5, 0.5, 0]}, "mixtures must have the shape"),
        ({"mixtures": [[0.5, 0.5]]}, "mixtures must have the shape (n_mixtures, n_types=3), got (1, 2)"),
        ({"mixtures": [[0.5, 0.6, 0.1]]}, "sum to 1, got [[0.5, 0.6, 0.1]]"),
        ({"mixtures": [[1.5, -0.5, 0]]}, "sum to 1"),
    ],
)
def test_refusals(wrong, words):
    with pytest.raises(ValueError) as caught:  # noqa: PT011  the words are compared below
        simulate(**(SMALL | wrong))
    assert words in str(caught.value) and "\n" not in str(caught.value)


def test_sizes_are_integers():
    with pytest.raises(TypeError, match="n_cells must be an integer"):
        simulate(n_cells=10.0)
