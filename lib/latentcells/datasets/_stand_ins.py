"""Simulated data with the columns that a chapter asks of its own data set."""

import numpy as np
import pandas as pd
from anndata import AnnData

from latentcells.datasets._rna_mixture import LINES, mix_names
from latentcells.datasets._simulate import simulate

_THIRD = (0.33, 0.33, 0.33)
_MIXES = (
    _THIRD,
    _THIRD,
    (1, 0, 0),
    (0, 1, 0),
    (0, 0, 1),
    (0.68, 0.16, 0.16),
    (0.16, 0.68, 0.16),
    (0.16, 0.16, 0.68),
)
_PLATES = ("celseq2", "dropseq", "celseq2_5cl_p1", "celseq2_5cl_p2", "celseq2_5cl_p3")
_FIVE_LINES = ("H1975", "H2228", "HCC827", "A549", "H838")


def simulated_cell_mixture() -> AnnData:
    """Five lines on five plates; two of the lines are on the last three plates only."""
    adata = _rename(simulate(1200, 1000, 5, 5, batch_shift=0.5), label=_FIVE_LINES, batch=_PLATES)
    elsewhere = adata.obs["label"].isin(("A549", "H838")) & adata.obs["batch"].isin(("celseq2", "dropseq"))
    adata = adata[~elsewhere].copy()
    protocol = np.where(adata.obs["batch"] == "dropseq", "Drop-seq", "CEL-seq2")
    adata.obs["protocol"] = pd.Categorical(protocol)
    return adata


def simulated_rna_mixture() -> AnnData:
    """Wells of three lines in the published proportions and amounts, by two protocols."""
    n_cells = 640
    amount = np.random.default_rng(0).choice([3.75, 7.5, 15.0, 30.0], n_cells)
    mixes = np.array(_MIXES) / np.sum(_MIXES, axis=1, keepdims=True)
    adata = simulate(n_cells, 1000, 3, 2, mixtures=mixes, library=400 * amount)
    adata = _rename(adata, label=range(1, 9), batch=("CEL-seq2", "SORT-seq"))
    columns = [f"{line}_prop" for line in LINES]
    obs = adata.obs.rename(columns=dict(zip((f"type {t}_prop" for t in range(3)), columns, strict=True)))
    obs[columns] = np.array(_MIXES)[obs["label"].cat.codes]
    names = pd.Categorical(mix_names(obs[columns]))
    adata.obs = obs.assign(mRNA_amount=amount, mix=obs["label"], label=names)
    return adata


def simulated_kang() -> AnnData:
    """Eight types, control and stimulated."""
    adata = _rename(simulate(1400, 1000, 8, 2), batch=("control", "stimulated"))
    adata.obs["condition"] = adata.obs["batch"]
    return adata


def _rename(adata: AnnData, **categories) -> AnnData:
    for column, names in categories.items():
        adata.obs[column] = adata.obs[column].cat.rename_categories(list(names))
    return adata
