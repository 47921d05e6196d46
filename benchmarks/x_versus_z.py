"""Chapter 10: which space for which task? x, PCA, z and decoded x̂ get the same scores on data with a known truth.

No training uses a label, a proportion or an amount. Within a part all networks take the same number of steps, the
Transformer as many as in chapter 6; settings were chosen on simulated cells (`choice`). Results that earlier chapters
store for the same settings are not recomputed. A seed takes about eight minutes on one core, and five more with
`mixing`.
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

import latentcells as lc
from benchmarks import batch_correction, self_supervised, transformer
from benchmarks.records import SEEDS, over_seeds, rows_of
from benchmarks.training import train_steps

BATCH_SIZE, LEARNING_RATE, DROPOUT, STEPS = 64, 2e-3, 0.1, 600
DEPTH = 800  # molecules in each cell, for the tests in which depth must carry no information
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


def train_network(build, log1p, latent_dim, seed=0, steps=STEPS):
    """A network of `NETWORKS` after its training on all cells."""
    takes_batches = issubclass(getattr(build, "func", build), lc.models.BatchVAE)
    batches = (sorted(log1p.obs["batch"].unique()),) if takes_batches else ()
    model = build(log1p.n_vars, *batches, latent_dim=latent_dim, dropout=DROPOUT, seed=seed)
    return train(model, inputs_of(model, log1p), steps)


def train(model, x, steps=STEPS):
    """Train a model for about ``steps`` steps and return it."""
    return train_steps(model, x, steps=steps, batch_size=BATCH_SIZE, learning_rate=LEARNING_RATE)


def inputs_of(model, log1p):
    """A model's input: counts, and the batches for a model that uses them."""
    return lc.inputs(log1p, layer="counts", batch="batch" if isinstance(model, lc.models.BatchVAE) else None)


def encode(build, log1p, latent_dim, seed=0, **options):
    """z of a network after its training."""
    model = train_network(build, log1p, latent_dim, seed, **options)
    return model.encode(inputs_of(model, log1p))


def decode(model, log1p):
    """x̂: log1p of the genes' expected counts per 10,000, averaged over batches for a model that uses them."""
    return np.log1p(model.decode(model.encode(inputs_of(model, log1p))))


def pca(x, components):
    """Principal components, (cells, components)."""
    return PCA(components, random_state=0).fit_transform(x)


def nearest(x, n_neighbors):
    """The positions of the nearest cells, the cell itself included: (cells, n_neighbors)."""
    return NearestNeighbors(n_neighbors=n_neighbors).fit(x).kneighbors(x, return_distance=False)


def centre(x, batch):
    """x (cells, dimensions), with the mean of each batch moved to 0."""
    x = x.copy()
    for name in np.unique(batch):
        x[batch == name] -= x[batch == name].mean(axis=0)
    return x


def umap(z, seed):
    """Two coordinates from scanpy's UMAP of the 15 nearest neighbours."""
    graph = anndata.AnnData(z)
    sc.pp.neighbors(graph, use_rep="X", random_state=seed)
    sc.tl.umap(graph, random_state=seed)
    return graph.obsm["X_umap"]


# -- a known latent space: proportions of RNA ----------------------------------------------------------------------


@cache
def mixture():
    """log1p values of 1,000 genes that were ranked within each protocol; counts in their layer."""
    adata = lc.datasets.load("rna_mixture")
    genes = lc.preprocess.HighlyVariableGenes(1000, batch="batch").fit(adata)
    return genes.transform(lc.preprocess.LibrarySize().fit(adata).transform(adata))


@cache
def simulated_mixture():
    """As `mixture`, for simulated wells, to choose the settings."""
    adata = lc.datasets.simulate(640, 1000, 3, 2, mixtures=MIXES, library=3000.0, batch_shift=0.5)
    adata.obs[LINES] = adata.obs[[f"type {t}_prop" for t in range(3)]].to_numpy()
    return lc.preprocess.LibrarySize().fit(adata).transform(adata)


def score_proportions(z, log1p):
    """R² of proportions and amounts across the two batches, and how well distances follow the proportions."""
    batch, parts = log1p.obs["batch"].astype(str).to_numpy(), log1p.obs[LINES].to_numpy()
    scores = {
        f"{key}[proportions, {direction}]": r2
        for key, direction, r2 in r2_by_way(lc.evaluate.proportions(z, parts, batch))
    }
    if "mRNA_amount" in log1p.obs:
        amount = np.log2(log1p.obs["mRNA_amount"].to_numpy())
        amount_scores = lc.evaluate.across_batches(z, amount, batch)
        scores |= {f"{key}[amount, {direction}]": r2 for key, direction, r2 in r2_by_way(amount_scores)}
    return scores | {"distance_r[proportions]": distances_kept(z, parts, batch)}


