"""Chapter 8: which genes attention, gradients and ablation name as the markers of a type, and whether they are right.

Each seed is a split of chapter 4, with two networks that learn the same labels: one whose tokens are genes, for
attention and ablation, and one whose tokens are sets of genes, for gradients and ablation, since the rank of a gene has
no gradient. The held-out cells are halved. Every ranking is computed on the first half; the reference is differential
expression in the second, so the two share no cell. Each network is also trained on permuted labels.
"""

import numpy as np
from anndata import AnnData
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import f1_score
from sklearn.model_selection import train_test_split

import latentcells as lc  # before Keras, because it silences TensorFlow's log
from benchmarks.records import SEEDS, rows_of
from benchmarks.transformer import fit, network, split

import tensorflow as tf  # isort: skip

NETWORKS = {  # the arguments of the network and of its training
    "gene tokens": ({"tokens": "rank", "n_tokens": 128, "sets": None}, {"steps": 392}),
    "gene sets": ({}, {}),
}
BASELINES = "random order", "mean log1p expression", "differential expression", "equal attention"
PERMUTED = ", permuted labels"


def held_out(seed):
    """The held-out cells in two halves: (counts, log1p, labels) of each."""
    cells, label, test = split(seed)
    halves = train_test_split(
        np.arange(test.sum()), test_size=0.5, stratify=label[test], random_state=seed, shuffle=True
    )
    return [(cells.test_counts[half], cells.test_log1p[half], label[test][half]) for half in halves]


def compile_from_log1p(model):
    """`CellAnnotator.from_log1p` compiled to a graph, since it is called thousands of times."""
    return tf.function(model.from_log1p(), input_signature=[tf.TensorSpec((None, model.n_genes))])


def differential_expression(log1p, label, genes):
    """The ranking by scanpy's test, from arrays."""
    adata = AnnData(log1p)
    adata.var_names, adata.obs["label"] = genes, label
    return lc.markers.differential_expression(adata)


def reference(seed):
    """The ranking that the others are compared with: differential expression in the second half."""
    _, (_, log1p, label) = held_out(seed)
    return differential_expression(log1p, label, split(seed)[0].genes)


def without_network(seed):
    """Rankings on the first half that need no network."""
    genes = split(seed)[0].genes
    (_, log1p, label), _ = held_out(seed)
    random = np.random.default_rng(seed).normal(size=log1p.shape)
    return {
        "random order": lc.markers.rank(random, label, genes),
        "mean log1p expression": lc.markers.rank(log1p, label, genes),
        "differential expression": differential_expression(log1p, label, genes),
    }


def by_networks(seed, permuted=False):
    """Rankings on the first half by models fitted to the training cells, and their macro-F1 on all held-out cells."""
    cells, label, test = split(seed)
    (counts, _, half_label), _ = held_out(seed)
    y = np.random.default_rng(seed).permutation(cells.label) if permuted else cells.label
    models = {
        name: fit(network(cells, seed, **keywords), cells.counts, y, **training)
        for name, (keywords, training) in NETWORKS.items()
    }
    linear = LogisticRegression(max_iter=1000).fit(cells.scaled(cells.counts), y)
    x, target = cells.scaled(counts), models["gene sets"].codes(half_label)
    functions = {name: compile_from_log1p(model) for name, model in models.items()}
    attention = models["gene tokens"].attention(counts)
    equal = (attention > 0) / (attention > 0).sum(axis=1, keepdims=True)
    scores = {
        "attention": attention,
        "equal attention": equal,
        "attention above an equal share": attention - equal,
        "gradient x input": lc.markers.gradient_times_input(functions["gene sets"], x, target),
        "integrated gradients": lc.markers.integrated_gradients(functions["gene sets"], x, target, steps=16),
        "logistic regression, coefficient x input": linear.coef_[target] * x,
    }
    for name, function in functions.items():
        scores[f"ablation, {name}"] = lc.markers.ablation(function, x, target, np.arange(x.shape[1]))
    predicted = {name: model.predict_labels(cells.test_counts)["label"] for name, model in models.items()}
    predicted["logistic regression"] = linear.predict(cells.scaled(cells.test_counts))
    return {
        "rankings": {name: lc.markers.rank(score, half_label, cells.genes) for name, score in scores.items()},
        "macro_f1": {
            name: f1_score(label[test], of_model, average="macro") for name, of_model in predicted.items()
        },
    }


