"""Chapter 3: which genes and how many: scores, time and memory, and how much a selection on all cells leaks.

The protocol is always the same: genes that fewer than three training cells express are left out; genes, PCA and VAE
are fitted on the training cells, nine tenths of all; all cells are embedded and scored. A training takes at most EPOCHS
epochs, fewer if the loss of the held-out tenth stops falling. There are five seeds, but two for the VAE on all genes,
which is expensive.
"""

from dataclasses import dataclass
from functools import cache, partial
from time import perf_counter

import numpy as np
from anndata import AnnData
from sklearn.decomposition import PCA
from sklearn.feature_selection import f_classif
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import latentcells as lc  # before Keras, because it silences TensorFlow's log
from benchmarks.alone import run_alone
from benchmarks.records import SEEDS, over_seeds, rows_of
from benchmarks.training import train
from benchmarks.vae import scores, split_tenth
from latentcells.course.results import row

import keras  # isort: skip

SIZES, ALL = (100, 250, 500, 1000, 2000, 5000), "all genes"
CONTROLS = ("most expressed", "random genes")
N_TYPES = {"pbmc_facs": 10, "pbmc3k": 8}
BATCH_SIZE, DROPOUT, EPOCHS, LEARNING_RATE = 128, 0.2, 30, 2e-3
ALL_GENES_SEEDS = 2  # of the VAE
ROUNDS = 3  # of timing
LEAK_CELLS, LEAK_GENES = 1000, 200


@dataclass(frozen=True, eq=False)
class Cells:
    """A data set with the genes that at least three training cells express, and a mask of the held-out cells."""

    name: str
    log1p: AnnData  # counts in its layer
    outside: np.ndarray


@cache
def load(name):
    """The cells of a data set. log1p comes before the gene selection: a library size is the sum over all genes."""
    adata = lc.datasets.load(name)
    outside = np.isin(np.arange(adata.n_obs), split_tenth(adata.n_obs)[0])
    log1p = lc.preprocess.LibrarySize().fit(adata).transform(adata)
    return Cells(name, expressed(log1p, ~outside), outside)


def expressed(adata, cells):
    """``adata`` with the genes that at least three of ``cells`` express."""
    return adata[:, np.asarray((adata.X[cells] > 0).sum(axis=0)).ravel() >= 3].copy()


@cache
def choose(cells, selection, size, draw=0):
    """The names of ``size`` genes, chosen on the training cells; ``draw`` is the seed of random ones."""
    training = cells.log1p[~cells.outside]
    if selection == ALL:
        return training.var_names
    if selection == "random genes":
        return np.random.default_rng(draw).choice(training.var_names, size, replace=False)
    if selection == "most expressed":
        total = np.asarray(training.layers["counts"].sum(axis=0)).ravel()
        return training.var_names[np.argsort(-total, kind="stable")[:size]]
    return lc.preprocess.HighlyVariableGenes(size, selection).fit(training).genes_


def pca(cells, genes, seed):
    """50 components of log1p values, fitted on the training cells: (cells, 50)."""
    values = lc.inputs(cells.log1p[:, genes])
    return PCA(50, random_state=seed).fit(values[~cells.outside]).transform(values)


def vae(cells, genes, seed):
    """z of all cells; a cell without any counts of these genes is left out of training and gets the prior mean, 0."""
    x = lc.inputs(cells.log1p[:, genes], layer="counts")
    full = x.sum(axis=1) > 0
    wide = x.shape[1] > 2000  # XLA takes seconds to compile, but is then faster
    stop = keras.callbacks.EarlyStopping("val_loss", patience=4, restore_best_weights=True)
    model = train(
        lc.models.VAE(x.shape[1], dropout=DROPOUT, seed=seed), x[full & ~cells.outside], epochs=EPOCHS,
        batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE, jit_compile=wide or "auto",
        validation_data=x[full & cells.outside], validation_batch_size=512, callbacks=[stop],
    )  # fmt: skip
    z = np.zeros((len(x), model.latent_dim))
    z[full] = model.encode(x[full])
    return z


EMBED = {"PCA-50": pca, "VAE": vae}


def score(cells, model, selection, size, seed):
    """Scores of an embedding, and the share of cells that express none of its genes."""
    genes = choose(cells, selection, size, seed if selection == "random genes" else 0)
    z = EMBED[model](cells, genes, seed)
    embedding_scores = scores(z, cells.log1p.obs["label"].to_numpy(), N_TYPES[cells.name], seed)
    empty = np.mean(cells.log1p[:, genes].X.sum(axis=1) == 0)
    result = {
        "knn_macro_f1": embedding_scores["knn_macro_f1"],
        "leiden_ari": embedding_scores["leiden_ari"],
        "empty_cells": empty,
    }
    return {f"{metric}[{setting_of(size)}]": value for metric, value in result.items()}


def sweep(name, model, selection, sizes=SIZES):
    """Rows of one selection, for each number of genes."""
    cells, rows = load(name), []
    for size in sizes:
        seeds = SEEDS[:ALL_GENES_SEEDS] if model == "VAE" and size is None else SEEDS
        score_seed, baseline = partial(score, cells, model, selection, size), selection in (*CONTROLS, ALL)
        rows += over_seeds(name, f"{model}, {selection}", score_seed, baseline, seeds)
    return rows


