"""Chapter 6: the gene Transformer as an annotator, compared with logistic regression, in three settings.

Within a study: five folds of `pbmc_facs`. Across studies: trained on all of its cells, tested on `pbmc3k` and on the
control cells of `kang`. With few labels: the splits of chapter 4, with and without pre-training on hidden counts.
Genes, modules and the scale of the input come from the training cells. The sizes of the network and its training were
chosen on cells of `pbmc_facs` that were held out of the training cells of two splits; no test cell was used for that.
"""

from dataclasses import dataclass
from functools import cache, partial
from math import ceil

import anndata
import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import StratifiedKFold

import latentcells as lc  # before Keras, because it silences TensorFlow's log
from benchmarks.records import SEEDS, over_seeds, rows_of
from benchmarks.training import train

import keras  # isort: skip

N_GENES, MODULES, BATCH_SIZE, STEPS, LEARNING_RATE = 2000, 32, 64, 1200, 2e-3
REGULARISED = {"dropout": 0.2, "drop_path": 0.8, "zero_start": True}
NETWORK = {"tokens": "sets", "dim": 32, "depth": 1, "rate": 0.0, **REGULARISED}
PRETRAINING = {"rate": 0.3, "dropout": 0.1, "drop_path": 0.0}
PRETRAINING_STEPS, LABELLED_STEPS = 1000, 300
# fine-tuning: a small learning rate, and no dropped branches
FINE = {"drop_path": 0.0}, {"learning_rate": 2e-4}
PER_TYPE = {"10 per type": 10, "50 per type": 50, "all labels": None}
SHARED = ("B", "CD4 T", "CD8 T", "NK", "monocyte")


@dataclass
class Task:
    """Counts and log1p values (cells, genes) of training and test cells, training labels, gene modules and names."""

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


def make_task(train, test):
    """A task whose genes and modules are chosen on ``train``."""
    library = lc.preprocess.LibrarySize().fit(train)
    genes = lc.preprocess.HighlyVariableGenes(N_GENES, "pearson_residuals").fit(train)
    train, test = (genes.transform(library.transform(cells)) for cells in (train, test))
    modules = lc.preprocess.GeneModules(MODULES).fit(train).labels_
    return arrays(train, test, members(modules))


def arrays(train, test, modules=()):
    """A task on all genes of two AnnData of log1p values, with counts in a layer."""
    return Task(
        *(lc.inputs(train, layer=layer) for layer in ("counts", None)),
        train.obs["label"].astype(str).to_numpy(),
        *(lc.inputs(test, layer=layer) for layer in ("counts", None)),
        list(modules),
        train.var_names.to_numpy(),
    )


def members(modules):
    """The positions of the genes of each module, from each gene's module."""
    return [np.flatnonzero(modules == module).tolist() for module in range(modules.max() + 1)]


def per_10k(task, seed):
    """The log1p values of training and test cells."""
    return task.log1p, task.test_log1p


def at_median(task, seed):
    """The log1p values of both, scaled to the median total."""
    return task.scaled(task.counts), task.scaled(task.test_counts)


def logistic_regression(values, task, seed):
    """Probabilities (test cells, names); ``values`` is a function that returns the training and test values."""
    train, test = values(task, seed)
    return LogisticRegression(max_iter=1000).fit(train, task.label).predict_proba(test)


def network(task, seed, labels=True, **changes):
    """A gene Transformer for the task, not yet trained."""
    keywords = {**NETWORK, "sets": task.modules, "target_sum": task.scale, "seed": seed, **changes}
    n_genes = task.counts.shape[1]
    if labels:
        return lc.models.CellAnnotator(n_genes, task.names, **keywords)
    return lc.models.MaskedGeneTransformer(n_genes, **keywords)


def fit(model, x, y=None, steps=STEPS, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE):
    """The model after about ``steps`` training steps; with labels each type has the same total weight.

    The learning rate rises over the first twentieth of the steps, and falls along a cosine from there.
    """
    warm = steps // 20
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, steps - warm, warmup_target=learning_rate, warmup_steps=warm
    )
    epochs = max(1, round(steps / ceil(len(x) / batch_size)))
    weight = {} if y is None else {"class_weight": "balanced"}
    return train(model, x, y, epochs=epochs, batch_size=batch_size, learning_rate=rate, **weight)


def transformer(task, seed, **changes):
    """Probabilities (test cells, names) of a Transformer."""
    model = fit(network(task, seed, **changes), task.counts, task.label)
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
    """One of five folds: the task, and the true labels of its test cells."""
    facs = lc.datasets.pbmc_facs()
    folds = StratifiedKFold(5, shuffle=True, random_state=0).split(facs.obs_names, facs.obs["label"])
    inside, outside = list(folds)[number]
    return make_task(facs[inside].copy(), facs[outside].copy()), facs.obs["label"].astype(str).to_numpy()[
        outside
    ]


def score_fold(method, number):
    """Scores of one fold."""
    cells, label = fold(number)
    probability = method(cells, number)
    predicted = np.array(cells.names)[probability.argmax(axis=1)]
    calibration = lc.evaluate.calibration(probability, label, cells.names)
    return {
        "macro_f1": f1_score(label, predicted, average="macro"),
        "accuracy": accuracy_score(label, predicted),
        "calibration_error": calibration["calibration_error"],
        "log_loss": calibration["log_loss"],
    }


