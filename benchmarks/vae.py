"""Chapter 1: what a VAE's likelihood, noise, prior and decoder buy, beside PCA that is prepared with the same care.

One rule for all, without labels: molecules of the training cells are held out (`benchmarks.baselines`), and of the
candidates within one standard error of the best the one with fewest dimensions is taken. PCA and the networks differ
in who predicts: a linear decoder of PCA's space, for each network its own decoder.

A tenth of the cells trains nothing and chooses nothing. Its cells give the ELBO, and the real cells that generated
ones are compared with. Genes and normalisation are chosen for the negative binomial and shared by all networks, so
that their ELBOs are of the same counts; dimensions, dropout and epochs are chosen for each network.

Reference: a density fitted to z after the training, Ghosh et al. 2020 (ghosh2020), https://arxiv.org/abs/1903.12436.
"""

from dataclasses import dataclass, replace
from functools import partial
from itertools import product
from time import process_time
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, f1_score
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import StratifiedKFold, cross_val_predict

import latentcells as lc  # before Keras, because it silences TensorFlow's log
from benchmarks import baselines
from benchmarks.alone import run_alone
from benchmarks.records import over_seeds, rows_of

import keras  # isort: skip

DATASET, N_TYPES = "pbmc_facs", 10
BATCH_SIZE, LEARNING_RATE = 128, 2e-3
EPOCHS = 10, 20, 40
MIXTURES = 1, 5, 20  # components of the density that is fitted to z


@dataclass(frozen=True)
class Setting:
    """What is chosen for a network by held-out molecules."""

    latent_dim: int = 10
    dropout: float = 0.3
    normalization: str | None = "batch"
    genes: str = baselines.EXPRESSED
    epochs: int = EPOCHS[-1]

    @property
    def components(self):
        return self.latent_dim

    @property
    def model(self):
        """The arguments of the model."""
        keys = "latent_dim", "dropout", "normalization"
        return {key: getattr(self, key) for key in keys}

    def __str__(self):
        return (
            f"{self.latent_dim} dimensions, dropout {self.dropout}, {self.normalization or 'no'} normalisation, "
            f"{self.genes}, {self.epochs} epochs"
        )


# -- what a network reads: a function of training counts -> (counts -> values, decoded values -> expected shares)


def read_counts(counts):
    """The counts as they are."""
    return (lambda counts: counts), (lambda mean: mean)


def read_roots(counts):
    """The square root at the median total, the scale that is chosen for PCA."""
    library = np.median(counts.sum(axis=1))
    return (
        lambda counts: np.sqrt(counts * (library / np.maximum(counts.sum(axis=1, keepdims=True), 1))),
        lambda root: np.maximum(root, 0) ** 2,
    )


def read_detection(counts):
    """Whether a gene is seen; of a Poisson count that happens with the chance 1 - exp(-mean)."""
    return (
        lambda counts: (counts > 0).astype("float32"),
        lambda chance: -np.log1p(-np.minimum(chance, 1 - 1e-6)),
    )


def read_scaled_z_scores(counts):
    """z-scores of log1p per 10,000, clipped at 10 as scanpy's tutorials do, and min-max scaled gene by gene."""

    def log1p(counts):
        return np.log1p(1e4 * counts / np.maximum(counts.sum(axis=1, keepdims=True), 1))

    x = log1p(counts)
    mean, sd = x.mean(axis=0), np.maximum(x.std(axis=0), 1e-12)

    def z_scores(counts):
        return np.clip((log1p(counts) - mean) / sd, -10, 10)

    z = z_scores(counts)
    low, high = z.min(axis=0), z.max(axis=0)
    span = np.maximum(high - low, 1e-12)
    return (
        lambda counts: np.clip((z_scores(counts) - low) / span, 0, 1),
        lambda unit: np.expm1(np.clip((unit * span + low) * sd + mean, 0, None)),
    )