def r2_by_way(result):
    """(``ridge_r2`` or ``knn_r2``, "one batch to the other", R²) of each prediction between two batches."""
    for key in ("ridge_r2", "knn_r2"):
        one, other = result[key]
        yield key, f"{other} to {one}", result[key][one]
        yield key, f"{one} to {other}", result[key][other]


def distances_kept(z, truth, batch):
    """Rank correlation of the distances in z and in truth between the cells of a batch, averaged over batches."""
    correlations = []
    for name in np.unique(batch):
        pairs = np.triu_indices((batch == name).sum(), 1)
        distances = [pairwise_distances(space[batch == name])[pairs] for space in (z, truth)]
        correlations.append(spearmanr(*distances).statistic)
    return float(np.mean(correlations))


def baselines(log1p):
    """Spaces that need no network and no seed: name -> (cells, dimensions)."""
    x, batch = lc.inputs(log1p), log1p.obs["batch"].astype(str).to_numpy()
    spaces = {"x": x, "x, each batch centred": centre(x, batch)}
    for k in (2, 10):
        spaces |= {f"PCA-{k}": pca(x, k), f"PCA-{k}, each batch centred": centre(pca(x, k), batch)}
    return spaces


CANDIDATES = {
    **{name: NETWORKS[name] for name in list(NETWORKS)[3:]},
    **{f"adversary of {s}": partial(lc.models.BatchVAE, adversary=float(s)) for s in (1, 100)},
    **{f"neighbour VAE, {n} steps": partial(lc.models.NeighbourVAE, walk_length=n) for n in (1, 4)},
    "linear neighbour VAE, 4 steps": partial(NETWORKS["linear neighbour VAE"], walk_length=4),
}


def choice():
    """Rows of the candidates for two dimensions on simulated wells, whose proportions are known exactly."""
    rows = []
    for name, build in CANDIDATES.items():
        rows += over_seeds(
            "simulate",
            f"candidate: {name}, 2 dimensions",
            lambda seed, build=build: score_proportions(
                encode(build, simulated_mixture(), 2, seed), simulated_mixture()
            ),
            seeds=range(1),
        )
    return rows


def proportions():
    """Rows of every space on rna_mixture."""
    log1p, rows = mixture(), []
    for name, z in baselines(log1p).items():
        rows += over_seeds(
            "rna_mixture", name, lambda seed, z=z: score_proportions(z, log1p), baseline=True, seeds=range(1)
        )
    for k in (2, 10):
        for name, build in NETWORKS.items():
            rows += over_seeds(
                "rna_mixture",
                f"{name}, {k} dimensions",
                lambda seed, build=build, k=k: score_proportions(encode(build, log1p, k, seed), log1p),
            )
    for name in ("VAE", "conditional VAE"):
        rows += over_seeds(
            "rna_mixture",
            f"x̂ of the {name}, 10 dimensions",
            lambda seed, name=name: score_proportions(
                decode(train_network(NETWORKS[name], log1p, 10, seed), log1p), log1p
            ),
        )
    return rows + over_seeds(
        "rna_mixture",
        "UMAP of PCA-10",
        lambda seed: score_proportions(umap(pca(lc.inputs(log1p), 10), seed), log1p),
    )


# -- a simulated latent space -------------------------------------------------------------------------------------


@cache
def simulate(seed):
    """Simulated cells of five types in two batches; their true z in ``obsm["z"]``."""
    adata = lc.datasets.simulate(1000, 1000, 5, 2, library=3000.0, seed=seed)
    return lc.preprocess.LibrarySize().fit(adata).transform(adata)


def score_geometry(make, seed):
    """Similarity of a space, ``make(log1p)``, to the true z: correlations, neighbours and distances."""
    log1p = simulate(seed)
    z, truth = make(log1p), log1p.obsm["z"]
    scores = {
        "neighbours_kept[truth]": lc.evaluate.neighbourhood_preservation(z, truth),
        "distance_r[truth]": distances_kept(z, truth, np.zeros(len(z))),
    }
    if z.shape[1] + truth.shape[1] < len(z):  # a dimension that z lacks counts as 0
        correlations = lc.evaluate.canonical_correlations(z, truth)
        scores["canonical_r[mean]"] = float(correlations.sum()) / truth.shape[1]
    return scores