def canonical(genes):
    """The marker genes from the literature that are among the ranked genes."""
    return {label: set(listed) & set(genes) for label, listed in lc.markers.canonical().items()}


def agreement(ranking, truth):
    """Agreement of a ranking with differential expression and with the literature, averaged over types."""
    markers = canonical(next(iter(truth.values())).index)
    best = {label: scores.index[:20] for label, scores in truth.items()}
    return {
        "precision_at_10[canonical]": lc.markers.precision_at(ranking, markers, 10)["mean"],
        "precision_at_20[differential expression]": lc.markers.precision_at(ranking, best, 20)["mean"],
        "rank_r[differential expression]": lc.markers.rank_agreement(ranking, truth)["mean"],
    }


def overlaps(rankings):
    """For each seed, the share of its 20 best genes that the other seeds have too, among the genes that all rank."""
    shared = set.intersection(*(set(next(iter(ranking.values())).index) for ranking in rankings))
    rankings = [
        {label: scores[scores.index.isin(shared)] for label, scores in ranking.items()}
        for ranking in rankings
    ]
    return [
        np.mean([lc.markers.stability([one, other], 20)["mean"] for other in rankings if other is not one])
        for one in rankings
    ]


def assemble(truths, without_networks, real, permuted):
    """All rows, from lists of the results of `reference`, `without_network` and `by_networks`, one per seed."""
    rows = rows_of(
        "pbmc_facs", "the best to be had", [best_possible(truth) for truth in truths], baseline=True
    )
    rankings = {name: [run[name] for run in without_networks] for name in without_networks[0]}
    for runs, suffix in ((real, ""), (permuted, PERMUTED)):
        for name in runs[0]["macro_f1"]:
            scores = [{"macro_f1": run["macro_f1"][name]} for run in runs]
            rows += rows_of("pbmc_facs", name + suffix, scores, name == "logistic regression")
        for name in runs[0]["rankings"]:
            rankings[name + suffix] = [run["rankings"][name] for run in runs]
    del rankings["equal attention" + PERMUTED]  # the tokens do not depend on the labels
    for name, of_seeds in rankings.items():
        kind = name.removesuffix(PERMUTED)
        baseline = kind in BASELINES or kind.startswith("logistic")
        rows += rows_of("pbmc_facs", name, scores_of_rankings(name, of_seeds, rankings, truths), baseline)
    return rows


def best_possible(truth):
    """The best possible precision: some types have fewer than 10 canonical genes."""
    markers = canonical(next(iter(truth.values())).index).values()
    return {"precision_at_10[canonical]": np.mean([min(len(genes), 10) / 10 for genes in markers])}


def scores_of_rankings(name, of_seeds, rankings, truths):
    """Agreement and stability of one kind of ranking, per seed; if possible also agreement with ablation."""
    kind, suffix = name.removesuffix(PERMUTED), PERMUTED if name.endswith(PERMUTED) else ""
    ablation = f"ablation, gene {'tokens' if 'attention' in kind else 'sets'}" + suffix
    scores = [
        agreement(ranking, truth) | {"stability_at_20": overlap}
        for ranking, truth, overlap in zip(of_seeds, truths, overlaps(of_seeds), strict=True)
    ]
    if "attention" in kind or kind in ("gradient x input", "integrated gradients"):
        for score, ranking, ablated in zip(scores, of_seeds, rankings[ablation], strict=True):
            agreed = lc.markers.rank_agreement(ranking, ablated)
            score["rank_r[ablation in the same network]"] = agreed["mean"]
    return scores


def rows():
    """All rows of ``08_transformer_markers.json``."""
    return assemble(
        [reference(seed) for seed in SEEDS],
        [without_network(seed) for seed in SEEDS],
        [by_networks(seed) for seed in SEEDS],
        [by_networks(seed, permuted=True) for seed in SEEDS],
    )
