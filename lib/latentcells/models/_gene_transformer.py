"""What the gene Transformers share: a cell as a set of genes."""

import keras
import numpy as np
import psutil
from keras import ops

from latentcells import _checks, likelihoods
from latentcells._batching import in_batches
from latentcells._cells import blocks
from latentcells._seeds import derived
from latentcells.layers import (
    CellToken,
    ExpressionEmbedding,
    GeneMasking,
    GeneSetTokens,
    GeneTokens,
    TokenPooling,
    TransformerBlock,
)  # fmt: skip
from latentcells.layers.tokens import _expression_embedding, _gene_tokens, _token_pooling
from latentcells.models._cell_model import CellModel
from latentcells.models._embedding_model import log_share

TOKENS = *_gene_tokens.HOW, "sets"
LAST_KNOT = {"rank": 1.0, "all": 8.0, "expressed": 8.0}  # of the values: a share, or log1p
TRUNK = (  # what two models must agree on to share a trunk
    "n_genes", "tokens", "n_tokens", "sets", "dim", "n_heads", "depth", "values", "pooling", "target_sum",
)  # fmt: skip
MAX_MAP_VALUES = 2**27  # of the attention maps of one block, 512 MB


@keras.saving.register_keras_serializable(package="latentcells")
class GeneTransformer(CellModel):
    r"""A Transformer whose tokens are genes: the base of `MaskedGeneTransformer` and `CellAnnotator`.

    A token is the sum of a learned vector for its gene and one for its value (`ExpressionEmbedding`), or, for
    ``tokens="sets"``, a projection of the genes of a set (`GeneSetTokens`). In each block (`TransformerBlock`)
    the tokens of a cell attend to each other; the pooled and normalised tokens are z. There is no positional
    encoding: genes have no order.

    The base has no loss. Build one of the two models; both have its methods, and `start_from` hands the trunk of
    one to another. A file of an earlier version that names this class loads as the model that it holds.

    Args:
        n_genes: G, genes of a cell.
        tokens: ``"all"``, ``"expressed"``, ``"rank"`` (see `GeneTokens`) or ``"sets"``.
        n_tokens: T, for ``"expressed"`` and ``"rank"``: 128 by default, or all genes if there are fewer.
        sets: for ``"sets"``: the gene numbers of each set, a list of lists.
        dim: d, entries of a token and of z.
        n_heads: attention heads of each block; divides ``dim``.
        depth: number of blocks; with 0 the tokens are pooled as they are, and all but a linear model is gone.
        values: ``"linear"``, ``"binned"`` or ``"piecewise"``, see `ExpressionEmbedding`.
        pooling: ``"mean"``, ``"cls"`` or ``"attention"``, see `TokenPooling`.
        target_sum: the total to which the counts of a cell are scaled before log1p. A value near the median total
            of the training cells keeps a single molecule of a typical cell near log1p(1).
        dropout: share of the entries of each branch of a block, and of z, that a training step drops.
        drop_path: share of the cells for which a training step skips a branch, see `TransformerBlock`.
        zero_start: start each block as the identity, see `TransformerBlock`.
        rate: the share of the genes that a training step hides.
        seed: whole number; of the weights, of the masks and of the order of the cells in `fit`.
        kwargs: ``name``, ``dtype`` and ``trainable``, as for `keras.Model`.

    Raises:
        ValueError: for an unknown choice, sets without ``tokens="sets"`` and the reverse, and heads that do not
            divide ``dim``.
        TypeError: for the base itself.

    Example:
        >>> import numpy as np, latentcells as lc
        >>> counts = np.random.default_rng(0).poisson(2.0, (64, 30))
        >>> model = lc.models.MaskedGeneTransformer(30, n_tokens=8, dim=8, n_heads=2, depth=1, seed=0)
        >>> isinstance(model, lc.models.GeneTransformer), model.attention(counts).shape
        (True, (64, 30))
    """

    _layer = "counts"

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
        if type(self) is GeneTransformer:
            raise TypeError("GeneTransformer has no loss: build a MaskedGeneTransformer or a CellAnnotator")
        super().__init__(n_genes, seed, **kwargs)
        self.tokens = _checks.choice(tokens, TOKENS, "tokens")
        self.n_tokens = _check_tokens(tokens, n_tokens, sets, self.n_genes)
        self.dim, self.n_heads = _checks.at_least(dim, 1, "dim"), n_heads
        self.depth = _checks.at_least(depth, 0, "depth")
        self.values = _checks.choice(values, _expression_embedding.KINDS, "values")
        self.pooling = _checks.choice(pooling, _token_pooling.KINDS, "pooling")
        self.target_sum = _checks.positive(target_sum, "target_sum")
        self.dropout = _checks.share(dropout, "dropout", zero=True)
        self.drop_path = _checks.share(drop_path, "drop_path", zero=True)
        self.zero_start = _checks.truth(zero_start, "zero_start")
        self.rate = _checks.share(rate, "rate", zero=True)

        seeds = derived(self.seed, self.depth + 6)
        self.masking = GeneMasking(self.rate, seed=next(seeds)) if self.rate else None
        self.trunk, self.maps = self._trunk(sets, seeds)
        self.sets = self.trunk.get_layer("tokens").members if tokens == "sets" else None
        # of tokens in a cell, one for the cell itself included
        self._places = self.maps.output["mask"].shape[1]
        self.drop = keras.layers.Dropout(self.dropout, seed=next(seeds), dtype="float32")
        self._head_seed = next(seeds)
        self.started = self.add_weight(shape=(), initializer="zeros", trainable=False, name="started")

    def _trunk(self, sets, seeds):
        """Two functional models that share their layers.

        Returns:
            counts (cells, genes) -> z (cells, dim), and counts -> ``attention``, a list of (cells, heads, T, T), one
            a block, ``mask`` (cells, T), and ``gene`` (cells, T) where tokens are genes. With a token for the cell, T
            is one more for ``attention`` and ``mask``.
        """
        counts = keras.Input((self.n_genes,), name="counts")
        t, maps = self._tokens(self.log1p(counts), sets, seeds)
        if self.pooling == "cls":
            t, maps["mask"] = CellToken(next(seeds), name="cell")(t, maps["mask"])
        maps["attention"] = []
        for i in range(self.depth):
            block = TransformerBlock(
                self.dim, self.n_heads, dropout=self.dropout, drop_path=self.drop_path,
                zero_start=self.zero_start, seed=next(seeds), name=f"block_{i}",
            )  # fmt: skip
            t, attention = block(t, padding_mask=maps["mask"], return_attention=True)
            maps["attention"].append(attention)
        z = TokenPooling(self.pooling, name="pooling", dtype="float32")(t, padding_mask=maps["mask"])
        z = keras.layers.LayerNormalization(name="norm", dtype="float32")(z)
        return keras.Model(counts, z, name="trunk"), keras.Model(counts, maps, name="maps")

    def _tokens(self, log1p, sets, seeds):
        """The tokens of log1p values (cells, genes), (cells, T, dim); their ``mask`` and ``gene``, (cells, T)."""
        if self.tokens == "sets":
            t = GeneSetTokens(sets, self.dim, seed=next(seeds), name="tokens")(log1p)
            return t, {"mask": ops.ones_like(t[..., 0], dtype="bool")}
        chosen = GeneTokens(self.tokens, self.n_tokens, name="tokens")(log1p)
        start = keras.initializers.RandomNormal(stddev=0.02, seed=next(seeds))
        genes = keras.layers.Embedding(self.n_genes, self.dim, embeddings_initializer=start, name="genes")
        high = LAST_KNOT[self.tokens]
        values = ExpressionEmbedding(self.dim, self.values, high=high, seed=next(seeds), name="values")
        t = genes(chosen["gene"]) + values(chosen["value"])
        return t, {"gene": chosen["gene"], "mask": chosen["mask"]}

    def _z(self, x, training):
        """z (cells, dim) of counts (cells, genes), with dropout in training, tensors."""
        return self.drop(self.trunk(x, training=training), training=training)

    def log1p(self, x):
        """The values that tokens are made of, (cells, genes), of counts (cells, genes), tensors."""
        return log_share(x, self.target_sum)

    def _prepare(self, x):
        """Take over the mean of each gene of the training cells, (cells, genes), once."""
        if not self.started.value:
            if self.tokens != "sets":
                log1p = (in_batches(self.log1p, block, batch_size=512) for block in blocks(x, 512))
                self.trunk.get_layer("tokens").adapt(log1p)
            self.started.assign(1.0)

    def start_from(self, pretrained):
        """Take over the trunk of another gene Transformer, and the means of its training cells.

        Args:
            pretrained: a model whose trunk was built with the same arguments.

        Raises:
            ValueError: where the two trunks differ, with the arguments in which they do.
        """
        own, other = self.get_config(), pretrained.get_config()
        differing = [key for key in TRUNK if own[key] != other.get(key)]
        if differing:
            shown = ", ".join(f"{key}={other.get(key)!r} against {own[key]!r}" for key in differing)
            raise ValueError(f"the trunks differ ({shown:.200}): build both models with the same arguments")
        self.trunk.set_weights(pretrained.trunk.get_weights())
        # a copy: JAX deletes an array that two models share when the first of them takes a step
        self.started.assign(ops.convert_to_numpy(pretrained.started))

    def _check_values(self, x):
        """Refuse cells that are no counts or have no gene that can be a token; x, (cells, genes), dense or CSR."""
        likelihoods.NegativeBinomial._check(x)
        if self.tokens == "rank":
            mean = ops.convert_to_numpy(self.trunk.get_layer("tokens").mean)
            empty = np.flatnonzero(x @ np.isfinite(mean).astype("float32") == 0)
            if len(empty):
                raise ValueError(
                    f"{len(empty)} cells have no gene that can be a token (the first has index {empty[0]}): drop them"
                )

    def encode(self, x, batch_size=256, *, fill=None) -> np.ndarray:
        """z of each cell.

        Args:
            x: (cells, genes), counts, in any form.
            batch_size: cells at a time; fewer where they have many tokens.
            fill: 0 takes genes of the model that the cells lack as 0; None refuses them.

        Returns:
            (cells, dim) float32.

        Raises:
            ValueError: for another number of genes, missing ones, data that are no counts, and a cell without a token.
        """
        return in_batches(self.trunk, self._take(x, fill=fill).matrix, batch_size=self._bounded(batch_size))

    def attention(self, x, batch_size=32, *, fill=None) -> np.ndarray:
        r"""The share of a cell's attention that each gene receives.

        .. math::
            a_{ij} = \frac{1}{L H |T_i|} \sum_{l=1}^{L} \sum_{h=1}^{H} \sum_{s \in T_i} A^{(l,h)}_{i, s, j}

        the mean over blocks, heads and query tokens of the attention to the token of gene j; 0 for a gene that is
        no token. The maps of one mini-batch are freed before the next: memory does not grow with the cells.

        Args:
            x: (cells, genes), counts, in any form.
            batch_size: cells at a time; fewer where they have many tokens.
            fill: 0 takes genes of the model that the cells lack as 0; None refuses them.

        Returns:
            (cells, genes), or (cells, sets) for ``tokens="sets"``, float32. A row sums to 1, less the attention to
            the token of the cell where there is one.

        Raises:
            ValueError: as `encode`, and for a model without blocks.
        """
        cells = self._take_for_attention(x, fill)
        return in_batches(self._attention, cells, batch_size=self._bounded(batch_size))

    def _attention(self, x):
        maps = self.maps(x)
        queries = ops.cast(maps["mask"], "float32")
        mean = ops.mean(ops.stack([ops.mean(a, axis=1) for a in maps["attention"]]), axis=0)
        received = ops.einsum("bs,bst->bt", queries, mean) / ops.sum(queries, axis=-1, keepdims=True)
        received = received[:, 1:] if self.pooling == "cls" else received
        if self.tokens in ("all", "sets"):
            return received
        return ops.einsum("bt,btg->bg", received, ops.one_hot(maps["gene"], self.n_genes, dtype="float32"))

    def attention_maps(self, x, *, fill=None) -> dict:
        """The attention of every head of every block, of a few cells.

        Args:
            x: (cells, genes), counts, in any form.
            fill: 0 takes genes of the model that the cells lack as 0; None refuses them.

        Returns:
            ``attention`` (cells, blocks, heads, T, T), ``mask`` (cells, T), and ``gene`` (cells, T) where tokens are
            genes; a token for the cell comes first in the first two.

        Raises:
            ValueError: as `attention`.
            MemoryError: where the maps need more memory than is free.
        """
        x = self._take_for_attention(x, fill)
        cells, free = x.shape[0], psutil.virtual_memory().available
        needed = 4 * cells * self.depth * self.n_heads * self._places**2
        if 3 * needed > free:  # the maps of the blocks, and their stack
            raise MemoryError(
                f"the maps of {cells} cells need {3 * needed / 2**30:.3g} GiB, {free / 2**30:.3g} are free: "
                "pass fewer cells, or call attention(), which sums as it goes"
            )
        maps = in_batches(self.maps, x, batch_size=32)
        return {**maps, "attention": np.stack(maps["attention"], axis=1)}

    def _take_for_attention(self, x, fill):
        if not self.depth:
            raise ValueError(
                "depth=0 leaves no block, and no attention: build the model with depth=1 or more"
            )
        return self._take(x, fill=fill).matrix

    def _bounded(self, batch_size):
        """``batch_size``, or the number of cells whose maps of one block hold `MAX_MAP_VALUES`, if that is less."""
        most = MAX_MAP_VALUES // (self.n_heads * self._places**2)
        return min(_checks.at_least(batch_size, 1, "batch_size"), max(1, most))

    def get_config(self):
        keys = *TRUNK, "dropout", "drop_path", "zero_start", "rate", "seed"
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}

    @classmethod
    def from_config(cls, config):
        """The model of a configuration; one that an earlier version saved says by ``labels`` which of the two."""
        if cls is not GeneTransformer:
            return super().from_config(config)
        labels = config.get("labels")
        name = "MaskedGeneTransformer" if labels is None else "CellAnnotator"
        unused = ("labels", "label_smoothing") if labels is None else ()
        kept = {key: value for key, value in config.items() if key not in unused}
        return keras.saving.get_registered_object(f"latentcells>{name}")(**kept)


def _check_tokens(tokens, n_tokens, sets, n_genes):
    """The number of tokens, or None where the genes or the sets give it; refuse what does not go together."""
    if (tokens == "sets") != (sets is not None):
        raise ValueError(f"tokens={tokens!r} with sets={sets!r}: tokens='sets' needs sets, the others none")
    if tokens == "sets" and n_tokens is not None:
        raise ValueError(f"tokens='sets' with n_tokens={n_tokens!r}: every set is a token, leave it out")
    return min(128, n_genes) if n_tokens is None and tokens in ("expressed", "rank") else n_tokens
