"""How good is an embedding? Scores of arrays, computed by scikit-learn and scanpy.

``annotation``: can its cells be labelled? ``clustering``: does it hold the groups by itself?
"""

from latentcells.evaluate.annotation import annotation
from latentcells.evaluate.clustering import clustering

__all__ = ["annotation", "clustering"]
