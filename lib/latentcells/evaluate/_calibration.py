"""Calibration: of the cells that a classifier is 80 % sure of, are 80 % right?"""

import numpy as np
import pandas as pd

from latentcells import _checks
from latentcells._arrays import dense_matrix, labels, same_cells, same_names


def calibration(probability, label, names, n_bins=10) -> dict:
    r"""Compare how sure a classifier is with how often it is right.

    A cell's confidence is the probability of its best label. The cells are sorted by it into ``n_bins`` bins of equal
    width; the expected calibration error is

    .. math:: \sum_b \frac{m_b}{m} \left| \text{share right in bin } b - \text{mean confidence in bin } b \right|

    with :math:`m_b` of the m cells in bin b. It does not say how many cells are right: a classifier that always
    answers with the frequencies of the labels is well calibrated. The log loss, the mean over cells of minus the
    log-probability of the true label, rewards both.

    Args:
        probability: (cells, labels); each row sums to 1.
        label: (cells,), the true labels.
        names: (labels,), of the columns.
        n_bins: bins of the confidence.

    Returns:
        ``calibration_error`` in [0, 1]; ``log_loss`` in nats; ``bins``, a table with ``confidence`` and ``right``
        (means) and ``cells`` of each bin that has cells.

    Raises:
        ValueError: for rows that do not sum to 1, other shapes, a label that is not among ``names``, different cells
            (by number, or by the index of two pandas objects), and a table whose columns have other names or another
            order.

    References:
        Naeini et al. 2015, https://doi.org/10.1609/aaai.v29i1.9602; Guo et al. 2017, https://arxiv.org/abs/1706.04599

    Example:
        >>> scores = calibration([[0.8, 0.2]] * 5, ["B", "B", "B", "B", "T"], ["B", "T"])
        >>> round(scores["calibration_error"], 6)
        0.0
    """
    _checks.at_least(n_bins, 1, "n_bins")
    names = _checks.names(names, "names")
    values = _probabilities(probability, names)
    codes, label_names = labels(label, len(values), name="label")
    same_cells(probability=probability, label=label)
    for name in label_names:
        _checks.choice(str(name), names, "label")
    truth = pd.Index(names).get_indexer(label_names.astype(str))[codes]
    confidence, right = values.max(axis=1), values.argmax(axis=1) == truth
    in_bin = np.minimum((confidence * n_bins).astype(int), n_bins - 1)
    table = pd.DataFrame({"bin": in_bin, "confidence": confidence, "right": right}).groupby("bin")
    bins = table.mean().assign(cells=table.size())
    error = float((bins["cells"] * (bins["right"] - bins["confidence"]).abs()).sum() / len(right))
    loss = -np.log(np.maximum(values[np.arange(len(truth)), truth], 1e-12)).mean()
    return {"calibration_error": error, "log_loss": float(loss), "bins": bins}


def _probabilities(probability, names):
    """(cells, labels) float64, rows that sum to 1."""
    same_names(probability, names, "probability")
    values = dense_matrix(probability, "probability", "labels").astype(np.float64)
    if values.shape[1] != len(names):
        raise ValueError(
            f"probability must have the shape (cells, {len(names)}), got {values.shape}: a column for each name"
        )
    bad = (values < 0).any(axis=1) | (np.abs(values.sum(axis=1) - 1) > 1e-3)
    if bad.any():
        cell = int(bad.argmax())
        raise ValueError(
            f"probability must be at least 0 and sum to 1 in each cell, got {values[cell].tolist()} in cell {cell}: "
            "pass probabilities, not logits"
        )
    return values
