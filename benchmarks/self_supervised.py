"""Chapter 4: how much pretext tasks help with few labels, and three sweeps, scored on held-out cells.

The protocol is always the same: the 2,000 genes are chosen and every model is trained, without labels, on the training
cells of a split, four fifths of all; a few cells of each type are labelled; the test cells are scored. A seed sets the
split, the training and the drawn labels. Every network has the same encoder and takes the same number of steps.
"""

from functools import cache, partial

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import f1_score

import latentcells as lc  # before Keras, because it silences TensorFlow's log
from benchmarks.records import over_seeds
from benchmarks.training import train_steps

import keras  # isort: skip

PER_TYPE = {"1 per type": 1, "5 per type": 5, "10 per type": 10, "50 per type": 50, "all labels": None}
N_GENES, LATENT_DIM, BATCH_SIZE, STEPS, LEARNING_RATE = 2000, 10, 128, 600, 2e-3
NETWORK = {"latent_dim": LATENT_DIM, "hidden": (256,), "dropout": 0.1, "normalization": "layer"}
CONTRASTIVE = {"info_nce": "InfoNCE", "barlow_twins": "Barlow Twins", "vicreg": "VICReg"}
RATES, TEMPERATURES, BATCH_SIZES = (0.1, 0.25, 0.5, 0.75, 0.9), (0.05, 0.1, 0.5, 1.0), (16, 64, 256)
SWEEP_SEEDS = range(2)
LABELLED_STEPS = 300  # of the supervised network


@cache
def divide(seed):
    """Counts and log1p values (cells, genes), labels, and a mask of the test cells."""
    facs = lc.datasets.pbmc_facs()
    train, test = lc.preprocess.split(facs, seed=seed)
    genes = lc.preprocess.HighlyVariableGenes(N_GENES, "pearson_residuals").fit(train)
    log1p = genes.transform(lc.preprocess.LibrarySize().fit(train).transform(facs))
    outside = facs.obs_names.isin(test.obs_names)
    return (
        lc.inputs(log1p, layer="counts"),
        lc.inputs(log1p),
        facs.obs["label"].astype(str).to_numpy(),
        outside,
    )


