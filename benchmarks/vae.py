"""Chapter 1: four likelihoods compared with PCA and a supervised baseline, with five seeds each."""

from functools import partial

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import latentcells as lc  # before Keras, because it silences TensorFlow's log
from benchmarks.records import over_seeds, rows_of
from benchmarks.training import train

import keras  # isort: skip

NB = "VAE, negative binomial"
LIKELIHOODS = {
    NB: "negative_binomial",
    "VAE, zero-inflated negative binomial": "zero_inflated_negative_binomial",
    "VAE, Gaussian on log1p": "gaussian",
    "VAE, Bernoulli on min-max-scaled z-scores": "bernoulli",
}
CANDIDATES = tuple({"latent_dim": k, "dropout": share} for k in (10, 20) for share in (0.1, 0.2, 0.3))
BATCH_SIZE, LEARNING_RATE = 64, 2e-3


def train_vae(x, seed, likelihood, setting, epochs, batch_size=BATCH_SIZE, jit_compile="auto", **options):
    """A VAE with ``setting`` after ``epochs`` epochs on x (cells, genes); ``options`` are for `fit`."""
    model = lc.models.VAE(x.shape[1], likelihood=likelihood, seed=seed, **setting)
    return train(
        model, x, epochs=epochs, batch_size=batch_size, learning_rate=LEARNING_RATE, jit_compile=jit_compile, **options
    )  # fmt: skip


def train_until_best(x, held_out, seed, setting, epochs, patience, **options):
    """A VAE of counts with the weights of the best epoch for the ``held_out`` cells, and that epoch's number."""
    stop = keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    options |= {"validation_data": held_out, "callbacks": [stop]}
    model = train_vae(x, seed, "negative_binomial", setting, epochs, **options)
    return model, stop.best_epoch + 1


def prepare(adata):
    """One matrix (cells, genes) for each likelihood: the same genes, in the likelihood's unit."""
    genes = lc.preprocess.HighlyVariableGenes(2000).fit(adata)
    log1p = genes.transform(lc.preprocess.LibrarySize().fit(adata).transform(adata))
    counts, values = lc.inputs(genes.transform(adata), layer="counts"), lc.inputs(log1p)
    log1p.X = np.clip((values - values.mean(axis=0)) / values.std(axis=0), -10, 10)
    unit = lc.inputs(lc.preprocess.MinMax().fit(log1p).transform(log1p))
    return {
        "negative_binomial": counts,
        "zero_inflated_negative_binomial": counts,
        "gaussian": values,
        "bernoulli": unit,
    }


def scores(z, label, n_clusters, seed):
    """Every score of an embedding z, an array or a function of the seed that returns one."""
    z = z(seed) if callable(z) else z
    ari = lc.evaluate.clustering(z, label, n_clusters, seed=seed)["leiden_ari"]
    return {**lc.evaluate.annotation(z, label, seed=seed), "leiden_ari": ari}


def supervised(x, label, seed):
    """Logistic regression on the genes, trained on the labels: an upper reference for the embeddings."""
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    predicted = cross_val_predict(LogisticRegression(max_iter=1000), x, label, cv=folds)
    return {
        "probe_macro_f1": f1_score(label, predicted, average="macro"),
        "probe_accuracy": accuracy_score(label, predicted),
    }


def split_tenth(n_cells):
    """Positions, in random order, of the held-out tenth of the cells and of the others."""
    return np.split(np.random.default_rng(0).permutation(n_cells), [n_cells // 10])


def hold_out(x):
    """Nine tenths of the cells and the other tenth, without the genes that the nine tenths do not express."""
    test, train = split_tenth(len(x))
    expressed = x[train].sum(axis=0) > 0
    return x[train][:, expressed], x[test][:, expressed]


def choose(x):
    """The setting and the number of epochs with the best ELBO on held-out cells, and the rows of all candidates.

    Labels are not used. Each candidate stops at its best epoch for the held-out cells.
    """
    rows, candidates = [], []
    inside, outside = hold_out(x)
    for setting in CANDIDATES:
        model, epochs = train_until_best(inside, outside, 0, setting, 80, patience=8)
        elbo = model.elbo(outside, draws=5)["elbo"]
        name = f"candidate: {setting['latent_dim']} dimensions, dropout {setting['dropout']}"
        rows += rows_of("pbmc_facs", name, [{"heldout_elbo": elbo, "epochs": epochs}])
        candidates.append((elbo, setting, epochs))
    _, setting, epochs = max(candidates, key=lambda candidate: candidate[0])
    return setting, epochs, rows


def embeddings(dataset, x, label, n_clusters, methods, **training):
    """Rows of PCA and of the VAE with the likelihoods of ``methods``."""
    rows = []
    for dimensions in (50, 10):
        z = PCA(dimensions, random_state=0).fit_transform(x["gaussian"])
        score = partial(scores, z, label, n_clusters)
        rows += over_seeds(dataset, f"PCA-{dimensions}", score, baseline=True)
    for method in methods:
        values = x[LIKELIHOODS[method]]

        def encode(seed, values=values, likelihood=LIKELIHOODS[method]):
            return train_vae(values, seed, likelihood, **training).encode(values)

        rows += over_seeds(dataset, method, partial(scores, encode, label, n_clusters))
    return rows


def rows():
    """All rows of ``01_vae.json``."""
    facs, pbmc3k = lc.datasets.pbmc_facs(), lc.datasets.pbmc3k()
    label, x = facs.obs["label"].to_numpy(), prepare(facs)
    setting, epochs, rows = choose(x["negative_binomial"])
    training = {"setting": setting, "epochs": epochs}
    rows += embeddings("pbmc_facs", x, label, 10, LIKELIHOODS, **training)
    baseline = partial(supervised, x["gaussian"], label)
    rows += over_seeds("pbmc_facs", "logistic regression on the genes", baseline, baseline=True)
    return rows + embeddings("pbmc3k", prepare(pbmc3k), pbmc3k.obs["label"].to_numpy(), 8, [NB], **training)
