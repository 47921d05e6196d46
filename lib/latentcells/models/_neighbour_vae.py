"""A self-supervised corrector of batches: a cell predicts the counts of a neighbour."""

import keras
import numpy as np
import tensorflow as tf
from keras import ops

from latentcells import _checks
from latentcells._batching import Shuffle, batches
from latentcells._cells import n_cells
from latentcells._neighbours import nearest, walk
from latentcells._streams import is_stream
from latentcells.models._batch_vae import BatchVAE
from latentcells.preprocess._mutual_neighbours import mutual_neighbours, unit_length_components

FIRST = 0.5  # the share of the epochs in which neighbours come from the data; then they come from z


@keras.saving.register_keras_serializable(package="latentcells")
class NeighbourVAE(BatchVAE):
    r"""A `BatchVAE` whose decoder predicts another cell: a neighbour, in the neighbour's batch.

    .. math::
        -\sum_{j=1}^{G} \log p(x_{t(i)\,j} \mid z_i, b_{t(i)}) + \mathrm{KL}_i

    where t(i) is the cell that is drawn for cell i at each epoch, and :math:`b_{t(i)}` its batch. What a cell
    shares with its neighbours helps, its own noise and its batch do not: z learns what is left. No label is
    seen. In the first half of the epochs t(i) is, with probability ``partner_rate``, a mutual nearest
    neighbour in another batch (`latentcells.preprocess.mutual_neighbours`), else the cell itself. In the
    second half neighbours are looked for in z, whatever their batch, and t(i) is where a walk of
    ``walk_length`` steps from neighbour to neighbour ends: the longer, the coarser the groups that z keeps.

    Args:
        n_genes: G, genes of a cell.
        batches: the names of the batches, at least two.
        latent_dim: K, coordinates of z.
        adversary: strength of the reversed gradient of a classifier of the batch, 0 for none.
        partner_rate: in (0, 1).
        n_mutual: mutual nearest neighbours are looked for among so many in each other batch.
        n_neighbors: of each cell in z.
        walk_length: steps of a walk.
        normalization, hidden, likelihood, dropout, groups, normalization_of: as for `BatchVAE`.
        beta, warmup, seed, decoder_hidden, noise: as for `VAE`.

    Raises:
        ValueError: as `BatchVAE`; in `fit` for ``shuffle=False``.
        TypeError: in `fit` for a stream, among whose cells no neighbour can be looked for.

    Example:
        >>> import numpy as np, latentcells as lc
        >>> rng = np.random.default_rng(0)
        >>> cells = {"x": rng.poisson(2.0, (64, 30)), "batch": np.repeat(["plate 1", "plate 2"], 32)}
        >>> model = lc.models.NeighbourVAE(30, ["plate 1", "plate 2"], latent_dim=2, hidden=(8,), seed=0)
        >>> model.compile(optimizer="adam")
        >>> history = model.fit(cells, epochs=2, verbose=0)
        >>> model.encode(cells).shape
        (64, 2)
    """

    def __init__(
        self, n_genes, batches, latent_dim=10, adversary=10.0, partner_rate=0.5, n_mutual=5, n_neighbors=10,
        walk_length=12, normalization="layer", hidden=(256,), likelihood="negative_binomial", dropout=0.0,
        groups=None, normalization_of="hidden", beta=1.0, warmup=0, seed=0, decoder_hidden=None,
        noise=True, **kwargs,
    ):  # fmt: skip
        super().__init__(
            n_genes, batches, latent_dim, adversary, normalization, hidden, likelihood, dropout, groups,
            normalization_of, beta, warmup, seed, decoder_hidden, noise, **kwargs,
        )  # fmt: skip
        self.partner_rate = _checks.share(partner_rate, "partner_rate")
        self.n_mutual = _checks.at_least(n_mutual, 1, "n_mutual")
        self.n_neighbors = _checks.at_least(n_neighbors, 2, "n_neighbors")
        self.walk_length = _checks.at_least(walk_length, 1, "walk_length")

    def _target(self, x):
        return ops.convert_to_tensor(x["target"], dtype="float32") if "target" in x else super()._target(x)

    def _decoder_input(self, x, z):
        found = super()._decoder_input(x, z)
        return {**found, "batch": ops.cast(x["target_batch"], "float32")} if "target" in x else found

    def fit(
        self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, validation_split=0.0,
        validation_data=None, shuffle=True, class_weight=None, sample_weight=None, initial_epoch=0,
        steps_per_epoch=None, validation_steps=None, validation_batch_size=None, validation_freq=1,
    ):  # fmt: skip
        """`CellModel.fit` of cells in memory, among which neighbours can be looked for."""
        if is_stream(x):
            raise TypeError(f"x is a {type(x).__name__}: neighbours are looked for among cells in memory")
        if not shuffle:
            raise ValueError("got shuffle=False: the neighbours are drawn with the order, leave it True")
        return super().fit(
            x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data, shuffle,
            class_weight, sample_weight, initial_epoch, steps_per_epoch, validation_steps,
            validation_batch_size, validation_freq,
        )  # fmt: skip

    def _shuffler(self, x, epochs):
        space = unit_length_components(x["x"])
        partners = mutual_neighbours(space, x["batch"].argmax(axis=1), self.n_mutual)
        return Targets(x, self.seed, epochs, partners)

    def _dataset(self, data, batch_size, shuffler):
        cells, targets = (
            batches(data, batch_size, shuffler.order),
            batches(data[:1], batch_size, shuffler.targets),
        )

        def with_target(cells, target):
            x = {**cells[0], "target": target[0]["x"], "target_batch": target[0]["batch"]}
            return (x, *cells[1:])

        return tf.data.Dataset.zip(cells, targets).map(with_target)

    def get_config(self):
        keys = "partner_rate", "n_mutual", "n_neighbors", "walk_length"
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}

    @classmethod
    def from_config(cls, config):
        if "steps" in config:  # what files of version 0.1 call the length of a walk
            config = {**config, "walk_length": config["steps"]}
            del config["steps"]
        return cls(**config)


class Targets(Shuffle):
    """Draws, with the order of an epoch, the cell that each cell is to predict.

    Args:
        x: the training cells, as the model checked them.
        seed: whole number.
        epochs: of the training.
        partners: for each cell the numbers of its mutual nearest neighbours.
    """

    def __init__(self, x, seed, epochs, partners):
        super().__init__(n_cells(x), seed)
        self.x, self.partners, self.first = x, partners, int(np.ceil(FIRST * epochs))
        self.near = None
        with tf.device("CPU"):
            self.targets = tf.Variable(tf.range(self.n, dtype="int64"))

    def on_epoch_begin(self, epoch, logs=None):
        super().on_epoch_begin(epoch)
        rng, order = np.random.default_rng([self.seed, epoch, 1]), self.order.numpy()
        drawn = self._mutual(rng) if epoch < self.first else self._walk(rng)
        self.targets.assign(drawn[order])

    def _mutual(self, rng):
        chosen = rng.random(self.n) < self.model.partner_rate
        return np.array(
            [rng.choice(found) if take and len(found) else cell
             for cell, (take, found) in enumerate(zip(chosen, self.partners, strict=True))]
        )  # fmt: skip

    def _walk(self, rng):
        if self.near is None:
            self.near = nearest(self.model._posterior(self.x)["z_mean"], self.model.n_neighbors)
        return walk(self.near, np.arange(self.n), self.model.walk_length, rng)
