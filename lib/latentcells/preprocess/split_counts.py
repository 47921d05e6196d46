"""Two independent halves of the molecules of each cell."""

import numpy as np
from scipy import sparse

from latentcells import checks


def split_counts(counts, share=0.5, seed=0):
    r"""Deal each molecule at random into one of two matrices.

    .. math::
        x'_{ij} \sim \mathrm{Binomial}(x_{ij}, s), \qquad x''_{ij} = x_{ij} - x'_{ij}

    If :math:`x_{ij}` is Poisson with mean :math:`\mu_{ij}`, the two parts are independent and Poisson with the means
    :math:`s \mu_{ij}` and :math:`(1 - s) \mu_{ij}`: what is found in one can be tested in the other (count
    splitting). Counts with more than Poisson variance share what they have more, and so do their parts.

    Args:
        counts: (cells, genes), dense or sparse.
        share: s, of the molecules that go into the first matrix, in (0, 1).
        seed: the same seed deals in the same way.

    Returns:
        two matrices like ``counts``, which add up to it.

    Raises:
        ValueError: for values that are no counts, and a share outside (0, 1).

    References:
        Neufeld et al. 2024, https://doi.org/10.1093/biostatistics/kxac047

    Example:
        >>> one, other = split_counts([[7, 0], [3, 5]])
        >>> (one + other).tolist()
        [[7, 0], [3, 5]]
    """
    checks.counts(counts, "counts")
    checks.share(share, "share")
    rng = np.random.default_rng(checks.at_least(seed, 0, "seed"))
    counts = counts.copy() if sparse.issparse(counts) else np.asarray(counts)
    values = counts.data if sparse.issparse(counts) else counts
    kept = rng.binomial(values.astype(np.int64), share).astype(values.dtype)
    if not sparse.issparse(counts):
        return kept, counts - kept
    one, other = counts.copy(), counts
    one.data, other.data = kept, values - kept
    return one, other
