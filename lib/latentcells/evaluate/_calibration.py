"""Calibration: of the cells that a classifier is 80 % sure of, are 80 % right?"""

import numpy as np
import pandas as pd

from latentcells import _checks
from latentcells._arrays import labels


def calibration(probability, label, names, n_bins=10) -> dict:
    r"""Compare how sure a classifier is with how often it is right.

    A cell's confidence is the probability of its best label. The cells are put into ``n_bins`` bins of equal width
    by it; the expected calibration error is

    .. math:: \sum_b \frac{m_b}{m} \left| \text{share right in bin } b - \text{mean confidence in bin } b \right|

    with :math:`m_b` of the m cells in bin b. It says nothing of how many cells are right: whoever answers with the
    frequencies of the labels is well calibrated. The log loss, the mean over cells of minus the log-probability of
    the true label, asks for both.

    Args:
        probability: (cells, labels); each row sums to 1.
        label: (cells,), the true labels.
        names: (labels,), what the columns stand for.
        n_bins: bins of the confidence.

    Returns:
        ``calibration_error`` in [0, 1]; ``log_loss`` in nats; ``bins``, a table with ``confidence`` and ``right``
        (means) and ``cells`` of each bin that has cells.

    Raises:
        ValueError: for rows that do not sum to 1, other shapes, a label that is none of ``names``.

    References:
        Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602; Guo et al. 2017, https://arxiv.org/abs/1706.04599

    Example:
        >>> found = calibration([[0.8, 0.2]] * 5, ["B", "B", "B", "B", "T"], ["B", "T"])
        >>> round(found["calibration_error"], 6)
        0.0
    """
    _checks.at_least(n_bins, 1, "n_bins")
    probability, names = np.asarray(probability, np.float64), _checks.names(names, "names")
    if probability.ndim != 2 or probability.shape[1] != len(names):
        raise ValueError(
            f"probability must have the shape (cells, {len(names)}), got {probability.shape}: a column for each name"
        )
    _checks.finite(probability, "probability")
    bad = (probability < 0).any(axis=1) | (np.abs(probability.sum(axis=1) - 1) > 1e-3)
    if bad.any():
        cell = int(bad.argmax())
        raise ValueError(
            f"probability must be at least 0 and sum to 1 in each cell, got {probability[cell].tolist()} in cell "
            f"{cell}: pass probabilities, not logits"
        )
    codes, seen = labels(label, len(probability))
    for name in seen:
        _checks.choice(str(name), names, "label")
    truth = pd.Index(names).get_indexer(seen.astype(str))[codes]
    confidence, right = probability.max(axis=1), probability.argmax(axis=1) == truth
    bin_ = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    table = pd.DataFrame({"bin": bin_, "confidence": confidence, "right": right}).groupby("bin")
    bins = table.mean().assign(cells=table.size())
    error = float((bins["cells"] * (bins["right"] - bins["confidence"]).abs()).sum() / len(right))
    loss = -np.log(np.maximum(probability[np.arange(len(truth)), truth], 1e-12)).mean()
    return {"calibration_error": error, "log_loss": float(loss), "bins": bins}
