"""Which genes does a function's output hang on? Two attributions by gradients, on any backend."""

from functools import partial

import keras
import numpy as np
from keras import ops

from latentcells import _checks
from latentcells._batching import in_batches
from latentcells.markers._logits import checked, target_logit


def gradient_times_input(function, x, target, batch_size=64) -> np.ndarray:
    r"""Attribute the target's logit to the genes: the logit's slope in a gene, times the gene's value.

    .. math:: a_{ig} = x_{ig} \, \frac{\partial f_{t_i}(x_i)}{\partial x_{ig}}

    For a linear function the attributions are its terms; for any other, the first-order guess of the fall of the
    logit without the gene. A gene that saturates the function has no slope, and so no attribution:
    `integrated_gradients` has not that flaw.

    Let ``function`` begin at normalised values. A model that divides counts by their sum does not change when all
    counts double, so that the attributions of a cell's counts sum to 0.

    Args:
        function: (cells, genes) float32 tensor -> (cells, labels) logits, of each cell by itself, without dropout.
        x: (cells, genes), in the unit that ``function`` takes.
        target: (cells,), integers, the column of the logits that is explained.
        batch_size: cells at once.

    Returns:
        (cells, genes) float32, in the unit of the logits.

    Raises:
        ValueError: for NaN, shapes that differ, target codes that the function has no column for.
        TypeError: for target codes or a batch size that are no integers.

    References:
        Simonyan et al. 2014, the gradient, https://arxiv.org/abs/1312.6034;
        Shrikumar et al. 2017, times the input, https://arxiv.org/abs/1704.02685

    Example:
        >>> import keras, numpy as np
        >>> function = lambda x: keras.ops.matmul(x, np.float32([[2, 0], [0, 5]]))
        >>> gradient_times_input(function, [[3.0, 1.0], [3.0, 1.0]], [0, 1]).tolist()
        [[6.0, 0.0], [0.0, 5.0]]
    """
    x, target = checked(function, x, target, batch_size)
    return x * in_batches(partial(_gradient, function), x, target, batch_size=batch_size)


def integrated_gradients(function, x, target, steps=32, batch_size=64) -> np.ndarray:
    r"""Attribute the target's logit to the genes: its slope on the way from the all-zero cell to the cell.

    .. math::

        a_{ig} = x_{ig} \int_0^1 \frac{\partial f_{t_i}(\alpha x_i)}{\partial x_{ig}} \, d\alpha
        \approx \frac{x_{ig}}{S} \sum_{s=1}^{S} \frac{\partial f_{t_i}(\alpha_s x_i)}{\partial x_{ig}},
        \quad \alpha_s = \frac{s - 1/2}{S}

    The attributions of a cell sum to :math:`f_{t_i}(x_i) - f_{t_i}(0)` (completeness), up to the error of the S
    midpoints, which vanishes as :math:`1/S^2` for a smooth function: look at the sums to see whether ``steps`` are
    enough.

    Let ``function`` begin at normalised values. A model that divides counts by their sum sees the same cell all along
    the way, and jumps at 0: the attributions sum to nothing like the difference.

    Args:
        function: (cells, genes) float32 tensor -> (cells, labels) logits, of each cell by itself, without dropout.
        x: (cells, genes), in the unit that ``function`` takes; 0 must mean that a gene is not expressed.
        target: (cells,), integers, the column of the logits that is explained.
        steps: S, gradients of each cell.
        batch_size: cells at once.

    Returns:
        (cells, genes) float32, in the unit of the logits.

    Raises:
        ValueError: for NaN, shapes that differ, target codes that the function has no column for, no step.
        TypeError: for target codes, steps or a batch size that are no integers.

    References:
        Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365

    Example:
        >>> import keras, numpy as np
        >>> square = lambda x: keras.ops.square(x)
        >>> integrated_gradients(square, [[3.0, 1.0]], [0]).tolist()
        [[9.0, 0.0]]
    """
    _checks.at_least(steps, 1, "steps")
    x, target = checked(function, x, target, batch_size)
    alphas = (np.arange(steps, dtype=np.float32) + 0.5) / steps

    def mean_gradient(x, target):
        return sum(_gradient(function, float(alpha) * x, target) for alpha in alphas) / steps

    return x * in_batches(mean_gradient, x, target, batch_size=batch_size)


def _gradient(function, x, target):
    """The gradient of each cell's target logit in the cell, tensors (cells, genes), on the backend in use."""
    backend = _checks.choice(
        keras.backend.backend(), ("tensorflow", "jax", "torch"), "keras.backend.backend()"
    )
    if backend == "jax":
        import jax

        return jax.grad(lambda x: ops.sum(target_logit(function, x, target)))(x)
    if backend == "torch":
        import torch

        total = ops.sum(target_logit(function, x.requires_grad_(), target))
        return torch.autograd.grad(total, x)[0]

    import tensorflow as tf

    with tf.GradientTape() as tape:
        tape.watch(x)
        total = ops.sum(target_logit(function, x, target))
    return tape.gradient(total, x, unconnected_gradients="zero")
