"""Which genes does a model rely on? Rankings of genes for each label, and what to hold them against.

``ranking``: any score of genes in cells, made a ranking. ``gradients``, ``ablation``: scores of a function's logits.
``differential_expression``: the ranking that needs no model. ``canonical``: marker genes from the literature.
``agreement``: how good a ranking is, how like another, and how stable.
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
