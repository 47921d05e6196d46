"""The gene Transformer: a cell as a set of genes."""

import keras
import numpy as np
import psutil
from keras import ops

from latentcells import _checks, likelihoods
from latentcells._batching import in_batches
from latentcells._seeds import derived
from latentcells.layers import GeneMasking
from latentcells.layers.tokens import _expression_embedding, _gene_tokens, _token_pooling
from latentcells.models._cell_model import CellModel, taken
from latentcells.models._embedding_model import log_share
from latentcells.models._gene_trunk import trunk
from latentcells.objectives import masked_reconstruction

TOKENS = *_gene_tokens.HOW, "sets"
TRUNK = (  # what two trunks must share
    "n_genes", "tokens", "n_tokens", "sets", "dim", "n_heads", "depth", "values", "pooling", "target_sum",
)  # fmt: skip
BLOCKS = ("dropout", "drop_path", "zero_start")
UNASSIGNED = "unassigned"
MAPS = 2**27  # numbers of attention that a block may hold at a time, 512 MB


@keras.saving.register_keras_serializable(package="latentcells")
class GeneTransformer(CellModel):
    r"""Annotate cells, or learn from hidden genes, with a Transformer whose tokens are genes.

    A token is the sum of a learned vector for its gene and of one for its value (`ExpressionEmbedding`), or, for
    ``tokens="sets"``, a projection of a set's genes (`GeneSetTokens`). Blocks (`TransformerBlock`) let the tokens
    of a cell read each other, the pooled tokens are z. There is no position: genes have no order.

    Without ``labels`` the model learns from cells alone: a share ``rate`` of the genes is hidden, and z predicts
    their counts by a negative binomial, with the loss of `MaskedAutoencoder`. With ``labels`` it learns to name
    them: a dense layer turns z into logits, the loss is the cross-entropy with the target
    :math:`(1 - \epsilon) y + \epsilon / C` for C labels and ``label_smoothing`` :math:`\epsilon`; the same masking
    serves as augmentation. `start_from` hands the trunk of the first on to the second.

    Args:
        n_genes: G, genes of a cell.
        labels: the names of the types, at least two; None to learn without them.
        tokens: ``"all"``, ``"expressed"``, ``"rank"`` (see `GeneTokens`) or ``"sets"``.
        n_tokens: T, for ``"expressed"`` and ``"rank"`` (128 by default).
        sets: for ``"sets"``: the numbers of the genes of each set.
        dim: d, entries of a token and of z.
        n_heads: heads of each block.
        depth: blocks; 0 pools the tokens as they are, which leaves all but a linear model.
        values: ``"linear"``, ``"binned"`` or ``"piecewise"``, see `ExpressionEmbedding`.
        pooling: ``"mean"``, ``"cls"`` or ``"attention"``, see `TokenPooling`.
        target_sum: the total to which the counts of a cell are scaled before log1p. A value near the median total
            of the training cells keeps a single molecule of a typical cell near log1p(1).
        dropout: share of the entries that each branch of a block, and z, lose in a training step.
        drop_path, zero_start: of the blocks, see `TransformerBlock`.
        rate: the share of the genes that a training step hides; 0 hides none, for labels only.
        label_smoothing: in [0, 1).
        seed: whole number; of the weights, of the masks and of the order of the cells in `fit`.

    Raises:
        ValueError: for an unknown choice, one label or a repeated one, sets without ``tokens="sets"`` and the
            reverse, heads that do not divide ``dim``, a rate of 0 without labels.

    Example:
        >>> import numpy as np, latentcells as lc
        >>> rng = np.random.default_rng(0)
        >>> counts, label = rng.poisson(2.0, (64, 30)), np.repeat(["B", "T"], 32)
        >>> model = lc.models.GeneTransformer(30, ["B", "T"], n_tokens=8, dim=8, n_heads=2, depth=1, seed=0)
        >>> model.compile(optimizer="adam")
        >>> history = model.fit(counts, label, epochs=1, verbose=0)
        >>> model.encode(counts).shape, model.predict_labels(counts)["probability"].shape
        ((64, 8), (64, 2))
    """

    def __init__(
        self, n_genes, labels=None, tokens="rank", n_tokens=None, sets=None, dim=64, n_heads=4, depth=2,
        values="piecewise", pooling="mean", target_sum=1e4, dropout=0.1, drop_path=0.0,
        zero_start=False, rate=0.3, label_smoothing=0.0, seed=0, **kwargs,
    ):  # fmt: skip
        super().__init__(n_genes, seed, **kwargs)
        self.labels = None if labels is None else _checks.names(labels, "labels")
        self.tokens = _checks.choice(tokens, TOKENS, "tokens")
        if (tokens == "sets") != (sets is not None):
            raise ValueError(
                f"tokens={tokens!r} with sets={sets!r}: tokens='sets' needs sets, the others none"
            )
        if tokens == "sets" and n_tokens is not None:
            raise ValueError(f"tokens='sets' with n_tokens={n_tokens!r}: every set is a token, leave it out")
        if n_tokens is None and tokens in ("expressed", "rank"):
            n_tokens = min(128, self.n_genes)
        self.n_tokens, self.dim, self.n_heads = n_tokens, _checks.at_least(dim, 1, "dim"), n_heads
        self.depth = _checks.at_least(depth, 0, "depth")
        self.values = _checks.choice(values, _expression_embedding.KINDS, "values")
        self.pooling = _checks.choice(pooling, _token_pooling.KINDS, "pooling")
        self.target_sum = _checks.positive(target_sum, "target_sum")
        self.dropout = _checks.share(dropout, "dropout", zero=True)
        self.drop_path = _checks.share(drop_path, "drop_path", zero=True)
        self.zero_start = bool(zero_start)
        self.rate = _checks.share(rate, "rate", zero=self.labels is not None)
        self.label_smoothing = _checks.share(label_smoothing, "label_smoothing", zero=True)
        seeds = derived(self.seed, self.depth + 6)
        self.masking = GeneMasking(self.rate, seed=next(seeds)) if self.rate else None
        self.trunk, self.maps = trunk(
            self.n_genes, tokens, n_tokens, sets, dim, n_heads, self.depth, values, pooling, self.target_sum,
            {key: getattr(self, key) for key in BLOCKS}, seeds,
        )  # fmt: skip
        self.sets = self.trunk.get_layer("tokens").members if tokens == "sets" else None
        # of tokens in a cell, one for the cell itself included
        self._places = self.maps.output["mask"].shape[1]
        self.drop = keras.layers.Dropout(self.dropout, seed=next(seeds), dtype="float32")
        if self.labels is None:
            self.head = likelihoods.NegativeBinomial(self.n_genes, seed=next(seeds), name="likelihood")
            self.head.build((None, self.dim), (None, 1))
        else:
            start = keras.initializers.GlorotUniform(seed=next(seeds))
            self.head = keras.layers.Dense(
                len(self.labels), kernel_initializer=start, name="logits", dtype="float32"
            )
            self.head.build((None, self.dim))
        self.started = self.add_weight(shape=(), initializer="zeros", trainable=False, name="started")

    def call(self, x, training=False):
        """Logits (cells, labels); without labels the mask that was drawn and the parameters of the counts."""
        x = ops.cast(x, "float32")
        if self.labels is not None:
            x = self.masking(x, training=training) if self.masking else x
            return self.head(self.drop(self.trunk(x, training=training), training=training))
        mask = self.masking.mask(x)
        visible, library = self.masking.hide(x, mask)
        z = self.drop(self.trunk(visible, training=training), training=training)
        return {"mask": mask, **self.head(z, library)}

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The (weighted) mean over cells of the cross-entropy, or of the loss of the hidden counts."""
        if self.labels is None:
            loss = -self.head.log_prob(ops.cast(x, "float32"), y_pred)
            loss = masked_reconstruction(loss, y_pred["mask"])
        else:
            log_probability = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
            target = ops.one_hot(ops.cast(y, "int32"), len(self.labels))
            share = self.label_smoothing
            loss = -ops.sum(((1.0 - share) * target + share / len(self.labels)) * log_probability, axis=-1)
        return self._mean_loss(loss, sample_weight)

    def prepare(self, x):
        if self.started.value:
            return
        if self.tokens != "sets":
            self.trunk.get_layer("tokens").adapt(in_batches(self.log1p, x, batch_size=512))
        if self.labels is None:
            self.head.start_at(x)
        self.started.assign(1.0)

    def log1p(self, x):
        """The values that tokens are made of, (cells, genes), of counts (cells, genes), tensors."""
        return log_share(x, self.target_sum)

    def start_from(self, pretrained):
        """Take over the trunk of a model that has learned without labels, or with others.

        Raises:
            ValueError: where the two trunks differ, with the arguments in which they do.
        """
        mine, other = self.get_config(), pretrained.get_config()
        differ = [key for key in TRUNK if mine[key] != other.get(key)]
        if differ:
            shown = ", ".join(f"{key}={other.get(key)!r} against {mine[key]!r}" for key in differ)
            raise ValueError(f"the trunks differ ({shown:.200}): build both models with the same arguments")
        self.trunk.set_weights(pretrained.trunk.get_weights())
        # a copy: JAX deletes an array that two models share when the first of them takes a step
        self.started.assign(ops.convert_to_numpy(pretrained.started))

    def check(self, x, training=False):
        x = super().check(x)
        likelihoods.NegativeBinomial.check(x)
        tokens = self.trunk.get_layer("tokens")
        usable = np.isfinite(tokens.mean) if self.tokens == "rank" else slice(None)
        empty = np.flatnonzero(~(x[:, usable] > 0).any(axis=1))
        if len(empty):
            raise ValueError(
                f"{len(empty)} cells have no gene that can be a token (the first has index {empty[0]}): drop them"
            )
        return x

    def codes(self, y) -> np.ndarray:
        """The number of each name among ``labels``, (cells,).

        Raises:
            ValueError: for a name that is not among them, and for a model without labels.
        """
        if self.labels is None:
            raise ValueError("labels were given to a model that has none: build it with labels=[...]")
        number = {name: i for i, name in enumerate(self.labels)}
        unknown = sorted({str(name) for name in y} - number.keys())
        if unknown:
            raise ValueError(f"label {unknown[0]!r} is none of the model's: {', '.join(self.labels)}")
        return np.array([number[str(name)] for name in y], "int32")

    def fit(
        self, x=None, y=None, batch_size=None, epochs=1, *, sample_weight=None, class_weight=None, **kwargs
    ):
        """`CellModel.fit` with the cells' labels.

        Args:
            x: (cells, genes), counts.
            y: (cells,), the names of their types; None without labels.
            batch_size, epochs, sample_weight, kwargs: as in `CellModel.fit`.
            class_weight: ``"balanced"`` gives each type the same weight in all, whatever its number of cells; or
                a dictionary from a name to the weight of its cells.

        Raises:
            ValueError: for labels that are missing, unknown or superfluous, and as `CellModel.fit`.
        """
        x, names = taken(x), y
        if isinstance(x, np.ndarray):
            y = self._target(x, names)
        if class_weight is not None:
            if self.labels is None or not isinstance(x, np.ndarray):
                raise ValueError("class_weight needs labels and an array of cells: pass sample_weight")
            weight = self._class_weight([str(name) for name in names], class_weight)
            sample_weight = weight if sample_weight is None else weight * sample_weight
        held_out = kwargs.get("validation_data")
        held_out = held_out if isinstance(held_out, tuple) else (held_out,)
        if self.labels is not None and isinstance(held_out[0], np.ndarray):
            y_held_out, *rest = held_out[1:] or [None]
            kwargs["validation_data"] = held_out[0], self._target(held_out[0], y_held_out), *rest
        return super().fit(x, y, batch_size, epochs, sample_weight=sample_weight, **kwargs)

    def _target(self, x, y):
        """The number of each cell's name, (cells,), or None without labels."""
        if (y is None) != (self.labels is None):
            which, how = ("missing", "with") if y is None else ("given", "without")
            raise ValueError(f"y is {which}, but the model has labels={self.labels}: fit it {how} y")
        if y is not None and len(y) != len(x):
            raise ValueError(f"y has {len(y)} labels for {len(x)} cells: pass one a cell")
        return y if y is None else self.codes(y)

    def _class_weight(self, names, class_weight):
        """The weight of each cell, (cells,)."""
        if isinstance(class_weight, dict):
            class_weight = {str(name): weight for name, weight in class_weight.items()}
        elif _checks.choice(class_weight, ("balanced",), "class_weight"):
            seen, cells = np.unique(names, return_counts=True)
            class_weight = dict(zip(seen, len(names) / (len(seen) * cells), strict=True))
        missing = sorted(set(names) - class_weight.keys())
        if missing:
            raise ValueError(
                f"class_weight lacks label {missing[0]!r}: give each label a weight, or 'balanced'"
            )
        return np.array([class_weight[name] for name in names], "float32")

    def encode(self, x, batch_size=256) -> np.ndarray:
        """z of each cell, (cells, dim) float32, of (cells, genes) counts."""
        return in_batches(self.trunk, self.check(x), batch_size=self._at_a_time(batch_size))

    def logits(self, x):
        """The logits (cells, labels) of counts (cells, genes), tensors."""
        return self.head(self.trunk(x))

    def from_log1p(self):
        """A function from the values of `log1p` to `logits`, tensors: what attributions are asked of.

        It begins behind the division by a cell's total, through which attributions of counts cancel.
        """
        trunk = keras.Model(self.trunk.get_layer("tokens").input, self.trunk.output)
        return lambda x: self.head(trunk(x))

    def predict_labels(self, x, threshold=0.0, batch_size=256) -> dict:
        """Name the cells.

        Args:
            x: (cells, genes), counts.
            threshold: a cell whose best label is less probable is "unassigned".
            batch_size: cells at a time; fewer where they have many tokens.

        Returns:
            ``label`` (cells,), names, and ``probability`` (cells, labels), in the order of ``labels``.

        Raises:
            ValueError: for a threshold outside [0, 1), a model without labels, and data that are no counts.
        """
        _checks.share(threshold, "threshold", zero=True)
        if self.labels is None:
            raise ValueError(
                "the model has no labels to predict: build one with labels=[...], then start_from this"
            )
        probability = in_batches(
            lambda x: ops.softmax(self.logits(x), axis=-1),
            self.check(x),
            batch_size=self._at_a_time(batch_size),
        )
        label = np.array(self.labels, object)[probability.argmax(axis=1)]
        label[probability.max(axis=1) < threshold] = UNASSIGNED
        return {"label": label, "probability": probability}

    def attention(self, x, batch_size=32) -> np.ndarray:
        r"""How much of a cell's attention each gene gets.

        .. math::
            a_{ij} = \frac{1}{L H |T_i|} \sum_{l=1}^{L} \sum_{h=1}^{H} \sum_{s \in T_i} A^{(l,h)}_{i, s, j}

        the mean over blocks, heads and asking tokens of the attention that the token of gene j gets; 0 for a gene
        that is no token. The maps of a batch are dropped before the next: memory does not grow with the cells.

        Args:
            x: (cells, genes), counts.
            batch_size: cells at a time; fewer where they have many tokens.

        Returns:
            (cells, genes), or (cells, sets) for ``tokens="sets"``. The rows sum to 1, less what a token for the
            cell gets.

        Raises:
            ValueError: for data that are no counts, and for a model without blocks.
        """
        cells = self._check_attention(x)
        return in_batches(self._attention, cells, batch_size=self._at_a_time(batch_size))

    def _at_a_time(self, batch_size):
        """``batch_size``, or fewer cells, whose maps of one block are no more than `MAPS` numbers."""
        fit = MAPS // (self.n_heads * self._places**2)
        return min(_checks.at_least(batch_size, 1, "batch_size"), max(1, fit))

    def _attention(self, x):
        maps = self.maps(x)
        asks = ops.cast(maps["mask"], "float32")
        read = ops.mean(ops.stack([ops.mean(a, axis=1) for a in maps["attention"]]), axis=0)
        got = ops.einsum("bs,bst->bt", asks, read) / ops.sum(asks, axis=-1, keepdims=True)
        got = got[:, 1:] if self.pooling == "cls" else got
        if self.tokens in ("all", "sets"):
            return got
        there = asks[:, 1:] if self.pooling == "cls" else asks
        return ops.einsum("bt,btg->bg", got * there, ops.one_hot(maps["gene"], self.n_genes))

    def attention_maps(self, x) -> dict:
        """The attention of every head of every block, of a few cells.

        Args:
            x: (cells, genes), counts.

        Returns:
            ``attention`` (cells, blocks, heads, T, T), ``mask`` (cells, T), and ``gene`` (cells, T) where tokens are
            genes; a token for the cell comes first in the first two.

        Raises:
            ValueError: as `attention`.
            MemoryError: where the maps need more memory than is free.
        """
        x = self._check_attention(x)
        cells, free = len(x), psutil.virtual_memory().available
        needed = 4 * cells * self.depth * self.n_heads * self._places**2
        if 3 * needed > free:  # the maps of the blocks, and their stack
            raise MemoryError(
                f"the maps of {cells} cells need {3 * needed / 2**30:.3g} GiB, {free / 2**30:.3g} are free: "
                "pass fewer cells, or take attention(), which sums as it goes"
            )
        maps = in_batches(self.maps, x, batch_size=32)
        return {**maps, "attention": np.stack(maps["attention"], axis=1)}

    def _check_attention(self, x):
        if not self.depth:
            raise ValueError(
                "depth=0 leaves no block, and no attention: build the model with depth=1 or more"
            )
        return self.check(x)

    def get_config(self):
        keys = *TRUNK, *BLOCKS, "labels", "rate", "label_smoothing", "seed"
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}
