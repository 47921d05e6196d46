import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from latentcells.preprocess import split_counts
from tests.helpers import refused


def draw_counts(mean=4.0, shape=(400, 50), seed=0):
    return np.random.default_rng(seed).poisson(mean, shape)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_the_parts_add_up_and_have_their_share(share):
    x = draw_counts()
    one, other = split_counts(x, share)
    assert np.array_equal(one + other, x) and one.min() >= 0 and other.min() >= 0
    assert one.sum() / x.sum() == pytest.approx(share, abs=0.01)


def test_each_molecule_is_assigned_independently():
    """The first part of a count of 10 is binomial."""
    one, _ = split_counts(np.full((200, 50), 10), 0.3)
    observed = np.bincount(one.ravel(), minlength=11)
    expected = stats.binom(10, 0.3).pmf(np.arange(11)) * one.size
    keep = expected > 5
    assert (
        stats.chisquare(observed[keep], expected[keep] * observed[keep].sum() / expected[keep].sum()).pvalue
        > 1e-3
    )


def test_parts_of_poisson_counts_are_independent_and_poisson():
    one, other = split_counts(draw_counts(shape=(20_000, 2)), 0.5)
    correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    assert abs(correlation) < 0.02
    assert one.var() == pytest.approx(one.mean(), rel=0.05)


def test_parts_of_overdispersed_counts_are_correlated():
    rng = np.random.default_rng(0)
    x = rng.poisson(rng.gamma(2.0, 2.0, (20_000, 2)))
    one, other = split_counts(x)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.2


@pytest.mark.parametrize("theta", [1.0, np.array([1.0, 4.0])], ids=["a number", "one per gene"])
def test_with_theta_parts_of_negative_binomial_counts_are_independent(theta):
    """They are also negative binomial, with half of the mean and half of theta."""
    rng = np.random.default_rng(0)
    x = rng.poisson(rng.gamma(theta, 4.0 / theta, (40_000, 2)))
    one, other = split_counts(x, 0.5, theta)
    for gene, theta_of_gene in enumerate(np.broadcast_to(theta, 2)):
        assert abs(np.corrcoef(one[:, gene], other[:, gene])[0, 1]) < 0.02
        assert one[:, gene].mean() == pytest.approx(2, rel=0.03)
        assert one[:, gene].var() == pytest.approx(2 + 2**2 / (theta_of_gene / 2), rel=0.08)


def test_a_large_theta_is_poisson():
    one, other = split_counts(draw_counts(shape=(20_000, 2)), theta=1e6)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02


def unsorted(x):
    """CSR with columns in reverse order within each cell."""
    x = sparse.csr_matrix(x[:, ::-1])
    x.indices = x.shape[1] - 1 - x.indices
    x.has_sorted_indices = x.has_canonical_format = False
    return x


def with_duplicates(x):
    """CSR in which each count is stored in two parts."""
    x = sparse.csr_matrix(x)
    first = x.data // 2
    parts = np.repeat(x.indices, 2), np.ravel([first, x.data - first], "F")
    return sparse.csr_matrix((parts[1], parts[0], 2 * x.indptr), x.shape)


def with_zeros(x):
    """CSR that stores every zero."""
    n, genes = x.shape
    return sparse.csr_matrix(
        (x.ravel(), np.tile(np.arange(genes), n), np.arange(0, x.size + 1, genes)), x.shape
    )


KINDS = ("csr", "csc", "coo", "lil", "dok", "bsr", "dia")
SPARSE = {
    **{f"{kind}_{form}": getattr(sparse, f"{kind}_{form}") for kind in KINDS for form in ("matrix", "array")},
    "unsorted": unsorted,
    "with duplicates": with_duplicates,
    "with stored zeros": with_zeros,
}
DENSE = {
    "a table": pd.DataFrame,
    "a list": np.ndarray.tolist,
    "Fortran's order": np.asfortranarray,
    "every other row of a larger one": lambda x: np.repeat(x, 2, axis=0)[::2],
}


@pytest.mark.parametrize("theta", [None, 2.0])
@pytest.mark.parametrize("kind", SPARSE)
def test_a_sparse_matrix_is_split_like_a_dense_one(kind, theta):
    """The parts keep the sparse format, and the argument is unchanged."""
    dense = draw_counts(0.3, (60, 20))
    x = SPARSE[kind](dense)
    stored = x.copy()
    parts = split_counts(x, theta=theta, seed=3)
    for part, expected in zip(parts, split_counts(dense, theta=theta, seed=3), strict=True):
        assert type(part) is type(x) and part.dtype == x.dtype
        np.testing.assert_array_equal(part.toarray(), expected)
    assert type(x) is type(stored) and x.nnz == stored.nnz
    np.testing.assert_array_equal(x.toarray(), dense)


@pytest.mark.parametrize("form", DENSE)
@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float16", "float32", "float64", ">f4"])
def test_every_dense_form_and_dtype_is_split_alike(form, dtype):
    x = (draw_counts(0.3, (60, 20)) > 0).astype(dtype)
    for part, expected in zip(split_counts(DENSE[form](x)), split_counts(x.astype("int64")), strict=True):
        np.testing.assert_array_equal(part, expected)
        assert part.dtype == np.asarray(DENSE[form](x)).dtype


@pytest.mark.parametrize("dtype", ["bool", "uint8", "int32", "int64", "float32", "float64"])
def test_every_sparse_dtype_is_split_alike(dtype):
    x = draw_counts(0.3, (60, 20)) > 0
    parts = split_counts(sparse.csr_matrix(x.astype(dtype)))
    for part, expected in zip(parts, split_counts(x.astype("int64")), strict=True):
        np.testing.assert_array_equal(part.toarray(), expected)
        assert part.dtype == dtype


def test_a_masked_array_is_refused():
    masked = np.ma.masked_equal(draw_counts(0.3, (6, 5)), 0)
    refused(
        lambda: split_counts(masked),
        rf"^counts is a masked array \({masked.mask.sum()} of 30 values masked\): fill it, x\.filled\(0\), or drop",
    )


def test_the_dtype_is_kept_and_the_seed_decides():
    x = draw_counts().astype("float32")
    assert split_counts(x)[0].dtype == split_counts(x)[1].dtype == np.float32
    assert np.array_equal(split_counts(x, seed=3)[0], split_counts(x, seed=3)[0])
    assert not np.array_equal(split_counts(x, seed=3)[0], split_counts(x, seed=4)[0])


def test_refuses_invalid_counts_and_settings():
    with pytest.raises(ValueError, match=r"^counts must hold counts"):
        split_counts(np.array([[0.5, 1.0]]))
    with pytest.raises(ValueError, match=r"^share must be above 0 and below 1, got 1.0"):
        split_counts(draw_counts(), share=1.0)
    with pytest.raises(ValueError, match=r"^seed must be at least 0, got -1"):
        split_counts(draw_counts(), seed=-1)
    with pytest.raises(ValueError, match=r"^theta must be positive, got 0.0: None is for Poisson counts"):
        split_counts(draw_counts(), theta=0.0)
    with pytest.raises(
        ValueError, match=r"^theta must be a number or 50 numbers, one per gene, got shape \(3,\)"
    ):
        split_counts(draw_counts(), theta=[1.0, 2.0, 3.0])
