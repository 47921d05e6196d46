"""Terms of the losses that the models minimise."""

from keras import ops


def kl_to_standard_normal(z_mean, z_log_var):
    r"""Kullback-Leibler divergence of each cell's posterior from the standard normal prior.

    .. math::
        \mathrm{KL}(q_i \,\|\, N(0, I)) = \tfrac12 \sum_{k=1}^{K}
        \left( \mu_{ik}^2 + \sigma_{ik}^2 - 1 - \log \sigma_{ik}^2 \right)

    The sum runs over the latent dimensions of one cell; averaging over cells is the caller's
    (Kingma & Welling 2014, arXiv:1312.6114, appendix B).

    Args:
        z_mean: (cells, latent_dim).
        z_log_var: (cells, latent_dim), the logarithm of the variance.

    Returns:
        (cells,), in nats, never negative but for rounding.

    Example:
        >>> import numpy as np
        >>> from latentcells.objectives import kl_to_standard_normal
        >>> float(kl_to_standard_normal(np.array([[1.0, 0.0]]), np.array([[0.0, 0.0]]))[0])
        0.5
    """
    return 0.5 * ops.sum(ops.square(z_mean) + ops.exp(z_log_var) - 1.0 - z_log_var, axis=-1)
