"""Chapter 1: four likelihoods beside PCA and a supervised yardstick, five seeds each."""

from functools import partial

import numpy as np
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import latentcells as lc  # before Keras: it holds TensorFlow's log lines back
from benchmarks.records import row

import keras  # isort: skip

SEEDS = range(5)
UNITS = {"heldout_elbo": "nats per cell", "log_loss": "nats per cell", "epochs": "epochs"}
NB = "VAE, negative binomial"
LIKELIHOODS = {
    NB: "negative_binomial",
    "VAE, zero-inflated negative binomial": "zero_inflated_negative_binomial",
    "VAE, Gaussian on log1p": "gaussian",
    "VAE, Bernoulli on min-max-scaled z-scores": "bernoulli",
}
CANDIDATES = tuple({"latent_dim": k, "dropout": share} for k in (10, 20) for share in (0.1, 0.2, 0.3))
BATCH_SIZE, LEARNING_RATE = 64, 2e-3


def train(x, seed, likelihood, setting, epochs, batch_size=BATCH_SIZE, jit_compile="auto", **fit):
    """A VAE of the chapter, trained on x (cells, genes)."""
    model = lc.models.VAE(x.shape[1], likelihood=likelihood, seed=seed, **setting)
    model.compile(keras.optimizers.Adam(LEARNING_RATE), jit_compile=jit_compile)
    model.fit(x, batch_size=batch_size, epochs=epochs, verbose=0, **fit)
    return model


def stopped(x, outside, seed, setting, epochs, patience, **options):
    """A VAE of counts as it was at the epoch that suits the cells ``outside`` best, and the number of that epoch."""
    stop = keras.callbacks.EarlyStopping("val_loss", patience=patience, restore_best_weights=True)
    options |= {"validation_data": outside, "callbacks": [stop]}
    model = train(x, seed, "negative_binomial", setting, epochs, **options)
    return model, stop.best_epoch + 1


def prepared(adata):
    """One matrix (cells, genes) for each likelihood: the same genes, each in the likelihood's unit."""
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


def over_seeds(dataset, method, score, baseline=False, seeds=SEEDS):
    """A row for each metric of ``score(seed)``, a dictionary."""
    return rows_of(dataset, method, [score(seed) for seed in seeds], baseline)


def rows_of(dataset, method, runs, baseline=False):
    """A row for each metric of ``runs``, dictionaries with the same metrics."""
    return [
        row(
            dataset,
            method,
            metric,
            [run[metric] for run in runs],
            UNITS.get(metric.partition("[")[0], "1"),
            baseline,
        )
        for metric in runs[0]
    ]


def scores(z, label, n_clusters, seed):
    """Every score of an embedding, by the one rule for all; z: an array, or the function of a seed that makes it."""
    z = z(seed) if callable(z) else z
    ari = lc.evaluate.clustering(z, label, n_clusters, seed=seed)["leiden_ari"]
    return {**lc.evaluate.annotation(z, label, seed=seed), "leiden_ari": ari}


def supervised(x, label, seed):
    """Logistic regression on the genes, labels seen: what the genes tell about the types at all."""
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    guess = cross_val_predict(LogisticRegression(max_iter=1000), x, label, cv=folds)
    return {
        "probe_macro_f1": f1_score(label, guess, average="macro"),
        "probe_accuracy": accuracy_score(label, guess),
    }


def tenth(n_cells):
    """Which cells are held out, a tenth, and which are not: two arrays of numbers in random order."""
    return np.split(np.random.default_rng(0).permutation(n_cells), [n_cells // 10])


def held_out(x):
    """Nine tenths of the cells and the others, without the genes that the nine tenths do not express."""
    test, rest = tenth(len(x))
    seen = x[rest].sum(axis=0) > 0
    return x[rest][:, seen], x[test][:, seen]


def choose(x):
    """The setting and the number of epochs with the best ELBO on held-out cells, and the rows of all candidates.

    No label has a say in it. Each candidate stops at the epoch that suits the held-out cells best.
    """
    rows, runs = [], []
    inside, outside = held_out(x)
    for setting in CANDIDATES:
        model, epochs = stopped(inside, outside, 0, setting, 80, patience=8)
        elbo = model.elbo(outside, draws=5)["elbo"]
        name = f"candidate: {setting['latent_dim']} dimensions, dropout {setting['dropout']}"
        found = {"heldout_elbo": elbo, "epochs": epochs}
        rows += [row("pbmc_facs", name, metric, [value], UNITS[metric]) for metric, value in found.items()]
        runs.append((elbo, setting, epochs))
    _, setting, epochs = max(runs, key=lambda run: run[0])
    return setting, epochs, rows


def embeddings(dataset, x, label, n_clusters, methods, **training):
    """Scores of PCA and of the VAE under the likelihoods of ``methods``."""
    rows = []
    for dimensions in (50, 10):
        z = PCA(dimensions, random_state=0).fit_transform(x["gaussian"])
        score = partial(scores, z, label, n_clusters)
        rows += over_seeds(dataset, f"PCA-{dimensions}", score, baseline=True)
    for method in methods:
        values = x[LIKELIHOODS[method]]

        def encoded(seed, values=values, likelihood=LIKELIHOODS[method]):
            return train(values, seed, likelihood, **training).encode(values)

        rows += over_seeds(dataset, method, partial(scores, encoded, label, n_clusters))
    return rows


def rows():
    """All rows of ``01_vae.json``."""
    facs, pbmc3k = lc.datasets.pbmc_facs(), lc.datasets.pbmc3k()
    label, x = facs.obs["label"].to_numpy(), prepared(facs)
    setting, epochs, found = choose(x["negative_binomial"])
    training = {"setting": setting, "epochs": epochs}
    found += embeddings("pbmc_facs", x, label, 10, LIKELIHOODS, **training)
    yardstick = "logistic regression on the genes"
    found += over_seeds("pbmc_facs", yardstick, partial(supervised, x["gaussian"], label), baseline=True)
    return found + embeddings("pbmc3k", prepared(pbmc3k), pbmc3k.obs["label"].to_numpy(), 8, [NB], **training)
