"""Mutual nearest neighbours between batches, and the space to search them in."""

import numpy as np
from scipy import sparse
from sklearn.decomposition import PCA

from latentcells import _checks
from latentcells._arrays import embedding, labels, same_cells
from latentcells._neighbours import nearest


def shared_space(counts, n_components=20) -> np.ndarray:
    r"""Principal components of log1p expression, scaled to unit length in each cell: a space that ignores depth.

    .. math::
        d_i = \frac{\ell_i}{\lVert \ell_i \rVert}, \quad
        \ell_{ig} = \log\!\left(1 + 10^4 \, x_{ig} / \textstyle\sum_h x_{ih}\right)

    Distances between the :math:`d_i` depend on the angle between two cells only (cosine normalisation). Search it
    with `mutual_neighbours`.

    Args:
        counts: (cells, genes), counts, dense or sparse; sparse ones are made dense.
        n_components: at most; fewer if there are fewer cells or genes.

    Returns:
        (cells, components), float32 for float32 counts.

    Raises:
        ValueError: for other values than counts, cells without a molecule, ``n_components`` below 1.
        TypeError: for an AnnData, and a number of components that is not an integer.

    References:
        Haghverdi et al. 2018, https://doi.org/10.1038/nbt.4091

    Example:
        >>> import numpy as np
        >>> counts = np.random.default_rng(0).poisson(5.0, (40, 12))
        >>> space = shared_space(counts, n_components=3)
        >>> bool(np.allclose(shared_space(2 * counts, n_components=3), space, atol=1e-6))
        True
    """
    _checks.counts(counts, "counts")
    if min(shape := np.shape(counts)) < 2:
        raise ValueError(f"counts has shape {shape}: components need two cells and two genes, or more")
    _checks.not_empty(counts, "counts", genes=False)
    _checks.at_least(n_components, 1, "n_components")
    return unit_length_components(counts, n_components)


def unit_length_components(x, n_components=20) -> np.ndarray:
    """`shared_space` of any values that are not negative, (cells, genes), without its checks."""
    x = x.toarray() if sparse.issparse(x) else np.asarray(x)
    x = x.astype(np.promote_types(x.dtype, np.float32))  # half precision has no digits for a library
    log1p = np.log1p(1e4 * x / x.sum(axis=1, keepdims=True))
    direction = log1p / np.linalg.norm(log1p, axis=1, keepdims=True)
    return PCA(min(n_components, *x.shape), random_state=0).fit_transform(direction)


def mutual_neighbours(z, batch, n_neighbors=5) -> list[np.ndarray]:
    """Each cell's mutual nearest neighbours in other batches.

    Two cells of different batches are mutual neighbours if each is among the other's ``n_neighbors`` nearest cells of
    its batch, exact and Euclidean. A cell whose type another batch lacks has nearest cells there, too, but of other
    types, and these have nearer neighbours of their own: it has few mutual ones.

    Args:
        z: (cells, dimensions), an embedding such as `shared_space`.
        batch: (cells,), the experimental batches. One alone gives no neighbours.
        n_neighbors: nearest cells of each cell in each other batch; all of a batch that has fewer.

    Returns:
        for each cell the positions of its mutual neighbours, ascending, possibly none.

    Raises:
        ValueError: for NaN in ``z``, missing names of batches, different cells (by number, or by the index of two
            pandas objects), ``n_neighbors`` below 1.
        TypeError: for an AnnData, and a number of neighbours that is not an integer.

    References:
        Haghverdi et al. 2018, https://doi.org/10.1038/nbt.4091

    Example:
        >>> z, batch = [[0.0], [10.0], [1.0], [30.0]], ["a", "a", "b", "b"]
        >>> [partners.tolist() for partners in mutual_neighbours(z, batch, n_neighbors=1)]
        [[2], [], [0], []]
    """
    points = embedding(z)
    codes, batches = labels(batch, len(points), name="batch")
    same_cells(z=z, batch=batch)
    _checks.at_least(n_neighbors, 1, "n_neighbors")
    near = sparse.lil_matrix((len(points), len(points)), dtype=bool)
    for code in range(len(batches)):
        inside, outside = np.flatnonzero(codes == code), np.flatnonzero(codes != code)
        if len(outside):
            near[outside[:, None], inside[nearest(points[outside], n_neighbors, points[inside])]] = True
    near = near.tocsr()
    mutual = near.multiply(near.T).tocsr()
    mutual.sort_indices()
    return np.split(mutual.indices, mutual.indptr[1:-1])
