"""Chapter 6: the gene Transformer as an annotator, beside logistic regression, in three settings.

Within a study: five folds of `pbmc_facs`. Across studies: trained on all of its cells, tested on `pbmc3k` and on the
control cells of `kang`. With few labels: the splits of chapter 4, with and without a training on hidden counts first.
Genes, modules and the scale of the input come from the training cells. The sizes of the network and its training were
chosen on cells of `pbmc_facs` that were held out of the training cells of two splits; the test cells had no say.
"""

from dataclasses import dataclass
from functools import cache, partial

import anndata
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold

import latentcells as lc  # before Keras: it holds TensorFlow's log lines back
from benchmarks.vae import SEEDS, over_seeds, rows_of

import keras  # isort: skip

N_GENES, MODULES, BATCH_SIZE, STEPS, LEARNING_RATE = 2000, 32, 64, 1200, 2e-3
REGULARISED = {"dropout": 0.2, "drop_path": 0.8, "zero_start": True}
NETWORK = {"tokens": "sets", "dim": 32, "depth": 1, "rate": 0.0, **REGULARISED}
PRETRAINING = {"rate": 0.3, "dropout": 0.1, "drop_path": 0.0}
PRETRAINING_STEPS, LABELLED_STEPS = 1000, 300
# a pre-trained network is changed gently, with all of its branches
FINE = {"drop_path": 0.0}, {"learning_rate": 2e-4}
PER_TYPE = {"10 per type": 10, "50 per type": 50, "all labels": None}
SHARED = ("B", "CD4 T", "CD8 T", "NK", "monocyte")


@dataclass
class Task:
    """Counts and log1p values (cells, genes) of training and test cells, the labels, modules and names of the genes."""

    counts: np.ndarray
    log1p: np.ndarray
    label: np.ndarray
    test_counts: np.ndarray
    test_log1p: np.ndarray
    modules: list
    genes: np.ndarray

    @property
    def names(self):
        return sorted(set(self.label))

    @property
    def scale(self):
        """The median total of the chosen genes in the training cells."""
        return float(np.median(self.counts.sum(axis=1)))

    def scaled(self, counts):
        """log1p of the shares of the chosen genes, times the scale."""
        return np.log1p(self.scale * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))


def task(train, test):
    """The genes and the modules are chosen on ``train``."""
    library = lc.preprocess.LibrarySize().fit(train)
    genes = lc.preprocess.HighlyVariableGenes(N_GENES, "pearson_residuals").fit(train)
    train, test = (genes.transform(library.transform(cells)) for cells in (train, test))
    modules = lc.preprocess.GeneModules(MODULES).fit(train).labels_
    return arrays(train, test, members(modules))


def arrays(train, test, modules=()):
    """The task on all genes of two AnnData of log1p values, with counts in a layer."""
    return Task(
        *(lc.inputs(train, layer=layer) for layer in ("counts", None)),
        train.obs["label"].astype(str).to_numpy(),
        *(lc.inputs(test, layer=layer) for layer in ("counts", None)),
        list(modules),
        train.var_names.to_numpy(),
    )


def members(modules):
    """The numbers of the genes of each module, from the number of each gene's module."""
    return [np.flatnonzero(modules == module).tolist() for module in range(modules.max() + 1)]


def per_10k(task, seed):
    """The log1p values of training and test cells."""
    return task.log1p, task.test_log1p


def at_median(task, seed):
    """The same, scaled to the median."""
    return task.scaled(task.counts), task.scaled(task.test_counts)


def logistic_regression(values, task, seed):
    """Probabilities (test cells, names); ``values`` gives those of training and test cells."""
    train, test = values(task, seed)
    return LogisticRegression(max_iter=1000).fit(train, task.label).predict_proba(test)


def network(task, seed, labels=True, **changes):
    """A gene Transformer for the task, not yet trained."""
    keywords = {**NETWORK, "sets": task.modules, "target_sum": task.scale, "seed": seed, **changes}
    n_genes = task.counts.shape[1]
    if labels:
        return lc.models.CellAnnotator(n_genes, task.names, **keywords)
    return lc.models.MaskedGeneTransformer(n_genes, **keywords)


def trained(model, x, y=None, steps=STEPS, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE):
    """The model after about ``steps`` training steps; with labels each type has the same weight in all.

    The learning rate rises over the first twentieth of the steps, and falls along a cosine from there.
    """
    warm = steps // 20
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm, warmup_target=learning_rate, warmup_steps=warm
    )
    model.compile(keras.optimizers.Adam(rate))
    epochs = max(1, round(steps / np.ceil(len(x) / batch_size)))
    labels = {} if y is None else {"y": y, "class_weight": "balanced"}
    model.fit(x, batch_size=batch_size, epochs=epochs, verbose=0, **labels)
    return model


def transformer(task, seed, **changes):
    """Probabilities (test cells, names)."""
    model = trained(network(task, seed, **changes), task.counts, task.label)
    return model.predict_labels(task.test_counts)["probability"]


METHODS = {
    "logistic regression": partial(logistic_regression, per_10k),
    "logistic regression, scaled to the median": partial(logistic_regression, at_median),
    "Transformer without blocks": partial(transformer, depth=0),
    "gene Transformer": transformer,
    "gene Transformer, not regularised": partial(transformer, dropout=0.0, drop_path=0.0, zero_start=False),
}


@cache
def fold(number):
    """A fifth of the cells is for the test: the task, and the true labels of the test cells."""
    facs = lc.datasets.pbmc_facs()
    folds = StratifiedKFold(5, shuffle=True, random_state=0).split(facs.obs_names, facs.obs["label"])
    inside, outside = list(folds)[number]
    return task(facs[inside].copy(), facs[outside].copy()), facs.obs["label"].astype(str).to_numpy()[outside]


