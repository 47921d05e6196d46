"""Chapter 5: methods of batch correction beside each other, on two data sets, with the same settings on both.

The 2,000 genes are ranked within each batch; all cells are embedded, no label is seen. Every network has the same sizes
and takes about the same number of steps. Over-correction is asked after one type has been taken out of one batch.
How far the neighbour VAE walks is chosen on simulated cells alone: no label of either data set has a say in it.
"""

from functools import cache, partial

import numpy as np
from sklearn.decomposition import PCA

import latentcells as lc  # before Keras: it holds TensorFlow's log lines back
from benchmarks.vae import SEEDS, over_seeds

import keras  # isort: skip

N_GENES, BATCH_SIZE, STEPS, LEARNING_RATE, DROPOUT = 2000, 64, 2400, 2e-3, 0.1
REMOVED = {  # a type that all batches have, and the batch that loses it
    "cell_mixture": (("H1975", "celseq2"), ("H2228", "dropseq"), ("HCC827", "celseq2")),
    "kang": (("CD14 Mono", "stimulated"), ("B", "stimulated"), ("NK", "control")),
}
SIMULATED = {  # for the choice of the walk: as many batches, and about as many cells and types, as the data sets have
    "5 batches": {"n_cells": 1000, "n_types": 5, "n_batches": 5},
    "2 batches": {"n_cells": 2800, "n_types": 12, "n_batches": 2},
}
WALKS = [
    {"n_neighbors": n, "steps": steps}
    for n, lengths in ((10, (2, 4, 6, 8, 12, 16, 24)), (30, (2, 4, 6, 8, 12)))
    for steps in lengths
]
NETWORKS = {
    "conditional VAE": lc.models.BatchVAE,
    "adversarial VAE": partial(lc.models.BatchVAE, adversary=10.0),
    "domain-specific VAE": partial(lc.models.BatchVAE, normalization="domain"),
    "neighbour VAE": lc.models.NeighbourVAE,  # its defaults are the choice on simulated cells
    "neighbour VAE, walk chosen by these scores": partial(lc.models.NeighbourVAE, n_neighbors=30, steps=6),
}


@cache
def load(name, removed=None):
    """log1p values of the genes, counts in their layer, 50 principal components in ``obsm["X_pca"]``.

    ``removed`` is the pair of a type and the batch that it is taken out of.
    """
    adata = lc.datasets.load(name)
    if removed is not None:
        adata = without(adata, *removed)
    genes = lc.preprocess.HighlyVariableGenes(N_GENES, batch="batch").fit(adata)
    return with_components(genes.transform(lc.preprocess.LibrarySize().fit(adata).transform(adata)))


def without(adata, label, batch):
    """A copy that lacks one label in one batch."""
    return adata[~((adata.obs["label"] == label) & (adata.obs["batch"] == batch))].copy()


def with_components(log1p):
    """With 50 principal components in ``obsm["X_pca"]``."""
    log1p.obsm["X_pca"] = PCA(50, random_state=0).fit_transform(lc.inputs(log1p))
    return log1p


def cells_of(log1p):
    """What the models take."""
    return {"x": lc.inputs(log1p, layer="counts"), "batch": log1p.obs["batch"].to_numpy()}


def trained(build, log1p, seed):
    """A network of `NETWORKS` after its training."""
    cells = cells_of(log1p)
    model = build(log1p.n_vars, sorted(set(cells["batch"])), dropout=DROPOUT, seed=seed)
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    model.fit(cells, batch_size=BATCH_SIZE, epochs=round(STEPS * BATCH_SIZE / log1p.n_obs), verbose=0)
    return model


def network(build, log1p, seed):
    """z (cells, dimensions) of a network, and the model."""
    model = trained(build, log1p, seed)
    return model.encode(cells_of(log1p)), model


def pca(log1p, seed):
    """The components that nothing has corrected, and no model."""
    return log1p.obsm["X_pca"], None


@cache
def simulated(name):
    """As `load`, of cells that are drawn; the first two batches lack a type each."""
    adata = lc.datasets.simulate(n_genes=N_GENES, library=3000.0, batch_shift=0.5, **SIMULATED[name])
    for i in range(2):
        adata = without(adata, f"type {i}", f"batch {i}")
    return with_components(lc.preprocess.LibrarySize().fit(adata).transform(adata))


def choice(walk, name, seed):
    """The scores of the neighbour VAE with one of ``WALKS`` on simulated cells."""
    log1p = simulated(name).copy()
    log1p.obsm["X_z"] = trained(partial(lc.models.NeighbourVAE, **walk), log1p, seed).encode(cells_of(log1p))
    found = lc.evaluate.integration(log1p, "X_z", unintegrated="X_pca")
    setting = f"{name}, {walk['n_neighbors']} neighbours, {walk['steps']} steps"
    return {f"{metric}[{setting}]": found[metric] for metric in ("scib_total", "scib_bio", "scib_batch")}


def scored(correct, name, seed):
    """The ten scores and their means; with a decoder also what it says of the treatment of kang."""
    log1p = load(name).copy()
    log1p.obsm["X_z"], model = correct(log1p, seed)
    found = lc.evaluate.integration(log1p, "X_z", unintegrated="X_pca")
    if name == "kang" and model is not None:
        found["response_r"] = response(model, log1p)
    return found


def response(model, log1p, pseudo=0.1):
    """Correlation over genes of the decoded with the observed log fold change, the mean over types.

    Decoded: the z of the type's control cells, once as stimulated and once as control. Types with fewer than 50 cells
    of either are left out.
    """
    log1p = log1p[log1p.obs["batch"] == "control"], log1p[log1p.obs["batch"] == "stimulated"]
    found = []
    for label in log1p[0].obs["label"].cat.categories:
        control, stimulated = (part[part.obs["label"] == label] for part in log1p)
        if min(control.n_obs, stimulated.n_obs) < 50:
            continue
        per_10k = [np.expm1(lc.inputs(part)).mean(axis=0) for part in (control, stimulated)]
        z = model.encode(cells_of(control))
        decoded = [model.decode(z, batch=batch).mean(axis=0) for batch in ("control", "stimulated")]
        changes = [np.log2((after + pseudo) / (before + pseudo)) for before, after in (per_10k, decoded)]
        found.append(np.corrcoef(*changes)[0, 1])
    return float(np.mean(found))


def removal(correct, name, seed):
    """Over-correction after each removal of ``REMOVED``."""
    found = {}
    for label, batch in REMOVED[name]:
        log1p = load(name, (label, batch))
        z, _ = correct(log1p, seed)
        share = lc.evaluate.overcorrection(z, log1p.obs["label"], of=label)
        found[f"overcorrection[{label} not in {batch}]"] = share
    return found


def of_method(method, correct, baseline=False, seeds=SEEDS):
    """All rows of one method."""
    found = []
    for name in REMOVED:
        found += over_seeds(name, method, partial(scored, correct, name), baseline, seeds)
        found += over_seeds(name, method, partial(removal, correct, name), baseline, range(1))
    return found


def rows():
    """All rows of ``05_batch_correction.json``."""
    found = of_method("PCA-50", pca, baseline=True, seeds=range(1))
    for name in SIMULATED:
        for walk in WALKS:
            found += over_seeds("simulate", "neighbour VAE", partial(choice, walk, name), seeds=range(2))
    for method, build in NETWORKS.items():
        found += of_method(method, partial(network, build))
    return found
