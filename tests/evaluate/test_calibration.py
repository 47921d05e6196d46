import numpy as np
import pandas as pd
import pytest

from latentcells.evaluate import calibration
from tests.helpers import refused

NAMES = ["B", "NK", "T"]


def test_by_hand():
    """Two cells with confidence 0.6, one correct; two with 0.9, both correct: (2/4) 0.1 + (2/4) 0.1."""
    probability = [[0.6, 0.4, 0.0], [0.6, 0.0, 0.4], [0.1, 0.9, 0.0], [0.0, 0.1, 0.9]]
    scores = calibration(probability, ["B", "T", "NK", "T"], NAMES)
    assert scores["calibration_error"] == pytest.approx(0.1)
    assert scores["log_loss"] == pytest.approx(-np.log([0.6, 0.4, 0.9, 0.9]).mean())
    assert scores["bins"]["cells"].tolist() == [2, 2]
    np.testing.assert_allclose(scores["bins"][["confidence", "right"]], [[0.6, 0.5], [0.9, 1.0]])


def test_labels_drawn_from_the_probabilities_are_calibrated_and_sharper_ones_are_not():
    rng = np.random.default_rng(0)
    probability = rng.dirichlet(np.ones(3), size=20_000)
    label = np.array(NAMES)[(probability.cumsum(axis=1) < rng.uniform(size=(20_000, 1))).sum(axis=1)]
    calibrated = calibration(probability, label, NAMES)
    sharper = probability**3 / (probability**3).sum(axis=1, keepdims=True)
    overconfident = calibration(sharper, label, NAMES)
    assert calibrated["calibration_error"] < 0.01 < 0.1 < overconfident["calibration_error"]
    assert calibrated["log_loss"] < overconfident["log_loss"]


def test_all_confidence_in_one_bin_and_a_certain_cell():
    scores = calibration([[1.0, 0.0], [1.0, 0.0]], ["B", "T"], ["B", "T"], n_bins=1)
    assert scores["calibration_error"] == 0.5
    assert np.isfinite(scores["log_loss"])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"probability": [[0.5, 0.5]]}, r"^probability must have the shape \(cells, 3\), got \(1, 2\)"),
        ({"probability": [[2.0, 1.0, 0.5]]}, "in cell 0: pass probabilities, not logits$"),
        ({"probability": [[1.5, -0.5, 0.0]]}, "in cell 0: pass probabilities, not logits$"),
        ({"probability": [[np.nan, 0.5, 0.5]]}, "^probability must be finite"),
        ({"label": ["A"]}, "^label='A' is unknown: choose from 'B', 'NK', 'T'"),
        ({"label": ["B", "T"]}, r"^label has shape \(2,\), there are 1 cells: pass one label per cell$"),
        (
            {"probability": pd.DataFrame([[0.5, 0.3, 0.2]], columns=["B", "T", "NK"])},
            "^column 1 of probability is 'T', but the names say 'NK': pass the names in the order of the columns$",
        ),
        ({"names": ["B", "B", "T"]}, "^names must be two different names or more"),
        ({"n_bins": 0}, "^n_bins must be at least 1, got 0"),
    ],
)
def test_bad_input_is_refused(change, message):
    good = {"probability": [[0.5, 0.3, 0.2]], "label": ["B"], "names": NAMES}
    refused(lambda: calibration(**{**good, **change}), message)


def test_a_table_with_the_names_as_its_columns():
    probability = [[0.6, 0.4, 0.0], [0.1, 0.9, 0.0]]
    table = pd.DataFrame(probability, columns=NAMES)
    assert (
        calibration(table, ["B", "NK"], NAMES)["log_loss"]
        == calibration(probability, ["B", "NK"], NAMES)["log_loss"]
    )
