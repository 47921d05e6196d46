"""Two independent halves of the molecules of each cell."""

import numpy as np
from scipy import sparse

from latentcells import _checks


def split_counts(counts, share=0.5, theta=None, seed=0):
    r"""Deal each molecule at random into one of two matrices.

    .. math::
        x'_{ij} \sim \mathrm{Binomial}(x_{ij}, p_{ij}), \qquad x''_{ij} = x_{ij} - x'_{ij}

    With :math:`p_{ij} = s`, the parts of a Poisson count with mean :math:`\mu_{ij}` are independent and Poisson with
    the means :math:`s \mu_{ij}` and :math:`(1 - s) \mu_{ij}`: what is found in one can be tested in the other
    (count splitting). The parts of a negative binomial count are not: they share the variation beyond Poisson. They
    are with :math:`p_{ij} \sim \mathrm{Beta}(s \theta_j, (1 - s) \theta_j)`, if :math:`\theta_j` is its inverse
    dispersion.

    Args:
        counts: (cells, genes), a matrix or a table, dense or sparse of any kind.
        share: s, of the molecules that go into the first matrix, in (0, 1).
        theta: inverse dispersion, a number or one per gene, of negative binomial counts; None for Poisson counts.
        seed: the same seed gives the same two matrices, however ``counts`` is stored.

    Returns:
        two matrices which add up to ``counts``: sparse of the same kind, or a NumPy array, in the same dtype.

    Raises:
        TypeError: for what is no matrix of numbers.
        ValueError: for values that are no counts, a masked array, a share outside (0, 1), and a ``theta`` that is not
            positive or has another length.

    References:
        Neufeld et al. 2024, https://doi.org/10.1093/biostatistics/kxac047; negative binomial: Neufeld et al. 2023,
        https://arxiv.org/abs/2307.12985

    Example:
        >>> one, other = split_counts([[7, 0], [3, 5]])
        >>> (one + other).tolist()
        [[7, 0], [3, 5]]
    """
    is_sparse = sparse.issparse(counts)
    x = counts.tocsr() if is_sparse else counts  # the other kinds of SciPy have no array of their values
    _checks.counts(x, "counts", 'pass adata.layers["counts"], or another matrix of whole numbers')
    _checks.share(share, "share")
    rng = np.random.default_rng(_checks.at_least(seed, 0, "seed"))
    dense = None if is_sparse else np.asarray(counts)
    x = _by_cell(x if is_sparse else dense.astype(np.int64))
    p = share if theta is None else _chance(x, share, theta, rng)
    first = rng.binomial(x.data, p)
    parts = (sparse.coo_array((values, x.coords), x.shape) for values in (first, x.data - first))
    if is_sparse:
        return tuple(type(counts)(part.astype(counts.dtype)) for part in parts)
    return tuple(part.toarray().astype(dense.dtype) for part in parts)


def _by_cell(x):
    """The counts above 0, int64, cell by cell and gene by gene: the same order however ``x`` is stored."""
    x = sparse.csr_array(x, dtype=np.int64, copy=True)
    x.sum_duplicates()
    x.eliminate_zeros()
    return x.tocoo()


def _chance(x, share, theta, rng):
    """For each count of ``x`` the probability that a molecule of it goes into the first matrix."""
    theta = np.asarray(theta, np.float64)
    if theta.shape not in ((), (x.shape[1],)):
        raise ValueError(
            f"theta must be a number or {x.shape[1]} numbers, one per gene, got shape {theta.shape}"
        )
    _checks.positive(float(theta.min()), "theta", "None is for Poisson counts")
    theta = np.broadcast_to(theta, x.shape[1])[x.coords[1]]
    return rng.beta(share * theta, (1 - share) * theta)
