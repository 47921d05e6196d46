"""Over-correction: a type that one batch lacks must not be swallowed by its neighbours."""

import numpy as np

from latentcells import _checks
from latentcells._arrays import labelled_embedding
from latentcells._neighbours import nearest_others


def overcorrection(z, label, of, n_neighbors=15) -> float:
    """How much of a type's neighbourhood other types take up: 0 for a type by itself.

    Take a type out of one batch, correct the batches, and score the type's cells in the other batches. A method that
    makes every batch look alike has to put something in the place of the missing cells: other types.

    Args:
        z: (cells, dimensions), an embedding of all cells.
        label: (cells,), the true labels.
        of: the label that is scored.
        n_neighbors: of each of its cells, exact and Euclidean, the cell itself not counted.

    Returns:
        the mean over the cells of ``of`` of the share of their neighbours that have another label, in [0, 1].

    Raises:
        ValueError: for NaN in ``z``, missing labels, different cells (by number, or by the index of two pandas
            objects), a label without cells, and a label with no more cells than ``n_neighbors``, whose neighbours
            must include others.
        TypeError: for a number of neighbours that is not an integer.

    Example:
        >>> import numpy as np
        >>> z = np.repeat([[0.0], [9.0]], 20, axis=0)
        >>> overcorrection(z, ["B"] * 20 + ["T"] * 20, of="B")
        0.0
    """
    z, codes, names = labelled_embedding(z, label)
    _checks.choice(of, list(names), "of")
    code = names.get_loc(of)
    cells = np.flatnonzero(codes == code)
    if len(cells) <= _checks.at_least(n_neighbors, 1, "n_neighbors"):
        raise ValueError(
            f"label {of!r} has {len(cells)} cells, too few for n_neighbors={n_neighbors} of its own kind: lower it"
        )
    return float((codes[nearest_others(z, n_neighbors, cells)] != code).mean())