NB, AUTOENCODER = "VAE, negative binomial", "plain autoencoder"
NETWORKS = {  # name -> what it reads, how it differs
    NB: (read_counts, {}),
    "VAE, zero-inflated negative binomial": (read_counts, {"likelihood": "zero_inflated_negative_binomial"}),
    "VAE, Poisson": (read_counts, {"likelihood": "poisson"}),
    "VAE, Gaussian on square roots": (read_roots, {"likelihood": "gaussian"}),
    "VAE, Bernoulli on detection": (read_detection, {"likelihood": "bernoulli"}),
    "VAE, Bernoulli on min-max-scaled z-scores": (read_scaled_z_scores, {"likelihood": "bernoulli"}),
    "VAE, linear decoder": (read_counts, {"decoder_hidden": ()}),
    "noise without a prior": (read_counts, {"beta": 0.0}),
    AUTOENCODER: (read_counts, {"beta": 0.0, "noise": False}),
}


SHARED = (  # candidates for the genes and the normalisation; all genes take seven times as long
    *(Setting(genes=genes) for genes in (baselines.EXPRESSED, baselines.VARIABLE)),
    *(Setting(normalization=normalization) for normalization in (None, "layer")),
)
VARIED = {  # one thing other than chosen for the negative binomial
    "VAE, all genes": {"genes": baselines.ALL},
    "VAE, batch normalisation": {"normalization": "batch"},
    "VAE, no normalisation": {"normalization": None},
}
GRID = tuple(product((10, 20), (0.1, 0.3)))  # dimensions, dropout


# -- training


def build(name, n_genes, setting, seed):
    """The compiled network ``name`` of `NETWORKS`."""
    model = lc.models.VAE(n_genes, seed=seed, **setting.model, **NETWORKS[name][1])
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    return model


# -- the rule


def measure(name, molecules, setting):
    """The `baselines.gains_of` a network's own decoder after each number of `EPOCHS`, in one training."""
    genes = baselines.choose_genes(molecules.seen, setting.genes)
    counts = molecules.seen[:, genes].toarray()
    values, expected = NETWORKS[name][0](counts)
    x, model, result, done = values(counts), build(name, len(genes), setting, 0), {}, 0
    average = np.asarray(molecules.seen.sum(axis=0)).ravel()
    average = average / average.sum()
    for epochs in EPOCHS:
        model.fit(x, batch_size=BATCH_SIZE, epochs=epochs - done, verbose=0)
        done, z = epochs, model.encode(x)

        def predict(cells, z=z):
            """The network's shares of its genes, and the average cell's of the others."""
            decoded = expected(model.decode(z[cells], library=1.0))
            shares = np.tile(average, (len(decoded), 1))
            shares[:, genes] = average[genes].sum() * decoded / decoded.sum(axis=1, keepdims=True)
            return shares

        result[replace(setting, epochs=epochs)] = baselines.gains_of(predict, molecules)
    return result


# -- scores


def scores(z, label, n_clusters, seed):
    """Every score of an embedding z, an array or a function of the seed that returns one."""
    z = z(seed) if callable(z) else z
    ari = lc.evaluate.clustering(z, label, n_clusters, seed=seed)["leiden_ari"]
    return {**lc.evaluate.annotation(z, label, seed=seed), "leiden_ari": ari}


