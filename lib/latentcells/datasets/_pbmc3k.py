"""The document's own data set, counts and z-scores, by way of scanpy."""

import errno
import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from unittest.mock import patch

import h5py
import numpy as np
import pandas as pd
import scanpy as sc
import tqdm
import tqdm.auto
from anndata import AnnData
from scipy import sparse

from latentcells import _checks, _hdf5
from latentcells.datasets._contract import about, build
from latentcells.datasets._fetch import cache_folder, refuse_if_offline, unavailable
from latentcells.datasets._registry import ZHENG

_URL = "https://scanpy.readthedocs.io/en/stable/generated/scanpy.datasets.{}.html"
_LICENCE = "CC BY 4.0 (10x Genomics)"
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
        DataUnavailable: if scanpy's two files are neither at hand, whole, nor to be downloaded.

    References:
        10x Genomics, 3k PBMCs from a healthy donor; Zheng et al. 2017, doi:10.1038/ncomms14049.
    """
    return _counts_of(_scanpy("pbmc3k_processed", _is_processed))


def pbmc3k_processed() -> AnnData:
    """Load the document's matrix: 2,638 blood cells × 1,838 variable genes, scaled.

    Returns:
        2638 cells × 1838 genes. X: dense float32 z-scores, clipped at 10; ``layers["counts"]``: the UMI
        counts of the same genes; ``obs["label"]``, ``obs["batch"]`` as in :func:`pbmc3k`; the rest as
        scanpy ships it (``obsm["X_pca"]``, ``raw`` with log1p values, ...).

    Raises:
        DataUnavailable: if scanpy's two files are neither at hand, whole, nor to be downloaded.

    References:
        Zheng et al. 2017, doi:10.1038/ncomms14049; processed by scanpy's tutorial.
    """
    adata = _scanpy("pbmc3k_processed", _is_processed)
    counts = _counts_of(adata)
    adata.layers["counts"] = counts[:, adata.var_names].layers["counts"]
    adata.obs = adata.obs.assign(label=counts.obs["label"], batch=counts.obs["batch"])
    adata.uns["source"] = _about("pbmc3k_processed")
    return adata


def _counts_of(processed: AnnData) -> AnnData:
    raw = _scanpy("pbmc3k", partial(_is_raw_of, processed))
    raw = raw[processed.obs_names, _is_expressed(raw)]
    obs = pd.DataFrame({"label": processed.obs["louvain"], "batch": "pbmc3k"})
    return build(raw.X, obs, pd.DataFrame(index=raw.var_names), _about("pbmc3k"))


def _about(name: str) -> dict[str, str]:
    return about(name, ZHENG, _LICENCE, _URL.format(name), _NOTE)


def _is_expressed(raw: AnnData) -> np.ndarray:
    """Genes seen in at least 3 cells: 13,714 of scanpy's 32,738."""
    return sparse.csr_matrix(raw.X).getnnz(axis=0) >= 3


def _is_processed(adata: AnnData) -> bool:
    return adata.shape == (2638, 1838) and "louvain" in adata.obs and _checks.state(adata.X) == "z-scores"


def _is_raw_of(processed: AnnData, adata: AnnData) -> bool:
    return (
        adata.n_obs == 2700
        and _checks.state(adata.X) == "counts"
        and _is_expressed(adata).sum() == 13714
        and processed.obs_names.isin(adata.obs_names).all()
        and processed.var_names.isin(adata.var_names[_is_expressed(adata)]).all()
    )


def _scanpy(name: str, is_whole) -> AnnData:
    """scanpy's data set, from the cache folder or downloaded into it by scanpy.

    The files carry no hash to pin, so what they hold is looked at instead. The download goes into a
    folder of its own and moves into the cache folder once it is whole.
    """
    path = cache_folder() / f"{name if name == 'pbmc3k_processed' else 'pbmc3k_raw'}.h5ad"
    if path.is_file():
        with suppress(Exception):  # h5py and anndata raise all kinds on a damaged file: fetch it again
            _refuse_bomb(path)
            return _read(name, path.parent, is_whole)
    try:
        refuse_if_offline()
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            adata = _read(name, Path(folder), is_whole)
            os.replace(Path(folder) / path.name, path)
    except Exception as error:  # of scanpy's, h5py's or the network's; one line for all of them
        raise unavailable(path, _URL.format(name), error) from None
    return adata


def _refuse_bomb(path: Path) -> None:
    with h5py.File(path) as file:
        if _hdf5.declared_bytes(file) > _hdf5.LIMIT:
            raise OSError(errno.EFBIG, "the file holds more than it should")


def _read(name: str, folder: Path, is_whole) -> AnnData:
    with _scanpy_uses(folder):
        adata = getattr(sc.datasets, name)()
    if not is_whole(adata):
        raise OSError(0, "the file does not hold what it should")
    return adata


@contextmanager
def _scanpy_uses(folder: Path) -> Iterator[None]:
    """Point scanpy at a folder, without log lines, and without a progress bar in a notebook."""
    before = sc.settings.datasetdir
    bar = partial(tqdm.tqdm, disable=not sys.stderr.isatty())
    try:
        sc.settings.datasetdir = folder
        with sc.settings.verbosity.override("error"), patch.object(tqdm.auto, "tqdm", bar):
            yield
    finally:
        sc.settings.datasetdir = before
