"""Two spaces of the same cells side by side: correlations up to a linear map, and shared neighbourhoods."""

import numpy as np
from scipy.linalg import subspace_angles

from latentcells import _checks
from latentcells._arrays import embedding, same_cells, varying
from latentcells._neighbours import nearest_others


def canonical_correlations(z, truth) -> np.ndarray:
    """The correlations that canonical correlation analysis finds between two spaces, largest first.

    The first is the largest correlation that a weighted sum of z's dimensions can have with a weighted sum of the
    truth's; each further one is between sums that are uncorrelated with the earlier ones. No rotation, scaling or
    translation of either space changes them. All are 1 if one space is a linear function of the other. They are the
    cosines of the angles between the spans of the centred columns; scipy does the arithmetic.

    Args:
        z: (cells, dimensions), an embedding.
        truth: (cells, dimensions), the space to compare with; the numbers of dimensions may differ.

    Returns:
        (the smaller number of dimensions,), in [0, 1].

    Raises:
        ValueError: for NaN, a space that is the same for all cells, different cells (by number, or by the index of
            two pandas tables), and as many dimensions as cells or more, where perfect correlation is certain.

    References:
        Hotelling 1936, https://doi.org/10.1093/biomet/28.3-4.321; Knyazev and Argentati 2002,
        https://doi.org/10.1137/S1064827500377332

    Example:
        >>> import numpy as np
        >>> z = np.random.default_rng(0).normal(size=(50, 2))
        >>> canonical_correlations(z @ [[2, 1], [0, 3]] + 5, z).round(6).tolist()
        [1.0, 1.0]
    """
    spaces = _two_spaces(z=z, truth=truth)
    cells, dimensions = len(spaces[0]), sum(space.shape[1] for space in spaces)
    if dimensions >= cells:
        raise ValueError(
            f"z and truth have {dimensions} dimensions together and {cells} cells: so few are always perfectly "
            "correlated, take more cells or fewer components"
        )
    angles = subspace_angles(*(space - space.mean(axis=0) for space in spaces))
    return np.cos(np.sort(angles))


def neighbourhood_preservation(z, reference, n_neighbors=15) -> float:
    """The share of each cell's nearest cells in ``reference`` that are among its nearest cells in ``z``.

    Neighbours are exact and Euclidean in both spaces as they are; a cell is not its own neighbour. By chance the
    share is ``n_neighbors`` / (cells - 1).

    Args:
        z: (cells, dimensions), the space that is scored.
        reference: (cells, dimensions), the space whose neighbourhoods should be preserved.
        n_neighbors: of each cell, in both spaces.

    Returns:
        the mean over cells, in [0, 1].

    Raises:
        ValueError: for NaN, a space that is the same for all cells, different cells (by number, or by the index of
            two pandas tables), ``n_neighbors`` not below the number of cells.
        TypeError: for a number of neighbours that is not an integer.

    References:
        Venna and Kaski 2001, https://doi.org/10.1007/3-540-44668-0_68

    Example:
        >>> line = [[0.0], [1.0], [2.5], [4.5]]
        >>> neighbourhood_preservation(line, line, n_neighbors=1)
        1.0
    """
    spaces = _two_spaces(z=z, reference=reference)
    n_cells = len(spaces[0])
    if _checks.at_least(n_neighbors, 1, "n_neighbors") >= n_cells:
        raise ValueError(f"n_neighbors={n_neighbors} must be less than the {n_cells} cells: lower it")
    both = np.sort(np.concatenate([nearest_others(space, n_neighbors) for space in spaces], axis=1), axis=1)
    shared = (both[:, 1:] == both[:, :-1]).sum()  # a cell that is near in both spaces stands twice in the row
    return float(shared / (n_cells * n_neighbors))


def _two_spaces(**spaces) -> list[np.ndarray]:
    """Both as (cells, dimensions) float64, of the same cells; each varies."""
    arrays = [varying(embedding(space, name), name) for name, space in spaces.items()]
    same_cells(**spaces)
    return arrays
