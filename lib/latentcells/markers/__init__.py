"""Which genes does a model rely on? Rankings of genes for each label, and what to compare them with.

``rank`` turns any score of genes in cells into a ranking. ``gradient_times_input``, ``integrated_gradients`` and
``ablation`` score the genes of a function's logits. ``differential_expression`` is the ranking that needs no model,
``canonical`` the marker genes from the literature. ``precision_at``, ``rank_agreement`` and ``stability`` say how good
a ranking is, how well it agrees with another, and how stable it is.
"""

from latentcells.markers._ablation import ablation
from latentcells.markers._agreement import precision_at, rank_agreement, stability
from latentcells.markers._canonical import canonical
from latentcells.markers._differential_expression import differential_expression
from latentcells.markers._gradients import gradient_times_input, integrated_gradients
from latentcells.markers._ranking import rank

__all__ = [
    "ablation",
    "canonical",
    "differential_expression",
    "gradient_times_input",
    "integrated_gradients",
    "precision_at",
    "rank",
    "rank_agreement",
    "stability",
]


def __dir__():
    return __all__
