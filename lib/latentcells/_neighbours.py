"""Exact Euclidean neighbours of cells in an embedding: the one search of the library."""

import numpy as np
from sklearn.neighbors import KNeighborsTransformer


class ExactNeighbours(KNeighborsTransformer):
    """scikit-learn's exact search, in the form that scanpy and scib-metrics take; a cell is at distance 0 from itself.

    On some processors rounding leaves that distance at 1e-7, which UMAP's weights would take for its nearest
    neighbour.
    """

    def __init__(self, n_neighbors):
        super().__init__(n_neighbors=n_neighbors, algorithm="brute")

    def fit_transform(self, z, y=None):
        """The graph, (cells, cells) sparse, of distances: n_neighbors + 1 a row, the nearest first."""
        graph = super().fit_transform(z)
        graph.data[graph.indices == np.repeat(np.arange(len(z)), np.diff(graph.indptr))] = 0.0
        return graph


def nearest(z, n_neighbors, among=None) -> np.ndarray:
    """The positions of the nearest cells in ``among``, nearest first.

    Args:
        z: (cells, dimensions).
        n_neighbors: of each cell; all of ``among`` if it has fewer.
        among: (others, dimensions); by default ``z``, so that a cell is among its own neighbours.

    Returns:
        (cells, n_neighbors) integers.
    """
    among = z if among is None else among
    search = ExactNeighbours(min(n_neighbors, len(among))).fit(among)
    return search.kneighbors(z, return_distance=False)


def nearest_others(z, n_neighbors, cells=None) -> np.ndarray:
    """The positions of the nearest cells in ``z``, nearest first, the cell itself left out.

    Args:
        z: (cells, dimensions).
        n_neighbors: of each cell, less than the number of cells.
        cells: (some,) positions of the cells whose neighbours are wanted; all by default.

    Returns:
        (some, n_neighbors) integers.
    """
    cells = np.arange(len(z)) if cells is None else cells
    near = nearest(z[cells], n_neighbors + 1, among=z)
    itself = near == cells[:, None]
    itself[~itself.any(axis=1), -1] = True  # so many cells coincide with this one that it is not on the list
    return near[~itself].reshape(len(cells), n_neighbors)


def walk(neighbours, start, steps, rng) -> np.ndarray:
    """Where random steps from neighbour to neighbour lead.

    Args:
        neighbours: (cells, n), the positions of each cell's neighbours.
        start: (walkers,), positions of cells.
        steps: of each walker; 0 stays.
        rng: NumPy's generator.

    Returns:
        (walkers,) positions of cells.
    """
    for _ in range(steps):
        start = neighbours[start, rng.integers(neighbours.shape[1], size=len(start))]
    return start