def true_latent():
    """Rows that compare spaces of several dimensions with the true z of ten; the seed also draws the cells."""
    rows = over_seeds("simulate", "x", partial(score_geometry, lc.inputs), baseline=True)
    for k in (2, 5, 10, 20, 50):
        make = partial(score_geometry, lambda log1p, k=k: pca(lc.inputs(log1p), k))
        rows += over_seeds("simulate", f"PCA-{k}", make, baseline=True)
    for name, k in [("VAE", k) for k in (2, 5, 10, 20)] + [("conditional VAE", 10)]:
        rows += over_seeds(
            "simulate",
            f"{name}, {k} dimensions",
            lambda seed, name=name, k=k: score_geometry(
                lambda log1p: encode(NETWORKS[name], log1p, k, seed), seed
            ),
        )
    return rows + over_seeds(
        "simulate",
        "UMAP of PCA-10",
        lambda seed: score_geometry(lambda log1p: umap(pca(lc.inputs(log1p), 10), seed), seed),
    )


# -- groups: the blood cells of chapter 4 ----------------------------------------------------


PLAIN = self_supervised.NETWORK | {"normalization": None}


def train_blood(seed, network=self_supervised.NETWORK):
    """The VAE of chapter 4 after its training, and the counts of all cells."""
    counts = self_supervised.divide(seed)[0]
    model = lc.models.VAE(counts.shape[1], seed=seed, **network)
    return self_supervised.pretrain(model, seed), counts


def decoded_blood(seed):
    """x̂, log1p, of all blood cells, from the VAE of chapter 4."""
    model, counts = train_blood(seed)
    return np.log1p(model.decode(model.encode(counts)))


def plain_blood(seed):
    """z of the VAE of chapter 4 without its layer normalisation."""
    model, counts = train_blood(seed, PLAIN)
    return model.encode(counts)


def transformer_blood(seed):
    """z of the pre-trained Transformer of chapter 6."""
    return transformer.pretrained(seed).encode(self_supervised.divide(seed)[0])


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


def score_groups(embed, seed):
    """Scores of the test cells: their types predicted from the training cells, and their clusters."""
    z, (_, _, label, outside) = embed(seed), self_supervised.divide(seed)
    scores = lc.evaluate.few_labels(
        z, label, outside, None, standardise=embed is not self_supervised.genes, seed=seed
    )
    clusters = lc.evaluate.clustering(z[outside], label[outside], n_clusters=10, seed=seed)
    scores = {f"{metric}[all labels]": value for metric, value in scores.items()}
    return scores | {key: clusters[key] for key in ("leiden_ari", "leiden_nmi")}


def blood():
    """Rows of pbmc_facs, with the splits of chapter 4."""
    rows = []
    for name, embed in BLOOD.items():
        rows += over_seeds(
            "pbmc_facs", name, partial(score_groups, embed), baseline=name in ("x", "PCA-10", "PCA-50")
        )
    return rows


# -- mixing: the plates of chapter 5 ---------------------------------------------------------


@cache
def train_plates(name, seed):
    """A network of `NETWORKS` with ten dimensions, trained as those of chapter 5."""
    log1p = batch_correction.load("cell_mixture")
    return train_network(NETWORKS[name], log1p, 10, seed, steps=batch_correction.STEPS)


def encoded_plates(name, log1p, seed):
    """z and no model, in the form that `batch_correction.score` takes."""
    model = train_plates(name, seed)
    return model.encode(inputs_of(model, log1p)), None


def decoded_plates(name, log1p, seed):
    """x̂ in place of z, and no model."""
    return decode(train_plates(name, seed), log1p), None


def transformer_plates(log1p, seed):
    """z of a Transformer pre-trained on hidden counts of all plates."""
    modules = lc.preprocess.GeneModules(transformer.MODULES).fit(log1p).labels_
    cells = transformer.arrays(log1p, log1p, transformer.members(modules))
    return transformer.pretrain(cells, seed).encode(cells.counts), None


PLATES = {
    "x": lambda log1p, seed: (lc.inputs(log1p), None),
    "PCA-10": lambda log1p, seed: (log1p.obsm["X_pca"][:, :10], None),
    **{name: partial(encoded_plates, name) for name in ("VAE", "normalised VAE", "masked autoencoder")},
    "Transformer, pre-trained": transformer_plates,
    **{f"x̂ of the {name}": partial(decoded_plates, name) for name in ("VAE", "conditional VAE")},
}


def mixing():
    """Rows of cell_mixture, scored as in chapter 5, which stores the networks that use the plate."""
    rows = []
    for name, make in PLATES.items():
        fixed = name in ("x", "PCA-10")
        score = partial(batch_correction.score, make, "cell_mixture")
        rows += over_seeds("cell_mixture", name, score, fixed, range(1) if fixed else SEEDS)
    return rows


