"""The document's own data set: counts, and the z-scores of scanpy's tutorial."""

import warnings

import anndata
import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from latentcells.datasets._contract import about_file, build
from latentcells.datasets._fetch import fetch
from latentcells.datasets._registry import PBMC3K_PROCESSED, PBMC3K_RAW, Source

_NOTE = (
    "The labels are circular: they are louvain clusters of PCA neighbours of this same matrix, named by marker "
    "genes, so that agreement with them says nothing of the truth."
)


def pbmc3k() -> AnnData:
    """Load the counts of 2,638 blood cells: the cells of ``pbmc3k_processed``.

    Returns:
        2638 cells × 13714 genes, those seen in at least 3 of the 2,700 raw cells. X and
        ``layers["counts"]``: UMI counts. ``obs["label"]``: scanpy's louvain labels, which are
        circular (see ``uns["source"]["note"]``); ``obs["batch"]``: one batch.

    Raises:
        DataUnavailable: if one of scanpy's two files is not in the cache folder and cannot be downloaded.

    References:
        10x Genomics, 3k PBMCs from a healthy donor; Zheng et al. 2017, doi:10.1038/ncomms14049.
    """
    return _counts_of(_read(PBMC3K_PROCESSED))


def pbmc3k_processed() -> AnnData:
    """Load the document's matrix: 2,638 blood cells × 1,838 variable genes, scaled.

    Returns:
        2638 cells × 1838 genes. X: dense float32 z-scores, clipped at 10; ``layers["counts"]``: the UMI
        counts of the same genes; ``obs["label"]``, ``obs["batch"]`` as in :func:`pbmc3k`; the rest as
        scanpy ships it (``obsm["X_pca"]``, ``raw`` with log1p values, ...).

    Raises:
        DataUnavailable: if one of scanpy's two files is not in the cache folder and cannot be downloaded.

    References:
        Zheng et al. 2017, doi:10.1038/ncomms14049; processed by scanpy's tutorial.
    """
    adata = _read(PBMC3K_PROCESSED)
    counts = _counts_of(adata)
    adata.layers["counts"] = counts[:, adata.var_names].layers["counts"]
    adata.obs = adata.obs.assign(label=counts.obs["label"], batch=counts.obs["batch"])
    adata.uns["source"] = about_file("pbmc3k_processed", PBMC3K_PROCESSED, _NOTE)
    return adata


def _counts_of(processed: AnnData) -> AnnData:
    raw = _read(PBMC3K_RAW)
    raw = raw[processed.obs_names, _is_expressed(raw)]
    obs = pd.DataFrame({"label": processed.obs["louvain"], "batch": "pbmc3k"})
    var = pd.DataFrame(index=raw.var_names.rename(None))
    return build(raw.X, obs.rename_axis(None), var, about_file("pbmc3k", PBMC3K_RAW, _NOTE))


def _is_expressed(raw: AnnData) -> np.ndarray:
    """Genes seen in at least 3 cells: 13,714 of scanpy's 32,738."""
    return sparse.csr_matrix(raw.X).getnnz(axis=0) >= 3


def _read(source: Source) -> AnnData:
    with warnings.catch_warnings():
        for kind in (anndata.OldFormatWarning, FutureWarning):  # scanpy's files are older than anndata 0.7
            warnings.filterwarnings("ignore", category=kind, module="anndata")
        return anndata.read_h5ad(fetch(source))
