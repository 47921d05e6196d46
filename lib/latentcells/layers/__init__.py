"""Keras layers, one a file."""

from latentcells.layers.sampling import Sampling

__all__ = ["Sampling"]
