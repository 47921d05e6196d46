"""The variational autoencoder."""

import keras
import numpy as np
from keras import ops

from latentcells import checks, likelihoods
from latentcells.layers import Sampling, get_normalization
from latentcells.models.base import CellModel, in_batches
from latentcells.objectives import kl_to_standard_normal


@keras.saving.register_keras_serializable(package="latentcells")
class VAE(CellModel):
    r"""Variational autoencoder of single-cell expression (Kingma & Welling 2014, arXiv:1312.6114).

    An encoder gives each cell a normal posterior :math:`q(z_i \mid x_i)` over ``latent_dim``
    coordinates, a decoder turns a draw from it into the parameters of a likelihood, and training
    minimises, averaged over cells,

    .. math::
        -\sum_{j=1}^{G} \log p(x_{ij} \mid z_i)
        + \beta \tfrac12 \sum_{k=1}^{K} (\mu_{ik}^2 + \sigma_{ik}^2 - 1 - \log \sigma_{ik}^2),

    at :math:`\beta = 1` the negative evidence lower bound (ELBO). Trained on an array, the decoder
    starts at the average cell, so that z is free from the first step to say how a cell differs from it.

    Args:
        n_genes: G, genes of a cell.
        latent_dim: K, coordinates of z.
        hidden: units of the encoder's dense layers; the decoder has them in reverse.
        likelihood: ``"negative_binomial"`` or ``"zero_inflated_negative_binomial"`` (counts),
            ``"gaussian"`` (log1p) or ``"bernoulli"`` (values in [0, 1]).
        dropout: share of the hidden units that a training step leaves out, in the encoder and the decoder.
        normalization: None, ``"batch"``, ``"layer"`` or ``"group"``: of the encoder, where
            ``normalization_of`` says. The decoder has none.
        groups: for ``"group"``: how many groups of equal size (8 by default), or the number of the group
            of each value, for instance ``GeneModules.labels_`` for genes.
        normalization_of: ``"hidden"``, the units of each hidden layer before their ReLU, or ``"genes"``,
            the values that enter the encoder.
        beta: the weight of the KL term (Higgins et al. 2017).
        warmup: training steps over which the weight rises from 0 to ``beta`` (Bowman et al. 2016,
            doi:10.18653/v1/K16-1002). Evaluation always uses ``beta``.
        seed: whole number; of the weights, of the noise and of the order of the cells in `fit`.

    Example:
        >>> import numpy as np, latentcells as lc
        >>> counts = np.random.default_rng(0).poisson(2.0, (64, 30)).astype("float32")
        >>> model = lc.models.VAE(n_genes=30, latent_dim=2, hidden=(8,), seed=0)
        >>> model.compile(optimizer="adam")
        >>> history = model.fit(counts, epochs=2, verbose=0)
        >>> model.encode(counts).shape
        (64, 2)
    """

    def __init__(
        self,
        n_genes,
        latent_dim=10,
        hidden=(256,),
        likelihood="negative_binomial",
        dropout=0.0,
        normalization=None,
        groups=None,
        normalization_of="hidden",
        beta=1.0,
        warmup=0,
        seed=0,
        **kwargs,
    ):
        super().__init__(n_genes, seed, **kwargs)
        self.latent_dim = checks.at_least(latent_dim, 1, "latent_dim")
        if not isinstance(hidden, (tuple, list)):
            raise TypeError(
                f"hidden must be a tuple of integers, got {hidden!r}: (256,) is one layer of 256 units"
            )
        self.hidden = tuple(checks.at_least(units, 1, "hidden") for units in hidden)
        self.likelihood = likelihood
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout must be at least 0 and less than 1, got {dropout!r}")
        self.dropout = float(dropout)
        self.normalization = normalization
        self.groups = getattr(get_normalization(normalization, groups), "groups", None)
        self.normalization_of = checks.choice(normalization_of, ("hidden", "genes"), "normalization_of")
        self.smallest_batch = 2 if normalization == "batch" else 1
        self.beta = checks.not_negative(beta, "beta", "1 gives the ELBO")
        self.warmup = checks.at_least(warmup, 0, "warmup")

        seeds = iter(np.random.SeedSequence(self.seed).generate_state(4 * len(self.hidden) + 4).tolist())
        self.head = likelihoods.get(likelihood)(self.n_genes, seed=next(seeds), name="likelihood")
        self.sampling = Sampling(seed=next(seeds), dtype="float32")
        self.encoder = self._encoder(seeds)
        self.decoder = self._decoder(seeds)
        self.steps = self.add_weight(shape=(), initializer="zeros", trainable=False, name="steps")
        self.trackers = {name: keras.metrics.Mean(name) for name in ("reconstruction", "kl")}

    def _dense(self, tensor, units, seeds, **kwargs):
        start = keras.initializers.GlorotUniform(seed=next(seeds))
        return keras.layers.Dense(units, kernel_initializer=start, **kwargs)(tensor)

    def _hidden(self, tensor, widths, seeds, normalize=False):
        for i, units in enumerate(widths):
            tensor = self._dense(tensor, units, seeds, name=f"hidden_{i}")
            if normalize:
                tensor = self._normalized(tensor, name=f"normalization_{i}")
            tensor = keras.layers.Dropout(self.dropout, seed=next(seeds))(ops.relu(tensor))
        return tensor

    def _normalized(self, tensor, name):
        layer = get_normalization(self.normalization, self.groups, name=name)
        return tensor if layer is None else layer(tensor)

    def _encoder(self, seeds):
        """x (cells, genes) -> z_mean and z_log_var (cells, latent_dim)."""
        x = keras.Input((self.n_genes,), name="x")
        tensor, genes = self.head.encoder_input(x), self.normalization_of == "genes"
        if genes:
            tensor = self._normalized(tensor, name="normalization")
        tensor = self._hidden(tensor, self.hidden, seeds, normalize=not genes)
        mean = self._dense(tensor, self.latent_dim, seeds, name="z_mean", dtype="float32")
        log_var = self._dense(tensor, self.latent_dim, seeds, name="z_log_var", dtype="float32")
        return keras.Model(x, {"z_mean": mean, "z_log_var": ops.clip(log_var, -15.0, 15.0)}, name="encoder")

    def _decoder(self, seeds):
        """z (cells, latent_dim), library (cells, 1) -> the likelihood's parameters."""
        inputs = {
            "z": keras.Input((self.latent_dim,), name="z"),
            "library": keras.Input((1,), name="library"),
        }
        tensor = self._hidden(inputs["z"], reversed(self.hidden), seeds)
        return keras.Model(inputs, self.head(tensor, inputs["library"]), name="decoder")

    def call(self, x, training=False):
        """The posterior, a draw from it and the parameters that the draw decodes to, in one dictionary."""
        x = ops.convert_to_tensor(x, sparse=False)
        posterior = self.encoder(x, training=training)
        z = self.sampling(posterior["z_mean"], posterior["z_log_var"])
        library = ops.sum(x, axis=-1, keepdims=True)
        return {**posterior, "z": z, **self.decoder({"z": z, "library": library}, training=training)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Negative ELBO, with the KL term weighted by beta: the mean over the cells of the batch."""
        x = ops.convert_to_tensor(x, dtype="float32", sparse=False)
        reconstruction = -ops.sum(self.head.log_prob(x, y_pred), axis=-1)
        kl = kl_to_standard_normal(y_pred["z_mean"], y_pred["z_log_var"])
        for name, value in (("reconstruction", reconstruction), ("kl", kl)):
            self.trackers[name].update_state(value, sample_weight=sample_weight)
        loss = reconstruction + self._kl_weight(training) * kl
        return ops.mean(loss if sample_weight is None else loss * ops.cast(sample_weight, loss.dtype)) + sum(
            self.losses
        )

    def _kl_weight(self, training):
        if not training:
            return self.beta
        self.steps.assign_add(1.0)
        return self.beta * ops.minimum(1.0, self.steps / max(self.warmup, 1))

    def prepare(self, x):
        if not self.steps.value:
            self.head.start_at(x)

    def check(self, x, training=False):
        x = super().check(x)
        self.head.check(x, training)
        return x

    def build(self, input_shape=None):
        """Nothing to do: encoder and decoder are built with the model."""

    def _posterior(self, x, batch_size):
        return in_batches(self.encoder, self.check(x), batch_size=batch_size)

    def encode(self, x, batch_size=512) -> np.ndarray:
        """Posterior mean of each cell.

        Args:
            x: (cells, genes), in the likelihood's unit.
            batch_size: cells at a time.

        Returns:
            (cells, latent_dim) float32.

        Raises:
            ValueError: for another number of genes or the wrong kind of data.
        """
        return self._posterior(x, batch_size)["z_mean"]

    def decode(self, z, library=1e4, batch_size=512) -> np.ndarray:
        """Expected expression at points of the latent space.

        Args:
            z: (cells, latent_dim).
            library: counts a cell, a number or (cells,); counts per ten thousand by default. Only
                the count likelihoods read it.
            batch_size: cells at a time.

        Returns:
            (cells, genes) float32, in the likelihood's unit.

        Raises:
            ValueError: for another number of latent coordinates, or of libraries.
        """
        z = np.asarray(z, "float32")
        if z.ndim != 2 or z.shape[1] != self.latent_dim:
            raise ValueError(
                f"z must be (cells, {self.latent_dim}), got shape {z.shape}: model.encode(x) gives it"
            )
        library = np.asarray(library, "float32")
        if library.shape not in ((), (len(z),)):
            raise ValueError(f"library must be a number or one a cell, got {len(library)} for {len(z)} cells")
        library = np.broadcast_to(library, len(z))[:, None]
        return in_batches(self._mean, z, library, batch_size=batch_size)

    def _mean(self, z, library):
        return self.head.mean(self.decoder({"z": z, "library": library}))

    def reconstruct(self, x, batch_size=512) -> np.ndarray:
        """Decode each cell's posterior mean at the cell's own library size: (cells, genes)."""
        return self.decode(self.encode(x, batch_size), np.asarray(x).sum(axis=1), batch_size)

    def elbo(self, x, draws=1, seed=0, batch_size=512) -> dict:
        """Evidence lower bound (beta = 1) and its two terms, apart.

        Args:
            x: (cells, genes), in the likelihood's unit.
            draws: draws of z a cell that the reconstruction term is averaged over.
            seed: of the draws; the same seed gives the same bound.
            batch_size: cells at a time.

        Returns:
            ``elbo`` = ``reconstruction`` - ``kl``: means over cells, in nats; ``reconstruction`` is
            the expected log-probability.
        """
        x, rng = self.check(x), np.random.default_rng(seed)
        posterior = self._posterior(x, batch_size)
        kl = kl_to_standard_normal(posterior["z_mean"], posterior["z_log_var"])
        log_prob = []
        for _ in range(checks.at_least(draws, 1, "draws")):
            noise = rng.standard_normal(posterior["z_mean"].shape, dtype="float32")
            z = posterior["z_mean"] + np.exp(0.5 * posterior["z_log_var"]) * noise
            log_prob.append(in_batches(self._log_prob, x, z, batch_size=batch_size))
        terms = {"reconstruction": float(np.mean(log_prob)), "kl": float(ops.mean(kl))}
        return {"elbo": terms["reconstruction"] - terms["kl"], **terms}

    def _log_prob(self, x, z):
        """log p(x | z) of each cell, (cells,)."""
        library = ops.sum(x, axis=-1, keepdims=True)
        return ops.sum(self.head.log_prob(x, self.decoder({"z": z, "library": library})), axis=-1)

    def get_config(self):
        keys = (
            "n_genes",
            "latent_dim",
            "hidden",
            "likelihood",
            "dropout",
            "normalization",
            "groups",
            "normalization_of",
            "beta",
            "warmup",
            "seed",
        )
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}
