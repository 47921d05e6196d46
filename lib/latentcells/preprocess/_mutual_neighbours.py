"""Neighbours of cells: mutual ones between batches, nearest ones in an embedding, and walks from one to the next."""

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors


def shared_space(counts, n_components=20) -> np.ndarray:
    """Principal components of log1p expression of unit length, (cells, components).

    The angle between two cells does not heed depth, as in Haghverdi et al. 2018, doi:10.1038/nbt.4091.

    Args:
        counts: (cells, genes).
        n_components: at most.
    """
    log1p = np.log1p(1e4 * counts / counts.sum(axis=1, keepdims=True))
    direction = log1p / np.linalg.norm(log1p, axis=1, keepdims=True)
    return PCA(min(n_components, *counts.shape), random_state=0).fit_transform(direction)


def nearest(z, n_neighbors) -> np.ndarray:
    """The numbers of each cell's nearest cells in z, itself among them, (cells, n_neighbors)."""
    near = NearestNeighbors(n_neighbors=min(n_neighbors, len(z)), algorithm="brute").fit(z)
    return near.kneighbors(z, return_distance=False)


def mutual_neighbours(z, batch, n_neighbors=5) -> list[np.ndarray]:
    """Each cell's mutual nearest neighbours in other batches (Haghverdi et al. 2018, doi:10.1038/nbt.4091).

    Two cells of different batches are mutual neighbours if each is among the other's nearest in that batch.
    A type that one batch lacks has nearest cells there, of other types, which have nearer ones themselves.

    Args:
        z: (cells, dimensions).
        batch: (cells,).
        n_neighbors: of each cell in each other batch.

    Returns:
        for each cell the numbers of its partners, possibly none.

    Example:
        >>> z, batch = [[0.0], [10.0], [1.0], [30.0]], [0, 0, 1, 1]
        >>> [partners.tolist() for partners in mutual_neighbours(z, batch, n_neighbors=1)]
        [[2], [], [0], []]
    """
    z, batch = np.asarray(z), np.asarray(batch)
    close = sparse.lil_matrix((len(z), len(z)), dtype=bool)
    for of in np.unique(batch):
        inside, others = np.flatnonzero(batch == of), np.flatnonzero(batch != of)
        if len(others):
            near = NearestNeighbors(n_neighbors=min(n_neighbors, len(inside)), algorithm="brute").fit(
                z[inside]
            )
            close[others[:, None], inside[near.kneighbors(z[others], return_distance=False)]] = True
    close = close.tocsr()
    both = close.multiply(close.T).tocsr()
    both.sort_indices()
    return np.split(both.indices, both.indptr[1:-1])


def walk(neighbours, start, steps, rng) -> np.ndarray:
    """Where ``steps`` random steps from neighbour to neighbour lead from each cell of ``start``.

    Args:
        neighbours: (cells, n), the numbers of each cell's neighbours.
        start: (walkers,), numbers of cells.
        steps: 0 stays.
        rng: NumPy's generator.
    """
    for _ in range(steps):
        start = neighbours[start, rng.integers(neighbours.shape[1], size=len(start))]
    return start