# -- tests of genes ---------------------------------------------------------------------------------------------------


@cache
def two_types():
    """Counts (cells, genes) of B and natural killer cells, each with ``DEPTH`` molecules, and a mask of the B cells."""
    facs = lc.datasets.pbmc_facs()
    facs = facs[facs.obs["label"].isin(("CD19+ B", "CD56+ NK"))].copy()
    facs = facs[np.asarray(facs.X.sum(axis=1)).ravel() >= DEPTH].copy()
    sc.pp.downsample_counts(facs, counts_per_cell=DEPTH, random_state=0)
    facs.layers["counts"] = facs.X.copy()
    genes = lc.preprocess.HighlyVariableGenes(1000, "pearson_residuals").fit(facs)
    return lc.inputs(genes.transform(facs)), (facs.obs["label"] == "CD19+ B").to_numpy()


def values_of(counts):
    """log1p of counts per 10,000, since every cell has ``DEPTH`` molecules."""
    return np.log1p(1e4 / DEPTH * counts)


def p_values(values, group):
    """P-values of a Wilcoxon rank-sum test of each gene; 1 for a gene that does not vary."""
    p = mannwhitneyu(values[group], values[~group], method="asymptotic").pvalue
    return np.where(np.isnan(p), 1.0, p)


def find_significant(values, group):
    """A mask of the genes that are significant at a false discovery rate of 5 %."""
    return false_discovery_control(p_values(values, group)) < 0.05


def impute(values, n_neighbors=15):
    """The mean over the nearest cells in 10 principal components, the cell itself included."""
    return values[nearest(pca(values, 10), n_neighbors)].mean(axis=1)


def autoencode(counts, seed, group=None):
    """x̂ of a VAE in the unit of x, each cell at its own total and, if the VAE is given the groups, its own group."""
    options = {"latent_dim": 10, "dropout": DROPOUT, "seed": seed}
    if group is None:
        model, x = lc.models.VAE(counts.shape[1], **options), counts
    else:
        model = lc.models.BatchVAE(counts.shape[1], ["one", "other"], **options)
        x = {"x": counts, "batch": np.where(group, "one", "other")}
    return values_of(train(model, x).reconstruct(x))


def values_to_test(counts, seed):
    """Name -> values (cells, genes) to test."""
    return {
        "x": values_of(counts),
        "imputed from neighbours": impute(values_of(counts)),
        "x̂ of the VAE": autoencode(counts, seed),
    }


def permuted_genes(seed):
    """The shares of permuted and other genes that are significant between B and natural killer cells."""
    counts, group = two_types()
    rng, counts = np.random.default_rng(seed), counts.copy()
    null = rng.permutation(counts.shape[1])[:200]
    counts[:, null] = rng.permuted(counts[:, null], axis=0)
    scores = {}
    for name, values in values_to_test(counts, seed).items():
        calls = find_significant(values, group)
        with np.errstate(invalid="ignore"):
            r = np.abs(np.corrcoef(values[:, null].T))[np.triu_indices(200, 1)]
        scores[name] = {
            "called[permuted genes]": calls[null].mean(),
            "called[other genes]": np.delete(calls, null).mean(),
            "false_discovery_proportion[permuted genes]": calls[null].sum() / max(1, calls.sum()),
            "null_r[permuted genes]": np.nanmean(r),
        }
    return scores


def permuted_labels(seed, draws=20):
    """The share of genes that are significant between two random halves of the B cells."""
    counts, group = two_types()
    counts = counts[group]
    counts = counts[:, counts.sum(axis=0) > 0]
    rng = np.random.default_rng(seed)
    halves = [rng.permutation(np.arange(len(counts)) % 2 == 0) for _ in range(draws)]
    scores = {}
    for name, values in values_to_test(counts, seed).items():
        calls = np.array([find_significant(values, half).mean() for half in halves])
        scores[name] = {
            "called[permuted labels]": calls.mean(),
            "draws_with_calls[permuted labels]": (calls > 0).mean(),
        }
    share = find_significant(autoencode(counts, seed, halves[0]), halves[0]).mean()
    scores["x̂ of a VAE that is told the group"] = {"called[permuted labels]": share}
    return scores


