"""Keras layers, one a file."""

from latentcells.layers.batch_normalization import BatchNormalization
from latentcells.layers.cell_token import CellToken
from latentcells.layers.count_thinning import CountThinning
from latentcells.layers.domain_batch_normalization import DomainBatchNormalization
from latentcells.layers.expression_embedding import ExpressionEmbedding
from latentcells.layers.gene_dropout import GeneDropout
from latentcells.layers.gene_masking import GeneMasking
from latentcells.layers.gene_set_tokens import GeneSetTokens
from latentcells.layers.gene_tokens import GeneTokens
from latentcells.layers.get_normalization import get_normalization
from latentcells.layers.gradient_reversal import GradientReversal
from latentcells.layers.group_normalization import GroupNormalization
from latentcells.layers.layer_normalization import LayerNormalization
from latentcells.layers.neighbour_mixing import NeighbourMixing
from latentcells.layers.sampling import Sampling
from latentcells.layers.token_pooling import TokenPooling
from latentcells.layers.transformer_block import TransformerBlock

__all__ = [
    "BatchNormalization",
    "CellToken",
    "CountThinning",
    "DomainBatchNormalization",
    "ExpressionEmbedding",
    "GeneDropout",
    "GeneMasking",
    "GeneSetTokens",
    "GeneTokens",
    "GradientReversal",
    "GroupNormalization",
    "LayerNormalization",
    "NeighbourMixing",
    "Sampling",
    "TokenPooling",
    "TransformerBlock",
    "get_normalization",
]
