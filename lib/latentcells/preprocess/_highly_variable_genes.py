"""Selection of highly variable genes."""

import re
import warnings

import anndata
import numpy as np
import pandas as pd
import scanpy as sc
from scipy import sparse
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from latentcells import _checks
from latentcells._arrays import NOT_FITTED, column, layer_names
from latentcells.preprocess._counts import LAYER, X, check_counts
from latentcells.preprocess._library_size import LibrarySize

METHODS = ("seurat", "cell_ranger", "seurat_v3", "pearson_residuals")
_SPELLINGS = {  # of human genes and others, for instance ENSMUSG00000059552
    "Ensembl identifiers": r"ENS[A-Z]*G\d{6,}",
    "Ensembl identifiers with a version": r"ENS[A-Z]*G\d{6,}\.\d+",
}


class HighlyVariableGenes(BaseEstimator):
    """Keep the ``n`` genes that vary most for their mean expression, chosen on training cells.

    ============================ ======================================== ===============================
    method                       a gene's score                           paper
    ============================ ======================================== ===============================
    ``"seurat"``                 log(variance / mean), z-scored in bins   doi.org/10.1038/nbt.3192
    ``"cell_ranger"``            variance / mean, by median and MAD       doi.org/10.1038/ncomms14049
    ``"seurat_v3"``              variance around a loess trend            doi.org/10.1016/j.cell.2019.05.031
    ``"pearson_residuals"``      variance of negative-binomial residuals  doi.org/10.1186/s13059-021-02451-7
    ============================ ======================================== ===============================

    The first two look at log1p of counts per 10,000 (which ``fit`` computes itself), the others at the
    counts. Genes that do not vary in the training cells are never chosen. scanpy does the arithmetic.

    Args:
        n: how many genes to keep.
        method: one of the four names above.
        batch: a column of ``obs``: genes are ranked within each batch, then by the number of batches
            that chose them (``"seurat_v3"``: by the median rank), which avoids genes that vary only
            between batches.

    Attributes:
        genes_: the ``n`` chosen names in the order of the training data, after ``fit``.

    Raises:
        ValueError: for an unknown method, fewer than 1 gene or more than vary, a matrix without counts,
            repeated gene names, cells without a molecule, an unknown batch column, a batch with one
            cell, cells too few for the method; in ``transform`` before ``fit`` and for missing genes,
            with ``fill=0`` if more than half of the genes are missing.

    Example:
        >>> import anndata, numpy as np
        >>> counts = np.array([[9, 5, 4, 0], [1, 5, 4, 7], [9, 5, 5, 0], [1, 5, 5, 7]])
        >>> adata = anndata.AnnData(counts)
        >>> adata.var_names = list("abcd")
        >>> list(HighlyVariableGenes(1, method="pearson_residuals").fit(adata).genes_)
        ['d']
    """

    def __init__(self, n, method="seurat", batch=None):
        self.n = _checks.at_least(n, 1, "n")
        self.method = _checks.choice(method, METHODS, "method")
        self.batch = batch

    def fit(self, train):
        """Choose the genes from ``layers["counts"]`` of the training cells, or from ``X`` without it."""
        cells = self._varying_genes(self._training_cells(train))
        chosen = self._rank(cells).index[: self.n]
        self.genes_ = cells.var_names[cells.var_names.isin(chosen)]
        return self

    def transform(self, adata, fill=None):
        """A new AnnData with the chosen genes, in the order of the training data.

        Args:
            adata: AnnData in any unit, with these genes among others, in any order.
            fill: 0 to add genes that ``adata`` lacks as zeros, with a warning; arrays of ``varm`` are NaN
                for them, ``varp`` is left out. ``None`` refuses missing genes.
        """
        check_is_fitted(self, msg=NOT_FITTED)
        _checks.choice(fill, (None, 0), "fill")
        _checks.in_memory(adata)
        _checks.unique_genes(adata)
        missing = self.genes_.difference(adata.var_names, sort=False)
        if not len(missing):
            return adata[:, self.genes_].copy()
        first = ", ".join(missing[:3]) + (", …" if len(missing) > 3 else "")
        lack = f"{len(missing)} of the {self.n} chosen genes are missing ({first})"
        if fill is None or 2 * len(missing) > self.n:
            respell = "spell the genes as in the training data"
            usual = f"{respell}, or pass fill=0 to add them as zeros" if fill is None else respell
            raise ValueError(f"{lack}: {_naming_remedy(self.genes_, adata.var_names) or usual}")
        warnings.warn(f"{lack}: they are zeros in every cell", stacklevel=2)
        return _with_zeros(adata, self.genes_)

    def _training_cells(self, train):
        """The counts in the unit that the method ranks, with the batch as ``obs["batch"]``."""
        _checks.in_memory(train)
        _checks.unique_genes(train)
        counts, name = _counts(train)
        _checks.not_empty(counts, name, genes=False)
        x = sparse.csr_matrix(counts, dtype=np.float32)
        cells = anndata.AnnData(x, obs=self._batches(train), var=pd.DataFrame(index=train.var_names))
        dispersion = self.method in ("seurat", "cell_ranger")
        return LibrarySize().fit(cells).transform(cells) if dispersion else cells

    def _batches(self, train):
        if self.batch is None:
            return pd.DataFrame(index=train.obs_names)
        batch = column(train, self.batch, "batch").astype(str).astype("category")
        cells = batch.value_counts()
        if cells.min() < 2:
            raise ValueError(
                f"batch {cells.idxmin()!r} of obs[{self.batch!r}] has 1 cell, too few for a variance: "
                "drop it, or merge it into another batch"
            )
        return batch.to_frame("batch")

    def _varying_genes(self, cells):
        varies = (cells.X.max(axis=0) != cells.X.min(axis=0)).toarray().ravel()
        if self.n > varies.sum():
            raise ValueError(
                f"n={self.n} is more than the {varies.sum()} genes that vary in these cells "
                f"({cells.n_vars} genes in all): lower n"
            )
        return cells[:, varies].copy()

    def _rank(self, cells):
        """scanpy's table of genes, best first. scanpy keeps every gene that ties for the last place."""
        try:
            table = self._scanpy_table(cells)
        except (ValueError, IndexError) as error:
            raise ValueError(
                f"method={self.method!r} cannot rank these {cells.n_vars} genes over {cells.n_obs} cells "
                f"({error}): take more cells, drop genes seen in few cells, or use 'pearson_residuals'"
            ) from None
        keys = [key for key in ("highly_variable", "dispersions_norm") if key in table]
        return table.sort_values(keys, ascending=False, kind="stable")

    def _scanpy_table(self, cells):
        pp = sc.experimental.pp if self.method == "pearson_residuals" else sc.pp
        batch = None if self.batch is None else "batch"
        with warnings.catch_warnings():  # a batch may express fewer genes than n: then all of them rank
            warnings.filterwarnings("ignore", message="`n_top_genes`.* > number of normalized dispersions")
            return pp.highly_variable_genes(
                cells, n_top_genes=self.n, flavor=self.method, batch_key=batch, inplace=False
            )


