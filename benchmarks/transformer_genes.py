"""Chapter 7: which genes become tokens, how many and in what form: what it does to the score, and what it costs.

Each seed is a split of chapter 4. Every way to make tokens may choose among the same four settings of the network and
its training, on a tenth of the training cells of two splits; the test cells have no say. Logistic regression reads the
same genes, or the same values of the tokens.

    python -m benchmarks.transformer_genes FOLDER validation:rank:0:1 network:rank:128:0 logistic:rank:128:0 …

leaves what each work item finds in a file of FOLDER and skips those that are there, so that several processes and
machines share the work, on any backend of Keras; ``python -m benchmarks.transformer_genes FOLDER`` does what is left,
and stores the run. Items of ``gpu`` need a GPU and ``KERAS_BACKEND=jax``, those of ``cpu`` a CPU that is named in the
stored run. Of the run in the book, a GPU did the items of ``gpu``, ``validation`` and ``network``, on JAX.
"""

import json
import sys
from dataclasses import replace
from functools import cache, partial
from pathlib import Path
from subprocess import PIPE, Popen
from tempfile import TemporaryDirectory
from time import perf_counter, process_time

import numpy as np
from anndata import AnnData
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.model_selection import train_test_split

import latentcells as lc  # before Keras: it holds TensorFlow's log lines back
from benchmarks.alone import alone, peak_mb
from benchmarks.hvg import seen
from benchmarks.records import FOLDER, record, row
from benchmarks.transformer import REGULARISED, arrays, members, network, split, trained
from benchmarks.vae import SEEDS, rows_of
from latentcells._batching import in_batches

import keras  # isort: skip
from keras import ops  # isort: skip

NAME = "07_transformer_hvg"
SIZES = 64, 128, 256, 512, 1024, 2000
KINDS = {  # what the tokens are, and how the stored run calls them
    "variable": "variable genes",  # the same for every cell
    "multiplied": "variable genes, multiplied",  # the same, and the value multiplies the vector of its gene
    "expressed": "most expressed variable genes",  # of 2,000, those of largest value in the cell
    "rank": "ranked variable genes",  # of 2,000, those of largest value for their mean
    "expressed-all": "most expressed genes",  # the same two, of all genes
    "rank-all": "ranked genes",
    "modules": "modules of variable genes",
    "reactome": "Reactome sets",  # those with the most of the 2,000 variable genes
    "shuffled": "shuffled sets",  # the same, after the genes have exchanged their names
}
LINEAR = {  # the numbers of tokens that logistic regression reads
    "variable": SIZES,
    "expressed": (32, 64, 128, 256),
    "rank": (32, 64, 128, 256),
    "expressed-all": (64, 128, 512),
    "rank-all": (64, 128, 512),
    "reactome": (64, 128, 256),
}
NETWORKS = {  # the numbers of tokens that a network reads
    "variable": SIZES,
    "multiplied": SIZES[:4],
    "expressed": SIZES[:3],
    "rank": SIZES[:3],
    "expressed-all": (64, 128, 512),
    "rank-all": (64, 128, 512),
    "modules": (32, 64, 128),
    "reactome": SIZES[:3],
    "shuffled": SIZES[:3],
}
FREE = {"dropout": 0.2, "drop_path": 0.0, "zero_start": False}
SETTINGS = {
    f"{name}, {steps} steps": (changes, {"steps": steps})
    for name, changes in {"regularised": REGULARISED, "free": FREE}.items()
    for steps in (400, 1200)
}
TRIED, VALIDATION_SEEDS = 128, range(2)
DIM, HIDDEN, HEADS = 32, 64, 4
# what is timed: the kind and the number of the tokens, and the cells a step
CPU = [*(("variable", n, 16) for n in SIZES), ("modules", 32, 16)]
GPU = [("variable", 128, cells) for cells in (64, 1024, 4096)] + [
    ("variable", 2000, cells) for cells in (16, 64, 128)
]
ROUNDS, TOKENS_A_ROUND = 3, {"cpu": 2**16, "gpu": 2**25}
CLOCK = {"cpu": process_time, "gpu": perf_counter}  # seconds of a core, which other programs do not lengthen
SIDE = {"cpu": 2048, "gpu": 8192}  # of the square matrices whose product says what a device can do


