"""Keras layers, one a file."""

from latentcells.layers.batch_normalization import BatchNormalization
from latentcells.layers.count_thinning import CountThinning
from latentcells.layers.domain_batch_normalization import DomainBatchNormalization
from latentcells.layers.gene_dropout import GeneDropout
from latentcells.layers.gene_masking import GeneMasking
from latentcells.layers.get_normalization import get_normalization
from latentcells.layers.gradient_reversal import GradientReversal
from latentcells.layers.group_normalization import GroupNormalization
from latentcells.layers.layer_normalization import LayerNormalization
from latentcells.layers.neighbour_mixing import NeighbourMixing
from latentcells.layers.sampling import Sampling

__all__ = [
    "BatchNormalization",
    "CountThinning",
    "DomainBatchNormalization",
    "GeneDropout",
    "GeneMasking",
    "GradientReversal",
    "GroupNormalization",
    "LayerNormalization",
    "NeighbourMixing",
    "Sampling",
    "get_normalization",
]
