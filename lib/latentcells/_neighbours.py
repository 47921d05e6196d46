"""The nearest cells of each cell in an embedding."""

import numpy as np
from sklearn.neighbors import KNeighborsTransformer


class ExactNeighbours(KNeighborsTransformer):
    """scikit-learn's exact search, for scanpy and scib-metrics; a cell lies at distance 0 from itself.

    On some processors rounding leaves it at 1e-7, which UMAP's weights would take for its nearest neighbour.
    """

    def __init__(self, n_neighbors):
        super().__init__(n_neighbors=n_neighbors, algorithm="brute")

    def fit_transform(self, z, y=None):
        """The graph, (cells, cells) sparse, of distances: n_neighbors + 1 a row, the nearest first."""
        graph = super().fit_transform(z)
        graph.data[graph.indices == np.repeat(np.arange(len(z)), np.diff(graph.indptr))] = 0.0
        return graph