@cache
def everything(seed):
    """The task of `split`, with all genes that at least three of the training cells express."""
    train, test = lc.preprocess.split(lc.datasets.pbmc_facs(), seed=seed)
    library, kept = lc.preprocess.LibrarySize().fit(train), seen(train, slice(None)).var_names
    return arrays(*(library.transform(cells)[:, kept] for cells in (train, test)))


@cache
def variable(seed, n):
    """The columns of the n most variable genes of the training cells, among the genes of `split`."""
    train, _ = lc.preprocess.split(lc.datasets.pbmc_facs(), seed=seed)
    genes = lc.preprocess.HighlyVariableGenes(n, "pearson_residuals").fit(train).genes_
    return np.flatnonzero(np.isin(split(seed)[0].genes, genes))


@cache
def modules(seed, n):
    """The columns of each of n modules of the genes of `split`."""
    return members(lc.preprocess.GeneModules(n).fit(AnnData(split(seed)[0].log1p)).labels_)


def largest_sets(genes, n):
    """Of Reactome's sets, the n with the most of ``genes``: name -> columns."""
    column = {gene: i for i, gene in enumerate(genes)}
    present = {
        name: [column[gene] for gene in own if gene in column] for name, own in lc.datasets.reactome().items()
    }
    return {name: present[name] for name in sorted(present, key=lambda name: -len(present[name]))[:n]}


def shuffled(sets, seed):
    """Sets of the same sizes and overlaps, in which each gene stands for another one of them."""
    genes = sorted(set().union(*sets))
    other = dict(zip(genes, np.random.default_rng(seed).permutation(genes).tolist(), strict=True))
    return [[other[gene] for gene in own] for own in sets]


def tokens(kind, n, seed):
    """The task on the genes that may become tokens, and what tells a network how they do."""
    task = everything(seed) if kind.endswith("-all") else split(seed)[0]
    if kind in ("variable", "multiplied"):
        task = restricted(task, variable(seed, n))
    if kind == "variable":
        return task, {"tokens": "all", "sets": None}
    sets = {
        "multiplied": lambda: [[gene] for gene in range(n)],
        "modules": lambda: modules(seed, n),
        "reactome": lambda: list(largest_sets(task.genes, n).values()),
        "shuffled": lambda: shuffled(largest_sets(task.genes, n).values(), seed),
    }
    if kind in sets:
        return task, {"tokens": "sets", "sets": sets[kind]()}
    return task, {"tokens": kind.removesuffix("-all"), "n_tokens": n, "sets": None}


def restricted(task, columns):
    """The task on some of its genes."""
    names = "counts", "log1p", "test_counts", "test_log1p"
    cut = {name: getattr(task, name)[:, columns] for name in names}
    return replace(task, **cut, genes=task.genes[columns], modules=[])


def linear_values(task, keywords):
    """What logistic regression reads in training and test cells, (cells, genes): no more than the tokens hold."""
    values = [task.scaled(counts) for counts in (task.counts, task.test_counts)]
    if keywords["tokens"] == "sets":
        return [x[:, sorted(set().union(*keywords["sets"]))] for x in values]
    if keywords["tokens"] == "all":
        return values
    layer = lc.layers.GeneTokens(keywords["tokens"], keywords["n_tokens"])
    layer.adapt(values[0])
    return [scattered(x, in_batches(layer, x, batch_size=256)) for x in values]


def scattered(x, chosen):
    """The values of the tokens in the places of their genes, (cells, genes); 0 for a gene that is no token."""
    found = np.zeros_like(x)
    np.put_along_axis(found, chosen["gene"], np.where(chosen["mask"], chosen["value"], 0), axis=1)
    return found


def logistic(kind, n, seed, ask):
    """Scores of logistic regression."""
    task, keywords = tokens(kind, n, seed)
    train, test = linear_values(task, keywords)
    guess = LogisticRegression(max_iter=1000).fit(train, task.label).predict(test)
    return scores(held_out(seed), guess)


def networked(kind, n, seed, ask):
    """Scores of the network, in the setting that suits the tokens."""
    task, keywords = tokens(kind, n, seed)
    changes, training = list(SETTINGS.values())[chosen(kind, ask)]
    probability = probabilities(task, seed, keywords | changes, training)
    return scores(held_out(seed), np.array(task.names)[probability.argmax(axis=1)])


def probabilities(task, seed, keywords, training):
    """Of each name, (test cells, names); a cell that expresses none of the genes gets the shares of the names."""
    some, test_some = (counts.any(axis=1) for counts in (task.counts, task.test_counts))
    model = trained(network(task, seed, **keywords), task.counts[some], task.label[some], **training)
    found = np.tile([np.mean(task.label == name) for name in task.names], (len(task.test_counts), 1))
    found[test_some] = model.predict_labels(task.test_counts[test_some])["probability"]
    return found


