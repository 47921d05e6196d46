"""How good is an embedding? Scores of arrays, computed by scikit-learn, scanpy and scib-metrics.

``annotation``: can its cells be labelled? ``few_labels``: from how few? ``calibration``: is a classifier right as
often as it says? ``clustering``: does an embedding hold the groups by itself? ``integration``: are its batches mixed,
and its types not? ``overcorrection``: did a type lose itself? ``across_batches``, ``proportions``: can a known
quantity be read in another batch? ``canonical_correlations``: is it the true latent, up to rotation?
``neighbourhood_preservation``: has a cell the same neighbours in two spaces?
"""

from latentcells.evaluate._across_batches import across_batches, proportions
from latentcells.evaluate._annotation import annotation
from latentcells.evaluate._calibration import calibration
from latentcells.evaluate._clustering import clustering
from latentcells.evaluate._few_labels import draw_labels, few_labels
from latentcells.evaluate._integration import integration
from latentcells.evaluate._latent import canonical_correlations
from latentcells.evaluate._neighbourhood import neighbourhood_preservation
from latentcells.evaluate._overcorrection import overcorrection

__all__ = [
    "across_batches",
    "annotation",
    "calibration",
    "canonical_correlations",
    "clustering",
    "draw_labels",
    "few_labels",
    "integration",
    "neighbourhood_preservation",
    "overcorrection",
    "proportions",
]


def __dir__():
    return __all__
