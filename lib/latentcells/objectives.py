"""Terms of the training losses."""

from keras import ops

from latentcells import _checks

__all__ = [
    "barlow_twins",
    "embedding_spread",
    "info_nce",
    "kl_to_standard_normal",
    "masked_reconstruction",
    "vicreg",
]


def __dir__():
    return __all__


def kl_to_standard_normal(z_mean, z_log_var):
    r"""Kullback-Leibler divergence of each cell's posterior from the standard normal prior.

    .. math::
        \mathrm{KL}(q_i \,\|\, N(0, I)) = \tfrac12 \sum_{k=1}^{K}
        \left( \mu_{ik}^2 + \sigma_{ik}^2 - 1 - \log \sigma_{ik}^2 \right)

    The sum runs over the latent dimensions of one cell; averaging over cells is left to the caller
    (Kingma & Welling 2014, arXiv:1312.6114, appendix B).

    Args:
        z_mean: (cells, latent_dim).
        z_log_var: (cells, latent_dim), the logarithm of the variance.

    Returns:
        (cells,), in nats, 0 or more up to rounding.

    Example:
        >>> import numpy as np
        >>> from latentcells.objectives import kl_to_standard_normal
        >>> float(kl_to_standard_normal(np.array([[1.0, 0.0]]), np.array([[0.0, 0.0]]))[0])
        0.5
    """
    return 0.5 * ops.sum(ops.square(z_mean) + ops.exp(z_log_var) - 1.0 - z_log_var, axis=-1)


def masked_reconstruction(loss, mask):
    r"""The mean loss of each cell over its masked genes.

    .. math::
        \frac{\sum_{j=1}^{G} m_{ij} L_{ij}}{\sum_{j=1}^{G} m_{ij}}

    A visible value can be copied; only the hidden ones test what the model has learned
    (He et al. 2022, arXiv:2111.06377).

    Args:
        loss: (cells, genes), L, of each value, for instance its negative log-probability.
        mask: (cells, genes), m, 1 or true where the value was hidden.

    Returns:
        (cells,), in the unit of ``loss``; 0 for a cell without a masked gene.

    Example:
        >>> import numpy as np
        >>> from latentcells.objectives import masked_reconstruction
        >>> float(masked_reconstruction(np.float32([[1, 9, 3]]), np.float32([[1, 0, 1]]))[0])
        2.0
    """
    mask = ops.cast(mask, loss.dtype)
    hidden = ops.sum(mask, axis=-1)
    # where, not a product: an infinite loss of a visible value would give NaN
    total = ops.sum(ops.where(mask > 0, loss, ops.zeros_like(loss)), axis=-1)
    return total / ops.maximum(hidden, 1.0)


def info_nce(z_a, z_b, temperature=0.5):
    r"""Normalised temperature-scaled cross-entropy (NT-Xent): find a cell's other view among all views.

    .. math::
        \ell_i = -\log \frac{\exp(s_{i i'} / \tau)}{\sum_{k \neq i} \exp(s_{ik} / \tau)}

    over the 2N views of N cells, where i' is the other view of the cell of view i, :math:`s` the cosine
    similarity of two views and :math:`\tau` the temperature. Other cells of the same type are pushed
    away, too (van den Oord et al. 2018, arXiv:1807.03748; Chen et al. 2020, arXiv:2002.05709).

    Args:
        z_a: (cells, dimensions), one view of each cell.
        z_b: (cells, dimensions), the other view of the same cells, in the same order.
        temperature: positive; the smaller, the greater the weight of the nearest other cells.

    Returns:
        (cells,), in nats, the mean over the two views of the cell. Where all views are equal it is
        :math:`\log(2N - 1)`, the value of chance.

    Raises:
        ValueError: for a temperature of 0 or less, for views of different shapes, and for a single cell, which has
            no other cell to be distinguished from.

    Example:
        >>> import numpy as np
        >>> from latentcells.objectives import info_nce
        >>> z = np.ones((4, 2), "float32")  # collapsed: log(2 * 4 - 1)
        >>> round(float(info_nce(z, z)[0]), 4)
        1.9459
    """
    _checks.positive(temperature, "temperature", "0.1 to 1 is usual")
    n = _check_views(z_a, z_b)
    z = ops.concatenate([_unit_length(z_a), _unit_length(z_b)])
    # -1e9: a view is not compared with itself
    similarity = ops.matmul(z, ops.transpose(z)) / temperature - 1e9 * ops.eye(2 * n, dtype=z.dtype)
    positive = ops.sum(z * ops.roll(z, n, axis=0), axis=-1) / temperature
    loss = ops.logsumexp(similarity, axis=-1) - positive
    return 0.5 * (loss[:n] + loss[n:])


def barlow_twins(z_a, z_b, redundancy=5e-3):
    r"""Barlow Twins: the cross-correlation of two views' dimensions should be the identity matrix.

    .. math::
        \sum_{k=1}^{K} (1 - C_{kk})^2 + \lambda \sum_{k=1}^{K} \sum_{l \neq k} C_{kl}^2, \qquad
        C_{kl} = \frac1N \sum_{i=1}^{N} \tilde z^a_{ik} \tilde z^b_{il}

    with each dimension of each view standardised over the N cells of the mini-batch, marked by the tilde. No
    cells are pushed apart (Zbontar et al. 2021, arXiv:2103.03230).

    Args:
        z_a: (cells, dimensions), one view of each cell.
        z_b: (cells, dimensions), the other view of the same cells, in the same order.
        redundancy: :math:`\lambda`, the weight of the terms off the diagonal, 0 or more.

    Returns:
        the loss of the mini-batch, a scalar without unit.

    Raises:
        ValueError: for a single cell, which has no variance, for views of different shapes, and for a negative
            ``redundancy``.

    Example:
        >>> import numpy as np
        >>> from latentcells.objectives import barlow_twins
        >>> z = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], "float32")
        >>> round(float(barlow_twins(z, z)), 4)
        0.0
    """
    _checks.not_negative(redundancy, "redundancy")
    n = _check_views(z_a, z_b)
    z_a, z_b = ((z - ops.mean(z, axis=0)) / ops.sqrt(ops.var(z, axis=0) + 1e-6) for z in (z_a, z_b))
    correlation = ops.matmul(ops.transpose(z_a), z_b) / ops.cast(n, z_a.dtype)
    invariance = ops.sum(ops.square(1.0 - ops.diagonal(correlation)))
    return invariance + redundancy * _squares_off_diagonal(correlation)


