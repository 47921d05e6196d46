"""Keras layers, one per file, related ones in a folder."""

from latentcells.layers._gradient_reversal import GradientReversal
from latentcells.layers._sampling import Sampling
from latentcells.layers._transformer_block import TransformerBlock
from latentcells.layers.augmentation._count_thinning import CountThinning
from latentcells.layers.augmentation._gene_dropout import GeneDropout
from latentcells.layers.augmentation._gene_masking import GeneMasking
from latentcells.layers.augmentation._neighbour_mixing import NeighbourMixing
from latentcells.layers.normalization._batch_normalization import BatchNormalization
from latentcells.layers.normalization._domain_batch_normalization import DomainBatchNormalization
from latentcells.layers.normalization._group_normalization import GroupNormalization
from latentcells.layers.normalization._layer_normalization import LayerNormalization
from latentcells.layers.tokens._cell_token import CellToken
from latentcells.layers.tokens._expression_embedding import ExpressionEmbedding
from latentcells.layers.tokens._gene_set_tokens import GeneSetTokens
from latentcells.layers.tokens._gene_tokens import GeneTokens
from latentcells.layers.tokens._token_pooling import TokenPooling

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
]


def __dir__():
    return __all__
