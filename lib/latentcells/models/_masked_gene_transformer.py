"""A gene Transformer that learns from hidden counts."""

import keras
from keras import ops

from latentcells import _checks, likelihoods
from latentcells.models._gene_transformer import GeneTransformer
from latentcells.objectives import masked_reconstruction


@keras.saving.register_keras_serializable(package="latentcells")
class MaskedGeneTransformer(GeneTransformer):
    r"""A `GeneTransformer` that learns without labels: hide a share of each cell's genes and predict their counts.

    The tokens are made of the visible counts; from z a dense layer gives a negative binomial for every gene, whose
    library size is the visible total divided by the visible share. The loss is that of `MaskedAutoencoder`: of each
    cell, with :math:`m_{ij}` = 1 for a hidden gene,

    .. math::
        -\frac{\sum_{j=1}^{G} m_{ij} \log p(x_{ij} \mid z_i)}{\sum_{j=1}^{G} m_{ij}}.

    Masked training of gene tokens follows Theodoris et al. 2023 (doi:10.1038/s41586-023-06139-9).
    `CellAnnotator.start_from` takes over what the trunk has learned.

    Args:
        n_genes: G, genes of a cell.
        tokens: ``"all"``, ``"expressed"``, ``"rank"`` (see `GeneTokens`) or ``"sets"``.
        n_tokens: T, for ``"expressed"`` and ``"rank"``: 128 by default, or all genes if there are fewer.
        sets: for ``"sets"``: the gene numbers of each set, a list of lists.
        dim: d, entries of a token and of z.
        n_heads: attention heads of each block; divides ``dim``.
        depth: number of blocks.
        values: ``"linear"``, ``"binned"`` or ``"piecewise"``, see `ExpressionEmbedding`.
        pooling: ``"mean"``, ``"cls"`` or ``"attention"``, see `TokenPooling`.
        target_sum: the total to which the counts of a cell are scaled before log1p.
        dropout: share of the entries of each branch of a block, and of z, that a training step drops.
        drop_path: share of the cells for which a training step skips a branch, see `TransformerBlock`.
        zero_start: start each block as the identity, see `TransformerBlock`.
        rate: the expected share of the genes that are hidden, in (0, 1).
        seed: whole number; of the weights, of the masks and of the order of the cells in `fit`.
        kwargs: ``name``, ``dtype`` and ``trainable``, as for `keras.Model`.

    Raises:
        ValueError: for a rate outside (0, 1), and as `GeneTransformer`.

    Example:
        >>> import numpy as np, latentcells as lc
        >>> counts = np.random.default_rng(0).poisson(2.0, (64, 30))
        >>> model = lc.models.MaskedGeneTransformer(30, n_tokens=8, dim=8, n_heads=2, depth=1, seed=0)
        >>> model.compile(optimizer="adam")
        >>> history = model.fit(counts, epochs=1, verbose=0)
        >>> model.encode(counts).shape
        (64, 8)
    """

    def __init__(
        self,
        n_genes,
        tokens="rank",
        n_tokens=None,
        sets=None,
        dim=64,
        n_heads=4,
        depth=2,
        values="piecewise",
        pooling="mean",
        target_sum=1e4,
        dropout=0.1,
        drop_path=0.0,
        zero_start=False,
        rate=0.3,
        seed=0,
        **kwargs,
    ):
        super().__init__(
            n_genes, tokens, n_tokens, sets, dim, n_heads, depth, values, pooling, target_sum, dropout, drop_path,
            zero_start, _checks.share(rate, "rate"), seed, **kwargs,
        )  # fmt: skip
        self.head = likelihoods.NegativeBinomial(self.n_genes, seed=self._head_seed, name="likelihood")
        self.head.build((None, self.dim), (None, 1))

    def call(self, x, training=False):
        """The ``mask`` that was drawn and the likelihood's parameters, (cells, genes) each."""
        x = ops.cast(x, "float32")
        mask = self.masking._draw_mask(x)
        visible, library = self.masking._hide(x, mask)
        return {"mask": mask, **self.head(self._z(visible, training), library)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The (weighted) mean over cells of the negative log-probability of a hidden count."""
        loss = -self.head.log_prob(ops.cast(x, "float32"), y_pred)
        return self._mean_loss(masked_reconstruction(loss, y_pred["mask"]), sample_weight)

    def _prepare(self, x):
        """Take over the mean of each gene of the training cells, and start at their average, once."""
        if not self.started.value:
            self.head._start_at(x)
        super()._prepare(x)

    def _check_target(self, y, n_cells):
        if y is not None:
            raise ValueError(
                "y is given, but the model learns without labels: leave y out, or build a CellAnnotator"
            )