def _counts(train):
    """The checked counts, and what a message calls them."""
    if "counts" in train.layers:
        check_counts(train, LAYER, 'layers["counts"]')
        return train.layers["counts"], 'layers["counts"]'
    _checks.has_x(train)
    check_counts(train, X, 'X (there is no layers["counts"])')
    return train.X, "X"


def _naming_remedy(chosen, names):
    """The remedy where the two name their genes by different systems; an empty string where they do not."""
    (expected, example), (received, first) = _spelling(chosen), _spelling(names)
    if expected == received:
        return ""
    return f"these genes are {received} ({first}), those of the training data {expected} ({example}): translate them"


def _spelling(names):
    """The system by which more than half of the names are spelled, and the first of them."""
    for spelling, pattern in _SPELLINGS.items():
        spelled = [name for name in names if re.fullmatch(pattern, name)]
        if 2 * len(spelled) > len(names):
            return spelling, spelled[0]
    return "symbols", names[0]


def _with_zeros(adata, genes):
    """A copy of ``adata`` with these genes; those that it lacks are zero in ``X`` and in every layer."""
    places = adata.var_names.get_indexer(genes)  # -1 for a missing gene: the column that is appended
    frame = adata[:, []].copy()  # what is not of genes

    def widen(x, name):
        if x is None:
            return None
        _checks.not_masked(x, name)
        if sparse.issparse(x):
            return sparse.hstack([x, type(x)((adata.n_obs, 1), dtype=x.dtype)], x.format)[:, places]
        return np.concatenate([x, np.zeros((adata.n_obs, 1), x.dtype)], axis=1)[:, places]

    return anndata.AnnData(
        widen(adata.X, "X"),
        frame.obs,
        adata.var.reindex(genes),
        frame.uns,
        obsm=frame.obsm,
        obsp=frame.obsp,
        varm={name: _with_nan(x)[places] for name, x in adata.varm.items() if isinstance(x, np.ndarray)},
        layers={name: widen(adata.layers[name], f"layers[{name!r}]") for name in layer_names(adata)},
        raw=frame.raw,
    )


def _with_nan(x):
    """``x`` with a last row of NaN."""
    return np.concatenate([x, np.full((1, *x.shape[1:]), np.nan)])
