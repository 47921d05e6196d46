"""Chapter 2: normalisation layers compared, why one of them helps, and where it breaks down, with five seeds each.

The cells are divided in three: those that train, those that choose the epoch, and those whose ELBO is reported.
"""

from functools import partial

import numpy as np
from sklearn.decomposition import PCA

import latentcells as lc  # before Keras, because it silences TensorFlow's log
from benchmarks.baselines import ALL, Preparation
from benchmarks.normalization_controls import Frozen, NoiseOnly, TwoMomenta, vae_with
from benchmarks.records import SEEDS, over_seeds, rows_of
from benchmarks.training import train as fit
from benchmarks.vae import split_tenth

import keras  # isort: skip

BATCH_SIZE, DROPOUT, LEARNING_RATE = 128, 0.3, 2e-3
EPOCHS, PATIENCE = 40, 4
BATCH_SIZES, SWEEP_EPOCHS = (4, 32, 256), 4
DEEP = {"hidden": (128,) * 6, "decoder_hidden": (128,), "dropout": 0.1}
DEEP_EPOCHS, DEEP_RATES = 8, (2e-3, 1e-2)
HIDDEN = {
    "none": {},
    "batch": {"normalization": "batch"},
    "layer": {"normalization": "layer"},
    "group": {"normalization": "group", "groups": 8},
    "rms": {"normalization": "rms"},
    "batch, both sides": {"normalization": "batch", "normalization_of": "both"},
}
CONTROLS = {"batch, frozen statistics": Frozen, "noise of batch alone": NoiseOnly}
CHOSEN_PCA = Preparation("square root at the median total", ALL, False, 15)  # by 01_preparation.json


# -- the cells ------------------------------------------------------------------------------------------------------


def divide(adata):
    """The cells of training, of the choice of the epoch and of the report, and log1p of the same genes.

    Returns:
        counts (cells, 2000 genes) of all cells, a dictionary of masks (cells,), and an AnnData of log1p values. The
        genes are chosen on the cells that train.
    """
    masks = divide_cells(adata.n_obs)
    genes = lc.preprocess.HighlyVariableGenes(2000).fit(adata[masks["train"]])
    log1p = genes.transform(lc.preprocess.LibrarySize().fit(adata).transform(adata))
    return lc.inputs(log1p, layer="counts"), masks, log1p


def divide_cells(n_cells):
    """A mask (cells,) of each of the three parts."""
    report, others = split_tenth(n_cells)
    choose, train = (others[part] for part in split_tenth(len(others)))
    parts = {"train": train, "choose": choose, "report": report}
    return {name: np.isin(np.arange(n_cells), cells) for name, cells in parts.items()}


# -- the trainings --------------------------------------------------------------------------------------------------


def build(x, seed, layer=None, **setting):
    """A VAE of the chapter; ``layer`` is a normalisation layer that the library's models do not know by name."""
    model = lc.models.VAE if layer is None else vae_with(layer)
    return model(x.shape[1], **{"dropout": DROPOUT, "seed": seed, **setting})


def train_until_best(model, x, masks):
    """Train a model; it keeps the weights of the best epoch for the cells that choose, whose number is returned."""
    stop = keras.callbacks.EarlyStopping("val_loss", patience=PATIENCE, restore_best_weights=True)
    fit(
        model, x[masks["train"]], epochs=EPOCHS, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE,
        validation_data=x[masks["choose"]], validation_batch_size=512, callbacks=[stop],
    )  # fmt: skip
    return stop.best_epoch + 1


def place(z, label, seed):
    """The scores of an embedding by its neighbours and by a linear probe."""
    return lc.evaluate.annotation(z, label, seed=seed)


def compare(x, masks, label, setting, seed):
    """Scores of z of all cells, two measures on the cells that chose nothing, and the epochs of the training."""
    model = build(x, seed, **setting)
    epochs, held_out = train_until_best(model, x, masks), x[masks["report"]]
    return {
        **place(model.encode(x), label, seed),
        "heldout_elbo": model.elbo(held_out, draws=5)["elbo"],
        "depth_move": depth_move(model, held_out),
        "epochs": epochs,
    }


def depth_move(model, x):
    """How far the median cell moves when its counts double, as a share of the median distance of two cells."""
    z = model.encode(x)
    pairs = np.linalg.norm(z - z[np.random.default_rng(0).permutation(len(z))], axis=1)
    return np.median(np.linalg.norm(model.encode(2 * x) - z, axis=1)) / np.median(pairs)


def train_swept(x, masks, seed, batch_size, **setting):
    """A VAE after a few epochs in mini-batches of ``batch_size`` cells."""
    training = {"epochs": SWEEP_EPOCHS, "batch_size": batch_size, "learning_rate": LEARNING_RATE}
    return fit(build(x, seed, **setting), x[masks["train"]], **training)


