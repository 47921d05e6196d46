"""Library-size normalisation."""

import numpy as np
import scanpy as sc
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from latentcells import _checks
from latentcells._arrays import NOT_FITTED
from latentcells.preprocess._counts import X, check_counts, remedy_for


class LibrarySize(BaseEstimator):
    r"""Make cells of different sequencing depth comparable.

    .. math:: x_{cg} = \log\left(1 + s \, \frac{k_{cg}}{\sum_{g'} k_{cg'}}\right)

    with the counts :math:`k` of cell :math:`c` and gene :math:`g`, and the target sum :math:`s`. The
    library is the sum over the genes of the data: normalise before selecting genes. scanpy does
    the arithmetic (``sc.pp.normalize_total``, ``sc.pp.log1p``).

    Args:
        target_sum: the total that every cell gets; ``None`` takes the median library size of the
            training cells.
        log1p: take log(1 + x) afterwards (log1p data), or leave normalised counts.

    Attributes:
        target_sum_: the target sum, after ``fit``.

    Raises:
        ValueError: for a target sum that is not positive; in ``fit`` and ``transform`` for an absent or
            masked ``X``, values that are no counts, data that went through log1p already, and cells
            without a molecule; in ``transform`` before ``fit``.

    References:
        Wolf et al. 2018, scanpy, https://doi.org/10.1186/s13059-017-1382-0

    Example:
        >>> import anndata, numpy as np
        >>> adata = anndata.AnnData(np.array([[1, 3], [40, 40]]))
        >>> LibrarySize(target_sum=4, log1p=False).fit(adata).transform(adata).X
        array([[1., 3.],
               [2., 2.]], dtype=float32)
    """

    def __init__(self, target_sum=1e4, log1p=True):
        if target_sum is not None:
            _checks.positive(target_sum, "target_sum", "1e4 is usual, None takes the median")
        self.target_sum = target_sum
        self.log1p = log1p

    def fit(self, train):
        """Take the target sum from the training cells (AnnData whose ``X`` holds counts)."""
        _check_counts(train)
        libraries = np.asarray(train.X.sum(axis=1, dtype=np.float64)).ravel()
        self.target_sum_ = float(np.median(libraries) if self.target_sum is None else self.target_sum)
        return self

    def transform(self, adata):
        """A new AnnData: ``X`` normalised (float32), the counts in ``layers["counts"]``."""
        check_is_fitted(self, msg=NOT_FITTED)
        _check_counts(adata)
        out = adata.copy()
        if "counts" not in out.layers:
            out.layers["counts"] = adata.X.copy()
        # scanpy divides a sparse array by the wrong axis, and half precision has no digits for a library
        matrix = sparse.csr_matrix if sparse.issparse(out.X) else np.array
        out.X = matrix(out.X, dtype=np.float32)
        sc.pp.normalize_total(out, target_sum=self.target_sum_)
        if self.log1p:
            sc.pp.log1p(out)
        return out


def _check_counts(adata):
    _checks.in_memory(adata)
    _checks.has_x(adata)
    if "log1p" in adata.uns:
        remedies = [remedy_for(adata, X), 'del adata.uns["log1p"]']
        raise ValueError(
            'X went through log1p already (uns["log1p"] is set), normalising it twice is wrong: '
            f"{' and '.join(filter(None, remedies))}"
        )
    check_counts(adata, X, "X")
    _checks.not_empty(adata.X, genes=False)
