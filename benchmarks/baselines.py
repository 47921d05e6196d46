r"""Prepare PCA with the care that a network gets: scale, genes and components chosen without labels.

One rule for every space of cells, PCA's or a network's: molecular cross-validation. A tenth of the molecules of each
cell is held out (`latentcells.preprocess.split_counts`), the space is made from the others, and a linear decoder of
the space predicts the held-out molecules. With the seen counts x and the unseen counts y of cell i and gene j, the
share :math:`s_{ij} = x_{ij} / \sum_g x_{ig}`, its mean over cells :math:`\bar s_j`, and the coordinates :math:`u_{ik}`
of the space, rotated and scaled to be centred and orthonormal,

.. math::
    \hat s_{ij} \propto \max\Big(0, \bar s_j + \sum_k u_{ik} W_{kj} \big(1 - 1 / t_{kj}^2\big)_+\Big), \qquad
    W_{kj} = \sum_i u_{ik} s_{ij}, \qquad
    \text{gain} = \frac{1}{\sum_{ij} y_{ij}} \sum_{ij} y_{ij} \log \frac{(1 - w) \hat s_{ij} + w \bar s_j}{\bar s_j}.

W is least squares, t a coefficient over its standard error, and the factor the positive part of James and Stein's:
a coefficient no larger than its error is the decoder's noise, not the space's. The gain is a multinomial
log-likelihood, half the deviance saved, in nats a molecule: 0 for a space that tells nothing, and largest in
expectation for the true shares. Because every space is decoded in the same way, to the same counts of the same genes,

- a scale gains nothing by a small variance, as it does where errors are measured on the scale itself, and loses nothing
  by an inverse that is biased, as that of a logarithm is;
- genes that were left out of a space count as much as the others;
- a space without a decoder, such as a contrastive encoder's, is measured as well;
- the scale and the rotation of the coordinates do not matter, a component that follows noise costs something.

Of the candidates within one standard error of the best, the one with fewest components is chosen.

The gain ranks the settings of one method. Between methods it is biased: a space in which expression is linear, as in
PCA's, has a larger gain than a curved one in which the neighbours are as good.

References: molecular cross-validation, Batson et al. 2019 (batson2019), https://doi.org/10.1101/786269; parts of
Poisson counts are independent, Neufeld et al. 2024 (neufeld2024), https://doi.org/10.1093/biostatistics/kxac047;
multinomial deviance, Townes et al. 2019 (townes2019), https://doi.org/10.1186/s13059-019-1861-6.
"""

from dataclasses import dataclass, replace
from itertools import product
from typing import NamedTuple

import numpy as np
from anndata import AnnData
from scipy import sparse
from sklearn.decomposition import PCA

import latentcells as lc
from benchmarks.records import SEEDS, rows_of

SEEN = 0.9  # of each cell's molecules
WEIGHTS = 0.02, 0.05, 0.1, 0.2, 0.3, 0.4  # of the average cell
COMPONENTS = 5, 10, 15, 20, 30, 50
SCALES = {  # name -> total of a cell, None for the median; transform
    "log1p per 10,000": (1e4, np.log1p),
    "log1p at the median total": (None, np.log1p),
    "square root at the median total": (None, np.sqrt),
}
RESIDUALS = "Pearson residuals"
ALL, EXPRESSED, VARIABLE = "all genes", "2000 most expressed", "2000 by Pearson residuals"
N_GENES, FEWEST_CELLS = 2000, 3  # fewer cells that express it: a gene is left out
THETA, CLIP = 100.0, 10.0  # as scanpy
BLOCK = 500  # cells whose genes are dense at a time


@dataclass(frozen=True)
class Preparation:
    """How PCA is prepared: the scale of the values, the genes, whether each gene gets variance 1, the components."""

    scale: str
    genes: str
    standardise: bool
    components: int

    def __str__(self):
        scale = f"{self.scale}, standardised" if self.standardise else self.scale
        return f"PCA-{self.components}, {scale}, {self.genes}"

    def fit(self, counts):
        """A function from the counts of any cells, (cells, genes), to their components, (cells, components).

        Args:
            counts: (cells, genes), of the training cells: on them genes, scale and components are fitted.

        Raises:
            ValueError: for more components than cells or genes.
        """
        counts = sparse.csr_matrix(counts, dtype=np.float32)
        genes = choose_genes(counts, self.genes)
        if self.components > min(len(counts.indptr) - 1, len(genes)):
            raise ValueError(
                f"components={self.components} is more than the {counts.shape[0]} cells or the {len(genes)} genes "
                f"({self.genes}) have: lower it"
            )
        scale = fit_scale(counts, self.scale, genes)
        values = scale(counts)
        mean, sd = values.mean(axis=0), values.std(axis=0)

        def prepare(values):
            return (
                np.clip((values - mean) / np.where(sd > 0, sd, 1), -CLIP, CLIP)
                if self.standardise
                else values
            )

        pca = PCA(self.components, random_state=0).fit(prepare(values))
        return lambda counts: pca.transform(prepare(scale(sparse.csr_matrix(counts, dtype=np.float32))))