def held_out(seed):
    """The true labels of the test cells."""
    _, label, test = split(seed)
    return label[test]


def scores(label, guess):
    """What is stored of guesses."""
    return {"macro_f1": f1_score(label, guess, average="macro"), "accuracy": accuracy_score(label, guess)}


def validation(kind, setting, seed, ask):
    """Scores of a setting on a tenth of the training cells, which the network does not learn from."""
    task, keywords = tokens(kind, TRIED, seed)
    inside, outside = train_test_split(
        np.arange(len(task.label)), test_size=0.1, stratify=task.label, random_state=seed
    )
    within = replace(
        task, counts=task.counts[inside], label=task.label[inside], test_counts=task.counts[outside]
    )
    changes, training = list(SETTINGS.values())[setting]
    probability = probabilities(within, seed, keywords | changes, training)
    return scores(task.label[outside], np.array(task.names)[probability.argmax(axis=1)])


def chosen(kind, ask):
    """The number of the setting with the best macro-F1 on validation cells."""
    found = [
        np.mean([ask(f"validation:{kind}:{setting}:{seed}")["macro_f1"] for seed in VALIDATION_SEEDS])
        for setting in range(len(SETTINGS))
    ]
    return int(np.argmax(found))


def cost(device, kind, n, batch_size, ask):
    """What a training costs in a fresh process: see `timed`, and the peak memory of the process."""
    task, keywords = tokens(kind, n, seed=0)
    some = task.counts.any(axis=1)
    keywords = {**keywords, "target_sum": task.scale, "labels": task.names}
    found, peak = alone(timed, task.counts[some], task.label[some], keywords, n, batch_size, device)
    return {**found, "peak_rss_mb": [peak]}