@cache
def studies():
    """The task with all cells of `pbmc_facs` for training and those of two other studies for the test, on the genes
    that the three have in common, and the study and the common type of each test cell."""
    facs, kang = lc.datasets.pbmc_facs(), lc.datasets.kang()
    others = {"pbmc3k": lc.datasets.pbmc3k(), "kang": kang[kang.obs["batch"] == "control"]}
    other = anndata.concat(
        others, label="study", index_unique=" "
    )  # keeps the genes that the two have in common
    common = facs.var_names[facs.var_names.isin(other.var_names)]
    types = [
        lc.datasets.BLOOD_TYPES[study][label]
        for study, label in zip(other.obs["study"], other.obs["label"], strict=True)
    ]
    cells = make_task(facs[:, common].copy(), other[:, common].copy())
    return cells, other.obs["study"].to_numpy(), np.array(types)


def in_common_types(probability, names):
    """Probabilities (cells, common types) from those of the ten types (cells, names), and the common types."""
    common_type = np.array([lc.datasets.BLOOD_TYPES["pbmc_facs"][name] for name in names])
    types = np.unique(common_type)
    return np.stack([probability[:, common_type == common].sum(axis=1) for common in types], axis=1), types


def score_across_studies(method, seed):
    """Scores of the five shared types, and the confidence for cells of types that are not in the training cells."""
    cells, study, label = studies()
    probability, types = in_common_types(method(cells, seed), cells.names)
    predicted, confidence = types[probability.argmax(axis=1)], probability.max(axis=1)
    scores = {}
    for name in np.unique(study):
        shared = (study == name) & np.isin(label, SHARED)
        unseen = (study == name) & ~np.isin(label, [*SHARED, "T, CD4 or CD8"])
        scores[name] = {
            "macro_f1": f1_score(label[shared], predicted[shared], average="macro", labels=SHARED),
            "accuracy": accuracy_score(label[shared], predicted[shared]),
            "confidence[shared types]": confidence[shared].mean(),
            "confidence[types not in training]": confidence[unseen].mean(),
        }
    return scores


@cache
def split(seed):
    """A split of chapter 4: the task, the labels of all cells, training cells first, and a mask of the test cells."""
    facs = lc.datasets.pbmc_facs()
    train, test = lc.preprocess.split(facs, seed=seed)
    label = np.concatenate([cells.obs["label"].astype(str) for cells in (train, test)])
    return make_task(train, test), label, np.arange(len(label)) >= train.n_obs


@cache
def pretrained(seed):
    """A Transformer pre-trained on hidden counts of the training cells of a split."""
    return pretrain(split(seed)[0], seed)


def pretrain(task, seed):
    """A Transformer pre-trained on hidden counts of the training cells of a task."""
    model = network(task, seed, labels=False, **PRETRAINING)
    return fit(model, task.counts, steps=PRETRAINING_STEPS, batch_size=128, learning_rate=2e-3)


def embed(task, seed):
    """z of training and test cells, from the pre-trained network of the split."""
    return [pretrained(seed).encode(counts) for counts in (task.counts, task.test_counts)]


def score_probe(values, seed, standardise=False):
    """Macro-F1 of a linear probe; ``values`` is a function that returns the training and test values."""
    cells, label, test = split(seed)
    z = np.concatenate(values(cells, seed))
    return {
        f"macro_f1[{setting}]": lc.evaluate.few_labels(
            z, label, test, number, standardise=standardise, seed=seed
        )["probe_macro_f1"]
        for setting, number in PER_TYPE.items()
    }


def score_few_labels(start, seed, per_type=PER_TYPE):
    """Macro-F1 of the network trained on few labels, from scratch or from the pre-trained network."""
    cells, label, test = split(seed)
    scores = {}
    for setting, number in per_type.items():
        drawn = lc.evaluate.draw_labels(label, test, number, seed)
        changes, training = FINE if start else ({}, {})
        model = network(cells, seed, **changes)
        if start:
            model.start_from(pretrained(seed))
        steps = STEPS if number is None else LABELLED_STEPS
        training = {"steps": steps, "batch_size": 32 if number else BATCH_SIZE, **training}
        fit(model, cells.counts[drawn], label[drawn], **training)
        predicted = model.predict_labels(cells.test_counts)["label"]
        scores[f"macro_f1[{setting}]"] = f1_score(label[test], predicted, average="macro")
    return scores


FEW_LABEL_METHODS = {
    "logistic regression": partial(score_probe, per_10k),
    "logistic regression, scaled to the median": partial(score_probe, at_median),
    "gene Transformer": partial(score_few_labels, False),
    "gene Transformer, pre-trained": partial(score_few_labels, True),
    "linear probe of the pre-trained Transformer": partial(score_probe, embed, standardise=True),
}


def rows():
    """All rows of ``06_transformer.json``."""
    rows = []
    for method, predict in METHODS.items():
        baseline = method.startswith("logistic")
        rows += over_seeds("pbmc_facs", method, partial(score_fold, predict), baseline)
        runs = [score_across_studies(predict, seed) for seed in (range(1) if baseline else SEEDS)]
        for study in runs[0]:
            rows += rows_of(study, method, [run[study] for run in runs], baseline)
    for method, score in FEW_LABEL_METHODS.items():
        rows += over_seeds("pbmc_facs", method, score, method.startswith("logistic"))
    return rows
