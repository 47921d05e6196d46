"""The embedded default: 700 blood cells that come with scanpy and need no network."""

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from scipy import sparse

from latentcells.datasets._contract import about, build
from latentcells.datasets._registry import ZHENG

_NOTE = (
    "Ships with scanpy (pbmc68k_reduced). The labels were assigned by similarity to the profiles of sorted "
    "populations, and only 765 variable genes are left of the transcriptome."
)


def pbmc_reference(scaled: bool = False) -> AnnData:
    """Load 700 blood cells of 10 types; works with no network at all.

    scanpy ships log1p(counts / library × 10,000); in each cell the smallest positive value stands for
    one molecule, so expm1 of it divided by that value is the count again, within 0.12 of an integer.

    Args:
        scaled: put scanpy's z-scores into X instead of the counts; ``layers["counts"]`` stays.

    Returns:
        700 cells × 765 genes, 486,651 counts in all. X and ``layers["counts"]``: UMI counts.
        ``obs["label"]``: ``bulk_labels``; ``obs["batch"]``: one batch.

    References:
        Zheng et al. 2017, doi:10.1038/ncomms14049.
    """
    shipped = sc.datasets.pbmc68k_reduced()
    obs = pd.DataFrame({"label": shipped.obs["bulk_labels"], "batch": "pbmc68k"})
    address = "https://scanpy.readthedocs.io/en/stable/generated/scanpy.datasets.pbmc68k_reduced.html"
    adata = build(
        _counts(shipped.raw.X),
        obs.rename_axis(None),
        pd.DataFrame(index=shipped.var_names.rename(None)),
        about("pbmc_reference", ZHENG, "BSD-3-Clause (scanpy)", address, _NOTE),
    )
    if scaled:
        adata.X = shipped.X
    return adata


def _counts(log_normalised: sparse.csr_matrix) -> sparse.csr_matrix:
    """(cells, genes) of log1p values -> counts; every cell has a positive value."""
    values = np.expm1(log_normalised.data.astype(np.float64))
    one = np.minimum.reduceat(values, log_normalised.indptr[:-1])
    counts = np.rint(values / np.repeat(one, np.diff(log_normalised.indptr)))
    return sparse.csr_matrix((counts, log_normalised.indices, log_normalised.indptr), log_normalised.shape)
