"""Data sets: each an AnnData with counts, labels, batches and its source.

X and ``layers["counts"]`` hold integer counts (cells, genes), ``obs["label"]`` and ``obs["batch"]`` are
categorical, ``uns["source"]`` has name, citation, doi, licence, url and note, and ``var_names`` are unique gene
symbols. ``stream`` reads such a file in batches. ``BLOOD_TYPES`` maps the labels of the blood data sets to
common words. Raw files are kept in the folder that ``LATENTCELLS_DATA`` names; ``LATENTCELLS_OFFLINE=1``
forbids downloads.
"""

from latentcells.datasets import _blood_types
from latentcells.datasets._cell_mixture import cell_mixture
from latentcells.datasets._fetch import DataUnavailable
from latentcells.datasets._kang import kang
from latentcells.datasets._load import load, names
from latentcells.datasets._pbmc3k import pbmc3k, pbmc3k_processed
from latentcells.datasets._pbmc_facs import pbmc_facs
from latentcells.datasets._pbmc_reference import pbmc_reference
from latentcells.datasets._reactome import reactome
from latentcells.datasets._rna_mixture import rna_mixture
from latentcells.datasets._simulate import simulate
from latentcells.datasets._stream import stream

__all__ = [
    "BLOOD_TYPES",
    "DataUnavailable",
    "cell_mixture",
    "kang",
    "load",
    "names",
    "pbmc3k",
    "pbmc3k_processed",
    "pbmc_facs",
    "pbmc_reference",
    "reactome",
    "rna_mixture",
    "simulate",
    "stream",
]

#: Data set -> the label of each of its blood cell types -> what the type is called in common words.
BLOOD_TYPES = _blood_types.BLOOD_TYPES


def __dir__():
    return __all__
