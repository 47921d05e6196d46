"""Chapter 7: which genes become tokens, how many and in what form, and the effect on score and cost.

Each seed is a split of chapter 4. For each kind of token one of the same four settings of the network and its training
is chosen, on a tenth of the training cells of two splits; no test cell is used for that. Logistic regression gets the
same genes, or the same values of the tokens.

    python -m benchmarks.transformer_genes FOLDER validation:rank:0:1 network:rank:128:0 logistic:rank:128:0 …

writes the result of each work item to a file in FOLDER and skips those that exist, so that several processes and
machines can share the work, on any Keras backend; ``python -m benchmarks.transformer_genes FOLDER`` does the rest
and stores the run. ``gpu`` items need a GPU and ``KERAS_BACKEND=jax``, ``cpu`` items need the CPU that the stored run
names. For the run in the book, the ``gpu``, ``validation`` and ``network`` items ran on a GPU with JAX.
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

import latentcells as lc  # before Keras, because it silences TensorFlow's log
from benchmarks.alone import peak_mb, run_alone
from benchmarks.hvg import expressed
from benchmarks.records import FOLDER, SEEDS, record, rows_of
from benchmarks.transformer import REGULARISED, arrays, fit, members, network, split
from latentcells.course.results import load, row

import keras  # isort: skip
from keras import ops  # isort: skip

NAME = "07_transformer_hvg"
SIZES = 64, 128, 256, 512, 1024, 2000
KINDS = {  # what the tokens are, and their name in the stored run
    "variable": "variable genes",  # the same for every cell
    "multiplied": "variable genes, multiplied",  # the same, and the value multiplies the vector of its gene
    "expressed": "most expressed variable genes",  # of 2,000, those with the largest value in the cell
    "rank": "ranked variable genes",  # of 2,000, those with the largest value relative to their mean
    "expressed-all": "most expressed genes",  # the same two, of all genes
    "rank-all": "ranked genes",
    "modules": "modules of variable genes",
    "reactome": "Reactome sets",  # those with the most of the 2,000 variable genes
    "shuffled": "shuffled sets",  # the same sets with the genes' names permuted
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
# what is timed: (kind of token, number of tokens, cells per step)
CPU = [*(("variable", n, 16) for n in SIZES), ("modules", 32, 16)]
GPU = [("variable", 128, cells) for cells in (64, 1024, 4096)] + [
    ("variable", 2000, cells) for cells in (16, 64, 128)
]
ROUNDS, TOKENS_A_ROUND = 3, {"cpu": 2**16, "gpu": 2**25}
CLOCK = {"cpu": process_time, "gpu": perf_counter}  # CPU time is less affected by other programs
SIDE = {"cpu": 2048, "gpu": 8192}  # size of the square matrices whose product measures the device's speed


@cache
def split_all_genes(seed):
    """The task of `split`, with all genes that at least three of the training cells express."""
    train, test = lc.preprocess.split(lc.datasets.pbmc_facs(), seed=seed)
    library, genes = lc.preprocess.LibrarySize().fit(train), expressed(train, slice(None)).var_names
    return arrays(*(library.transform(cells)[:, genes] for cells in (train, test)))


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
    """The n Reactome sets with the most of ``genes``: name -> columns."""
    column = {gene: i for i, gene in enumerate(genes)}
    present = {
        name: [column[gene] for gene in genes_of_set if gene in column]
        for name, genes_of_set in lc.datasets.reactome().items()
    }
    return {name: present[name] for name in sorted(present, key=lambda name: -len(present[name]))[:n]}


def shuffled(sets, seed):
    """Sets of the same sizes and overlaps, in which the genes are permuted."""
    genes = sorted(set().union(*sets))
    new_name = dict(zip(genes, np.random.default_rng(seed).permutation(genes).tolist(), strict=True))
    return [[new_name[gene] for gene in genes_of_set] for genes_of_set in sets]


def tokens(kind, n, seed):
    """The task on the genes that may become tokens, and the arguments of the network for these tokens."""
    task = split_all_genes(seed) if kind.endswith("-all") else split(seed)[0]
    if kind in ("variable", "multiplied"):
        task = restrict(task, variable(seed, n))
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


def restrict(task, columns):
    """The task on some of its genes."""
    names = "counts", "log1p", "test_counts", "test_log1p"
    cut = {name: getattr(task, name)[:, columns] for name in names}
    return replace(task, **cut, genes=task.genes[columns], modules=[])


def linear_values(task, keywords):
    """The input of logistic regression for training and test cells, (cells, genes): only what the tokens hold."""
    values = [task.scaled(counts) for counts in (task.counts, task.test_counts)]
    if keywords["tokens"] == "sets":
        return [x[:, sorted(set().union(*keywords["sets"]))] for x in values]
    if keywords["tokens"] == "all":
        return values
    layer = lc.layers.GeneTokens(keywords["tokens"], keywords["n_tokens"])
    layer.adapt(values[0])
    return [np.concatenate([scatter(part, layer(part)) for part in np.array_split(x, 16)]) for x in values]


def scatter(x, tokens):
    """The values of the tokens in the columns of their genes, (cells, genes); 0 for a gene that is not a token."""
    values, tokens = np.zeros_like(x), keras.tree.map_structure(ops.convert_to_numpy, tokens)
    np.put_along_axis(values, tokens["gene"], np.where(tokens["mask"], tokens["value"], 0), axis=1)
    return values


def score_logistic(kind, n, seed, ask):
    """Scores of logistic regression."""
    task, keywords = tokens(kind, n, seed)
    train, test = linear_values(task, keywords)
    predicted = LogisticRegression(max_iter=1000).fit(train, task.label).predict(test)
    return scores(labels_of_test(seed), predicted)


def score_network(kind, n, seed, ask):
    """Scores of the network with the setting that was chosen for the tokens."""
    task, keywords = tokens(kind, n, seed)
    changes, training = list(SETTINGS.values())[choose(kind, ask)]
    probability = probabilities(task, seed, keywords | changes, training)
    return scores(labels_of_test(seed), np.array(task.names)[probability.argmax(axis=1)])


def probabilities(task, seed, keywords, training):
    """Probabilities (test cells, names); a cell that expresses none of the genes gets the frequencies of the names."""
    some, test_some = (counts.any(axis=1) for counts in (task.counts, task.test_counts))
    model = fit(network(task, seed, **keywords), task.counts[some], task.label[some], **training)
    result = np.tile([np.mean(task.label == name) for name in task.names], (len(task.test_counts), 1))
    result[test_some] = model.predict_labels(task.test_counts[test_some])["probability"]
    return result


def labels_of_test(seed):
    """The true labels of the test cells."""
    _, label, test = split(seed)
    return label[test]


def scores(label, predicted):
    """The stored scores of predicted labels."""
    return {
        "macro_f1": f1_score(label, predicted, average="macro"),
        "accuracy": accuracy_score(label, predicted),
    }


def validation(kind, setting, seed, ask):
    """Scores of a setting on a tenth of the training cells, which the network is not trained on."""
    task, keywords = tokens(kind, TRIED, seed)
    inside, outside = train_test_split(
        np.arange(len(task.label)), test_size=0.1, stratify=task.label, random_state=seed
    )
    inner_task = replace(
        task, counts=task.counts[inside], label=task.label[inside], test_counts=task.counts[outside]
    )
    changes, training = list(SETTINGS.values())[setting]
    probability = probabilities(inner_task, seed, keywords | changes, training)
    return scores(task.label[outside], np.array(task.names)[probability.argmax(axis=1)])


def choose(kind, ask):
    """The number of the setting with the best macro-F1 on validation cells."""
    means = [
        np.mean([ask(f"validation:{kind}:{setting}:{seed}")["macro_f1"] for seed in VALIDATION_SEEDS])
        for setting in range(len(SETTINGS))
    ]
    return int(np.argmax(means))


def cost(device, kind, n, batch_size, ask):
    """The cost of a training in a fresh process: see `time_training`, and the peak memory of the process."""
    task, keywords = tokens(kind, n, seed=0)
    some = task.counts.any(axis=1)
    keywords = {**keywords, "target_sum": task.scale, "labels": task.names}
    costs, peak = run_alone(
        time_training, task.counts[some], task.label[some], keywords, n, batch_size, device
    )
    return {**costs, "peak_rss_mb": [peak]}


def time_training(counts, label, keywords, n, batch_size, device):
    """Cells per second of each epoch but the first, which compiles, and its share of a matrix product's rate."""
    model = lc.models.CellAnnotator(
        counts.shape[1], dim=DIM, depth=1, n_heads=HEADS, rate=0.0, **FREE, **keywords
    )
    model.compile(keras.optimizers.Adam())
    cells = np.arange(max(1, TOKENS_A_ROUND[device] // (n * batch_size)) * batch_size) % len(counts)
    watch, before = Watch(device), peak_mb()
    model.fit(counts[cells], label[cells], batch_size, 1 + ROUNDS, callbacks=[watch], verbose=0)
    rates = [len(cells) / seconds for seconds in watch.seconds[1:]]
    costs = {"cells_per_second": rates, "training_memory_mb": [peak_mb() - before]}
    costs |= watch.report_gpu() if device == "gpu" else {}
    per_second = [
        3 * flops(n, DIM, HIDDEN) * rate for rate in rates
    ]  # the backward pass takes twice the forward pass
    best = product_rate(device)
    shares = [rate / best for rate in per_second]
    return {**costs, "gflops_per_second": [rate / 1e9 for rate in per_second], "share_of_product": shares}


def flops(n, dim, hidden):
    """FLOPs of the forward pass of one cell through one block (chapter 9)."""
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
    """The seconds of each epoch; on a GPU also the report of nvidia-smi from the second epoch on."""

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

    def report_gpu(self):
        """The name of the GPU, the share of time in which it was busy, and its peak memory."""
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
    "network": score_network,
    "logistic": score_logistic,
    "cpu": partial(cost, "cpu"),
    "gpu": partial(cost, "gpu"),
}
UNITS = {"cells_per_second": "cells/s", "gflops_per_second": "GFLOP/s"}


def items(work):
    """The items of one kind of work, `work:kind:number:number`."""
    if work in ("cpu", "gpu"):
        return [f"{work}:{kind}:{n}:{cells}" for kind, n, cells in (CPU if work == "cpu" else GPU)]
    if work == "validation":
        numbers = [(setting, seed) for setting in range(len(SETTINGS)) for seed in VALIDATION_SEEDS]
        return [f"{work}:{kind}:{setting}:{seed}" for kind in KINDS for setting, seed in numbers]
    kinds = NETWORKS if work == "network" else LINEAR
    return [f"{work}:{kind}:{n}:{seed}" for kind in kinds for n in kinds[kind] for seed in SEEDS]


def file_of(folder, item):
    """The file with the result of a work item."""
    return Path(folder, item.replace(":", "_") + ".json")


def result(folder, item):
    """The result of a work item, a dictionary, read from its file if there is one."""
    path = file_of(folder, item)
    if not path.is_file():
        work, kind, first, second = item.split(":")
        scores_or_costs = WORK[work](kind, int(first), int(second), partial(result, folder))
        part = path.with_suffix(".part")
        part.write_text(json.dumps(scores_or_costs))
        part.replace(path)
    return json.loads(path.read_text())


def with_setting(metrics, setting):
    """The metrics of a dictionary, with their setting in brackets."""
    return {f"{metric}[{setting}]": value for metric, value in metrics.items()}


def rows_of_scores(work, folder):
    """Rows of the scores of the test cells, for each kind and number of tokens."""
    runs, rows = {}, []
    for item in items(work):
        _, kind, n, _ = item.split(":")
        runs.setdefault((kind, n), []).append(with_setting(result(folder, item), f"{n} tokens"))
    for (kind, _), of_seeds in runs.items():
        method = f"logistic regression, {KINDS[kind]}" if work == "logistic" else KINDS[kind]
        rows += rows_of("pbmc_facs", method, of_seeds, work == "logistic")
    return rows


def rows_of_validation(kind, folder):
    """Rows of the scores of the validation cells, for each setting."""
    rows = []
    for number, setting in enumerate(SETTINGS):
        values = [
            result(folder, f"validation:{kind}:{number}:{seed}")["macro_f1"] for seed in VALIDATION_SEEDS
        ]
        rows.append(row("pbmc_facs", KINDS[kind], f"validation_macro_f1[{setting}]", values))
    return rows


def rows_of_costs(device, folder):
    """Rows of the cost of a training on a device."""
    rows = []
    for item in items(device):
        _, kind, n, cells = item.split(":")
        costs = result(folder, item)
        method = f"{KINDS[kind]}, {costs.pop('name', 'one CPU core')}"
        for metric, values in with_setting(costs, f"{n} tokens, {cells} cells a step").items():
            unit = "MB" if "_mb[" in metric else UNITS.get(metric.partition("[")[0], "1")
            rows.append(row("pbmc_facs", method, metric, values, unit))
    return rows


def rows_on_gpu(folder):
    """Rows measured on a GPU or, without a GPU or the files of one, the stored rows."""
    if keras.distribution.list_devices("gpu") or all(
        file_of(folder, item).is_file() for item in items("gpu")
    ):
        return rows_of_costs("gpu", folder)
    return [stored for stored in load(FOLDER / f"{NAME}.json")["rows"] if "NVIDIA" in stored["method"]]


def rows(folder=None):
    """All rows of ``07_transformer_hvg.json``; results in the folder are not recomputed."""
    if folder is None:
        with TemporaryDirectory() as folder:
            return rows(folder)
    rows_of_tests = [
        stored_row for work in ("network", "logistic") for stored_row in rows_of_scores(work, folder)
    ]
    rows_of_choice = [stored_row for kind in KINDS for stored_row in rows_of_validation(kind, folder)]
    return rows_of_costs("cpu", folder) + rows_on_gpu(folder) + rows_of_tests + rows_of_choice


def main(folder, *items_to_do):
    """Do the given work items or, without any, the rest of them and store the run."""
    Path(folder).mkdir(parents=True, exist_ok=True)
    for item in items_to_do:
        result(folder, item)
        print(item, flush=True)
    if not items_to_do:
        record(NAME, "make results", rows(folder))


if __name__ == "__main__":
    main(*sys.argv[1:])
