"""Load a data set by name, or a stand-in where its files cannot be downloaded."""

from functools import partial

from anndata import AnnData

from latentcells import _checks
from latentcells.datasets._cell_mixture import cell_mixture
from latentcells.datasets._fetch import DataUnavailable
from latentcells.datasets._kang import kang
from latentcells.datasets._pbmc3k import pbmc3k, pbmc3k_processed
from latentcells.datasets._pbmc_facs import pbmc_facs
from latentcells.datasets._pbmc_reference import pbmc_reference
from latentcells.datasets._rna_mixture import rna_mixture
from latentcells.datasets._simulate import simulate
from latentcells.datasets._stand_ins import simulated_cell_mixture, simulated_kang, simulated_rna_mixture

_LOADERS = {
    "pbmc3k": pbmc3k,
    "pbmc3k_processed": pbmc3k_processed,
    "pbmc_facs": pbmc_facs,
    "cell_mixture": cell_mixture,
    "rna_mixture": rna_mixture,
    "kang": kang,
    "pbmc_reference": pbmc_reference,
    "simulate": simulate,
}
_STAND_INS = {
    "pbmc3k": pbmc_reference,
    "pbmc3k_processed": partial(pbmc_reference, scaled=True),
    "pbmc_facs": pbmc_reference,
    "cell_mixture": simulated_cell_mixture,
    "rna_mixture": simulated_rna_mixture,
    "kang": simulated_kang,
}
_ORIGIN = {"pbmc_reference": "ships with scanpy", "simulate": "drawn by lc.datasets.simulate"}


def names() -> list[str]:
    """List the data sets that :func:`load` knows."""
    return list(_LOADERS)


def load(name: str, offline_ok: bool = False) -> AnnData:
    """Load a data set by name.

    Args:
        name: one of :func:`names`.
        offline_ok: if the data are not in the cache folder and cannot be downloaded, print one line and
            return a stand-in: ``pbmc_reference`` (with z-scores in X for ``pbmc3k_processed``), or
            ``simulate`` with the same columns of ``obs`` for ``cell_mixture``, ``rna_mixture`` and
            ``kang``. ``uns["source"]["name"]`` says which it is.

    Returns:
        X and ``layers["counts"]``: counts (cells, genes), int32 CSR; ``obs["label"]``,
        ``obs["batch"]``: categorical; ``uns["source"]``: name, citation, doi, licence, url, note.
        Only ``pbmc3k_processed`` has z-scores in X.

    Raises:
        ValueError: for an unknown name; it lists the names.
        DataUnavailable: if the data cannot be loaded and ``offline_ok`` is False.

    Example:
        >>> load("pbmc_reference").shape
        (700, 765)
    """
    _checks.choice(name, names(), "name")
    try:
        return _LOADERS[name]()
    except DataUnavailable:
        if not offline_ok:
            raise
    adata = _STAND_INS[name]()
    other = adata.uns["source"]["name"]
    print(
        f"{name} is not at hand and could not be downloaded: "
        f"running on {other} ({adata.n_obs} cells, {_ORIGIN[other]})."
    )
    return adata