def split_tenth(n_cells):
    """Positions, in random order, of the held-out tenth of the cells and of the others."""
    return np.split(np.random.default_rng(0).permutation(n_cells), [n_cells // 10])


def score_network(name, setting, counts, label, seed):
    """Every score of a network trained on nine tenths of the cells.

    Args:
        name: of `NETWORKS`.
        setting: as chosen.
        counts: CSR (cells, genes), of all cells.
        label: of all cells.
        seed: of the weights, the noise, the folds and the drawn cells.
    """
    outside, inside = split_tenth(counts.shape[0])
    genes = baselines.choose_genes(counts[inside], setting.genes)
    counts = counts[:, genes].toarray()
    values, _ = NETWORKS[name][0](counts[inside])
    x, model = values(counts), build(name, len(genes), setting, seed)
    start = process_time()
    model.fit(x[inside], batch_size=BATCH_SIZE, epochs=setting.epochs, verbose=0)
    result = {"seconds[fit]": process_time() - start}
    result |= scores(model.encode(x), label, N_TYPES, seed)
    if NETWORKS[name][0] is read_counts:
        result |= generate(model.sample, posterior(model, x[inside], seed), counts[outside], seed)
        if model.noise:
            terms = model.elbo(x[outside], draws=5)
            result |= {f"heldout_{term}": value for term, value in terms.items()}
    return result


def posterior(model, x, seed):
    """A place of each cell: a draw from its posterior, or its one place where the network has no noise."""
    out = model.encoder.predict(x, batch_size=512, verbose=0)
    noise = np.random.default_rng(seed).standard_normal(out["z_mean"].shape) if model.noise else 0.0
    return out["z_mean"] + np.exp(0.5 * out["z_log_var"]) * noise


def generate(draw, z, real, seed, sd=1.0):
    """How far drawn cells are from real ones: with z from the prior, and from a mixture fitted to the cells' z.

    Args:
        draw: a function of z (cells, dimensions), library (cells,) and seed that returns counts.
        z: (cells, dimensions), of the training cells.
        real: (cells, genes), the held-out cells, whose library sizes the drawn ones get.
        seed: of the draws.
        sd: of the prior's dimensions.
    """
    library, rng, z = real.sum(axis=1), np.random.default_rng(seed), np.asarray(z, "float64")
    fits = [GaussianMixture(k, random_state=seed, reg_covar=1e-4).fit(z) for k in MIXTURES]
    mixture = min(fits, key=lambda fit: fit.bic(z))
    mixture.set_params(random_state=seed)
    places = {
        "prior": sd * rng.standard_normal((len(real), z.shape[1])),
        "mixture": rng.permutation(mixture.sample(len(real))[0]),
    }
    result = {}
    for source, place in places.items():
        found = lc.evaluate.generation(draw(place, library, seed), real, seed=seed)
        result |= {f"generated_{key}[{source}]": value for key, value in found.items()}
    return result


# -- baselines


def score_pca(preparation, counts, label, seed):
    """Every score of PCA fitted to nine tenths of the cells."""
    inside = split_tenth(counts.shape[0])[1]
    start = process_time()
    transform = preparation.fit(counts[inside])
    result = {"seconds[fit]": process_time() - start}
    z = transform(counts)
    return result | scores(z, label, N_TYPES, seed)


def generate_by_pca(preparation, counts, genes, seed):
    """Scores of cells drawn from PCA with Poisson noise, through the linear decoder that prepared it.

    The components come from a normal distribution with their variances, or from a mixture.
    """
    outside, inside = split_tenth(counts.shape[0])
    z = preparation.fit(counts[inside])(counts[inside])
    center = z.mean(axis=0)
    _, size, axes = np.linalg.svd(z - center, full_matrices=False)
    u = (z - center) @ axes.T / size
    mean, decoder = baselines.fit_decoder(u, counts[inside][:, genes])

    def draw(z, library, seed):
        shares = np.maximum(mean + (z - center) @ axes.T / size @ decoder, 0) + 1e-9
        shares *= library[:, None] / shares.sum(axis=1, keepdims=True)
        return np.random.default_rng(seed).poisson(shares)

    return generate(draw, z, counts[outside][:, genes].toarray(), seed, z.std(axis=0))


def generate_by_cells(train, real, seed):
    """The scores that other real cells get: the values to aim at."""
    others = np.random.default_rng(seed).choice(len(train), len(real), replace=False)
    found = lc.evaluate.generation(train[others], real, seed=seed)
    return {f"generated_{key}[real]": value for key, value in found.items()}


def usual_pca(adata):
    """PCA-50 of log1p per 10,000 in the 2,000 genes of scanpy's default choice, as many tutorials have it."""
    genes = lc.preprocess.HighlyVariableGenes(2000).fit(adata)
    log1p = genes.transform(lc.preprocess.LibrarySize().fit(adata).transform(adata))
    return PCA(50, random_state=0).fit_transform(lc.inputs(log1p))


def supervised(x, label, seed):
    """Logistic regression on the genes, trained on the labels: an upper reference for the embeddings."""
    folds = StratifiedKFold(5, shuffle=True, random_state=seed)
    predicted = cross_val_predict(LogisticRegression(max_iter=1000), x, label, cv=folds)
    return {
        "probe_macro_f1": f1_score(label, predicted, average="macro"),
        "probe_accuracy": accuracy_score(label, predicted),
    }


# -- the stored run


def grow(x, method, setting):
    """Fit ``method`` to counts x, (cells, genes), in this process."""
    if method == "PCA":
        PCA(setting, random_state=0).fit(read_roots(x)[0](x))
    else:
        build(NB, x.shape[1], setting, 0).fit(x, batch_size=BATCH_SIZE, epochs=1, verbose=0)


class Cells(NamedTuple):
    """The cells of the comparison: CSR counts (cells, genes), their types, and the molecules of nine tenths of them."""

    counts: sparse.csr_matrix
    label: np.ndarray
    molecules: baselines.Molecules


def load(name=DATASET):
    """The cells of a data set."""
    adata = lc.datasets.load(name)
    counts = sparse.csr_matrix(adata.layers["counts"], dtype=np.float32)
    molecules = baselines.split_molecules(counts[split_tenth(adata.n_obs)[1]])
    return Cells(counts, adata.obs["label"].to_numpy(), molecules)


def measure_all(name, cells, settings):
    """The gains of each setting after each number of epochs."""
    return {key: gains for s in settings for key, gains in measure(name, cells.molecules, s).items()}


def network_rows(name, cells, shared, known):
    """The rows of a network and of its candidates, and what was chosen.

    Args:
        name: of `NETWORKS`.
        cells: from `load`.
        shared: the setting whose genes and normalisation all networks have.
        known: setting -> gains that were measured before.
    """
    grid = [replace(shared, latent_dim=k, dropout=share, epochs=EPOCHS[-1]) for k, share in GRID]
    measured = known | measure_all(name, cells, [setting for setting in grid if setting not in known])
    same = (shared.genes, shared.normalization)
    chosen = baselines.simplest(
        {s: gains for s, gains in measured.items() if (s.genes, s.normalization) == same}
    )
    settings = {key: getattr(chosen, key) for key in ("latent_dim", "dropout", "epochs")}
    result = rows_of(DATASET, name, [settings])
    for setting, gains in measured.items():
        gain = {"heldout_gain": baselines.per_molecule(gains, cells.molecules)}
        result += rows_of(DATASET, f"{name}: {setting}", [gain])
    score = partial(score_network, name, chosen, cells.counts, cells.label)
    return chosen, result + over_seeds(DATASET, name, score)


def baseline_rows(cells, chosen):
    """The rows of PCA, of logistic regression, of real cells, and of memory; ``chosen`` is the negative binomial's."""
    counts, label = cells.counts, cells.label
    outside, inside = split_tenth(counts.shape[0])
    prepared = baselines.choose(counts[inside])
    genes = baselines.choose_genes(counts[inside], chosen.genes)
    x = counts[:, genes].toarray()
    result = rows_of(
        DATASET, "PCA, prepared by the rule", [{"latent_dim": prepared.components}], baseline=True
    )
    for name, k in (
        ("PCA, prepared by the rule", prepared.components),
        ("PCA, as many components as z", chosen.latent_dim),
    ):
        preparation = replace(prepared, components=k)
        for score in (
            partial(score_pca, preparation, counts, label),
            partial(generate_by_pca, preparation, counts, genes),
        ):
            result += over_seeds(DATASET, name, score, baseline=True)
    result += over_seeds(
        DATASET, "real cells", partial(generate_by_cells, x[inside], x[outside]), baseline=True
    )
    usual = partial(scores, usual_pca(lc.datasets.load(DATASET)), label, N_TYPES)
    result += over_seeds(DATASET, "PCA-50, log1p per 10,000", usual, baseline=True)
    roots = read_roots(x)[0](x)
    yardstick = partial(supervised, roots, label)
    result += over_seeds(DATASET, "logistic regression on the genes", yardstick, baseline=True)
    for name, method, what in (
        ("PCA, prepared by the rule", "PCA", prepared.components),
        (NB, "VAE", chosen),
    ):
        peak = {"peak_rss_mb": run_alone(grow, x, method, what)[1]}
        result += rows_of(DATASET, name, [peak], baseline=method == "PCA")
    return result


def rows():
    """All rows of ``01_vae.json``."""
    cells = load()
    known = measure_all(NB, cells, SHARED)
    shared, chosen, result = baselines.simplest(known), {}, []
    for name in NETWORKS:
        chosen[name], found = network_rows(name, cells, shared, known if name == NB else {})
        result += found
    for name, change in VARIED.items():
        score = partial(score_network, NB, replace(chosen[NB], **change), cells.counts, cells.label)
        result += over_seeds(DATASET, name, score)
    return result + baseline_rows(cells, chosen[NB])