CANDIDATES = tuple(
    Preparation(scale, genes, standardise, components)
    for scale, genes, standardise, components in product(
        (*SCALES, RESIDUALS), (ALL, EXPRESSED, VARIABLE), (False, True), COMPONENTS
    )
    # residuals are standardised by their model; a gene of three cells should not weigh as much as any
    if not standardise or (scale != RESIDUALS and genes != ALL)
)


def choose_genes(counts, kind):
    """The columns of ``counts`` that are used."""
    expressed = np.flatnonzero(expressed_genes(counts))
    if kind == ALL or len(expressed) <= N_GENES:
        return expressed
    if kind == EXPRESSED:
        total = np.asarray(counts.sum(axis=0)).ravel()
        return np.sort(np.argsort(-total, kind="stable")[:N_GENES])
    cells = AnnData(counts[:, expressed])
    chosen = lc.preprocess.HighlyVariableGenes(N_GENES, "pearson_residuals").fit(cells).genes_
    return expressed[cells.var_names.get_indexer(chosen)]


def expressed_genes(counts):
    """A mask of the genes, (genes,), that enough of the cells express."""
    return np.asarray((counts > 0).sum(axis=0)).ravel() >= FEWEST_CELLS


def fit_scale(counts, name, genes):
    """A function from counts to values of ``genes``, (cells, chosen genes), float32."""
    if name == RESIDUALS:
        return fit_residuals(counts, genes)
    total, transform = SCALES[name]
    library = lc.preprocess.LibrarySize(total, log1p=False).fit(AnnData(counts))
    return lambda counts: transform(library.transform(AnnData(counts)).X[:, genes].toarray())


def fit_residuals(counts, genes):
    """Pearson residuals of the negative binomial that has one share for each gene (Lause et al. 2021)."""
    total = np.asarray(counts[:, genes].sum(axis=0)).ravel()
    share, bound = total / total.sum(), np.sqrt(counts.shape[0])

    def scale(counts):
        x = counts[:, genes].toarray()
        mean = np.maximum(x.sum(axis=1, keepdims=True) * share, 1e-12)
        return np.clip((x - mean) / np.sqrt(mean + mean**2 / THETA), -bound, bound).astype(np.float32)

    return scale


# -- the rule -------------------------------------------------------------------------------------------------------


class Molecules(NamedTuple):
    """Two parts of the molecules of the same cells: CSR matrices (cells, genes)."""

    seen: sparse.csr_matrix
    unseen: sparse.csr_matrix


def split_molecules(counts, seed=0, seen=SEEN):
    """The parts that a space may see and may not, of the genes that enough cells express."""
    counts = sparse.csr_matrix(counts, dtype=np.float32)
    parts = lc.preprocess.split_counts(counts[:, expressed_genes(counts)], seen, seed=seed)
    return Molecules(*map(sparse.csr_matrix, parts))


def gains(space, molecules):
    """The nats that a linear decoder of a space saves on the unseen molecules of each cell: (cells,).

    Args:
        space: (cells, dimensions), made of the seen molecules alone.
        molecules: of the same cells.
    """
    u = np.linalg.svd(space - np.mean(space, axis=0), full_matrices=False)[0].astype(np.float32)
    mean, decoder = fit_decoder(u, molecules.seen)
    return gains_of(lambda cells: np.maximum(mean + u[cells] @ decoder, 0), molecules)


def fit_decoder(u, counts):
    """Mean shares (genes,) and shrunken coefficients (dimensions, genes) of orthonormal, centred coordinates."""
    n, k = u.shape
    share = sparse.csr_matrix(counts.multiply(1 / counts.sum(axis=1)))
    mean, weight = np.asarray(share.mean(axis=0)).ravel(), (share.T @ u).T
    squares = np.asarray(share.power(2).sum(axis=0)).ravel() - n * mean**2
    variance = np.maximum(squares - (weight**2).sum(axis=0), 0) / (n - 1 - k)
    shrink = np.maximum(1 - variance / np.maximum(weight**2, 1e-30), 0)
    return mean.astype(np.float32), (weight * shrink).astype(np.float32)


