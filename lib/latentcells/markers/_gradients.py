"""Which genes does a function's output depend on? Two attributions by gradients, on any backend."""

from functools import partial

import keras
import numpy as np
from keras import ops

from latentcells import _checks
from latentcells._arrays import dense_matrix, same_cells
from latentcells._batching import in_batches


def gradient_times_input(function, x, target, batch_size=64) -> np.ndarray:
    r"""Attribute the target's logit to the genes: the logit's gradient in a gene, times the gene's value.

    .. math:: a_{ig} = x_{ig} \, \frac{\partial f_{t_i}(x_i)}{\partial x_{ig}}

    For a linear function the attributions are its terms; for any other, a first-order estimate of how far the logit
    falls without the gene. A gene that saturates the function has no gradient, and so no attribution;
    `integrated_gradients` avoids that.

    Let ``function`` start from normalised values. A model that divides counts by their sum does not change when all
    counts double, so the attributions of a cell's counts sum to 0.

    Args:
        function: (cells, genes) float32 tensor -> (cells, labels) logits, of each cell by itself, without dropout.
        x: (cells, genes), in the unit that ``function`` takes.
        target: (cells,), integers, the column of the logits that is explained.
        batch_size: cells in a mini-batch.

    Returns:
        (cells, genes) float32, in the unit of the logits.

    Raises:
        ValueError: for NaN, different cells (by number, or by the index of two pandas objects), target codes that the
            function has no column for.
        TypeError: for target codes or a batch size that are not integers.

    References:
        Simonyan et al. 2014, the gradient, https://arxiv.org/abs/1312.6034;
        Shrikumar et al. 2017, times the input, https://arxiv.org/abs/1704.02685

    Example:
        >>> import keras, numpy as np
        >>> function = lambda x: keras.ops.matmul(x, np.float32([[2, 0], [0, 5]]))
        >>> gradient_times_input(function, [[3.0, 1.0], [3.0, 1.0]], [0, 1]).tolist()
        [[6.0, 0.0], [0.0, 5.0]]
    """
    x, target = check_cells_and_targets(function, x, target, batch_size)
    return x * in_batches(partial(_gradient, function), x, target, batch_size=batch_size)


def integrated_gradients(function, x, target, steps=32, batch_size=64) -> np.ndarray:
    r"""Attribute the target's logit to the genes: its mean gradient on the path from the all-zero cell to the cell.

    .. math::

        a_{ig} = x_{ig} \int_0^1 \frac{\partial f_{t_i}(\alpha x_i)}{\partial x_{ig}} \, d\alpha
        \approx \frac{x_{ig}}{S} \sum_{s=1}^{S} \frac{\partial f_{t_i}(\alpha_s x_i)}{\partial x_{ig}},
        \quad \alpha_s = \frac{s - 1/2}{S}

    The attributions of a cell sum to :math:`f_{t_i}(x_i) - f_{t_i}(0)` (completeness), up to the error of the S
    midpoints, which vanishes as :math:`1/S^2` for a smooth function: compare the sums with the difference to see
    whether ``steps`` is large enough.

    Let ``function`` start from normalised values. A model that divides counts by their sum sees the same cell along
    the whole path, and jumps at 0: the attributions do not sum to the difference.

    Args:
        function: (cells, genes) float32 tensor -> (cells, labels) logits, of each cell by itself, without dropout.
        x: (cells, genes), in the unit that ``function`` takes; 0 must mean that a gene is not expressed.
        target: (cells,), integers, the column of the logits that is explained.
        steps: S, gradients of each cell.
        batch_size: cells in a mini-batch.

    Returns:
        (cells, genes) float32, in the unit of the logits.

    Raises:
        ValueError: for NaN, different cells (by number, or by the index of two pandas objects), target codes that the
            function has no column for, ``steps`` below 1.
        TypeError: for target codes, steps or a batch size that are not integers.

    References:
        Sundararajan et al. 2017, https://arxiv.org/abs/1703.01365

    Example:
        >>> import keras, numpy as np
        >>> square = lambda x: keras.ops.square(x)
        >>> integrated_gradients(square, [[3.0, 1.0]], [0]).tolist()
        [[9.0, 0.0]]
    """
    _checks.at_least(steps, 1, "steps")
    x, target = check_cells_and_targets(function, x, target, batch_size)
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


def check_cells_and_targets(function, x, target, batch_size) -> tuple[np.ndarray, np.ndarray]:
    """``x`` as (cells, genes) float32 and ``target`` as (cells,) int32.

    Raises:
        ValueError: for NaN, other shapes, no cell, target codes that the function has no column for, a function that
            does not return (cells, labels), a batch size below 1, and two pandas objects with different indexes.
        TypeError: for target codes or a batch size that are not integers.
    """
    _checks.at_least(batch_size, 1, "batch_size")
    given = {"x": x, "target": target}
    x, target = dense_matrix(x, "x").astype(np.float32), np.asarray(target)
    if target.shape != x.shape[:1]:
        raise ValueError(f"target has shape {target.shape}, x has {len(x)} cells: pass one code per cell")
    same_cells(**given)
    logits = function(ops.convert_to_tensor(x[:1]))
    if len(logits.shape) != 2 or logits.shape[0] != 1:
        raise ValueError(
            f"function returned the shape {tuple(logits.shape)} for 1 cell: it must return (cells, labels)"
        )
    return x, check_codes(target, logits.shape[1], "target", "labels")


def check_codes(codes, n, name, what) -> np.ndarray:
    """``codes`` as int32, if all of them are in ``range(n)``.

    Raises:
        TypeError: for codes that are not integers.
        ValueError: with the first one that is out of range.
    """
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must hold integers, got values of dtype {codes.dtype}: pass codes, not names"
        )
    if (out := codes[(codes < 0) | (codes >= n)]).size:
        raise ValueError(f"{name} holds {out[0]}, the function has {n} {what}: pass codes from 0 to {n - 1}")
    return codes.astype(np.int32)


def target_logit(function, x, target):
    """The column of the target in each row of ``function(x)``, (cells,), a tensor."""
    return ops.take_along_axis(function(x), target[:, None], axis=1)[:, 0]
