"""Keras models, one a file."""

from latentcells.models._batch_vae import BatchVAE
from latentcells.models._cell_annotator import CellAnnotator
from latentcells.models._contrastive_encoder import ContrastiveEncoder
from latentcells.models._gene_transformer import GeneTransformer
from latentcells.models._load import load
from latentcells.models._masked_autoencoder import MaskedAutoencoder
from latentcells.models._masked_gene_transformer import MaskedGeneTransformer
from latentcells.models._neighbour_vae import NeighbourVAE
from latentcells.models._vae import VAE

__all__ = [
    "VAE",
    "BatchVAE",
    "CellAnnotator",
    "ContrastiveEncoder",
    "GeneTransformer",
    "MaskedAutoencoder",
    "MaskedGeneTransformer",
    "NeighbourVAE",
    "load",
]


def __dir__():
    return __all__
