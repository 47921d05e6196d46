"""Min-max scaling of genes."""

from sklearn.base import BaseEstimator
from sklearn.preprocessing import MinMaxScaler
from sklearn.utils.validation import check_is_fitted

from latentcells import _checks
from latentcells._arrays import NOT_FITTED
from latentcells._cells import inputs


class MinMax(BaseEstimator):
    r"""Scale every gene into [0, 1] by its range over the training cells.

    .. math:: u_{cg} = \frac{x_{cg} - \min_{c'} x_{c'g}}{\max_{c'} x_{c'g} - \min_{c'} x_{c'g}}

    New cells are clipped into [0, 1]. A gene that is constant over the training cells becomes 0 in all
    cells. scikit-learn does the arithmetic (``MinMaxScaler``).

    Attributes:
        genes_: the training data's gene names, after ``fit``.
        scaler_: the fitted ``MinMaxScaler``.

    Raises:
        ValueError: for NaN or infinite values, an absent or masked ``X``; in ``transform`` before ``fit`` and
            for other genes than those of ``fit``.

    Example:
        >>> import anndata, numpy as np
        >>> train = anndata.AnnData(np.array([[0.0, 5.0], [2.0, 5.0]]))
        >>> new = anndata.AnnData(np.array([[1.0, 9.0], [3.0, 5.0]]))
        >>> MinMax().fit(train).transform(new).X
        array([[0.5, 0. ],
               [1. , 0. ]], dtype=float32)
    """

    def fit(self, train):
        """Take each gene's minimum and maximum from the training cells' ``X``, in any unit."""
        _checks.in_memory(train)
        _checks.has_x(train)
        _checks.finite(train.X)
        self.genes_ = train.var_names.copy()
        self.scaler_ = MinMaxScaler(clip=True).fit(inputs(train))
        return self

    def transform(self, adata):
        """A new AnnData: ``X`` dense float32 within [0, 1]; layers are kept as they are."""
        check_is_fitted(self, msg=NOT_FITTED)
        _checks.in_memory(adata)
        _checks.has_x(adata)
        _checks.finite(adata.X)
        _checks.same_genes(list(adata.var_names), list(self.genes_), "adata")
        out = adata.copy()
        out.X = self.scaler_.transform(inputs(adata))
        out.X[:, self.scaler_.data_range_ == 0] = 0
        return out
