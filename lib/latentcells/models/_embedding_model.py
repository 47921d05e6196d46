"""What every model of the course that embeds cells has in common: its sizes, its layers, its normalisation."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks
from latentcells._batching import in_batches
from latentcells._seeds import derived
from latentcells.layers.normalization._get_normalization import get_normalization
from latentcells.likelihoods import NegativeBinomial
from latentcells.likelihoods._count_likelihood import CountLikelihood
from latentcells.models._cell_model import CellModel


def log_share(counts, target_sum=1e4):
    """log1p of counts scaled to ``target_sum`` in each cell, (cells, genes): depth drops out."""
    total = ops.sum(counts, axis=-1, keepdims=True)
    return ops.log1p(target_sum * counts / ops.maximum(total, 1.0))


def widths(hidden, name) -> tuple:
    """The checked units of dense layers; ``name`` is the argument's."""
    if not isinstance(hidden, (tuple, list)):
        raise TypeError(
            f"{name} must be a tuple of integers, got {hidden!r}: (256,) is one layer of 256 units"
        )
    return tuple(_checks.at_least(units, 1, name) for units in hidden)


class EmbeddingModel(CellModel):
    """A model with hidden layers that lead to ``latent_dim`` coordinates of each cell.

    Args:
        n_genes: G, genes of a cell.
        latent_dim: K, coordinates of z.
        hidden: units of the encoder's dense layers.
        dropout: share of the hidden units that a training step leaves out.
        normalization: None, ``"batch"``, ``"layer"``, ``"group"`` or ``"rms"``, before each ReLU of the encoder.
        groups: for ``"group"``: how many groups (8 by default), or the number of the group of each value.
        seed: whole number; of the weights, of the noise and of the order of the cells in `fit`.

    Attributes:
        reads: the likelihood whose data the model takes.
    """

    reads = NegativeBinomial

    def __init__(
        self,
        n_genes,
        latent_dim,
        hidden=(256,),
        dropout=0.0,
        normalization=None,
        groups=None,
        seed=0,
        **kwargs,
    ):
        super().__init__(n_genes, seed, **kwargs)
        self.latent_dim = _checks.at_least(latent_dim, 1, "latent_dim")
        self.hidden = widths(hidden, "hidden")
        self.dropout = _checks.share(dropout, "dropout", zero=True)
        self.normalization = normalization
        self.groups = getattr(get_normalization(normalization, groups), "groups", None)
        if normalization == "batch":
            self.lone_cell = "has no variance for batch normalisation", ", or layer normalisation"

    def _seeds(self, n):
        """``n`` seeds, all different, that the model's own seed gives."""
        return derived(self.seed, n)

    def _dense(self, tensor, units, seeds, **kwargs):
        start = keras.initializers.GlorotUniform(seed=next(seeds))
        return keras.layers.Dense(units, kernel_initializer=start, **kwargs)(tensor)

    def _hidden(self, tensor, widths, seeds, normalized=None):
        """Dense layers, each with its normalisation, ReLU and dropout."""
        for i, units in enumerate(widths):
            tensor = self._dense(tensor, units, seeds, name=f"hidden_{i}")
            if normalized is not None:
                tensor = normalized(tensor, name=f"normalization_{i}")
            tensor = keras.layers.Dropout(self.dropout, seed=next(seeds))(ops.relu(tensor))
        return tensor

    def _normalized(self, tensor, name):
        layer = get_normalization(self.normalization, self.groups, name=name)
        return tensor if layer is None else layer(tensor)

    def _encoder(self, seeds):
        """Counts (cells, genes) -> z (cells, latent_dim)."""
        x = keras.Input((self.n_genes,), name="x")
        tensor = self._hidden(log_share(x), self.hidden, seeds, self._normalized)
        return keras.Model(
            x, self._dense(tensor, self.latent_dim, seeds, name="z", dtype="float32"), name="encoder"
        )

    def _decoder(self, seeds):
        """z (cells, latent_dim), library (cells, 1) -> the parameters of the likelihood ``self.head``."""
        inputs = {
            "z": keras.Input((self.latent_dim,), name="z"),
            "library": keras.Input((1,), name="library"),
        }
        return self._decoder_of(inputs["z"], inputs, seeds)

    def _decoder_of(self, tensor, inputs, seeds):
        """The decoder with these ``inputs`` that begins with ``tensor``, (cells, values)."""
        tensor = self._decoder_layers(tensor, seeds)
        return keras.Model(inputs, self.head(tensor, inputs["library"]), name="decoder")

    def _decoder_layers(self, tensor, seeds):
        return self._hidden(tensor, reversed(self.hidden), seeds)

    @property
    def _layer(self):
        return "counts" if issubclass(self.reads, CountLikelihood) else None

    def _check_values(self, x):
        self.reads._check(x)

    def encode(self, x, batch_size=512, *, fill=None) -> np.ndarray:
        """z of each cell.

        Args:
            x: (cells, genes), counts, in any form.
            batch_size: cells at a time.
            fill: 0 takes genes of the model that the cells lack as 0; None refuses them.

        Returns:
            (cells, latent_dim) float32.

        Raises:
            ValueError: for another number of genes, missing ones, or data that are no counts.
        """
        return in_batches(self.encoder, self._take(x, fill=fill).matrix, batch_size=batch_size)

    def get_config(self):
        keys = "n_genes", "latent_dim", "hidden", "dropout", "normalization", "groups", "seed"
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}
