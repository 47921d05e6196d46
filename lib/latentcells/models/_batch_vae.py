"""The variational autoencoder that is told each cell's batch."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks
from latentcells._arrays import column
from latentcells._batching import in_batches
from latentcells._streams import is_stream
from latentcells.layers import DomainBatchNormalization, GradientReversal
from latentcells.models._door import as_names, check_alignment
from latentcells.models._vae import VAE

UNSEEN = ("error", "average")


@keras.saving.register_keras_serializable(package="latentcells")
class BatchVAE(VAE):
    r"""A `VAE` whose decoder is told the batch, so that z need not hold it (Lopez et al. 2018,
    doi:10.1038/s41592-018-0229-2).

    Two options push the batch out of z. The adversary, a classifier of the batch from the mean of z behind
    a `GradientReversal`, adds its cross-entropy to the loss (Ganin & Lempitsky 2015, arXiv:1409.7495).
    ``normalization="domain"`` standardises the encoder's hidden units within each batch
    (`DomainBatchNormalization`). Cells come as ``{"x": counts, "batch": names}``, the counts in any form, or as an
    AnnData with ``obs["batch"]``.

    Args:
        n_genes: G, genes of a cell.
        batches: the names of the batches, at least two.
        latent_dim: K, coordinates of z.
        adversary: strength of the reversed gradient, 0 for no adversary.
        normalization: ``"layer"`` by default; None, ``"batch"``, ``"group"``, or ``"domain"``.
        hidden, likelihood, dropout, groups, normalization_of, beta, warmup, seed, decoder_hidden, noise: as for `VAE`.

    Raises:
        ValueError: for fewer than two batches or a repeated name, and for ``"domain"`` with ``normalization_of``
            other than ``"hidden"``; in `fit` for a batch of one cell; in `fit`, `encode` and `decode` for a batch
            that is not among ``batches``.

    Example:
        >>> import numpy as np, latentcells as lc
        >>> rng = np.random.default_rng(0)
        >>> cells = {"x": rng.poisson(2.0, (64, 30)), "batch": np.repeat(["plate 1", "plate 2"], 32)}
        >>> model = lc.models.BatchVAE(30, ["plate 1", "plate 2"], latent_dim=2, hidden=(8,), adversary=1.0)
        >>> model.compile(optimizer="adam")
        >>> history = model.fit(cells, epochs=2, verbose=0)
        >>> model.decode(model.encode(cells), batch="plate 2").shape
        (64, 30)
    """

    def __init__(
        self, n_genes, batches, latent_dim=10, adversary=0.0, normalization="layer", hidden=(256,),
        likelihood="negative_binomial", dropout=0.0, groups=None, normalization_of="hidden", beta=1.0, warmup=0,
        seed=0, decoder_hidden=None, noise=True, **kwargs,
    ):  # fmt: skip
        self._names = _checks.names(batches, "batches", "a single batch needs no correction, take VAE")
        self._domain = normalization == "domain"
        if self._domain and normalization_of != "hidden":
            raise ValueError(
                f"normalization='domain' with normalization_of={normalization_of!r}: it is of the hidden "
                "units alone, leave normalization_of out"
            )
        super().__init__(
            n_genes, latent_dim, hidden, likelihood, dropout, None if self._domain else normalization, groups,
            normalization_of, beta, warmup, seed, decoder_hidden, noise, **kwargs,
        )  # fmt: skip
        self.adversary = _checks.not_negative(adversary, "adversary", "1 to 100 is usual, 0 is none")
        if self.adversary:
            *_, first, second = self._seeds(self._n_seeds + 2)  # those that the others leave
            self.classifier = self._classifier(iter((first, second)))
            self.trackers["batch_cross_entropy"] = keras.metrics.Mean("batch_cross_entropy")

    @property
    def batches(self) -> list[str]:
        """The names of the batches that the model knows."""
        return list(self._names)

    def _one_hot(self):
        return keras.Input((len(self._names),), name="batch")

    def _encoder(self, seeds):
        """Expression, and with domain normalisation the batch -> z_mean and z_log_var."""
        if not self._domain:
            return super()._encoder(seeds)
        x, batch = keras.Input((self.n_genes,), name="x"), self._one_hot()

        def normalized(tensor, name):
            return DomainBatchNormalization(len(self._names), name=name)(tensor, ops.argmax(batch, axis=-1))

        tensor = self._hidden(self.head._encoder_input(x), self.hidden, seeds, normalized)
        return keras.Model({"x": x, "batch": batch}, self._posterior_of(tensor, seeds), name="encoder")

    def _decoder(self, seeds):
        """z (cells, latent_dim), library (cells, 1), batch one-hot -> the likelihood's parameters."""
        inputs = {
            "z": keras.Input((self.latent_dim,), name="z"),
            "library": keras.Input((1,), name="library"),
            "batch": self._one_hot(),
        }
        tensor = ops.concatenate([inputs["z"], inputs["batch"]], axis=-1)
        return self._decoder_of(tensor, inputs, seeds)

    def _classifier(self, seeds):
        """z_mean (cells, latent_dim) -> logits of the batches; the gradient to z_mean is reversed."""
        z = keras.Input((self.latent_dim,), name="z_mean")
        tensor = ops.relu(self._dense(GradientReversal(self.adversary)(z), 64, seeds, name="hidden"))
        return keras.Model(
            z, self._dense(tensor, len(self._names), seeds, name="logits", dtype="float32"), name="classifier"
        )

    @staticmethod
    def _expression(x):
        return VAE._expression(x["x"])

    def _encoder_input(self, x):
        return {"x": self._expression(x), "batch": x["batch"]} if self._domain else self._expression(x)

    def _decoder_input(self, x, z):
        return {**super()._decoder_input(x, z), "batch": ops.cast(x["batch"], "float32")}

    def call(self, x, training=False):
        found = super().call(x, training)
        if self.adversary:
            found["batch_logits"] = self.classifier(found["z_mean"], training=training)
        return found

    def _loss_of_cells(self, x, y_pred, sample_weight, training):
        """With an adversary also the cross-entropy of its guess of the batch, in nats, in training."""
        loss = super()._loss_of_cells(x, y_pred, sample_weight, training)
        if not (self.adversary and training):
            return loss
        missed = keras.losses.categorical_crossentropy(x["batch"], y_pred["batch_logits"], from_logits=True)
        self.trackers["batch_cross_entropy"].update_state(missed, sample_weight=sample_weight)
        return loss + missed

    def _prepare(self, x):
        super()._prepare(x["x"])

    def _cells_spec(self):
        n_batches = len(self._names)
        return {
            "x": super()._cells_spec(),
            "batch": keras.InputSpec(shape=(None, n_batches), dtype="float32"),
        }

    def _read(self, x, fill=None):
        if is_stream(x):
            return super()._read(x, fill)
        if hasattr(x, "obs_names"):
            x = {"x": x, "batch": _batch_column(x)}
        if not isinstance(x, dict) or set(x) != {"x", "batch"}:
            raise TypeError(
                'cells must come as {"x": counts, "batch": names}: one name of a batch for each cell'
            )
        expression = super()._read(x["x"], fill)
        check_alignment(expression, batch=x["batch"])
        return expression._replace(matrix={"x": expression.matrix, "batch": x["batch"]})

    def _check(self, x, training=False, unseen=None):
        """Refuse cells that the model cannot take; ``{"x": float32 (cells, genes), "batch": one-hot}``."""
        counts = super()._check(x["x"])
        batch = self._one_hot_of(x["batch"], counts.shape[0], unseen)
        cells = batch.sum(axis=0)
        if training and (cells == 1).any():
            raise ValueError(
                f"batch {self._names[int((cells == 1).argmax())]!r} has 1 cell, too few to tell a batch effect from "
                "a cell: drop it, or merge it into another batch"
            )
        return {"x": counts, "batch": batch}

    def _one_hot_of(self, batch, n_cells, unseen=None):
        """(cells, batches): 1 at the cell's batch; equal shares for an unseen one where ``unseen`` is "average"."""
        names = as_names(batch)
        if names.shape != (n_cells,):
            raise ValueError(
                f"batch has shape {names.shape}, there are {n_cells} cells: pass one name a cell"
            )
        member = (names[:, None] == np.array(self._names)).astype("float32")
        unknown = member.sum(axis=1) == 0
        if unknown.any() and unseen != "average":
            averaged = ", or unseen='average' to treat them as the mean of the batches" if unseen else ""
            raise ValueError(
                f"batch {str(names[unknown][0])!r} was not among the model's batches {self._names} ({unknown.sum()} of "
                f"{n_cells} cells): pass cells of these batches{averaged}"
            )
        member[unknown] = 1.0 / len(self._names)
        return member

    def encode(self, x, unseen="error", batch_size=512, *, fill=None) -> np.ndarray:
        """Posterior mean of each cell.

        Args:
            x: ``{"x": counts (cells, genes), "batch": names (cells,)}``, or an AnnData with ``obs["batch"]``.
            unseen: what to do with a batch that the model was not trained on: ``"error"``, or
                ``"average"``, the mean of z over all batches that the model knows. Without domain
                normalisation the encoder does not read the batch, and z is the same for every batch.
            batch_size: cells at a time.
            fill: 0 takes genes of the model that the cells lack as 0; None refuses them.

        Returns:
            (cells, latent_dim) float32.

        Raises:
            ValueError: for a batch that the model does not know, unless ``unseen`` allows it.
            TypeError: for an array without batches.
        """
        _checks.choice(unseen, UNSEEN, "unseen")
        x = self._check(self._read(x, fill).matrix, unseen=unseen)
        z, unknown = self._posterior(x, batch_size)["z_mean"], x["batch"].max(axis=1) < 1
        if self._domain and unknown.any():
            z[unknown] = self._over_batches(
                lambda batch: self._posterior({"x": x["x"][unknown], "batch": batch}, batch_size)["z_mean"],
                unknown.sum(),
            )
        return z

    def _over_batches(self, function, n_cells):
        """The mean of what ``function`` gives for cells of each batch that the model knows."""
        rows = np.eye(len(self._names), dtype="float32")
        return np.mean([function(np.tile(row, (n_cells, 1))) for row in rows], axis=0)

    def decode(self, z, batch=None, library=1e4, batch_size=512) -> np.ndarray:
        """Expected expression at points of the latent space, as each batch would measure it.

        Args:
            z: (cells, latent_dim).
            batch: the name of a batch, or one a cell; None gives the mean over all batches.
            library: counts a cell, a number or (cells,); counts per ten thousand by default.
            batch_size: cells at a time.

        Returns:
            (cells, genes) float32, in the likelihood's unit.

        Raises:
            ValueError: for a batch that the model does not know, another number of latent coordinates or of
                libraries.
        """
        points = self._points(z, library)

        def decoded(batch):
            return in_batches(self._mean, {**points, "batch": batch}, batch_size=batch_size)

        return (
            self._over_batches(decoded, len(z)) if batch is None else decoded(self._batches_of(batch, len(z)))
        )

    def sample(self, z, batch=None, library=1e4, seed=0, batch_size=512) -> np.ndarray:
        """Cells drawn from the likelihood at points of the latent space, as each batch would measure them.

        Args:
            z: (cells, latent_dim); standard normal numbers give cells drawn from the prior.
            batch: the name of a batch, or one a cell; None draws one for each cell.
            library, seed, batch_size: as for `VAE.sample`.

        Returns:
            (cells, genes) float32, in the likelihood's unit.

        Raises:
            ValueError: as `decode`.
        """
        points = self._points(z, library)
        if batch is None:
            batch = np.random.default_rng([_checks.at_least(seed, 0, "seed"), 1]).choice(self.batches, len(z))
        return self._draw({**points, "batch": self._batches_of(batch, len(z))}, seed, batch_size)

    def _batches_of(self, batch, n_cells):
        """One-hot (cells, batches) of one name for all cells, or of one a cell."""
        return self._one_hot_of([batch] * n_cells if isinstance(batch, str) else batch, n_cells)

    def get_config(self):
        normalization = "domain" if self._domain else self.normalization
        own = {"batches": self.batches, "adversary": self.adversary, "normalization": normalization}
        return {**super().get_config(), **own}


def _batch_column(adata):
    if "batch" not in adata.obs:
        raise ValueError(
            f"the AnnData has no obs['batch']: pass {{'x': adata, 'batch': adata.obs[column]}}, with a column of "
            f"{list(adata.obs.columns)}"
        )
    return column(adata, "batch", "batch")
