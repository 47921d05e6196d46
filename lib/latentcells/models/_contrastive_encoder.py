"""The contrastive encoder: two views of a cell, one embedding."""

import keras
from keras import ops

from latentcells import _checks
from latentcells.layers import CountThinning, GeneMasking
from latentcells.models._embedding_model import EmbeddingModel
from latentcells.objectives import barlow_twins, embedding_spread, info_nce, vicreg

OBJECTIVES = ("info_nce", "barlow_twins", "vicreg")


@keras.saving.register_keras_serializable(package="latentcells")
class ContrastiveEncoder(EmbeddingModel):
    """Bring two augmented views of a cell together (Chen et al. 2020, arXiv:2002.05709).

    The encoder makes z, two dense layers behind it, the projector, make what the objective compares. After
    training the projector is put aside: z is the embedding. `fit` logs ``embedding_std`` and
    ``effective_rank`` of z in each batch (`objectives.embedding_spread`); both fall where z collapses.

    Args:
        n_genes: G, genes of a cell.
        latent_dim: K, coordinates of z.
        hidden: units of the encoder's dense layers.
        projection: units of both layers of the projector.
        objective: ``"info_nce"``, ``"barlow_twins"`` or ``"vicreg"``, see `latentcells.objectives`.
        temperature: of ``"info_nce"``, positive.
        augmentations: layers from counts to counts that make a view, applied one after the other;
            ``CountThinning(0.5)``, then ``GeneMasking(0.3)`` by default.
        dropout: share of the hidden units that a training step leaves out.
        normalization: None, ``"batch"``, ``"layer"`` or ``"group"``, before each ReLU of the encoder.
        groups: for ``"group"``: how many groups (8 by default), or the number of the group of each value.
        seed: whole number; of the weights, of the default augmentations and of the order of the cells in `fit`.

    Raises:
        ValueError: for an unknown objective, a temperature of 0 or less; in `fit` for batches of one cell.

    Example:
        >>> import numpy as np, latentcells as lc
        >>> counts = np.random.default_rng(0).poisson(2.0, (64, 30)).astype("float32")
        >>> model = lc.models.ContrastiveEncoder(n_genes=30, latent_dim=2, hidden=(8,), seed=0)
        >>> model.compile(optimizer="adam")
        >>> history = model.fit(counts, batch_size=32, epochs=2, verbose=0)
        >>> sorted(history.history)
        ['effective_rank', 'embedding_std', 'loss']
        >>> model.encode(counts).shape
        (64, 2)
    """

    compares_cells = True

    def __init__(
        self,
        n_genes,
        latent_dim=10,
        hidden=(256,),
        projection=64,
        objective="info_nce",
        temperature=0.5,
        augmentations=None,
        dropout=0.0,
        normalization=None,
        groups=None,
        seed=0,
        **kwargs,
    ):
        super().__init__(n_genes, latent_dim, hidden, dropout, normalization, groups, seed, **kwargs)
        self.projection = _checks.at_least(projection, 1, "projection")
        self.objective = _checks.choice(objective, OBJECTIVES, "objective")
        self.temperature = _checks.positive(temperature, "temperature", "0.1 to 1 is usual")
        self.lone_cell = "has no other cell to be compared with", ""
        seeds = self._seeds(2 * len(self.hidden) + 5)
        default = [CountThinning(0.5, seed=next(seeds)), GeneMasking(0.3, seed=next(seeds))]
        self.augmentations = default if augmentations is None else list(augmentations)
        self.encoder = self._encoder(seeds)
        self.projector = self._projector(seeds)
        self.trackers = {name: keras.metrics.Mean(name) for name in ("embedding_std", "effective_rank")}

    def _projector(self, seeds):
        """z (cells, latent_dim) -> what the objective compares (cells, projection)."""
        z = keras.Input((self.latent_dim,), name="z")
        tensor = ops.relu(self._dense(z, self.projection, seeds, name="hidden"))
        return keras.Model(
            z,
            self._dense(tensor, self.projection, seeds, name="projected", dtype="float32"),
            name="projector",
        )

    def _view(self, x):
        """Another view of each cell, counts (cells, genes)."""
        for layer in self.augmentations:
            x = layer(x, training=True)
        return x

    def call(self, x, training=False):
        """z of two views of each cell, and their projections: ``z_a``, ``z_b``, ``projected_a``, ``projected_b``."""
        return self._two_views(self._view(x), self._view(x), training)

    def _two_views(self, a, b, training):
        z = self.encoder(ops.concatenate([a, b]), training=training)
        found = {}
        for name, values in (("z", z), ("projected", self.projector(z, training=training))):
            found[f"{name}_a"], found[f"{name}_b"] = ops.split(values, 2)
        return found

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The objective of the two projections: the mean over cells, or one number for the batch."""
        for name, value in embedding_spread(y_pred["z_a"]).items():
            self.trackers[name].update_state(value)
        return self._mean_loss(self.compare(y_pred["projected_a"], y_pred["projected_b"]), sample_weight)

    def compare(self, a, b):
        """The objective of two projections of the same cells; a subclass may have its own.

        Args:
            a: (cells, projection) of one view of each cell, float32.
            b: the same of the other view.

        Returns:
            a loss a cell, (cells,), or one number for the mini-batch.
        """
        if self.objective == "info_nce":
            return info_nce(a, b, self.temperature)
        return barlow_twins(a, b) if self.objective == "barlow_twins" else vicreg(a, b)

    def get_config(self):
        layers = [keras.saving.serialize_keras_object(layer) for layer in self.augmentations]
        keys = "projection", "objective", "temperature"
        own = {key: getattr(self, key) for key in keys} | {"augmentations": layers}
        return {**super().get_config(), **own}

    @classmethod
    def from_config(cls, config):
        layers = [keras.saving.deserialize_keras_object(layer) for layer in config["augmentations"]]
        return cls(**{**config, "augmentations": layers})