def gains_of(predict, molecules):
    """The nats that a prediction saves on the unseen molecules of each cell: (cells,).

    Args:
        predict: a function from a slice of cells to what is expected of each gene, (cells, genes), on any scale: only
            the shares count.
        molecules: of the same cells.

    Returns:
        the gains for the weight of the average cell that predicts best. It is one number for all cells and genes, so
        that its choice on the unseen molecules favours nobody.
    """
    seen, unseen = molecules
    average = (
        np.asarray(seen.sum(axis=0)).ravel() + 1e-2
    )  # a gene whose molecules are all unseen is not impossible
    average = average / average.sum()
    weights, result = np.array(WEIGHTS)[:, None], np.zeros((len(WEIGHTS), seen.shape[0]))
    for start in range(0, seen.shape[0], BLOCK):
        cells = slice(start, min(start + BLOCK, seen.shape[0]))
        expected, counts = predict(cells), unseen[cells].tocoo()
        share = expected[counts.row, counts.col] / expected.sum(axis=1)[counts.row]
        nats = counts.data * np.log(weights + (1 - weights) * share / average[counts.col])
        for total, values in zip(result, nats, strict=True):
            total[cells] = np.bincount(counts.row, values, counts.shape[0])
    return result[result.sum(axis=1).argmax()]


def per_molecule(gains, molecules):
    """The gain in nats per unseen molecule."""
    return float(gains.sum() / molecules.unseen.sum())


def simplest(candidates):
    """The candidate with the fewest components of those whose gain is within one standard error of the best.

    Args:
        candidates: candidate (with ``components``) -> its `gains`, (cells,). The standard error is that of the mean
            difference to the best over cells.
    """
    best = max(candidates.values(), key=np.sum)

    def close(gains):
        return best.sum() - gains.sum() <= np.std(best - gains, ddof=1) * np.sqrt(len(best))

    near = {candidate: gains for candidate, gains in candidates.items() if close(gains)}
    return min(near, key=lambda candidate: (candidate.components, -near[candidate].sum()))


def measure(molecules, candidates=CANDIDATES):
    """The `gains` of each candidate. PCA is fitted once for the candidates that differ in components only."""
    most = {}
    for candidate in candidates:
        key = replace(candidate, components=0)
        most[key] = max(most.get(key, 0), candidate.components)
    result = {}
    for key, components in most.items():
        space = replace(key, components=components).fit(molecules.seen)(molecules.seen)
        result |= {
            candidate: gains(space[:, : candidate.components], molecules)
            for candidate in candidates
            if replace(candidate, components=0) == key
        }
    return result


def choose(counts, candidates=CANDIDATES, seed=0):
    """The preparation of PCA for these cells, chosen by held-out molecules; it sees nothing but counts.

    Args:
        counts: (cells, genes), of the training cells.
        candidates: preparations.
        seed: of the molecules that are held out.

    Raises:
        ValueError: as `Preparation.fit`.
    """
    return simplest(measure(split_molecules(counts, seed), candidates))


# -- the stored run -------------------------------------------------------------------------------------------------


def score(counts, label, seed):
    """The candidates' gains, what was chosen of them, and the scores of the choice, which the choice did not see."""
    molecules = split_molecules(counts, seed)
    measured = measure(molecules)
    chosen = simplest(measured)
    gain = {str(candidate): per_molecule(value, molecules) for candidate, value in measured.items()}
    return gain, str(chosen), lc.evaluate.annotation(chosen.fit(counts)(counts), label, seed=seed)


def dataset_rows(name):
    """Rows of one data set: the gain of each candidate, whether a seed chose it, and the scores of what it chose."""
    adata = lc.datasets.load(name)
    counts, label = sparse.csr_matrix(adata.layers["counts"]), adata.obs["label"].to_numpy()
    gain, chosen, scores = zip(*(score(counts, label, seed) for seed in SEEDS), strict=True)
    rows = rows_of(name, "PCA as chosen", scores, baseline=True)
    for method in gain[0]:
        rows += rows_of(name, method, [{"heldout_gain": gains[method]} for gains in gain], baseline=True)
        if method in chosen:
            rows += rows_of(name, method, [{"chosen": choice == method} for choice in chosen], baseline=True)
    return rows


def rows():
    """All rows of ``01_preparation.json``."""
    return [stored_row for name in ("pbmc_facs", "pbmc3k") for stored_row in dataset_rows(name)]
