"""How good is an embedding? Arrays in, numbers out; scikit-learn, scanpy and scib-metrics do the arithmetic.

``annotation``: can its cells be labelled? ``few_labels``: from how few labels? ``calibration``: is a classifier right
as often as it says? ``clustering``: does the embedding show the groups by itself? ``integration``: are the batches
mixed and the types apart? ``overcorrection``: was a type mixed into others? ``across_batches``, ``proportions``: can a
known quantity be predicted in another batch? ``canonical_correlations``: is it the true latent space, up to a linear
map? ``neighbourhood_preservation``: does a cell have the same neighbours in two spaces? ``generation``: do drawn cells
look like real ones?

Of two pandas objects, a table and its labels for instance, the indexes must be equal: cells are not matched by
position alone where they have names.
"""

from latentcells.evaluate._across_batches import across_batches, proportions
from latentcells.evaluate._annotation import annotation
from latentcells.evaluate._calibration import calibration
from latentcells.evaluate._clustering import clustering
from latentcells.evaluate._few_labels import draw_labels, few_labels
from latentcells.evaluate._generation import generation
from latentcells.evaluate._integration import integration
from latentcells.evaluate._latent import canonical_correlations, neighbourhood_preservation
from latentcells.evaluate._overcorrection import overcorrection

__all__ = [
    "across_batches",
    "annotation",
    "calibration",
    "canonical_correlations",
    "clustering",
    "draw_labels",
    "few_labels",
    "generation",
    "integration",
    "neighbourhood_preservation",
    "overcorrection",
    "proportions",
]


def __dir__():
    return __all__
