"""Neighbourhoods: are cells that are close in one space close in another?"""

from sklearn.neighbors import NearestNeighbors

from latentcells import _checks
from latentcells._arrays import embedding, same_cells, varying


def neighbourhood_preservation(z, reference, n_neighbors=15) -> float:
    """Which share of each cell's nearest cells in ``reference`` is among its nearest in ``z``, too.

    Neighbours are exact and Euclidean in both spaces as they are; a cell is not its own. By chance the share is
    ``n_neighbors`` / (cells - 1).

    Args:
        z: (cells, dimensions), the space that is asked about.
        reference: (cells, dimensions), the space whose neighbourhoods are to be kept.
        n_neighbors: of each cell, in both.

    Returns:
        the mean over cells, in [0, 1].

    Raises:
        ValueError: for NaN, a space that is the same for all cells, spaces with different cells or order (pandas
            tables show theirs), ``n_neighbors`` not below the number of cells.
        TypeError: for a number of neighbours that is no integer.

    Example:
        >>> line = [[0.0], [1.0], [2.5], [4.5]]
        >>> neighbourhood_preservation(line, line, n_neighbors=1)
        1.0
    """
    spaces = [varying(embedding(space, name), name) for space, name in ((z, "z"), (reference, "reference"))]
    same_cells(reference=reference, z=z)
    if _checks.at_least(n_neighbors, 1, "n_neighbors") >= len(spaces[0]):
        raise ValueError(f"n_neighbors={n_neighbors} must be less than the {len(spaces[0])} cells: lower it")
    search = NearestNeighbors(n_neighbors=n_neighbors, algorithm="brute")
    near, due = (search.fit(space).kneighbors_graph() for space in spaces)  # a cell is not its own neighbour
    return float(near.multiply(due).sum() / due.sum())
