"""A latent space beside another one that is known up to rotation, scale and shift."""

import numpy as np
from scipy.linalg import subspace_angles

from latentcells._arrays import embedding, same_cells, varying


def canonical_correlations(z, truth) -> np.ndarray:
    """The correlations that canonical correlation analysis finds between two spaces, largest first.

    The first is the largest correlation that a weighted sum of z's dimensions can have with a weighted sum of the
    truth's; each further one is of sums that are uncorrelated with those before. No rotation, scaling or shift of
    either space changes them. All are 1 where one space is a linear function of the other. They are the cosines of
    the angles between the spans of the centred columns; scipy does the arithmetic.

    Args:
        z: (cells, dimensions).
        truth: (cells, dimensions), possibly of another number.

    Returns:
        (the smaller number of dimensions,), in [0, 1].

    Raises:
        ValueError: for NaN, a space that is the same for all cells, different cells or order, and as many dimensions
            as cells or more, where perfect correlation is certain.

    References:
        Hotelling 1936, Relations between two sets of variates, Biometrika 28, 321-377; Knyazev and Argentati 2002,
        SIAM J. Sci. Comput. 23, 2008-2040

    Example:
        >>> import numpy as np
        >>> z = np.random.default_rng(0).normal(size=(50, 2))
        >>> canonical_correlations(z @ [[2, 1], [0, 3]] + 5, z).round(6).tolist()
        [1.0, 1.0]
    """
    spaces = [varying(embedding(space, name), name) for space, name in ((z, "z"), (truth, "truth"))]
    same_cells(truth=truth, z=z)
    cells, dimensions = len(spaces[0]), sum(space.shape[1] for space in spaces)
    if dimensions >= cells:
        raise ValueError(
            f"z and truth have {dimensions} dimensions together and {cells} cells: so few are always perfectly "
            "correlated, take more cells or fewer components"
        )
    angles = subspace_angles(*(space - space.mean(axis=0) for space in spaces))
    return np.cos(np.sort(angles))
