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
    (count splitting). The parts of a negative binomial count are not: they share what varies more than Poisson. They
    are with :math:`p_{ij} \sim \mathrm{Beta}(s \theta_j, (1 - s) \theta_j)`, if :math:`\theta_j` is its inverse
    dispersion.

    Args:
        counts: (cells, genes), dense or sparse.
        share: s, of the molecules that go into the first matrix, in (0, 1).
        theta: inverse dispersion, a number or one a gene, of negative binomial counts; None for Poisson counts.
        seed: the same seed deals in the same way.

    Returns:
        two matrices like ``counts``, which add up to it.

    Raises:
        ValueError: for values that are no counts, a share outside (0, 1), and a ``theta`` that is not positive or has
            another length.

    References:
        Neufeld et al. 2024, https://doi.org/10.1093/biostatistics/kxac047; negative binomial: Neufeld et al. 2023,
        https://arxiv.org/abs/2307.12985

    Example:
        >>> one, other = split_counts([[7, 0], [3, 5]])
        >>> (one + other).tolist()
        [[7, 0], [3, 5]]
    """
    _checks.counts(counts, "counts")
    _checks.share(share, "share")
    rng = np.random.default_rng(_checks.at_least(seed, 0, "seed"))
    dense = None if sparse.issparse(counts) else np.asarray(counts)
    # cell by cell, however the matrix is stored: the same seed deals in the same way
    x = sparse.coo_array(sparse.csr_array(counts if dense is None else dense.astype(np.float64)))
    p = share if theta is None else _chance(x, share, theta, rng)
    kept = rng.binomial(x.data.astype(np.int64), p).astype(x.dtype)
    parts = (sparse.coo_array((values, x.coords), x.shape) for values in (kept, x.data - kept))
    if dense is not None:
        return tuple(part.toarray().astype(dense.dtype) for part in parts)
    return tuple(type(counts)(part) for part in parts)


def _chance(x, share, theta, rng):
    """For each stored count the probability with which its molecules go into the first matrix."""
    theta = np.asarray(theta, np.float64)
    if theta.shape not in ((), (x.shape[1],)):
        raise ValueError(
            f"theta must be a number or {x.shape[1]} numbers, one a gene, got shape {theta.shape}"
        )
    _checks.positive(float(theta.min()), "theta", "None is for Poisson counts")
    theta = np.broadcast_to(theta, x.shape[1])[x.coords[1]]
    return rng.beta(share * theta, (1 - share) * theta)
