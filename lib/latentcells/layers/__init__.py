"""Keras layers, one a file."""

from latentcells.layers.batch_normalization import BatchNormalization
from latentcells.layers.get_normalization import get_normalization
from latentcells.layers.group_normalization import GroupNormalization
from latentcells.layers.layer_normalization import LayerNormalization
from latentcells.layers.sampling import Sampling

__all__ = ["BatchNormalization", "GroupNormalization", "LayerNormalization", "Sampling", "get_normalization"]
