"""How good is an embedding? Scores of arrays, computed by scikit-learn, scanpy and scib-metrics.

``annotation``: can its cells be labelled? ``few_labels``: from how few? ``calibration``: is a classifier right as
often as it says? ``clustering``: does an embedding hold the groups by itself? ``integration``: are its batches mixed,
and its types not? ``overcorrection``: did a type lose itself?
"""

from latentcells.evaluate.annotation import annotation
from latentcells.evaluate.calibration import calibration
from latentcells.evaluate.clustering import clustering
from latentcells.evaluate.few_labels import draw_labels, few_labels
from latentcells.evaluate.integration import integration
from latentcells.evaluate.overcorrection import overcorrection

__all__ = [
    "annotation",
    "calibration",
    "clustering",
    "draw_labels",
    "few_labels",
    "integration",
    "overcorrection",
]