def within(method, number):
    """Scores of one fold."""
    cells, label = fold(number)
    probability = method(cells, number)
    guess = np.array(cells.names)[probability.argmax(axis=1)]
    found = lc.evaluate.calibration(probability, label, cells.names)
    return {
        "macro_f1": f1_score(label, guess, average="macro"),
        "accuracy": accuracy_score(label, guess),
        "calibration_error": found["calibration_error"],
        "log_loss": found["log_loss"],
    }


@cache
def studies():
    """All cells of `pbmc_facs` as training cells, those of two other studies as test cells: the task, on the genes that
    the three have in common, and the study and the common word of each test cell."""
    facs, kang = lc.datasets.pbmc_facs(), lc.datasets.kang()
    others = {"pbmc3k": lc.datasets.pbmc3k(), "kang": kang[kang.obs["batch"] == "control"]}
    other = anndata.concat(others, label="study", index_unique=" ")  # of these two, the common genes
    common = facs.var_names[facs.var_names.isin(other.var_names)]
    words = [
        lc.datasets.BLOOD_TYPES[study][label]
        for study, label in zip(other.obs["study"], other.obs["label"], strict=True)
    ]
    cells = task(facs[:, common].copy(), other[:, common].copy())
    return cells, other.obs["study"].to_numpy(), np.array(words)


def in_common_words(probability, names):
    """Probabilities (cells, words) from those of the ten types (cells, names), and the words."""
    words = [lc.datasets.BLOOD_TYPES["pbmc_facs"][name] for name in names]
    seen = sorted(set(words))
    return np.stack(
        [probability[:, [w == word for w in words]].sum(axis=1) for word in seen], axis=1
    ), np.array(seen)


def across(method, seed):
    """Scores of the five shared types, and how sure the method is of cells of types that it has never seen."""
    cells, study, words = studies()
    probability, seen = in_common_words(method(cells, seed), cells.names)
    guess, confidence = seen[probability.argmax(axis=1)], probability.max(axis=1)
    found = {}
    for name in np.unique(study):
        shared = (study == name) & np.isin(words, SHARED)
        unseen = (study == name) & ~np.isin(words, [*SHARED, "T, CD4 or CD8"])
        found[name] = {
            "macro_f1": f1_score(words[shared], guess[shared], average="macro", labels=SHARED),
            "accuracy": accuracy_score(words[shared], guess[shared]),
            "confidence[shared types]": confidence[shared].mean(),
            "confidence[types not in training]": confidence[unseen].mean(),
        }
    return found


@cache
def split(seed):
    """A fifth of the cells is for the test, as in chapter 4: the task, all labels, and which cells are for the test."""
    facs = lc.datasets.pbmc_facs()
    train, test = lc.preprocess.split(facs, seed=seed)
    label = np.concatenate([cells.obs["label"].astype(str) for cells in (train, test)])
    return task(train, test), label, np.arange(len(label)) >= train.n_obs


@cache
def pretrained(seed):
    """A Transformer that has learned from hidden counts of the training cells of a split."""
    return unlabelled(split(seed)[0], seed)


def unlabelled(task, seed):
    """A Transformer that has learned from hidden counts of the training cells of a task."""
    model = network(task, seed, labels=False, **PRETRAINING)
    return trained(model, task.counts, steps=PRETRAINING_STEPS, batch_size=128, learning_rate=2e-3)


def embedded(task, seed):
    """z of training and test cells, by the pre-trained network of the split."""
    return [pretrained(seed).encode(counts) for counts in (task.counts, task.test_counts)]


def probed(values, seed, standardise=False):
    """Macro-F1 of a linear probe; ``values`` gives those of training and test cells."""
    cells, label, test = split(seed)
    z = np.concatenate(values(cells, seed))
    return {
        f"macro_f1[{setting}]": lc.evaluate.few_labels(
            z, label, test, number, standardise=standardise, seed=seed
        )["probe_macro_f1"]
        for setting, number in PER_TYPE.items()
    }


def tuned(start, seed, per_type=PER_TYPE):
    """Macro-F1 of the network trained on few labels, from nothing or from what it learned without labels."""
    cells, label, test = split(seed)
    found = {}
    for setting, number in per_type.items():
        drawn = lc.evaluate.draw_labels(label, test, number, seed)
        changes, training = FINE if start else ({}, {})
        model = network(cells, seed, **changes)
        if start:
            model.start_from(pretrained(seed))
        steps = STEPS if number is None else LABELLED_STEPS
        training = {"steps": steps, "batch_size": 32 if number else BATCH_SIZE, **training}
        trained(model, cells.counts[drawn], label[drawn], **training)
        guess = model.predict_labels(cells.test_counts)["label"]
        found[f"macro_f1[{setting}]"] = f1_score(label[test], guess, average="macro")
    return found


FEW = {
    "logistic regression": partial(probed, per_10k),
    "logistic regression, scaled to the median": partial(probed, at_median),
    "gene Transformer": partial(tuned, False),
    "gene Transformer, pre-trained": partial(tuned, True),
    "linear probe of the pre-trained Transformer": partial(probed, embedded, standardise=True),
}


def rows():
    """All rows of ``06_transformer.json``."""
    found = []
    for method, predict in METHODS.items():
        baseline = method.startswith("logistic")
        found += over_seeds("pbmc_facs", method, partial(within, predict), baseline)
        runs = [across(predict, seed) for seed in (range(1) if baseline else SEEDS)]
        for study in runs[0]:
            found += rows_of(study, method, [run[study] for run in runs], baseline)
    for method, score in FEW.items():
        found += over_seeds("pbmc_facs", method, score, method.startswith("logistic"))
    return found
