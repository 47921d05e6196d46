"""Keras models, one a file."""

from latentcells.models.batch_vae import BatchVAE
from latentcells.models.contrastive_encoder import ContrastiveEncoder
from latentcells.models.gene_transformer import GeneTransformer
from latentcells.models.load import load
from latentcells.models.masked_autoencoder import MaskedAutoencoder
from latentcells.models.neighbour_vae import NeighbourVAE
from latentcells.models.vae import VAE

__all__ = [
    "VAE",
    "BatchVAE",
    "ContrastiveEncoder",
    "GeneTransformer",
    "MaskedAutoencoder",
    "NeighbourVAE",
    "load",
]