def vicreg(z_a, z_b, invariance=25.0, variance=25.0, covariance=1.0):
    r"""VICReg: equal views (invariance), dimensions that vary (variance) and do not correlate (covariance).

    .. math::
        \lambda \, \frac{1}{NK} \sum_{i,k} (z^a_{ik} - z^b_{ik})^2
        + \mu \, \frac{v(z^a) + v(z^b)}{2}
        + \nu \, \bigl( c(z^a) + c(z^b) \bigr)

    with :math:`v(z) = \frac1K \sum_k \max(0, 1 - s_k)`, where :math:`s_k` is dimension k's standard
    deviation over the N cells of the mini-batch, and :math:`c(z) = \frac1K \sum_{k \neq l} \mathrm{Cov}(z)_{kl}^2`;
    variances and covariances divide by N - 1, as in the authors' code, which also halves v
    (Bardes et al. 2022, arXiv:2105.04906).

    Args:
        z_a: (cells, dimensions), one view of each cell.
        z_b: (cells, dimensions), the other view of the same cells, in the same order.
        invariance: :math:`\lambda`, the weight of the squared distance between the two views.
        variance: :math:`\mu`, the weight of the hinge that keeps each standard deviation at 1 or more.
        covariance: :math:`\nu`, the weight of the covariances.

    Returns:
        the loss of the mini-batch, a scalar.

    Raises:
        ValueError: for a single cell, which has no variance, for views of different shapes, and for a negative
            weight.

    Example:
        >>> import numpy as np
        >>> from latentcells.objectives import vicreg
        >>> z = np.zeros((4, 2), "float32")  # collapsed: only the variance term is left
        >>> round(float(vicreg(z, z)), 2)
        24.75
    """
    for name, weight in (("invariance", invariance), ("variance", variance), ("covariance", covariance)):
        _checks.not_negative(weight, name)
    _check_views(z_a, z_b)
    hinge = squared_covariance = 0.0
    for z in (z_a, z_b):
        cov = _covariance(z)
        # 1e-4 as in the authors' code: the square root has no finite derivative at 0
        hinge = hinge + ops.mean(ops.relu(1.0 - ops.sqrt(ops.diagonal(cov) + 1e-4))) / 2.0
        squared_covariance = squared_covariance + _squares_off_diagonal(cov) / cov.shape[0]
    distance = ops.mean(ops.square(z_a - z_b))
    return invariance * distance + variance * hinge + covariance * squared_covariance


def embedding_spread(z):
    r"""Two measures of how far an embedding spreads; both fall when it collapses.

    Args:
        z: (cells, dimensions).

    Returns:
        ``embedding_std``: the mean over dimensions of the standard deviation over cells; and
        ``effective_rank``: :math:`\exp(-\sum_k p_k \log p_k)`, where :math:`p_k` is the share of the
        k-th singular value of the centred embedding in their sum. It is K where all directions vary
        equally and 1 where only one varies, or none (Roy & Vetterli 2007, doi:10.5281/zenodo.40491).

    Raises:
        ValueError: for a single cell.

    Example:
        >>> import numpy as np
        >>> from latentcells.objectives import embedding_spread
        >>> z = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]], "float32")
        >>> round(float(embedding_spread(z)["effective_rank"]), 3)
        2.0
    """
    _check_views(z, z)
    variances = ops.maximum(ops.linalg.eigh(_covariance(z))[0], 0.0)
    singular = ops.sqrt(variances)
    total = ops.sum(singular)
    share = singular / ops.maximum(total, 1e-12)
    entropy = -ops.sum(share * ops.log(ops.maximum(share, 1e-12)))
    return {"embedding_std": ops.mean(ops.std(z, axis=0)), "effective_rank": ops.exp(entropy)}


def _covariance(z):
    """The covariance matrix, (dimensions, dimensions), divided by cells - 1."""
    z = z - ops.mean(z, axis=0)
    return ops.matmul(ops.transpose(z), z) / ops.cast(ops.shape(z)[0] - 1, z.dtype)


def _squares_off_diagonal(matrix):
    """The sum of the squared entries off the diagonal."""
    return ops.sum(ops.square(matrix)) - ops.sum(ops.square(ops.diagonal(matrix)))


def _unit_length(z):
    return z / ops.sqrt(ops.maximum(ops.sum(ops.square(z), axis=-1, keepdims=True), 1e-12))


def _check_views(z_a, z_b):
    """The number of cells; refuses views of different shapes, and a single cell."""
    if tuple(z_a.shape) != tuple(z_b.shape):
        raise ValueError(
            f"the two views must have one shape, got {tuple(z_a.shape)} and {tuple(z_b.shape)}: "
            "embed the same cells twice"
        )
    if z_a.shape[0] == 1:
        raise ValueError(
            "a mini-batch of 1 cell has no other cell to be compared with: take batch_size=2 or more"
        )
    return ops.shape(z_a)[0]
