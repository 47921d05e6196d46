"""The variational autoencoder."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks
from latentcells._arrays import embedding
from latentcells._batching import in_batches
from latentcells.layers import Sampling
from latentcells.likelihoods._get_likelihood import get_likelihood
from latentcells.models._embedding_model import EmbeddingModel, widths
from latentcells.objectives import kl_to_standard_normal

NORMALIZED = "hidden", "both", "genes"


@keras.saving.register_keras_serializable(package="latentcells")
class VAE(EmbeddingModel):
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
        hidden: units of the encoder's dense layers.
        likelihood: ``"negative_binomial"``, ``"poisson"`` or ``"zero_inflated_negative_binomial"``
            (counts), ``"gaussian"`` (log1p) or ``"bernoulli"`` (values in [0, 1]).
        dropout: share of the hidden units that a training step leaves out, in the encoder and the decoder.
        normalization: None, ``"batch"``, ``"layer"``, ``"group"`` or ``"rms"``, where ``normalization_of`` says.
        groups: for ``"group"``: how many groups of equal size (8 by default), or the number of the group
            of each value, for instance ``GeneModules.labels_`` for genes.
        normalization_of: ``"hidden"``, the units of the encoder's hidden layers before their ReLU;
            ``"both"``, those of the decoder as well; or ``"genes"``, the values that enter the encoder.
        beta: the weight of the KL term (Higgins et al. 2017).
        warmup: training steps over which the weight rises from 0 to ``beta`` (Bowman et al. 2016,
            doi:10.18653/v1/K16-1002). Evaluation always uses ``beta``.
        seed: whole number; of the weights, of the noise and of the order of the cells in `fit`.
        decoder_hidden: units of the decoder's dense layers, by default those of ``hidden`` in reverse;
            ``()`` is a linear decoder, up to the softmax of a count likelihood.
        noise: False decodes the mean of the posterior and not a draw from it. With ``beta=0`` the model
            is then a plain autoencoder, which has no ELBO.

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
        decoder_hidden=None,
        noise=True,
        **kwargs,
    ):
        super().__init__(n_genes, latent_dim, hidden, dropout, normalization, groups, seed, **kwargs)
        self.likelihood = likelihood
        self.normalization_of = _checks.choice(normalization_of, NORMALIZED, "normalization_of")
        self.decoder_hidden = (
            self.hidden[::-1] if decoder_hidden is None else widths(decoder_hidden, "decoder_hidden")
        )
        self.noise = _checks.truth(noise, "noise")
        self.beta = _checks.not_negative(beta, "beta", "1 gives the ELBO")
        self.warmup = _checks.at_least(warmup, 0, "warmup")

        seeds = self._seeds(self._n_seeds)
        self.reads = get_likelihood(likelihood)
        self.head = self.reads(self.n_genes, seed=next(seeds), name="likelihood")
        self.sampling = Sampling(seed=next(seeds), dtype="float32")
        self.encoder = self._encoder(seeds)
        self.decoder = self._decoder(seeds)
        self._trained_steps = self.add_weight(
            shape=(), initializer="zeros", trainable=False, aggregation="only_first_replica", name="steps"
        )
        self.trackers = {name: keras.metrics.Mean(name) for name in ("reconstruction", "kl")}

    @property
    def _n_seeds(self):
        return 2 * (len(self.hidden) + len(self.decoder_hidden)) + 4

    def _encoder(self, seeds):
        """x (cells, genes) -> z_mean and z_log_var (cells, latent_dim)."""
        x = keras.Input((self.n_genes,), name="x")
        tensor, genes = self.head._encoder_input(x), self.normalization_of == "genes"
        if genes:
            tensor = self._normalized(tensor, name="normalization")
        tensor = self._hidden(tensor, self.hidden, seeds, None if genes else self._normalized)
        return keras.Model(x, self._posterior_of(tensor, seeds), name="encoder")

    def _posterior_of(self, tensor, seeds):
        mean = self._dense(tensor, self.latent_dim, seeds, name="z_mean", dtype="float32")
        log_var = self._dense(tensor, self.latent_dim, seeds, name="z_log_var", dtype="float32")
        return {"z_mean": mean, "z_log_var": ops.clip(log_var, -15.0, 15.0)}

    def _decoder_layers(self, tensor, seeds):
        normalized = self._normalized if self.normalization_of == "both" else None
        return self._hidden(tensor, self.decoder_hidden, seeds, normalized)

    def call(self, x, training=False):
        """The posterior, a draw from it and the parameters that the draw decodes to, in one dictionary."""
        posterior = self.encoder(self._encoder_input(x), training=training)
        mean, log_var = posterior["z_mean"], posterior["z_log_var"]
        z = self.sampling(mean, log_var) if self.noise else mean
        return {**posterior, "z": z, **self.decoder(self._decoder_input(x, z), training=training)}

    @staticmethod
    def _expression(x):
        """The expression in the model's input, (cells, genes)."""
        return ops.convert_to_tensor(x, dtype="float32", sparse=False)

    def _target(self, x):
        """The expression that the decoder is to predict, (cells, genes)."""
        return self._expression(x)

    def _encoder_input(self, x):
        return self._expression(x)

    def _decoder_input(self, x, z):
        return {"z": z, "library": ops.sum(self._target(x), axis=-1, keepdims=True)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """Negative ELBO, with the KL term weighted by beta: the mean over the cells of the batch."""
        return self._mean_loss(self._loss_of_cells(x, y_pred, sample_weight, training), sample_weight)

    def _loss_of_cells(self, x, y_pred, sample_weight, training):
        reconstruction = -ops.sum(self.head.log_prob(self._target(x), y_pred), axis=-1)
        kl = kl_to_standard_normal(y_pred["z_mean"], y_pred["z_log_var"])
        for name, value in (("reconstruction", reconstruction), ("kl", kl)):
            self.trackers[name].update_state(value, sample_weight=sample_weight)
        return reconstruction + self._kl_weight(training) * kl

    def _kl_weight(self, training):
        if not training:
            return self.beta
        self._trained_steps.assign_add(1.0)
        return self.beta * ops.minimum(1.0, self._trained_steps / max(self.warmup, 1))

    def _prepare(self, x):
        if not self._trained_steps.value:
            self.head._start_at(x)

    def _posterior(self, x, batch_size=512):
        """z_mean and z_log_var of checked cells."""
        return in_batches(lambda x: self.encoder(self._encoder_input(x)), x, batch_size=batch_size)

    def encode(self, x, batch_size=512, *, fill=None) -> np.ndarray:
        """Posterior mean of each cell.

        Args:
            x: (cells, genes), in the likelihood's unit, in any form.
            batch_size: cells at a time.
            fill: 0 takes genes of the model that the cells lack as 0; None refuses them.

        Returns:
            (cells, latent_dim) float32.

        Raises:
            ValueError: for another number of genes, missing ones, or the wrong kind of data.
        """
        return self._posterior(self._take(x, fill=fill).matrix, batch_size)["z_mean"]

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
            ValueError: for another number of latent coordinates, or of libraries; for NaN, and a library below 0.
        """
        return in_batches(self._mean, self._points(z, library), batch_size=batch_size)

    def _points(self, z, library):
        """Points of the latent space, ``z`` (cells, latent_dim), and the ``library`` of each, (cells, 1)."""
        z = embedding(z)
        if z.shape[1] != self.latent_dim:
            raise ValueError(
                f"z must be (cells, {self.latent_dim}), got shape {z.shape}: model.encode(x) gives it"
            )
        _checks.finite(library, "library")
        library = np.asarray(library)
        if library.min(initial=0) < 0:
            raise ValueError(
                f"library must be 0 or more, got {library.min():.6g}: it is a cell's total count"
            )
        if library.shape not in ((), (len(z),)):
            raise ValueError(f"library must be a number or one a cell, got {len(library)} for {len(z)} cells")
        library = np.broadcast_to(library.astype("float32"), len(z))[:, None]
        return {"z": z.astype("float32"), "library": library}

    def _mean(self, points):
        return self.head.mean(self.decoder(points))

    def sample(self, z, library=1e4, seed=0, batch_size=512) -> np.ndarray:
        """Cells drawn from the likelihood at points of the latent space.

        Args:
            z: (cells, latent_dim); standard normal numbers give cells drawn from the prior.
            library: mean total count a cell, a number or (cells,). Only the count likelihoods read it.
            seed: whole number; the same seed and ``batch_size`` give the same cells.
            batch_size: cells at a time.

        Returns:
            (cells, genes) float32, in the likelihood's unit.

        Raises:
            ValueError: as `decode`.
        """
        return self._draw(self._points(z, library), seed, batch_size)

    def _draw(self, points, seed, batch_size):
        rng = np.random.default_rng(_checks.at_least(seed, 0, "seed"))

        def draw(points):
            parameters = keras.tree.map_structure(ops.convert_to_numpy, self.decoder(points))
            return self.head.sample(parameters, rng)

        return in_batches(draw, points, batch_size=batch_size)

    def reconstruct(self, x, batch_size=512, *, fill=None) -> np.ndarray:
        """Decode each cell's posterior mean at the cell's own library size: (cells, genes)."""
        cells = self._take(x, fill=fill).matrix
        z = self._posterior(cells, batch_size)["z_mean"]
        return in_batches(lambda x, z: self._mean(self._decoder_input(x, z)), cells, z, batch_size=batch_size)

    def elbo(self, x, draws=1, seed=0, batch_size=512, *, fill=None) -> dict:
        """Evidence lower bound (beta = 1) and its two terms, apart.

        Args:
            x: (cells, genes), in the likelihood's unit, in any form.
            draws: draws of z a cell that the reconstruction term is averaged over.
            seed: of the draws; the same seed gives the same bound.
            batch_size: cells at a time.
            fill: 0 takes genes of the model that the cells lack as 0; None refuses them.

        Returns:
            ``elbo`` = ``reconstruction`` - ``kl``: means over cells, in nats; ``reconstruction`` is
            the expected log-probability.

        Raises:
            ValueError: as `encode`, and for a model with ``noise=False``.
        """
        if not self.noise:
            raise ValueError(
                "noise=False leaves no posterior to take the ELBO of: evaluate(x) gives the reconstruction"
            )
        x, rng = self._take(x, fill=fill).matrix, np.random.default_rng(_checks.at_least(seed, 0, "seed"))
        posterior = self._posterior(x, batch_size)
        kl = kl_to_standard_normal(posterior["z_mean"], posterior["z_log_var"])
        log_prob = []
        for _ in range(_checks.at_least(draws, 1, "draws")):
            noise = rng.standard_normal(posterior["z_mean"].shape, dtype="float32")
            z = posterior["z_mean"] + np.exp(0.5 * posterior["z_log_var"]) * noise
            log_prob.append(in_batches(self._log_prob, x, z, batch_size=batch_size))
        terms = {"reconstruction": float(np.mean(log_prob)), "kl": float(ops.mean(kl))}
        return {"elbo": terms["reconstruction"] - terms["kl"], **terms}

    def _log_prob(self, x, z):
        """log p(x | z) of each cell, (cells,)."""
        return ops.sum(
            self.head.log_prob(self._expression(x), self.decoder(self._decoder_input(x, z))), axis=-1
        )

    def get_config(self):
        keys = "likelihood", "normalization_of", "beta", "warmup", "decoder_hidden", "noise"
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}
