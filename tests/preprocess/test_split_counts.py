import numpy as np
import pytest
from scipy import sparse, stats

from latentcells.preprocess import split_counts


def drawn(mean=4.0, shape=(400, 50), seed=0):
    return np.random.default_rng(seed).poisson(mean, shape)


@pytest.mark.parametrize("share", [0.1, 0.5, 0.8])
def test_the_parts_add_up_and_have_their_share(share):
    x = drawn()
    one, other = split_counts(x, share)
    assert np.array_equal(one + other, x) and one.min() >= 0 and other.min() >= 0
    assert one.sum() / x.sum() == pytest.approx(share, abs=0.01)


def test_each_molecule_is_dealt_by_itself():
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
    one, other = split_counts(drawn(shape=(20_000, 2)), 0.5)
    correlation = np.corrcoef(one.ravel(), other.ravel())[0, 1]
    assert abs(correlation) < 0.02
    assert one.var() == pytest.approx(one.mean(), rel=0.05)


def test_parts_of_overdispersed_counts_are_not():
    rng = np.random.default_rng(0)
    x = rng.poisson(rng.gamma(2.0, 2.0, (20_000, 2)))
    one, other = split_counts(x)
    assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.2


@pytest.mark.parametrize("theta", [1.0, np.array([1.0, 4.0])], ids=["a number", "one a gene"])
def test_parts_of_negative_binomial_counts_are_with_their_theta(theta):
    """Independent, and negative binomial with half of the mean and half of theta."""
    rng = np.random.default_rng(0)
    x = rng.poisson(rng.gamma(theta, 4.0 / theta, (40_000, 2)))
    one, other = split_counts(x, 0.5, theta)
    for gene, of in enumerate(np.broadcast_to(theta, 2)):
        assert abs(np.corrcoef(one[:, gene], other[:, gene])[0, 1]) < 0.02
        assert one[:, gene].mean() == pytest.approx(2, rel=0.03)
        assert one[:, gene].var() == pytest.approx(2 + 2**2 / (of / 2), rel=0.08)


def test_a_large_theta_is_poisson():
    one, other = split_counts(drawn(shape=(20_000, 2)), theta=1e6)
    assert abs(np.corrcoef(one.ravel(), other.ravel())[0, 1]) < 0.02


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array])
def test_a_sparse_matrix_stays_sparse_and_as_it_was(kind):
    x = kind(drawn(0.3))
    before = x.toarray()
    one, other = split_counts(x)
    assert sparse.issparse(one) and type(one) is type(other) is kind
    assert np.array_equal((one + other).toarray(), before) and np.array_equal(x.toarray(), before)
    assert 0 < one.sum() < before.sum()


def test_the_unit_of_storage_is_kept_and_the_seed_decides():
    x = drawn().astype("float32")
    assert split_counts(x)[0].dtype == split_counts(x)[1].dtype == np.float32
    assert np.array_equal(split_counts(x, seed=3)[0], split_counts(x, seed=3)[0])
    assert not np.array_equal(split_counts(x, seed=3)[0], split_counts(x, seed=4)[0])


def test_refuses_what_is_no_count_and_what_is_no_share():
    with pytest.raises(ValueError, match=r"^counts must hold counts"):
        split_counts(np.array([[0.5, 1.0]]))
    with pytest.raises(ValueError, match=r"^share must be above 0 and below 1, got 1.0"):
        split_counts(drawn(), share=1.0)
    with pytest.raises(ValueError, match=r"^seed must be at least 0, got -1"):
        split_counts(drawn(), seed=-1)
    with pytest.raises(ValueError, match=r"^theta must be positive, got 0.0: None is for Poisson counts"):
        split_counts(drawn(), theta=0.0)
    with pytest.raises(
        ValueError, match=r"^theta must be a number or 50 numbers, one a gene, got shape \(3,\)"
    ):
        split_counts(drawn(), theta=[1.0, 2.0, 3.0])