def double_dipping(seed, cells=600, genes=500):
    """Cluster and test a single population: on the same counts, and on two parts of the counts."""
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(1.0, 1.0, genes)
    scores = {}
    for name, theta in {"Poisson": None, "theta 5": 5.0, "theta 2": 2.0}.items():
        rate = mean if theta is None else mean * rng.gamma(theta, 1 / theta, (cells, genes))
        counts = rng.poisson(rate, (cells, genes))
        methods = {
            "same counts": (counts, counts),
            "count splitting": lc.preprocess.split_counts(counts, seed=seed),
        }
        if theta is not None:
            methods["count splitting, theta known"] = lc.preprocess.split_counts(
                counts, theta=theta, seed=seed
            )
        for method, (clustered, tested) in methods.items():
            groups = KMeans(2, n_init=10, random_state=seed).fit_predict(pca(np.log1p(clustered), 10)) == 1
            scores.setdefault(method, {}).update(
                {
                    f"called[one population, {name}]": find_significant(tested, groups).mean(),
                    f"p_below_0_05[one population, {name}]": (p_values(tested, groups) < 0.05).mean(),
                }
            )
    return scores


def differential():
    """Rows of tests on genes that do not differ."""
    rows = rows_of_runs("pbmc_facs", lambda seed: merge(permuted_genes(seed), permuted_labels(seed)), ("x",))
    return rows + rows_of_runs("simulate", double_dipping, ("same counts",))


def rows_of_runs(dataset, score, baselines):
    """Rows of each method of ``score(seed)``, method -> metrics."""
    runs = [score(seed) for seed in SEEDS]
    return [
        stored_row
        for name in runs[0]
        for stored_row in rows_of(dataset, name, [run[name] for run in runs], name in baselines)
    ]


def merge(first, second):
    """Merge two dictionaries of dictionaries."""
    return {name: first.get(name, {}) | second.get(name, {}) for name in first | second}


# -- denoising --------------------------------------------------------------------------------------------------------


BINS = {"below 0.1": (0, 0.1), "0.1 to 1": (0.1, 1), "1 to 10": (1, 10), "above 10": (10, np.inf)}


@cache
def deep_and_shallow(name):
    """Counts of 1,000 genes."""
    adata = lc.datasets.load(name)
    genes = lc.preprocess.HighlyVariableGenes(1000, "pearson_residuals").fit(adata)
    return lc.inputs(genes.transform(adata), layer="counts")


def predictions(input_counts, seed):
    """Expected counts of the held-out half of the molecules, from the other half: name -> (cells, genes)."""
    library = input_counts.sum(axis=1, keepdims=True)
    near = nearest(pca(np.log1p(1e4 * input_counts / library), 10), 15)
    model = lc.models.VAE(input_counts.shape[1], latent_dim=10, dropout=DROPOUT, seed=seed)
    expected = train(model, input_counts, 2 * STEPS).reconstruct(input_counts)
    return {
        "x": input_counts,
        "mean of the neighbours": library * (input_counts / library)[near].mean(axis=1),
        "x̂ of the VAE": expected,
        "half x, half x̂": (input_counts + expected) / 2,
    }


def held_out_molecules(name, seed):
    """R² of each gene's held-out counts relative to its mean share: medians over all genes and over each bin."""
    counts = deep_and_shallow(name)
    input_counts, heldout_counts = lc.preprocess.split_counts(counts, seed=seed)
    genes = (input_counts.sum(axis=0) > 0) & (heldout_counts.sum(axis=0) > 0)
    cells = input_counts.sum(axis=1) > 0
    input_counts, heldout_counts = input_counts[cells][:, genes], heldout_counts[cells][:, genes]
    mean = input_counts.sum(axis=1, keepdims=True) * input_counts.sum(axis=0) / input_counts.sum()
    level, scores = input_counts.mean(axis=0), {}
    for method, expected in predictions(input_counts, seed).items():
        r2 = 1 - ((heldout_counts - expected) ** 2).sum(axis=0) / ((heldout_counts - mean) ** 2).sum(axis=0)
        scores[method] = {"heldout_r2[all genes]": np.median(r2)}
        for bin_name, (low, high) in BINS.items():
            inside = (level >= low) & (level < high)
            if inside.sum() >= 10:
                scores[method][f"heldout_r2[mean {bin_name}]"] = np.median(r2[inside])
    return scores


def denoising():
    """Rows of the prediction of held-out molecules, in shallow and in deep data."""
    return [
        stored_row
        for dataset in ("pbmc_facs", "cell_mixture")
        for stored_row in rows_of_runs(dataset, partial(held_out_molecules, dataset), ("x",))
    ]


PARTS = choice, proportions, true_latent, blood, mixing, differential, denoising


def rows():
    """All rows of ``10_x_versus_z.json``."""
    return [stored_row for part in PARTS for stored_row in part()]
