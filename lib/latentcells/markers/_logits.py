"""The logit of each cell's target: what attributions explain."""

import numpy as np
from keras import ops

from latentcells import _checks


def checked(function, x, target, batch_size) -> tuple[np.ndarray, np.ndarray]:
    """``x`` as (cells, genes) float32 and ``target`` as (cells,) int32.

    Raises:
        ValueError: for NaN, other shapes, no cell, target codes that the function has no column for, a function that
            does not return (cells, labels), a batch below 1.
        TypeError: for target codes or a batch size that are no integers.
    """
    _checks.at_least(batch_size, 1, "batch_size")
    x, target = np.asarray(x), np.asarray(target)
    if x.ndim != 2 or not x.size:
        raise ValueError(f"x must have the shape (cells, genes), got {x.shape}: pass a dense 2-D array")
    _checks.finite(x, "x")
    x = x.astype(np.float32)
    if target.shape != x.shape[:1]:
        raise ValueError(f"target has shape {target.shape}, x has {len(x)} cells: pass one code per cell")
    logits = function(ops.convert_to_tensor(x[:1]))
    if len(logits.shape) != 2 or logits.shape[0] != 1:
        raise ValueError(
            f"function returned the shape {tuple(logits.shape)} for 1 cell: it must return (cells, labels)"
        )
    return x, in_range(target, logits.shape[1], "target", "labels")


def in_range(codes, n, name, of) -> np.ndarray:
    """Integers of ``range(n)``, (any,), as int32.

    Raises:
        TypeError: for codes that are no integers.
        ValueError: for the first one that is out of range.
    """
    codes = np.asarray(codes)
    if codes.dtype.kind not in "iu":
        raise TypeError(
            f"{name} must hold integers, got values of dtype {codes.dtype}: pass codes, not names"
        )
    if (out := codes[(codes < 0) | (codes >= n)]).size:
        raise ValueError(f"{name} holds {out[0]}, the function has {n} {of}: pass codes from 0 to {n - 1}")
    return codes.astype(np.int32)


def target_logit(function, x, target):
    """The column of the target in each row of ``function(x)``, (cells,), a tensor."""
    return ops.take_along_axis(function(x), target[:, None], axis=1)[:, 0]
