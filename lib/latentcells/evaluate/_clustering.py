"""Clustering: which groups does an embedding hold by itself?"""

import anndata
import numpy as np
import scanpy as sc
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score

from latentcells import _checks
from latentcells._arrays import embedding, labelled_embedding
from latentcells._neighbours import ExactNeighbours

RUNS = 20  # Leiden runs at most; each halves the bracket of resolutions


def clustering(z, label=None, n_clusters=10, n_neighbors=15, seed=0) -> dict:
    """Leiden clusters of the neighbour graph, by one rule for every embedding.

    Leiden is run at resolution 1; the resolution is then bisected on a log scale, between 1/1024 and 1024, until
    there are ``n_clusters``. If no resolution gives that number, the run with the nearest number counts. Labels play
    no part in this: a resolution that is chosen by them is an oracle's. The graph joins exact Euclidean neighbours,
    weighted as in UMAP.

    Args:
        z: (cells, dimensions), an embedding.
        label: (cells,), the true labels to score the clusters against, or ``None``.
        n_clusters: how many clusters to look for.
        n_neighbors: the graph's neighbours per cell, the cell itself counted, as scanpy does.
        seed: Leiden's seed.

    Returns:
        ``leiden`` (cells,) integers, ``resolution``, ``n_clusters`` (the number found); with labels also
        ``leiden_ari`` (adjusted Rand index, 1 for a perfect match, about 0 by chance) and
        ``leiden_nmi`` (normalised mutual information, in [0, 1]).

    Raises:
        ValueError: for NaN in ``z``, missing labels, different cells (by number, or by the index of two pandas
            objects), ``n_clusters`` below 1 or above the number of cells, ``n_neighbors`` below 2 or not below the
            number of cells.
        TypeError: for a number of clusters or neighbours that is not an integer.

    References:
        Traag et al. 2019, Leiden, https://doi.org/10.1038/s41598-019-41695-z;
        Hubert and Arabie 1985, adjusted Rand index, https://doi.org/10.1007/BF01908075

    Example:
        >>> import numpy as np
        >>> z = np.random.default_rng(0).normal(size=(60, 2)) + np.repeat([[0], [50]], 30, axis=0)
        >>> clustering(z, np.repeat(["B", "T"], 30), n_clusters=2)["leiden_ari"]
        1.0
    """
    z, codes = (embedding(z), None) if label is None else labelled_embedding(z, label)[:2]
    _check_sizes(len(z), n_clusters, n_neighbors)
    _checks.at_least(seed, 0, "seed")
    resolution, leiden = _bisect(_neighbour_graph(z, n_neighbors, seed), n_clusters, seed)
    result = {"leiden": leiden, "resolution": resolution, "n_clusters": _count(leiden)}
    if codes is not None:
        result["leiden_ari"] = float(adjusted_rand_score(codes, leiden))
        result["leiden_nmi"] = float(normalized_mutual_info_score(codes, leiden))
    return result


def _check_sizes(n_cells, n_clusters, n_neighbors):
    _checks.at_least(n_neighbors, 2, "n_neighbors")
    if _checks.at_least(n_clusters, 1, "n_clusters") > n_cells:
        raise ValueError(f"n_clusters={n_clusters} is more than the {n_cells} cells: lower it")
    if n_neighbors >= n_cells:
        raise ValueError(f"n_neighbors={n_neighbors} must be less than the {n_cells} cells: lower it")


def _neighbour_graph(z, n_neighbors, seed):
    graph = anndata.AnnData(z)
    exact = ExactNeighbours(n_neighbors)  # scanpy's own are approximate beyond 8,191 cells
    sc.pp.neighbors(graph, use_rep="X", transformer=exact, random_state=seed)
    return graph


def _bisect(graph, n_clusters, seed):
    """The run whose number of clusters is nearest to ``n_clusters``: its resolution and assignment."""
    low, high = -10.0, 10.0  # log2 of the resolution: the first run is at 1
    runs = []
    for _ in range(RUNS):
        middle = (low + high) / 2
        runs.append((2.0**middle, _leiden(graph, 2.0**middle, seed)))
        count = _count(runs[-1][1])
        if count == n_clusters:
            break
        low, high = (middle, high) if count < n_clusters else (low, middle)
    return min(runs, key=lambda run: abs(_count(run[1]) - n_clusters))


def _leiden(graph, resolution, seed):
    sc.tl.leiden(graph, resolution, flavor="igraph", n_iterations=2, directed=False, random_state=seed)
    return graph.obs["leiden"].astype(int).to_numpy()


def _count(leiden):
    return len(np.unique(leiden))
