"""Keras models, one a file."""

from latentcells.models.vae import VAE

__all__ = ["VAE"]