def sweep(x, masks, label, setting, seed):
    """kNN score and held-out ELBO after the same number of epochs in mini-batches of each size.

    With batch normalisation also by the moving averages of a smaller momentum, of the same trained networks.
    """
    result, quick = {}, {}
    for size in BATCH_SIZES:
        model = train_swept(x, masks, seed, size, **setting)
        result |= swept_scores(model, x, masks, label, size, seed)
        if "layer" in setting:
            model.encoder.get_layer("normalization_0").use_quick()
            quick |= swept_scores(model, x, masks, label, size, seed)
    return result, quick


def swept_scores(model, x, masks, label, size, seed):
    """The two scores of one model of the sweep, by their metrics."""
    return {
        f"knn_macro_f1[batch size {size}]": place(model.encode(x), label, seed)["knn_macro_f1"],
        f"heldout_elbo[batch size {size}]": model.elbo(x[masks["report"]], draws=5)["elbo"],
    }


def deepen(x, masks, label, layer, seed):
    """The loss after each epoch, the last ELBO and the kNN score of an encoder of six layers at two learning rates."""
    result = {}
    for rate in DEEP_RATES:
        model = build(x, seed, layer, **DEEP)
        run = {"epochs": DEEP_EPOCHS, "batch_size": BATCH_SIZE, "learning_rate": rate}
        held_out = x[masks["report"]]
        fit(model, x[masks["train"]], **run, validation_data=held_out, validation_batch_size=512)
        where = f"six layers, learning rate {rate}"
        for epoch, loss in enumerate(model.history.history["val_loss"], 1):
            result[f"heldout_elbo[{where}, epoch {epoch}]"] = -loss
        terms = model.elbo(held_out, draws=5)
        result |= {f"heldout_{name}[{where}]": terms[name] for name in ("elbo", "kl")}
        result[f"knn_macro_f1[{where}]"] = place(model.encode(x), label, seed)["knn_macro_f1"]
    return result


# -- the rows -------------------------------------------------------------------------------------------------------


def rows_of_settings(settings, score, *cells):
    """Rows of each setting, scored by `compare` or `deepen`."""
    rows = []
    for name, setting in settings.items():
        rows += over_seeds("pbmc_facs", name, partial(score, *cells, setting), baseline=name == "none")
    return rows


def rows_of_controls(*cells):
    """Rows of batch normalisation taken apart."""
    rows = []
    for name, layer in CONTROLS.items():

        def score(seed, layer=layer):
            seeded = partial(layer, seed=seed) if layer is NoiseOnly else layer
            return compare(*cells, {"layer": seeded}, seed)

        rows += over_seeds("pbmc_facs", name, score)
    return rows


def rows_of_sweep(*cells):
    """Rows of the mini-batches of different sizes."""
    rows = []
    for name, setting in {"none": {}, "batch": {"layer": TwoMomenta}}.items():
        runs, quick = zip(*(sweep(*cells, setting, seed) for seed in SEEDS), strict=True)
        rows += rows_of("pbmc_facs", name, runs, baseline=name == "none")
        if quick[0]:
            rows += rows_of("pbmc_facs", "batch, momentum 0.9", quick)
    return rows


def rows_of_depth(*cells):
    """Rows of the encoder of six layers."""
    batch = partial(lc.layers.BatchNormalization, momentum=0.9)
    layers = {"none": None, "batch": batch, "layer": lc.layers.LayerNormalization}
    return rows_of_settings(layers, deepen, *cells)


def rows_of_pca(adata, log1p, train):
    """Rows of PCA prepared as is common, as chosen without labels, and as chosen but on the genes of the VAE."""
    counts = adata.layers["counts"]
    root = lc.preprocess.LibrarySize(None, log1p=False).fit(adata[train]).transform(adata)
    spaces = {
        "PCA-50": pca(lc.inputs(log1p), train, 50),
        "PCA-15, as chosen": CHOSEN_PCA.fit(counts[train])(counts),
        "PCA-15, same genes": pca(np.sqrt(lc.inputs(root[:, log1p.var_names])), train, 15),
    }
    label, rows = adata.obs["label"].to_numpy(), []
    for name, z in spaces.items():
        rows += over_seeds("pbmc_facs", name, partial(place, z, label), baseline=True)
    return rows


def pca(values, train, components):
    """Components of all cells, fitted on those that train."""
    return PCA(components, random_state=0).fit(values[train]).transform(values)


def rows():
    """All rows of ``02_normalization.json``."""
    facs = lc.datasets.pbmc_facs()
    x, masks, log1p = divide(facs)
    cells = x, masks, facs.obs["label"].to_numpy()
    return [
        *rows_of_pca(facs, log1p, masks["train"]),
        *rows_of_settings(HIDDEN, compare, *cells),
        *rows_of_controls(*cells),
        *rows_of_depth(*cells),
        *rows_of_sweep(*cells),
    ]
