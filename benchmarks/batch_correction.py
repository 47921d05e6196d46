"""Chapter 5: methods of batch correction compared on two data sets, with the same settings on both.

The 2,000 genes are ranked within each batch; all cells are embedded without labels. Every network has the same sizes
and takes about the same number of steps. Over-correction is scored after one type has been removed from one batch. The
walk of the neighbour VAE is chosen on simulated cells only, without the labels of the data sets.
"""

from functools import cache, partial

import numpy as np
from sklearn.decomposition import PCA

import latentcells as lc
from benchmarks.records import SEEDS, over_seeds
from benchmarks.training import train_steps

N_GENES, BATCH_SIZE, STEPS, LEARNING_RATE, DROPOUT = 2000, 64, 2400, 2e-3, 0.1
REMOVED = {  # a type that all batches have, and the batch that it is removed from
    "cell_mixture": (("H1975", "celseq2"), ("H2228", "dropseq"), ("HCC827", "celseq2")),
    "kang": (("CD14 Mono", "stimulated"), ("B", "stimulated"), ("NK", "control")),
}
SIMULATED = {  # to choose the walk: as many batches and about as many cells and types as in the data sets
    "5 batches": {"n_cells": 1000, "n_types": 5, "n_batches": 5},
    "2 batches": {"n_cells": 2800, "n_types": 12, "n_batches": 2},
}
WALKS = [
    {"n_neighbors": n, "walk_length": length}
    for n, lengths in ((10, (2, 4, 6, 8, 12, 16, 24)), (30, (2, 4, 6, 8, 12)))
    for length in lengths
]
NETWORKS = {
    "conditional VAE": lc.models.BatchVAE,
    "adversarial VAE": partial(lc.models.BatchVAE, adversary=10.0),
    "domain-specific VAE": partial(lc.models.BatchVAE, normalization="domain"),
    "neighbour VAE": lc.models.NeighbourVAE,  # its defaults were chosen on simulated cells
    "neighbour VAE, walk chosen by these scores": partial(
        lc.models.NeighbourVAE, n_neighbors=30, walk_length=6
    ),
}


@cache
def load(name, removed=None):
    """log1p values of the genes, counts in their layer, 50 principal components in ``obsm["X_pca"]``.

    ``removed`` is a type and the batch that it is removed from.
    """
    adata = lc.datasets.load(name)
    if removed is not None:
        adata = remove(adata, *removed)
    genes = lc.preprocess.HighlyVariableGenes(N_GENES, batch="batch").fit(adata)
    return with_components(genes.transform(lc.preprocess.LibrarySize().fit(adata).transform(adata)))


def remove(adata, label, batch):
    """A copy without the cells of one label in one batch."""
    return adata[~((adata.obs["label"] == label) & (adata.obs["batch"] == batch))].copy()


def with_components(log1p):
    """The same AnnData with 50 principal components in ``obsm["X_pca"]``."""
    log1p.obsm["X_pca"] = PCA(50, random_state=0).fit_transform(lc.inputs(log1p))
    return log1p


def counts_and_batches(log1p):
    """The input of a `BatchVAE`."""
    return lc.inputs(log1p, layer="counts", batch="batch")


def train_network(build, log1p, seed):
    """A network of `NETWORKS` after its training."""
    cells = counts_and_batches(log1p)
    model = build(log1p.n_vars, sorted(set(cells["batch"])), dropout=DROPOUT, seed=seed)
    return train_steps(model, cells, steps=STEPS, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE)


def network(build, log1p, seed):
    """z (cells, dimensions) of a network, and the model."""
    model = train_network(build, log1p, seed)
    return model.encode(counts_and_batches(log1p)), model


def pca(log1p, seed):
    """The uncorrected components, and no model."""
    return log1p.obsm["X_pca"], None


@cache
def simulate(name):
    """As `load`, for simulated cells; each of the first two batches lacks a type."""
    adata = lc.datasets.simulate(n_genes=N_GENES, library=3000.0, batch_shift=0.5, **SIMULATED[name])
    for i in range(2):
        adata = remove(adata, f"type {i}", f"batch {i}")
    return with_components(lc.preprocess.LibrarySize().fit(adata).transform(adata))


def integration(z, log1p):
    """The ten scores of an embedding and their means."""
    batch, label = (log1p.obs[column].astype(str).to_numpy() for column in ("batch", "label"))
    return lc.evaluate.integration(z, batch, label, before=log1p.obsm["X_pca"])


def choice(walk, name, seed):
    """The scores of the neighbour VAE with one of ``WALKS`` on simulated cells."""
    log1p = simulate(name)
    z, _ = network(partial(lc.models.NeighbourVAE, **walk), log1p, seed)
    scores = integration(z, log1p)
    setting = f"{name}, {walk['n_neighbors']} neighbours, {walk['walk_length']} steps"
    return {f"{metric}[{setting}]": scores[metric] for metric in ("scib_total", "scib_bio", "scib_batch")}


def score(correct, name, seed):
    """The ten scores and their means; for a model with a decoder also its prediction of the treatment in kang."""
    log1p = load(name)
    z, model = correct(log1p, seed)
    scores = integration(z, log1p)
    if name == "kang" and model is not None:
        scores["response_r"] = response(model, log1p)
    return scores


def response(model, log1p, pseudo=0.1):
    """Correlation over genes of the decoded and the observed log fold change, averaged over types.

    The z of the type's control cells is decoded once as stimulated and once as control. Types with fewer than 50 cells
    in either condition are left out.
    """
    conditions = [log1p[log1p.obs["batch"] == name] for name in ("control", "stimulated")]
    correlations = []
    for label in conditions[0].obs["label"].cat.categories:
        control, stimulated = (cells[cells.obs["label"] == label] for cells in conditions)
        if min(control.n_obs, stimulated.n_obs) < 50:
            continue
        per_10k = [np.expm1(lc.inputs(cells)).mean(axis=0) for cells in (control, stimulated)]
        z = model.encode(counts_and_batches(control))
        decoded = [model.decode(z, batch=name).mean(axis=0) for name in ("control", "stimulated")]
        changes = [np.log2((after + pseudo) / (before + pseudo)) for before, after in (per_10k, decoded)]
        correlations.append(np.corrcoef(*changes)[0, 1])
    return float(np.mean(correlations))


def removal(correct, name, seed):
    """Over-correction after each removal of ``REMOVED``."""
    shares = {}
    for label, batch in REMOVED[name]:
        log1p = load(name, (label, batch))
        z, _ = correct(log1p, seed)
        share = lc.evaluate.overcorrection(z, log1p.obs["label"], of=label)
        shares[f"overcorrection[{label} not in {batch}]"] = share
    return shares


def rows_of_method(method, correct, baseline=False, seeds=SEEDS):
    """All rows of one method."""
    rows = []
    for name in REMOVED:
        rows += over_seeds(name, method, partial(score, correct, name), baseline, seeds)
        rows += over_seeds(name, method, partial(removal, correct, name), baseline, range(1))
    return rows


def rows():
    """All rows of ``05_batch_correction.json``."""
    rows = rows_of_method("PCA-50", pca, baseline=True, seeds=range(1))
    for name in SIMULATED:
        for walk in WALKS:
            rows += over_seeds("simulate", "neighbour VAE", partial(choice, walk, name), seeds=range(2))
    for method, build in NETWORKS.items():
        rows += rows_of_method(method, partial(network, build))
    return rows