def setting_of(size):
    """A number of genes, as it stands in a metric's brackets."""
    return f"{size} genes" if size else ALL


def leakage(adata, seed):
    """Cross-validated scores of a linear classifier, its genes chosen on all cells or on each training part."""
    rng = np.random.default_rng(seed)
    adata = adata[np.sort(rng.choice(adata.n_obs, LEAK_CELLS, replace=False))].copy()
    log1p = expressed(lc.preprocess.LibrarySize().fit(adata).transform(adata), np.arange(LEAK_CELLS))
    label = log1p.obs["label"].astype(str).to_numpy()
    labels = {"real": label, "random": rng.permutation(label)}
    return {
        f"{criterion} on {chosen_on}": {
            f"probe_macro_f1[{kind} labels]": cross_validate(log1p, y, criterion, chosen_on, seed)
            for kind, y in labels.items()
        }
        for criterion in ("F score", "HVG")
        for chosen_on in ("all cells", "training cells")
    }


def cross_validate(log1p, y, criterion, chosen_on, seed):
    """Macro-F1 of logistic regression over five folds."""
    x, predicted = lc.inputs(log1p), np.empty_like(y)
    for training, test in StratifiedKFold(5, shuffle=True, random_state=seed).split(x, y):
        genes = choose_for_leakage(
            log1p, y, criterion, np.arange(len(y)) if chosen_on == "all cells" else training
        )
        probe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        predicted[test] = probe.fit(x[training][:, genes], y[training]).predict(x[test][:, genes])
    return f1_score(y, predicted, average="macro")


def choose_for_leakage(log1p, y, criterion, cells):
    """The columns of LEAK_GENES genes, chosen on ``cells`` by the labels (F score) or without them (HVG)."""
    if criterion == "HVG":
        genes = lc.preprocess.HighlyVariableGenes(LEAK_GENES, "pearson_residuals").fit(log1p[cells]).genes_
        return log1p.var_names.get_indexer(genes)
    x = lc.inputs(log1p[cells])
    varies = np.flatnonzero(np.ptp(x, axis=0) > 0)
    return varies[np.argsort(-f_classif(x[:, varies], y[cells])[0])[:LEAK_GENES]]


def leakage_rows():
    """Rows that show how much a selection on all cells leaks."""
    adata = lc.datasets.pbmc_facs()
    runs = [leakage(adata, seed) for seed in SEEDS]
    rows = []
    for method in runs[0]:
        baseline = method.endswith("training cells")
        rows += rows_of("pbmc_facs", method, [run[method] for run in runs], baseline)
    return rows


def cost(name, size):
    """Rows of the seconds and the peak memory of a fresh process, for one number of genes."""
    cells, rows, setting = load(name), [], setting_of(size)
    genes = choose(cells, "pearson_residuals" if size else ALL, size)
    for model, layer in (("PCA-50", None), ("VAE", "counts")):
        seconds, peak = run_alone(time_fits, lc.inputs(cells.log1p[~cells.outside][:, genes], layer), model)
        timed = "fit" if model == "PCA-50" else "epoch"
        rows.append(row(name, model, f"seconds[{timed}, {setting}]", seconds, "s", model == "PCA-50"))
        rows.append(row(name, model, f"peak_rss_mb[{setting}]", [peak], "MB", model == "PCA-50"))
    return rows


def time_fits(x, model):
    """Seconds of each fit of ``model`` to x, (cells, genes), without the first one, which compiles."""
    seconds = []
    if model == "PCA-50":
        fit = partial(PCA(50, random_state=0).fit, x)
    else:
        vae = lc.models.VAE(x.shape[1], dropout=DROPOUT)
        vae.compile(keras.optimizers.Adam())
        fit = partial(vae.fit, x, batch_size=BATCH_SIZE, verbose=0)
    for _ in range(ROUNDS + 1):
        start = perf_counter()
        fit()
        seconds.append(perf_counter() - start)
    return seconds[1:]


def parts():
    """The parts of the run: functions without arguments that each return rows."""
    selections, extra_selections = ("pearson_residuals", "seurat", *CONTROLS), ("cell_ranger", "seurat_v3")
    return [
        *(partial(sweep, name, "PCA-50", selection) for name in N_TYPES for selection in selections),
        *(
            partial(sweep, name, "PCA-50", selection, [2000])
            for name in N_TYPES
            for selection in extra_selections
        ),
        *(partial(sweep, name, "VAE", "pearson_residuals", [size]) for name in N_TYPES for size in SIZES),
        *(
            partial(sweep, "pbmc_facs", "VAE", selection, [2000])
            for selection in (*selections[1:], *extra_selections)
        ),
        *(partial(sweep, name, model, ALL, [None]) for name in N_TYPES for model in EMBED),
        leakage_rows,
        *(partial(cost, name, size) for name in N_TYPES for size in (*SIZES, None)),
    ]


def rows():
    """All rows of ``03_hvg.json``."""
    return [stored_row for part in parts() for stored_row in part()]
