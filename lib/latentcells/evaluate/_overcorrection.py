"""Over-correction: a type that one batch lacks must not be swallowed by its neighbours."""

import numpy as np
from sklearn.neighbors import NearestNeighbors

from latentcells import _checks
from latentcells._arrays import embedding, labels


def overcorrection(z, label, of, n_neighbors=15) -> float:
    """How much of a type's neighbourhood is other types: 0 for a type by itself.

    Take a type out of one batch, correct the batches, and ask this of the type's other cells. A method that
    makes every batch look alike has to put something in the place of the missing cells: other types.

    Args:
        z: (cells, dimensions), an embedding of all cells.
        label: (cells,), the true labels.
        of: the label that is asked about.
        n_neighbors: of each of its cells, exact and Euclidean, the cell itself not counted.

    Returns:
        the mean over the cells of ``of`` of the share of their neighbours that have another label, in [0, 1].

    Raises:
        ValueError: for NaN in ``z``, missing labels, lengths that differ, a label without cells, and where the
            label has no more cells than ``n_neighbors``, so that others must be among its neighbours.
        TypeError: for a number of neighbours that is no integer.

    Example:
        >>> import numpy as np
        >>> z = np.repeat([[0.0], [9.0]], 20, axis=0)
        >>> overcorrection(z, ["B"] * 20 + ["T"] * 20, of="B")
        0.0
    """
    z = embedding(z)
    codes, names = labels(label, len(z))
    _checks.choice(of, list(names), "of")
    cells = np.flatnonzero(codes == names.get_loc(of))
    if len(cells) <= _checks.at_least(n_neighbors, 1, "n_neighbors"):
        raise ValueError(
            f"label {of!r} has {len(cells)} cells, too few for n_neighbors={n_neighbors} of its own kind: lower it"
        )
    nearest = NearestNeighbors(n_neighbors=n_neighbors + 1, algorithm="brute").fit(z)
    neighbours = nearest.kneighbors(z[cells], return_distance=False)
    others = [
        codes[row[row != cell][:n_neighbors]] != codes[cell]
        for cell, row in zip(cells, neighbours, strict=True)
    ]
    return float(np.mean(others))
