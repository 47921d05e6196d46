"""Chapter 10: which space for which task? x, PCA, z and decoded x̂ by one rule, where the truth is known.

No label, proportion or amount is seen in any training. Within a part all networks take the same steps, the Transformer
those of chapter 6; where a setting had to be chosen, simulated cells chose it (`choice`). What earlier chapters stored
under the same rule is not computed again. A seed takes about eight minutes on one core, and five more with `mixing`.
"""

from functools import cache, partial

import anndata
import numpy as np
import scanpy as sc
from scipy.stats import false_discovery_control, mannwhitneyu, spearmanr
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import pairwise_distances
from sklearn.neighbors import NearestNeighbors

import latentcells as lc  # before Keras: it holds TensorFlow's log lines back
from benchmarks import batch_correction, self_supervised, transformer
from benchmarks.batch_correction import cells_of
from benchmarks.vae import SEEDS, over_seeds, rows_of

import keras  # isort: skip

BATCH_SIZE, LEARNING_RATE, DROPOUT, STEPS = 64, 2e-3, 0.1, 600
DEPTH = 800  # molecules a cell, where depth is to say nothing
LINES = ["H2228_prop", "H1975_prop", "HCC827_prop"]
MIXES = [[1 / 3] * 3, *np.eye(3).tolist(), *(0.16 + 0.52 * np.eye(3)).tolist()]  # those of rna_mixture
NETWORKS = {
    "VAE": lc.models.VAE,
    "normalised VAE": partial(lc.models.VAE, normalization="layer"),
    "masked autoencoder": partial(lc.models.MaskedAutoencoder, normalization="layer"),
    "conditional VAE": lc.models.BatchVAE,
    "adversarial VAE": partial(lc.models.BatchVAE, adversary=10.0),
    "domain-specific VAE": partial(lc.models.BatchVAE, normalization="domain"),
    "neighbour VAE": lc.models.NeighbourVAE,
    "linear conditional VAE": partial(lc.models.BatchVAE, hidden=(), normalization=None),
    "linear neighbour VAE": partial(lc.models.NeighbourVAE, hidden=(), normalization=None),
}