def timed(counts, label, keywords, n, batch_size, device):
    """Cells per second of each epoch but the first, which compiles, and how it compares with a matrix product."""
    model = lc.models.CellAnnotator(
        counts.shape[1], dim=DIM, depth=1, n_heads=HEADS, rate=0.0, **FREE, **keywords
    )
    model.compile(keras.optimizers.Adam())
    cells = np.arange(max(1, TOKENS_A_ROUND[device] // (n * batch_size)) * batch_size) % len(counts)
    watch, before = Watch(device), peak_mb()
    model.fit(counts[cells], label[cells], batch_size, 1 + ROUNDS, callbacks=[watch], verbose=0)
    rates = [len(cells) / seconds for seconds in watch.seconds[1:]]
    found = {"cells_per_second": rates, "training_memory_mb": [peak_mb() - before]}
    found |= watch.of_gpu() if device == "gpu" else {}
    done = [3 * flops(n, DIM, HIDDEN) * rate for rate in rates]  # backwards takes twice as many as forwards
    best = product_rate(device)
    shares = [rate / best for rate in done]
    return {**found, "gflops_per_second": [rate / 1e9 for rate in done], "share_of_product": shares}


def flops(n, dim, hidden):
    """Forwards, of one cell and one block (chapter 9)."""
    return 8 * n * dim**2 + 4 * n * dim * hidden + 4 * n**2 * dim


def product_rate(device):
    """FLOP/s of the product of two square matrices in float32, the best of five."""
    clock, side = CLOCK[device], SIDE[device]
    one, seconds = ops.ones((side, side)), []
    for _ in range(6):  # the first one compiles
        start = clock()
        float(ops.sum(ops.matmul(one, one)[0]))
        seconds.append(clock() - start)
    return 2 * side**3 / min(seconds)


class Watch(keras.callbacks.Callback):
    """The seconds of each epoch; on a GPU also what nvidia-smi says, after the first one."""

    def __init__(self, device):
        super().__init__()
        self.device, self.seconds, self.smi = device, [], None

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 1 and self.device == "gpu":
            command = "nvidia-smi --query-gpu=name,utilization.gpu --format=csv,noheader,nounits -lms 100"
            self.smi = Popen(command.split(), stdout=PIPE, text=True)
        self.start = CLOCK[self.device]()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(CLOCK[self.device]() - self.start)

    def of_gpu(self):
        """Its name, the share of time in which it worked at all, and the peak of its memory."""
        import jax

        self.smi.terminate()
        samples = [line.rsplit(", ", 1) for line in self.smi.communicate()[0].splitlines()]
        peak = jax.local_devices()[0].memory_stats()["peak_bytes_in_use"]
        return {
            "name": samples[0][0],
            "busy_share": [np.mean([float(share) / 100 for _, share in samples])],
            "peak_gpu_mb": [peak / 2**20],
        }


WORK = {
    "validation": validation,
    "network": networked,
    "logistic": logistic,
    "cpu": partial(cost, "cpu"),
    "gpu": partial(cost, "gpu"),
}
UNITS = {"cells_per_second": "cells/s", "gflops_per_second": "GFLOP/s"}


def items(what):
    """The work items of a kind, `what:kind:number:number`."""
    if what in ("cpu", "gpu"):
        return [f"{what}:{kind}:{n}:{cells}" for kind, n, cells in (CPU if what == "cpu" else GPU)]
    if what == "validation":
        numbers = [(setting, seed) for setting in range(len(SETTINGS)) for seed in VALIDATION_SEEDS]
        return [f"{what}:{kind}:{setting}:{seed}" for kind in KINDS for setting, seed in numbers]
    kinds = NETWORKS if what == "network" else LINEAR
    return [f"{what}:{kind}:{n}:{seed}" for kind in kinds for n in kinds[kind] for seed in SEEDS]


def result(folder, item):
    """What a work item finds, a dictionary: from its file, if it is there."""
    path = Path(folder, item.replace(":", "_") + ".json")
    if not path.is_file():
        what, kind, one, other = item.split(":")
        found = WORK[what](kind, int(one), int(other), partial(result, folder))
        part = path.with_suffix(".part")
        part.write_text(json.dumps(found))
        part.replace(path)
    return json.loads(path.read_text())


def bracketed(found, setting):
    """The metrics of a dictionary, with the setting that they belong to."""
    return {f"{metric}[{setting}]": value for metric, value in found.items()}


def scored(what, folder):
    """Rows of the scores of the test cells, for each kind and number of tokens."""
    runs, found = {}, []
    for item in items(what):
        _, kind, n, _ = item.split(":")
        runs.setdefault((kind, n), []).append(bracketed(result(folder, item), f"{n} tokens"))
    for (kind, _), of_seeds in runs.items():
        method = f"logistic regression, {KINDS[kind]}" if what == "logistic" else KINDS[kind]
        found += rows_of("pbmc_facs", method, of_seeds, what == "logistic")
    return found


def validated(kind, folder):
    """Rows of the scores of the validation cells, for each setting."""
    found = []
    for number, setting in enumerate(SETTINGS):
        runs = [result(folder, f"validation:{kind}:{number}:{seed}")["macro_f1"] for seed in VALIDATION_SEEDS]
        found.append(row("pbmc_facs", KINDS[kind], f"validation_macro_f1[{setting}]", runs))
    return found


def costs(device, folder):
    """Rows of what a training costs on a device."""
    found = []
    for item in items(device):
        _, kind, n, cells = item.split(":")
        values = result(folder, item)
        method = f"{KINDS[kind]}, {values.pop('name', 'one CPU core')}"
        for metric, measured in bracketed(values, f"{n} tokens, {cells} cells a step").items():
            unit = "MB" if "_mb[" in metric else UNITS.get(metric.partition("[")[0], "1")
            found.append(row("pbmc_facs", method, metric, measured, unit))
    return found


def on_gpu(folder):
    """Rows of a GPU: where there is none, and no file of one, those that are stored."""
    files = [Path(folder, item.replace(":", "_") + ".json") for item in items("gpu")]
    if keras.distribution.list_devices("gpu") or all(path.is_file() for path in files):
        return costs("gpu", folder)
    stored = json.loads((FOLDER / f"{NAME}.json").read_text(encoding="utf8"))["rows"]
    return [one for one in stored if "NVIDIA" in one["method"]]


def rows(folder=None):
    """All rows of ``07_transformer_hvg.json``; what the files of a folder hold is not computed again."""
    if folder is None:
        with TemporaryDirectory() as folder:
            return rows(folder)
    found = costs("cpu", folder) + on_gpu(folder) + scored("network", folder) + scored("logistic", folder)
    return found + [one for kind in KINDS for one in validated(kind, folder)]


def main(folder, *wanted):
    """Do the work items, or store what all of them found."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for item in wanted:
        result(folder, item)
        print(item, flush=True)
    if not wanted:
        record(NAME, "make results", rows(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
