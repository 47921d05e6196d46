"""Cells of which everything is known: types, latent, markers, library sizes, batch shifts."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from anndata import AnnData
from scipy import sparse

from latentcells import _checks
from latentcells.datasets._contract import about, build
from latentcells.datasets._registry import Paper

_BLOCK = 256  # cells that share a random generator: changing it changes the data of a seed
_PAPER = Paper("Latent Cells, lc.datasets.simulate", "")
_NOTE = "Drawn from a negative binomial model; every quantity in obs, var and obsm is the truth."


def simulate(
    n_cells: int = 1000,
    n_genes: int = 1000,
    n_types: int = 5,
    n_batches: int = 2,
    *,
    latent_dim: int = 10,
    markers_per_type: int = 10,
    marker_fold: float = 8.0,
    library=2000.0,
    theta: float = 5.0,
    batch_shift: float = 0.3,
    mixtures=None,
    seed: int = 0,
) -> AnnData:
    r"""Draw counts from a negative binomial model in blocks of cells, never dense as a whole.

    For cell c of batch b with proportions :math:`\pi_c` over the types,

    .. math::
        \rho_{cg} &\propto \Big(\sum_t \pi_{ct} \, \mathrm{softmax}_g(a_g + m_t W_g + f_{tg})\Big)
        \, e^{\epsilon_c W_g + s_{bg}}, \qquad \sum_g \rho_{cg} = 1 \\
        x_{cg} &\sim \mathrm{NB}(\mu = \ell_c \rho_{cg},\ \mathrm{variance} = \mu + \mu^2 / \theta)

    where :math:`m_t` is the type's place in the latent space, :math:`\epsilon_c` the cell's own
    deviation from it, :math:`\ell_c` its library, :math:`f_{tg}` the log of ``marker_fold`` where g is
    a marker of t (W is 0 there) and :math:`s_{bg}` the shift of batch b. Types and batches are
    balanced and independent of each other.

    Args:
        n_cells, n_genes, n_types, n_batches: at least 1 each.
        latent_dim: dimensions of z.
        markers_per_type: genes that a type expresses ``marker_fold`` times as strongly as the others.
        library: expected total count of a cell; a number (the median of a log-normal with a log-sd of
            0.3) or one value per cell.
        theta: inverse dispersion; as it grows, the counts become Poisson.
        batch_shift: standard deviation of a batch's shift of each gene, in log units.
        mixtures: (n_mixtures, n_types), rows that sum to 1: a cell is one of these mixtures of types
            instead of a pure type.
        seed: the same seed gives the same data.

    Returns:
        n_cells × n_genes. X and ``layers["counts"]``: counts. ``obs["label"]``: the type or mixture;
        ``obs["batch"]``; ``obs["library"]``: the expected total; with ``mixtures`` also
        ``obs["type 0_prop"]`` and so on. ``var["marker_of"]``: a type or "none".
        ``obsm["z"]``: (cells, latent_dim), :math:`\pi_c m + \epsilon_c`. ``varm["batch_shift"]``:
        (genes, batches), log units.

    Raises:
        ValueError, TypeError: for sizes under 1 or not whole, too few genes for the markers, a
            ``library`` or ``mixtures`` of another shape.

    Example:
        >>> adata = simulate(n_cells=100, n_genes=50, n_types=3, markers_per_type=5, seed=1)
        >>> adata.shape, adata.obsm["z"].shape, int((adata.var["marker_of"] == "type 2").sum())
        ((100, 50), (100, 10), 5)
    """
    sizes = {"n_cells": n_cells, "n_types": n_types, "n_batches": n_batches, "latent_dim": latent_dim}
    for name, size in sizes.items():
        _checks.at_least(size, 1, name)
    _checks.at_least(markers_per_type, 0, "markers_per_type")
    _checks.at_least(n_genes, max(1, n_types * markers_per_type), "n_genes")
    for name, value in {"marker_fold": marker_fold, "theta": theta}.items():
        _checks.positive(value, name)
    _checks.not_negative(batch_shift, "batch_shift")
    _checks.at_least(seed, 0, "seed")
    mixing = _mixing(mixtures, n_types)
    gene_rng, cell_rng, *streams = np.random.default_rng(seed).spawn(2 + -(-n_cells // _BLOCK))

    genes = _genes(gene_rng, sizes, n_genes, markers_per_type, marker_fold, batch_shift)
    label, batch = (cell_rng.permutation(np.arange(n_cells) % n) for n in (len(mixing), n_batches))
    own = cell_rng.normal(0, 0.3, (n_cells, latent_dim))
    library = _library(library, n_cells, cell_rng)
    profile = mixing @ genes.profile

    def draw(stream, cells):
        rate = profile[label[cells]] * np.exp(own[cells] @ genes.loadings + genes.shift[batch[cells]])
        mean = library[cells, None] * rate / rate.sum(axis=1, keepdims=True)
        counts = stream.poisson(
            mean / theta * stream.standard_gamma(theta, mean.shape)
        )  # a gamma mixture is NB
        return sparse.csr_matrix(counts, dtype=np.int32)

    blocks = [draw(stream, slice(i * _BLOCK, (i + 1) * _BLOCK)) for i, stream in enumerate(streams)]
    obs = pd.DataFrame(
        {
            "label": _names("type" if mixtures is None else "mix", len(mixing), label),
            "batch": _names("batch", n_batches, batch),
            "library": library,
        },
        index=pd.RangeIndex(n_cells).astype(str),
    )
    if mixtures is not None:
        obs[[f"type {t}_prop" for t in range(n_types)]] = mixing[label]
    var = pd.DataFrame({"marker_of": genes.marker_of}, index=[f"gene {g}" for g in range(n_genes)])
    adata = build(sparse.vstack(blocks), obs, var, about("simulate", _PAPER, "MIT", "", _NOTE))
    adata.obsm["z"] = mixing[label] @ genes.places + own
    adata.varm["batch_shift"] = genes.shift.T
    return adata


@dataclass(frozen=True)
class _Genes:
    """What is true of the genes: ``profile`` (types, genes), ``shift`` (batches, genes), and so on."""

    marker_of: pd.Categorical
    loadings: np.ndarray
    places: np.ndarray
    profile: np.ndarray
    shift: np.ndarray


def _genes(rng, sizes, n_genes, markers_per_type, marker_fold, batch_shift) -> _Genes:
    n_types, latent_dim = sizes["n_types"], sizes["latent_dim"]
    marks = np.full(n_genes, -1)
    marks[: n_types * markers_per_type] = np.repeat(np.arange(n_types), markers_per_type)
    rng.shuffle(marks)
    loadings = rng.normal(0, 0.3, (latent_dim, n_genes)) * (marks < 0)
    places = rng.normal(0, 1, (n_types, latent_dim))
    level = rng.normal(0, 1, n_genes) + places @ loadings
    level += np.log(marker_fold) * (marks == np.arange(n_types)[:, None])
    return _Genes(
        marker_of=pd.Categorical.from_codes(marks + 1, ["none", *(f"type {t}" for t in range(n_types))]),
        loadings=loadings,
        places=places,
        profile=np.exp(level) / np.exp(level).sum(axis=1, keepdims=True),
        shift=rng.normal(0, batch_shift, (sizes["n_batches"], n_genes)),
    )


def _names(kind: str, n: int, codes: np.ndarray) -> pd.Categorical:
    return pd.Categorical.from_codes(codes, [f"{kind} {i}" for i in range(n)])


def _library(library, n_cells: int, rng: np.random.Generator) -> np.ndarray:
    """(cells,) expected totals."""
    _checks.finite(library, "library")
    library = np.asarray(library, np.float64)
    if library.shape not in ((), (n_cells,)):
        raise ValueError(
            f"library must be a number or {n_cells} numbers, one per cell, got shape {library.shape}"
        )
    _checks.positive(float(library.min()), "library")
    return library if library.ndim else library * rng.lognormal(0, 0.3, n_cells)


def _mixing(mixtures, n_types: int) -> np.ndarray:
    """(mixtures, types) proportions."""
    if mixtures is None:
        return np.eye(n_types)
    mixing = np.asarray(mixtures, np.float64)
    if mixing.ndim != 2 or mixing.shape[1] != n_types:
        raise ValueError(f"mixtures must have the shape (n_mixtures, n_types={n_types}), got {mixing.shape}")
    total = mixing.sum(axis=1)
    if mixing.min() < 0 or not np.allclose(total, 1):
        raise ValueError(f"each row of mixtures must be proportions that sum to 1, got {mixing.tolist()}")
    return mixing