def trained(build, log1p, latent_dim, seed=0, steps=STEPS):
    """A network of `NETWORKS` after its training on all cells."""
    cells = cells_of(log1p)
    told = issubclass(getattr(build, "func", build), lc.models.BatchVAE)
    batches = (sorted(set(cells["batch"])),) if told else ()
    model = build(log1p.n_vars, *batches, latent_dim=latent_dim, dropout=DROPOUT, seed=seed)
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    x, epochs = read_by(model, log1p), max(1, round(steps * BATCH_SIZE / log1p.n_obs))
    model.fit(x, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    return model


def read_by(model, log1p):
    """What a model takes: counts, and with them the batches where it is told."""
    cells = cells_of(log1p)
    return cells if isinstance(model, lc.models.BatchVAE) else cells["x"]


def of_decoded(build, log1p, latent_dim, seed=0, **options):
    """x̂ of a network after its training."""
    return decoded(trained(build, log1p, latent_dim, seed, **options), log1p)


def decoded(model, log1p):
    """x̂: log1p of the expected counts per 10,000 of the chosen genes, the mean over batches where it knows them."""
    return np.log1p(model.decode(model.encode(read_by(model, log1p))))


def pca(x, components):
    """(cells, components)."""
    return PCA(components, random_state=0).fit_transform(x)


def centred(x, batch):
    """x (cells, dimensions) with the mean of each batch at 0."""
    x = x.copy()
    for name in np.unique(batch):
        x[batch == name] -= x[batch == name].mean(axis=0)
    return x


def umap(z, seed):
    """Two coordinates by scanpy's UMAP of the 15 nearest neighbours."""
    graph = anndata.AnnData(z)
    sc.pp.neighbors(graph, use_rep="X", random_state=seed)
    sc.tl.umap(graph, random_state=seed)
    return graph.obsm["X_umap"]


# -- a latent that is known: proportions of RNA ----------------------------------------------------------------------


@cache
def mixture():
    """log1p values of 1,000 genes, ranked within each protocol; the counts in their layer."""
    adata = lc.datasets.load("rna_mixture")
    genes = lc.preprocess.HighlyVariableGenes(1000, batch="batch").fit(adata)
    return genes.transform(lc.preprocess.LibrarySize().fit(adata).transform(adata))


@cache
def drawn_mixture():
    """As `mixture`, of simulated wells: what settings are chosen on."""
    adata = lc.datasets.simulate(640, 1000, 3, 2, mixtures=MIXES, library=3000.0, batch_shift=0.5)
    adata.obs[LINES] = adata.obs[[f"type {t}_prop" for t in range(3)]].to_numpy()
    return lc.preprocess.LibrarySize().fit(adata).transform(adata)


def readings(z, log1p):
    """R² of proportions and amounts across the two batches, and how far distances follow the proportions."""
    batch, parts = log1p.obs["batch"].astype(str).to_numpy(), log1p.obs[LINES].to_numpy()
    amount = np.log2(log1p.obs["mRNA_amount"]) if "mRNA_amount" in log1p.obs else None
    found = {}
    for name, target in {"proportions": parts, "amount": amount}.items():
        if target is None:
            continue
        score = lc.evaluate.proportions if target is parts else lc.evaluate.across_batches
        r2 = score(z, np.asarray(target), batch)
        for key in ("ridge_r2", "knn_r2"):
            for to, value in r2[key].items():
                learned = next(of for of in np.unique(batch) if of != to)
                found[f"{key}[{name}, {learned} to {to}]"] = value
    return found | {"distance_r[proportions]": distances_kept(z, parts, batch)}


def distances_kept(z, truth, batch):
    """Rank correlation of all distances between two cells of a batch, in z and in truth; the mean over batches."""
    found = []
    for name in np.unique(batch):
        pairs = np.triu_indices((batch == name).sum(), 1)
        apart = [pairwise_distances(space[batch == name])[pairs] for space in (z, truth)]
        found.append(spearmanr(*apart).statistic)
    return float(np.mean(found))


def baselines(log1p):
    """Spaces that need no network and no seed: name -> (cells, dimensions)."""
    x, batch = lc.inputs(log1p), log1p.obs["batch"].astype(str).to_numpy()
    found = {"x": x, "x, each batch centred": centred(x, batch)}
    for k in (2, 10):
        found |= {f"PCA-{k}": pca(x, k), f"PCA-{k}, each batch centred": centred(pca(x, k), batch)}
    return found


def encoded(build, log1p, latent_dim, seed=0, **options):
    """z of a network after its training."""
    model = trained(build, log1p, latent_dim, seed, **options)
    return model.encode(read_by(model, log1p))


CANDIDATES = {
    **{name: NETWORKS[name] for name in list(NETWORKS)[3:]},
    **{f"adversary of {s}": partial(lc.models.BatchVAE, adversary=float(s)) for s in (1, 100)},
    **{f"neighbour VAE, {n} steps": partial(lc.models.NeighbourVAE, steps=n) for n in (1, 4)},
    "linear neighbour VAE, 4 steps": partial(NETWORKS["linear neighbour VAE"], steps=4),
}


def choice():
    """Rows of the candidates for two dimensions on simulated wells, whose proportions are drawn and not measured."""
    found = []
    for name, build in CANDIDATES.items():
        found += over_seeds(
            "simulate",
            f"candidate: {name}, 2 dimensions",
            lambda seed, build=build: readings(encoded(build, drawn_mixture(), 2, seed), drawn_mixture()),
            seeds=range(1),
        )
    return found


def proportions():
    """Rows of every space on rna_mixture."""
    log1p, found = mixture(), []
    for name, z in baselines(log1p).items():
        found += over_seeds(
            "rna_mixture", name, lambda seed, z=z: readings(z, log1p), baseline=True, seeds=range(1)
        )
    for k in (2, 10):
        for name, build in NETWORKS.items():
            found += over_seeds(
                "rna_mixture",
                f"{name}, {k} dimensions",
                lambda seed, build=build, k=k: readings(encoded(build, log1p, k, seed), log1p),
            )
    for name in ("VAE", "conditional VAE"):
        found += over_seeds(
            "rna_mixture",
            f"x̂ of the {name}, 10 dimensions",
            lambda seed, name=name: readings(of_decoded(NETWORKS[name], log1p, 10, seed), log1p),
        )
    return found + over_seeds(
        "rna_mixture",
        "UMAP of PCA-10",
        lambda seed: readings(umap(pca(lc.inputs(log1p), 10), seed), log1p),
    )


# -- a latent that was drawn -----------------------------------------------------------------------------------------


@cache
def drawn(seed):
    """Simulated cells of five types in two batches; their z in ``obsm["z"]``."""
    adata = lc.datasets.simulate(1000, 1000, 5, 2, library=3000.0, seed=seed)
    return lc.preprocess.LibrarySize().fit(adata).transform(adata)


def geometry(make, seed):
    """How near a space, ``make(log1p)``, is to the true z: correlations, neighbours and distances."""
    log1p = drawn(seed)
    z, truth = make(log1p), log1p.obsm["z"]
    found = {
        "neighbours_kept[truth]": lc.evaluate.neighbourhood_preservation(z, truth),
        "distance_r[truth]": distances_kept(z, truth, np.zeros(len(z))),
    }
    if z.shape[1] + truth.shape[1] < len(z):  # a dimension that z lacks counts as 0
        found["canonical_r[mean]"] = (
            float(lc.evaluate.canonical_correlations(z, truth).sum()) / truth.shape[1]
        )
    return found


def true_latent():
    """Rows of spaces of several dimensions beside the true z of ten; a seed is a draw of the cells, too."""
    found = over_seeds("simulate", "x", partial(geometry, lc.inputs), baseline=True)
    for k in (2, 5, 10, 20, 50):
        make = partial(geometry, lambda log1p, k=k: pca(lc.inputs(log1p), k))
        found += over_seeds("simulate", f"PCA-{k}", make, baseline=True)
    for name, k in [("VAE", k) for k in (2, 5, 10, 20)] + [("conditional VAE", 10)]:
        found += over_seeds(
            "simulate",
            f"{name}, {k} dimensions",
            lambda seed, name=name, k=k: geometry(lambda a: encoded(NETWORKS[name], a, k, seed), seed),
        )
    return found + over_seeds(
        "simulate",
        "UMAP of PCA-10",
        lambda seed: geometry(lambda log1p: umap(pca(lc.inputs(log1p), 10), seed), seed),
    )


# -- groups: the blood cells of chapter 4 ----------------------------------------------------


def decoded_blood(seed):
    """x̂, log1p, of all blood cells, by the VAE of chapter 4."""
    counts, _, _, outside = self_supervised.divided(seed)
    inside = np.random.default_rng(seed).permutation(np.flatnonzero(~outside))
    network = lc.models.VAE(counts.shape[1], seed=seed, **self_supervised.NETWORK)
    model = self_supervised.trained(network, counts[inside])
    return np.log1p(model.decode(model.encode(counts)))


PLAIN = self_supervised.NETWORK | {"normalization": None}


def plain_blood(seed):
    """z of the VAE of chapter 4 without its layer normalisation."""
    counts, _, _, outside = self_supervised.divided(seed)
    inside = np.random.default_rng(seed).permutation(np.flatnonzero(~outside))
    return self_supervised.trained(lc.models.VAE(counts.shape[1], seed=seed, **PLAIN), counts[inside]).encode(
        counts
    )


def transformer_blood(seed):
    """z of the Transformer of chapter 6, which has learned from hidden counts."""
    return transformer.pretrained(seed).encode(self_supervised.divided(seed)[0])


BLOOD = {
    "x": self_supervised.genes,
    "PCA-10": self_supervised.EMBEDDINGS["PCA-10"],
    "PCA-50": self_supervised.EMBEDDINGS["PCA-50"],
    "VAE": plain_blood,
    "normalised VAE": self_supervised.EMBEDDINGS["VAE"],
    "masked autoencoder": self_supervised.EMBEDDINGS["masked autoencoder"],
    "InfoNCE": self_supervised.EMBEDDINGS["InfoNCE"],
    "Transformer, pre-trained": transformer_blood,
    "x̂ of the normalised VAE": decoded_blood,
}


def grouped(embed, seed):
    """Types of the test cells named from the training cells, and their clusters."""
    z, (_, _, label, outside) = embed(seed), self_supervised.divided(seed)
    named = lc.evaluate.few_labels(
        z, label, outside, None, standardise=embed is not self_supervised.genes, seed=seed
    )
    clusters = lc.evaluate.clustering(z[outside], label[outside], n_clusters=10, seed=seed)
    named = {f"{metric}[all labels]": value for metric, value in named.items()}
    return named | {key: clusters[key] for key in ("leiden_ari", "leiden_nmi")}


def blood():
    """Rows of pbmc_facs, by the rule of chapter 4."""
    found = []
    for name, embed in BLOOD.items():
        found += over_seeds(
            "pbmc_facs", name, partial(grouped, embed), baseline=name in ("x", "PCA-10", "PCA-50")
        )
    return found


# -- mixing: the plates of chapter 5 ---------------------------------------------------------


@cache
def of_plates(name, seed):
    """A network of `NETWORKS` with ten dimensions, trained as those of chapter 5."""
    log1p = batch_correction.load("cell_mixture")
    return trained(NETWORKS[name], log1p, 10, seed, steps=batch_correction.STEPS)


def plates_encoded(name, log1p, seed):
    """z, and no model, as `batch_correction.scored` takes them."""
    model = of_plates(name, seed)
    return model.encode(read_by(model, log1p)), None


def plates_decoded(name, log1p, seed):
    """x̂ in place of z."""
    return decoded(of_plates(name, seed), log1p), None


def plates_transformer(log1p, seed):
    """z of a Transformer that has learned from hidden counts of all plates."""
    modules = lc.preprocess.GeneModules(transformer.MODULES).fit(log1p).labels_
    cells = transformer.arrays(log1p, log1p, transformer.members(modules))
    return transformer.unlabelled(cells, seed).encode(cells.counts), None


PLATES = {
    "x": lambda log1p, seed: (lc.inputs(log1p), None),
    "PCA-10": lambda log1p, seed: (log1p.obsm["X_pca"][:, :10], None),
    **{name: partial(plates_encoded, name) for name in ("VAE", "normalised VAE", "masked autoencoder")},
    "Transformer, pre-trained": plates_transformer,
    **{f"x̂ of the {name}": partial(plates_decoded, name) for name in ("VAE", "conditional VAE")},
}


def mixing():
    """Rows of cell_mixture, by the rule of chapter 5; the networks that are told the plate are stored there."""
    found = []
    for name, make in PLATES.items():
        fixed = name in ("x", "PCA-10")
        score = partial(batch_correction.scored, make, "cell_mixture")
        found += over_seeds("cell_mixture", name, score, fixed, range(1) if fixed else SEEDS)
    return found


# -- tests of genes ---------------------------------------------------------------------------------------------------


@cache
def two_types():
    """B and natural killer cells of pbmc_facs with as many molecules each: counts (cells, genes), true for a B cell."""
    facs = lc.datasets.pbmc_facs()
    facs = facs[facs.obs["label"].isin(("CD19+ B", "CD56+ NK"))].copy()
    facs = facs[np.asarray(facs.X.sum(axis=1)).ravel() >= DEPTH].copy()
    sc.pp.downsample_counts(facs, counts_per_cell=DEPTH, random_state=0)
    facs.layers["counts"] = facs.X.copy()
    genes = lc.preprocess.HighlyVariableGenes(1000, "pearson_residuals").fit(facs)
    return lc.inputs(genes.transform(facs)), (facs.obs["label"] == "CD19+ B").to_numpy()


def values_of(counts):
    """log1p of counts per 10,000: every cell has ``DEPTH`` molecules."""
    return np.log1p(1e4 / DEPTH * counts)


def p_values(values, group):
    """Of a Wilcoxon rank-sum test of each gene; 1 for a gene that does not vary."""
    p = mannwhitneyu(values[group], values[~group], method="asymptotic").pvalue
    return np.where(np.isnan(p), 1.0, p)


def called(values, group):
    """Which genes the test calls at a false discovery rate of 5 in 100."""
    return false_discovery_control(p_values(values, group)) < 0.05


def imputed(values, n_neighbors=15):
    """The mean over the nearest cells in 10 principal components, each cell with itself."""
    z = pca(values, 10)
    near = NearestNeighbors(n_neighbors=n_neighbors).fit(z).kneighbors(z, return_distance=False)
    return values[near].mean(axis=1)


def autoencoded(counts, seed, group=None):
    """x̂ of a VAE, in the unit of x, a cell with its own total and, of one that is told the groups, at its own group."""
    shape = {"latent_dim": 10, "dropout": DROPOUT, "seed": seed}
    cells, epochs = counts, round(STEPS * BATCH_SIZE / len(counts))
    if group is None:
        model = lc.models.VAE(counts.shape[1], **shape)
    else:
        cells = {"x": counts, "batch": np.where(group, "one", "other")}
        model = lc.models.BatchVAE(counts.shape[1], ["one", "other"], **shape)
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    model.fit(cells, batch_size=BATCH_SIZE, epochs=epochs, verbose=0)
    return values_of(model.reconstruct(cells))


def permuted_genes(seed):
    """Genes whose values were shuffled over the cells: what a test of B against natural killer cells calls of them."""
    counts, group = two_types()
    rng, counts = np.random.default_rng(seed), counts.copy()
    null = rng.permutation(counts.shape[1])[:200]
    counts[:, null] = rng.permuted(counts[:, null], axis=0)
    found = {}
    for name, values in {
        "x": values_of(counts),
        "imputed from neighbours": imputed(values_of(counts)),
        "x̂ of the VAE": autoencoded(counts, seed),
    }.items():
        calls = called(values, group)
        with np.errstate(invalid="ignore"):
            r = np.abs(np.corrcoef(values[:, null].T))[np.triu_indices(200, 1)]
        found[name] = {
            "called[permuted genes]": calls[null].mean(),
            "called[other genes]": np.delete(calls, null).mean(),
            "false_discovery_proportion[permuted genes]": calls[null].sum() / max(1, calls.sum()),
            "null_r[permuted genes]": np.nanmean(r),
        }
    return found


def permuted_labels(seed, draws=20):
    """B cells in two random groups: the share of genes that is called."""
    counts, group = two_types()
    counts = counts[group]
    counts = counts[:, counts.sum(axis=0) > 0]
    rng = np.random.default_rng(seed)
    halves = [rng.permutation(np.arange(len(counts)) % 2 == 0) for _ in range(draws)]
    values = {
        "x": values_of(counts),
        "imputed from neighbours": imputed(values_of(counts)),
        "x̂ of the VAE": autoencoded(counts, seed),
    }
    found = {}
    for name, of in values.items():
        calls = np.array([called(of, half).mean() for half in halves])
        found[name] = {
            "called[permuted labels]": calls.mean(),
            "draws_with_calls[permuted labels]": (calls > 0).mean(),
        }
    told = called(autoencoded(counts, seed, halves[0]), halves[0]).mean()
    found["x̂ of a VAE that is told the group"] = {"called[permuted labels]": told}
    return found


def double_dipping(seed, cells=600, genes=500):
    """One population without groups, clustered and tested: on the same counts, and on two parts of them."""
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(1.0, 1.0, genes)
    found = {}
    for name, theta in {"Poisson": None, "theta 5": 5.0, "theta 2": 2.0}.items():
        rate = mean if theta is None else mean * rng.gamma(theta, 1 / theta, (cells, genes))
        counts = rng.poisson(rate, (cells, genes))
        ways = {
            "same counts": (counts, counts),
            "count splitting": lc.preprocess.split_counts(counts, seed=seed),
        }
        if theta is not None:
            ways["count splitting, theta known"] = lc.preprocess.split_counts(counts, theta=theta, seed=seed)
        for way, (seen, tested) in ways.items():
            groups = KMeans(2, n_init=10, random_state=seed).fit_predict(pca(np.log1p(seen), 10)) == 1
            of_way = found.setdefault(way, {})
            of_way[f"called[one population, {name}]"] = called(tested, groups).mean()
            of_way[f"p_below_0_05[one population, {name}]"] = (p_values(tested, groups) < 0.05).mean()
    return found


def differential():
    """Rows of tests where the truth is that nothing differs."""
    found = []
    for dataset, score in {
        "pbmc_facs": lambda seed: merged(permuted_genes(seed), permuted_labels(seed)),
        "simulate": double_dipping,
    }.items():
        runs = [score(seed) for seed in SEEDS]
        for name in runs[0]:
            found += rows_of(
                dataset, name, [run[name] for run in runs], baseline=name in ("x", "same counts")
            )
    return found


def merged(one, other):
    """Two dictionaries of dictionaries in one."""
    return {name: one.get(name, {}) | other.get(name, {}) for name in one | other}


# -- denoising --------------------------------------------------------------------------------------------------------


BINS = {"below 0.1": (0, 0.1), "0.1 to 1": (0.1, 1), "1 to 10": (1, 10), "above 10": (10, np.inf)}


@cache
def deep_and_shallow(name):
    """Counts of 1,000 genes."""
    adata = lc.datasets.load(name)
    genes = lc.preprocess.HighlyVariableGenes(1000, "pearson_residuals").fit(adata)
    return lc.inputs(genes.transform(adata), layer="counts")


def predictions(seen, seed):
    """Of the unseen half of the molecules, from the half that is seen: name -> expected counts (cells, genes)."""
    library = seen.sum(axis=1, keepdims=True)
    z = pca(np.log1p(1e4 * seen / library), 10)
    near = NearestNeighbors(n_neighbors=15).fit(z).kneighbors(z, return_distance=False)
    model = lc.models.VAE(seen.shape[1], latent_dim=10, dropout=DROPOUT, seed=seed)
    model.compile(keras.optimizers.Adam(LEARNING_RATE))
    model.fit(seen, batch_size=BATCH_SIZE, epochs=round(2 * STEPS * BATCH_SIZE / len(seen)), verbose=0)
    expected = model.reconstruct(seen)
    return {
        "x": seen,
        "mean of the neighbours": library * (seen / library)[near].mean(axis=1),
        "x̂ of the VAE": expected,
        "half x, half x̂": (seen + expected) / 2,
    }


def held_out_molecules(name, seed):
    """R² of each gene's unseen counts against its mean share; the median over genes, and over those of each bin."""
    counts = deep_and_shallow(name)
    seen, unseen = lc.preprocess.split_counts(counts, seed=seed)
    keep = (seen.sum(axis=0) > 0) & (unseen.sum(axis=0) > 0)
    kept = seen.sum(axis=1) > 0
    seen, unseen = seen[kept][:, keep], unseen[kept][:, keep]
    mean = seen.sum(axis=1, keepdims=True) * seen.sum(axis=0) / seen.sum()
    level, found = seen.mean(axis=0), {}
    for method, expected in predictions(seen, seed).items():
        r2 = 1 - ((unseen - expected) ** 2).sum(axis=0) / ((unseen - mean) ** 2).sum(axis=0)
        found[method] = {"heldout_r2[all genes]": np.median(r2)}
        for of, (low, high) in BINS.items():
            inside = (level >= low) & (level < high)
            if inside.sum() >= 10:
                found[method][f"heldout_r2[mean {of}]"] = np.median(r2[inside])
    return found


def denoising():
    """Rows of the prediction of unseen molecules, in shallow and in deep data."""
    found = []
    for dataset in ("pbmc_facs", "cell_mixture"):
        runs = [held_out_molecules(dataset, seed) for seed in SEEDS]
        for name in runs[0]:
            found += rows_of(dataset, name, [run[name] for run in runs], baseline=name == "x")
    return found


PARTS = choice, proportions, true_latent, blood, mixing, differential, denoising


def rows():
    """All rows of ``10_x_versus_z.json``."""
    return [row for part in PARTS for row in part()]
