"""The masked autoencoder: learn from genes that are hidden."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks, likelihoods
from latentcells._batching import in_batches
from latentcells.layers import GeneMasking
from latentcells.models._embedding_model import EmbeddingModel
from latentcells.objectives import masked_reconstruction


@keras.saving.register_keras_serializable(package="latentcells")
class MaskedAutoencoder(EmbeddingModel):
    r"""Hide a share of each cell's genes and predict their counts from the others (He et al. 2022, arXiv:2111.06377).

    The encoder sees log1p of the visible counts per ten thousand; the decoder gives a negative binomial for
    every gene, whose library size is the visible total divided by the visible share, so that the hidden
    counts are not in it. The loss is `masked_reconstruction`: of each cell,

    .. math::
        -\frac{\sum_{j=1}^{G} m_{ij} \log p(x_{ij} \mid z_i)}{\sum_{j=1}^{G} m_{ij}},

    with :math:`m_{ij}` = 1 for a hidden gene. Values that the encoder saw do not count.

    Args:
        n_genes: G, genes of a cell.
        latent_dim: K, coordinates of z.
        hidden: units of the encoder's dense layers; the decoder has them in reverse.
        rate: the expected share of the genes that are hidden, in (0, 1).
        dropout: share of the hidden units that a training step leaves out.
        normalization: None, ``"batch"``, ``"layer"`` or ``"group"``, before each ReLU of the encoder.
        groups: for ``"group"``: how many groups (8 by default), or the number of the group of each value.
        seed: whole number; of the weights, of the masks and of the order of the cells in `fit`.

    Raises:
        ValueError: for a rate outside (0, 1).

    Example:
        >>> import numpy as np, latentcells as lc
        >>> counts = np.random.default_rng(0).poisson(2.0, (64, 30)).astype("float32")
        >>> model = lc.models.MaskedAutoencoder(n_genes=30, latent_dim=2, hidden=(8,), rate=0.5, seed=0)
        >>> model.compile(optimizer="adam")
        >>> history = model.fit(counts, epochs=2, verbose=0)
        >>> model.encode(counts).shape
        (64, 2)
    """

    def __init__(
        self, n_genes, latent_dim=10, hidden=(256,), rate=0.5, dropout=0.0, normalization=None, groups=None, seed=0,
        **kwargs,
    ):  # fmt: skip
        super().__init__(n_genes, latent_dim, hidden, dropout, normalization, groups, seed, **kwargs)
        seeds = self._seeds(4 * len(self.hidden) + 3)
        self.masking = GeneMasking(rate, seed=next(seeds))
        self.rate = self.masking.rate
        self.head = likelihoods.NegativeBinomial(self.n_genes, seed=next(seeds), name="likelihood")
        self.encoder = self._encoder(seeds)
        self.decoder = self._decoder(seeds)
        self.started = self.add_weight(shape=(), initializer="zeros", trainable=False, name="started")

    def call(self, x, training=False):
        """The mask that was drawn, and the parameters that the visible genes lead to."""
        mask = self.masking._draw_mask(x)
        return {"mask": mask, **self._predict(x, mask, training)}

    def _predict(self, x, mask, training=False):
        visible, library = self.masking._hide(x, mask)
        z = self.encoder(visible, training=training)
        return self.decoder({"z": z, "library": library}, training=training)

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The mean over cells of the negative log-probability of a hidden value."""
        loss = -self.head.log_prob(ops.cast(x, "float32"), y_pred)
        return self._mean_loss(masked_reconstruction(loss, y_pred["mask"]), sample_weight)

    def _prepare(self, x):
        if not self.started.value:
            self.head._start_at(x)
            self.started.assign(1.0)

    def predict_hidden(self, x, seed=0, batch_size=512, *, fill=None) -> dict:
        """Hide a share of the values once and predict them.

        Args:
            x: (cells, genes), counts, in any form.
            seed: of the mask; the same seed hides the same values.
            batch_size: cells at a time.
            fill: 0 takes genes of the model that the cells lack as 0; None refuses them.

        Returns:
            ``mask``, 1 where a value was hidden, ``mean``, the expected count, and ``log_prob``, the count's
            log-probability in nats: (cells, genes) each.

        Raises:
            ValueError: for another number of genes, or data that are no counts.
        """
        x = self._take(x, fill=fill).matrix
        rng = np.random.default_rng(_checks.at_least(seed, 0, "seed"))
        mask = (rng.random(x.shape) < self.rate).astype("float32")

        def predicted(x, mask):
            parameters = self._predict(x, mask)
            return {"mean": self.head.mean(parameters), "log_prob": self.head.log_prob(x, parameters)}

        return {"mask": mask, **in_batches(predicted, x, mask, batch_size=batch_size)}

    def get_config(self):
        return {**super().get_config(), "rate": self.rate}