def pretrain(model, seed, batch_size=BATCH_SIZE):
    """The model after ``STEPS`` training steps on the counts of the training cells, without labels.

    The cells are in random order; the last ones, which would not fill a mini-batch, are left out.
    """
    counts, _, _, outside = divide(seed)
    training_cells = np.random.default_rng(seed).permutation(np.flatnonzero(~outside))
    x = counts[training_cells[: len(training_cells) // batch_size * batch_size]]
    return train_steps(model, x, steps=STEPS, batch_size=batch_size, learning_rate=LEARNING_RATE)


def pretrained(build, seed, batch_size=BATCH_SIZE):
    """z of all cells from the model that ``build`` makes, trained without labels."""
    counts = divide(seed)[0]
    return pretrain(build(counts.shape[1], seed=seed, **NETWORK), seed, batch_size).encode(counts)


def pca(components, seed):
    """Principal components of all cells, fitted on the training cells."""
    _, log1p, _, outside = divide(seed)
    return PCA(components, random_state=seed).fit(log1p[~outside]).transform(log1p)


def genes(seed):
    """The log1p values of the genes themselves."""
    return divide(seed)[1]


EMBEDDINGS = {
    "logistic regression on the genes": genes,
    "PCA-50": partial(pca, 50),
    "PCA-10": partial(pca, 10),
    "VAE": partial(pretrained, lc.models.VAE),
    "masked autoencoder": partial(pretrained, lc.models.MaskedAutoencoder),
    **{
        name: partial(pretrained, partial(lc.models.ContrastiveEncoder, objective=objective))
        for objective, name in CONTRASTIVE.items()
    },
}


def score(embed, seed, per_type=PER_TYPE):
    """Macro-F1 of a linear probe and of the neighbours, for each number of labels."""
    z, (_, _, label, outside), result = embed(seed), divide(seed), {}
    for name, number in per_type.items():
        scores = lc.evaluate.few_labels(z, label, outside, number, standardise=embed is not genes, seed=seed)
        result |= {f"{metric}[{name}]": value for metric, value in scores.items()}
    return result


def supervised(seed):
    """Macro-F1 of the same encoder with a softmax on top, trained on the labelled cells only."""
    counts, _, label, outside = divide(seed)
    names, codes = np.unique(label, return_inverse=True)
    result = {}
    for setting, number in PER_TYPE.items():
        cells = lc.evaluate.draw_labels(label, outside, number, seed)
        predicted = names[classifier(counts[cells], codes[cells], seed)(counts[outside])]
        result[f"probe_macro_f1[{setting}]"] = f1_score(label[outside], predicted, average="macro")
    return result


def classifier(x, codes, seed):
    """A network trained from scratch on labelled counts, as a function from counts to codes."""
    encoder = lc.models.ContrastiveEncoder(x.shape[1], seed=seed, **NETWORK).encoder
    start = keras.initializers.GlorotUniform(seed=seed)
    logits = keras.layers.Dense(int(codes.max()) + 1, kernel_initializer=start)(
        keras.ops.relu(encoder.output)
    )
    model = keras.Model(encoder.input, logits)
    model.compile(
        keras.optimizers.Adam(LEARNING_RATE), keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    )
    for epoch in range(max(1, LABELLED_STEPS * BATCH_SIZE // max(len(x), BATCH_SIZE))):
        order = np.random.default_rng([seed, epoch]).permutation(len(x))
        for start in range(0, len(x), BATCH_SIZE):
            cells = order[start : start + BATCH_SIZE]
            model.train_on_batch(x[cells], codes[cells])
    return lambda x: model.predict(x, batch_size=512, verbose=0).argmax(axis=1)


def masking(seed):
    """Few-label scores of the masked autoencoder's z, for several masking rates."""
    _, _, label, outside = divide(seed)
    result = {}
    for rate in RATES:
        z = pretrained(partial(lc.models.MaskedAutoencoder, rate=rate), seed)
        scores = lc.evaluate.few_labels(z, label, outside, 10, seed=seed)
        result |= {f"{metric}[rate {rate}]": value for metric, value in scores.items()}
    return result


def contrast(setting, values, seed):
    """Few-label scores and the spread of InfoNCE's z, for several temperatures or batch sizes."""
    _, _, label, outside = divide(seed)
    result = {}
    for value in values:
        options = {"temperature": value} if setting == "temperature" else {}
        size = value if setting == "batch size" else BATCH_SIZE
        z = pretrained(partial(lc.models.ContrastiveEncoder, **options), seed, batch_size=size)
        scores = lc.evaluate.few_labels(z, label, outside, 10, seed=seed)
        spread = {name: float(v) for name, v in lc.objectives.embedding_spread(z[outside]).items()}
        result |= {f"{metric}[{setting} {value}]": v for metric, v in (scores | spread).items()}
    return result


def rows():
    """All rows of ``04_self_supervised.json``."""
    rows = []
    for name, embed in EMBEDDINGS.items():
        baseline = name in ("logistic regression on the genes", "PCA-50", "PCA-10")
        rows += over_seeds("pbmc_facs", name, partial(score, embed), baseline)
    rows += over_seeds("pbmc_facs", "supervised network", supervised, baseline=True)
    rows += over_seeds("pbmc_facs", "masked autoencoder", masking, seeds=SWEEP_SEEDS)
    for setting, values in (("temperature", TEMPERATURES), ("batch size", BATCH_SIZES)):
        rows += over_seeds("pbmc_facs", "InfoNCE", partial(contrast, setting, values), seeds=SWEEP_SEEDS)
    return rows
