"""What every data set has in common: the shape of the AnnData, and gene symbols for Ensembl ids."""

import gzip
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
from anndata import AnnData
from anndata.utils import make_index_unique
from scipy import sparse

from latentcells.datasets._registry import Paper, Source


def build(counts, obs: pd.DataFrame, var: pd.DataFrame, about: dict) -> AnnData:
    """Put together the AnnData that the contract promises.

    Args:
        counts: (cells, genes), whole numbers in any dtype, dense or sparse.
        obs: one row per cell, with ``label`` and ``batch``; these become categorical.
        var: one row per gene, indexed by unique symbols.
        about: ``uns["source"]``.

    Returns:
        X and ``layers["counts"]`` hold the same int32 CSR counts, in two copies, so that a change of
        X in place leaves the counts alone.
    """
    counts = sparse.csr_matrix(counts).astype(np.int32, copy=False)
    counts.sort_indices()
    obs = obs.assign(label=pd.Categorical(obs["label"]), batch=pd.Categorical(obs["batch"]))
    return AnnData(counts, obs, var, layers={"counts": counts.copy()}, uns={"source": about})


def about(name: str, paper: Paper, licence: str, url: str, note: str) -> dict[str, str]:
    """``uns["source"]``: what the data are, whose they are, and what to beware of."""
    return {
        "name": name,
        "citation": paper.citation,
        "doi": paper.doi,
        "licence": licence,
        "url": url,
        "note": note,
    }


def about_file(name: str, source: Source, note: str) -> dict[str, str]:
    """``uns["source"]`` of a data set that is made of one raw file, or of several whose first it is."""
    return about(name, source.paper, source.licence, source.url, note)


def genes(ids, symbols) -> pd.DataFrame:
    """``var`` of genes with Ensembl ids: unique symbols, the ids in ``gene_ids``."""
    unique = make_index_unique(pd.Index(symbols, dtype=str))
    return pd.DataFrame({"gene_ids": np.asarray(ids, str)}, index=unique)


def genes_from_ids(ids) -> pd.DataFrame:
    """``var`` of genes with Ensembl ids only: a gene that the table lacks keeps its id as its name."""
    table = gene_symbols()
    return genes(ids, [table.get(i, i) for i in ids])


@cache
def gene_symbols() -> dict[str, str]:
    """Ensembl id -> symbol for 16,791 human genes, shipped with the library.

    The table is the gene annotation in ``pbmc_facs.RData`` of stephenslab/fastTopics (BSD-2-Clause,
    copyright 2019 Peter Carbonetto and Matthew Stephens), sorted by id.
    """
    lines = gzip.decompress((files(__package__) / "gene_symbols.tsv.gz").read_bytes()).decode().splitlines()
    return dict(line.split("\t") for line in lines[2:])  # after the line of origin and the column names
