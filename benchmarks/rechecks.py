"""Recompute one row of each stored run with its first seed, to see whether the current library contradicts it.

Each recheck takes seconds, all together less than a minute. A row of another tool is rechecked if it is installed.
"""

from collections.abc import Callable
from dataclasses import dataclass

import latentcells as lc  # before Keras, because it silences TensorFlow's log
from benchmarks import (
    baselines,
    batch_correction,
    hvg,
    normalization,
    self_supervised,
    transformer,
    transformer_genes,
    transformer_markers,
    vae,
    x_versus_z,
)

FLOOR = 0.02  # a smaller change is no contradiction, however small the spread
UNCHECKED = dict.fromkeys(("01_door", "01_speed"), "its rates are of one machine")


@dataclass(frozen=True)
class Recheck:
    """A row of a stored run, and the function that computes its metrics for the first seed."""

    dataset: str
    method: str
    metric: str
    recompute: Callable[[], dict]

    def row(self, run) -> dict:
        """The row in a stored run."""
        keys = "dataset", "method", "metric"
        return next(row for row in run["rows"] if all(row[key] == getattr(self, key) for key in keys))


def contradiction(row, value) -> str:
    """Why a value contradicts a stored row, or "": it may differ from the mean by 3 standard deviations or `FLOOR`."""
    allowed = max(3 * (row["sd"] or 0.0), FLOOR)
    if abs(value - row["mean"]) <= allowed:
        return ""
    return (
        f"{row['metric']} of {row['method']!r} on {row['dataset']!r} is {value:.6g} now, stored {row['mean']:.6g} "
        f"(at most {allowed:.2g} away): the library has changed what it computes; make results stores it anew"
    )


EVERY_SEED_CHOSE = baselines.Preparation("square root at the median total", baselines.ALL, False, 15)


def _score_pca():
    cells = vae.load()
    return vae.score_pca(EVERY_SEED_CHOSE, cells.counts, cells.label, 0)


def _score_prepared_pca():
    adata = lc.datasets.pbmc_facs()
    z = EVERY_SEED_CHOSE.fit(adata.layers["counts"])(adata.layers["counts"])
    return lc.evaluate.annotation(z, adata.obs["label"].to_numpy(), seed=0)


def _score_vae():
    x, masks, _ = normalization.divide(lc.datasets.pbmc_facs())
    model = normalization.train_swept(x, masks, 0, 256)
    return {"heldout_elbo[batch size 256]": model.elbo(x[masks["report"]], draws=5)["elbo"]}


def _score_pca_of_few_genes():
    cells = hvg.load("pbmc_facs")
    z = hvg.pca(cells, hvg.choose(cells, "pearson_residuals", 100), 0)
    scores = lc.evaluate.annotation(z, cells.log1p.obs["label"].to_numpy(), seed=0)
    return {"knn_macro_f1[100 genes]": scores["knn_macro_f1"]}


def _score_masked_autoencoder():
    embed = self_supervised.EMBEDDINGS["masked autoencoder"]
    return self_supervised.score(embed, 0, {"10 per type": 10})


def _score_overcorrection(correct):
    log1p = batch_correction.load("kang", ("NK", "control"))
    z, _ = correct(log1p, 0)
    return {"overcorrection[NK not in control]": lc.evaluate.overcorrection(z, log1p.obs["label"], of="NK")}


def _score_uncorrected():
    return _score_overcorrection(batch_correction.pca)


def _score_harmony():
    from benchmarks.correctors import harmony  # which only `make bench` installs

    return _score_overcorrection(harmony)


def _score_transformer():
    return transformer.score_few_labels(False, 0, {"10 per type": 10})


def _score_few_genes():
    scores = transformer_genes.score_logistic("variable", 64, 0, ask=None)
    return {"macro_f1[64 tokens]": scores["macro_f1"]}


def _score_wells():
    log1p = x_versus_z.mixture()
    return x_versus_z.score_proportions(x_versus_z.baselines(log1p)["PCA-2"], log1p)


def _score_expression():
    ranking = transformer_markers.without_network(0)["mean log1p expression"]
    return transformer_markers.agreement(ranking, transformer_markers.reference(0))


# For six runs no network is retrained, which would take too long. The VAE of chapters 1, 3 and 10 is trained in the
# recheck of chapter 2, the Transformer of chapters 7 and 8 in that of chapter 6; the networks of chapter 5 in its
# notebook only.
RECHECKS = {
    "01_vae": Recheck("pbmc_facs", "PCA, prepared by the rule", "probe_macro_f1", _score_pca),
    "01_preparation": Recheck("pbmc_facs", "PCA as chosen", "knn_macro_f1", _score_prepared_pca),
    "02_normalization": Recheck("pbmc_facs", "none", "heldout_elbo[batch size 256]", _score_vae),
    "03_hvg": Recheck(
        "pbmc_facs", "PCA-50, pearson_residuals", "knn_macro_f1[100 genes]", _score_pca_of_few_genes
    ),
    "04_self_supervised": Recheck(
        "pbmc_facs", "masked autoencoder", "probe_macro_f1[10 per type]", _score_masked_autoencoder
    ),
    "05_baselines": Recheck("kang", "Harmony", "overcorrection[NK not in control]", _score_harmony),
    "05_batch_correction": Recheck("kang", "PCA-50", "overcorrection[NK not in control]", _score_uncorrected),
    "06_transformer": Recheck("pbmc_facs", "gene Transformer", "macro_f1[10 per type]", _score_transformer),
    "07_transformer_hvg": Recheck(
        "pbmc_facs", "logistic regression, variable genes", "macro_f1[64 tokens]", _score_few_genes
    ),
    "08_transformer_markers": Recheck(
        "pbmc_facs", "mean log1p expression", "precision_at_20[differential expression]", _score_expression
    ),
    "10_x_versus_z": Recheck(
        "rna_mixture", "PCA-2", "ridge_r2[proportions, CEL-seq2 to SORT-seq]", _score_wells
    ),
}
