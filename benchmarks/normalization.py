"""Chapter 2: normalisation layers compared, and how small a mini-batch they tolerate, with five seeds each."""

from functools import partial

import numpy as np
from sklearn.decomposition import PCA

import latentcells as lc
from benchmarks.records import over_seeds
from benchmarks.vae import scores, split_tenth, train_until_best

BATCH_SIZE, DROPOUT, GROUPS = 128, 0.3, 20
BATCH_SIZES, SWEEP_EPOCHS = (4, 16, 64, 256), 5
HIDDEN = {
    "none": {},
    "batch": {"normalization": "batch"},
    "layer": {"normalization": "layer"},
    "group": {"normalization": "group", "groups": 8},
}


def settings_of_genes(log1p):
    """The settings that normalise the genes; the modules are fitted on the cells of ``log1p``."""
    groups = {
        "group of genes, as they lie": GROUPS,
        "group of genes, modules": lc.preprocess.GeneModules(GROUPS).fit(log1p).labels_,
        "group of genes, Reactome": lc.preprocess.GeneSets(lc.datasets.reactome()).fit(log1p).labels_,
    }
    settings = {name: {"normalization": "group", "groups": label} for name, label in groups.items()}
    settings |= {f"{name} of genes": {"normalization": name} for name in ("batch", "layer")}
    return {name: {**setting, "normalization_of": "genes"} for name, setting in settings.items()}


def divide(adata, method="seurat"):
    """Counts (cells, 2000 genes), a mask of the held-out cells, and log1p of the same genes.

    The genes are chosen on the cells that are not held out.
    """
    outside = np.isin(np.arange(adata.n_obs), split_tenth(adata.n_obs)[0])
    genes = lc.preprocess.HighlyVariableGenes(2000, method).fit(adata[~outside])
    log1p = genes.transform(lc.preprocess.LibrarySize().fit(adata).transform(adata))
    return lc.inputs(log1p, layer="counts"), outside, log1p


def train(x, outside, seed, batch_size=BATCH_SIZE, epochs=50, **setting):
    """A VAE trained on the other cells up to the best epoch for the held-out ones, and that epoch."""
    return train_until_best(
        x[~outside], x[outside], seed, {"dropout": DROPOUT, **setting}, epochs, patience=5, batch_size=batch_size,
        validation_batch_size=512,
    )  # fmt: skip


def compare(x, outside, label, setting, seed):
    """Every score of z of all cells, the ELBO of the held-out cells, and the epochs of the training."""
    model, epochs = train(x, outside, seed, **setting)
    elbo = model.elbo(x[outside], draws=5)["elbo"]
    return {**scores(model.encode(x), label, 10, seed), "heldout_elbo": elbo, "epochs": epochs}


def sweep(x, outside, label, setting, seed):
    """kNN score and held-out ELBO after the same number of epochs with mini-batches of each size."""
    result = {}
    for size in BATCH_SIZES:
        model, _ = train(x, outside, seed, batch_size=size, epochs=SWEEP_EPOCHS, **setting)
        score = lc.evaluate.annotation(model.encode(x), label, seed=seed)["knn_macro_f1"]
        result[f"knn_macro_f1[batch size {size}]"] = score
        result[f"heldout_elbo[batch size {size}]"] = model.elbo(x[outside], draws=5)["elbo"]
    return result


def rows_of_settings(settings, score, x, outside, label):
    """Rows of each setting, scored by `compare` or `sweep`."""
    rows = []
    for name, setting in settings.items():
        score_setting = partial(score, x, outside, label, setting)
        rows += over_seeds("pbmc_facs", name, score_setting, baseline=name == "none")
    return rows


def rows_on_pearson_genes(adata):
    """Rows of the hidden layers' settings, on genes chosen by Pearson residuals."""
    x, outside, _ = divide(adata, "pearson_residuals")
    rows = rows_of_settings(HIDDEN, compare, x, outside, adata.obs["label"].to_numpy())
    return [{**row, "metric": f"{row['metric']}[Pearson residuals]"} for row in rows]


def rows():
    """All rows of ``02_normalization.json``."""
    facs = lc.datasets.pbmc_facs()
    x, outside, log1p = divide(facs)
    label = facs.obs["label"].to_numpy()
    pca = PCA(50, random_state=0).fit_transform(lc.inputs(log1p))
    rows = over_seeds("pbmc_facs", "PCA-50", partial(scores, pca, label, 10), baseline=True)
    rows += rows_of_settings({**HIDDEN, **settings_of_genes(log1p[~outside])}, compare, x, outside, label)
    swept = {name: HIDDEN[name] for name in ("none", "batch", "layer")}
    return rows + rows_of_settings(swept, sweep, x, outside, label) + rows_on_pearson_genes(facs)
