"""A gene Transformer that names cells."""

import keras
import numpy as np
import pandas as pd
from keras import ops

from latentcells import _checks
from latentcells._arrays import column
from latentcells._batching import in_batches
from latentcells._streams import is_stream
from latentcells.models._door import _check_weight, as_names
from latentcells.models._gene_transformer import GeneTransformer

UNASSIGNED = "unassigned"


@keras.saving.register_keras_serializable(package="latentcells")
class CellAnnotator(GeneTransformer):
    r"""A `GeneTransformer` that learns to name cells from labelled ones.

    A dense layer turns z into logits. The loss is the cross-entropy with the smoothed target
    :math:`(1 - \epsilon) y + \epsilon / C` for C labels and ``label_smoothing`` :math:`\epsilon` (Szegedy et al. 2016,
    arXiv:1512.00567). Hiding genes in training, as `MaskedGeneTransformer` does, serves as augmentation.

    Args:
        n_genes: G, genes of a cell.
        labels: the names of the cell types, at least two.
        tokens: ``"all"``, ``"expressed"``, ``"rank"`` (see `GeneTokens`) or ``"sets"``.
        n_tokens: T, for ``"expressed"`` and ``"rank"``: 128 by default, or all genes if there are fewer.
        sets: for ``"sets"``: the gene numbers of each set, a list of lists.
        dim: d, entries of a token and of z.
        n_heads: attention heads of each block; divides ``dim``.
        depth: number of blocks; 0 leaves all but a linear model.
        values: ``"linear"``, ``"binned"`` or ``"piecewise"``, see `ExpressionEmbedding`.
        pooling: ``"mean"``, ``"cls"`` or ``"attention"``, see `TokenPooling`.
        target_sum: the total to which the counts of a cell are scaled before log1p.
        dropout: share of the entries of each branch of a block, and of z, that a training step drops.
        drop_path: share of the cells for which a training step skips a branch, see `TransformerBlock`.
        zero_start: start each block as the identity, see `TransformerBlock`.
        rate: the expected share of the genes that a training step hides; 0 hides none.
        label_smoothing: :math:`\epsilon`, in [0, 1).
        seed: whole number; of the weights, of the masks and of the order of the cells in `fit`.
        kwargs: ``name``, ``dtype`` and ``trainable``, as for `keras.Model`.

    Raises:
        ValueError: for one label or a repeated one, a rate or a label smoothing outside [0, 1), and as
            `GeneTransformer`.

    Example:
        >>> import numpy as np, latentcells as lc
        >>> rng = np.random.default_rng(0)
        >>> counts, label = rng.poisson(2.0, (64, 30)), np.repeat(["B", "T"], 32)
        >>> model = lc.models.CellAnnotator(30, ["B", "T"], n_tokens=8, dim=8, n_heads=2, depth=1, seed=0)
        >>> model.compile(optimizer="adam")
        >>> history = model.fit(counts, label, epochs=1, verbose=0)
        >>> model.encode(counts).shape, model.predict_labels(counts)["probability"].shape
        ((64, 8), (64, 2))
    """

    def __init__(
        self,
        n_genes,
        labels,
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
        label_smoothing=0.0,
        seed=0,
        **kwargs,
    ):
        super().__init__(
            n_genes, tokens, n_tokens, sets, dim, n_heads, depth, values, pooling, target_sum, dropout, drop_path,
            zero_start, rate, seed, **kwargs,
        )  # fmt: skip
        self.labels = _checks.names(labels, "labels")
        self.label_smoothing = _checks.share(label_smoothing, "label_smoothing", zero=True)
        start = keras.initializers.GlorotUniform(seed=self._head_seed)
        self.head = keras.layers.Dense(
            len(self.labels), kernel_initializer=start, name="logits", dtype="float32"
        )
        self.head.build((None, self.dim))

    def call(self, x, training=False):
        """Logits, (cells, labels)."""
        x = ops.cast(x, "float32")
        x = self.masking(x, training=training) if self.masking else x
        return self.head(self._z(x, training))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        """The (weighted) mean over cells of the cross-entropy with the smoothed target; y are codes, (cells,)."""
        log_probability = ops.log_softmax(ops.cast(y_pred, "float32"), axis=-1)
        target = ops.one_hot(ops.cast(y, "int32"), len(self.labels), dtype="float32")
        target = (1.0 - self.label_smoothing) * target + self.label_smoothing / len(self.labels)
        return self._mean_loss(-ops.sum(target * log_probability, axis=-1), sample_weight)

    def fit(
        self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, validation_split=0.0,
        validation_data=None, shuffle=True, class_weight=None, sample_weight=None, initial_epoch=0,
        steps_per_epoch=None, validation_steps=None, validation_batch_size=None, validation_freq=1,
    ):  # fmt: skip
        """`CellModel.fit` with the cells' labels.

        Args:
            x: (cells, genes), counts, in any form.
            y: (cells,), the label of each cell: names, or codes, or beside an AnnData the name of a column of ``obs``.
            class_weight: ``"balanced"`` gives each label the same total weight, whatever its number of cells; or a
                dictionary from a label to the weight of its cells. It multiplies ``sample_weight``.

        The other arguments are those of the other models' `fit`.

        Raises:
            ValueError: for labels that are missing or unknown, a class weight that is missing, unknown or negative,
                and as `CellModel.fit`.
        """
        if class_weight is not None:
            sample_weight = self._weight(x, y, class_weight, sample_weight)
        return super().fit(
            x, y, batch_size, epochs, verbose, callbacks, validation_split, validation_data, shuffle, None,
            sample_weight, initial_epoch, steps_per_epoch, validation_steps, validation_batch_size, validation_freq,
        )  # fmt: skip

    def _weight(self, x, y, class_weight, sample_weight):
        """The weight of each cell, (cells,), by its label and by itself; a series keeps its index."""
        if is_stream(x):
            raise ValueError(
                f"class_weight beside a {type(x).__name__}: give its mini-batches a sample_weight"
            )
        y = column(x, y, "y") if isinstance(y, str) and hasattr(x, "obs_names") else y
        weight = self._class_weight(self._check_target(y, len(y) if np.ndim(y) else 0), class_weight)
        if sample_weight is None:
            return weight
        _check_weight(sample_weight, len(weight))
        return weight * (sample_weight if isinstance(sample_weight, pd.Series) else np.asarray(sample_weight))

    def _check_target(self, y, n_cells):
        """The code of each cell's label, (cells,) int32, from names; or from codes, where no label is a number."""
        if y is None:
            raise ValueError(f"y is missing: pass the label of each cell, one of {', '.join(self.labels)}")
        y = np.asarray(y)
        if y.ndim != 1:
            raise ValueError(f"y must be (cells,), got shape {y.shape}: pass one label a cell")
        if len(y) != n_cells:
            raise ValueError(f"y has {len(y)} labels for {n_cells} cells: pass one a cell")
        if y.dtype.kind not in "iu" or any(name.isdecimal() for name in self.labels):
            return self.codes(y)
        if len(y) and not 0 <= y.min() <= y.max() < len(self.labels):
            raise ValueError(
                f"y has codes from {y.min()} to {y.max()}, there are {len(self.labels)} labels: number them from 0"
            )
        return y.astype("int32")

    def codes(self, names) -> np.ndarray:
        """The place of each name in ``labels``, from 0: what the loss and the attributions of `markers` take.

        Args:
            names: (cells,).

        Returns:
            (cells,) int32.

        Raises:
            ValueError: for a name that is not among ``labels``.
        """
        names = as_names(names).tolist()
        code = {name: i for i, name in enumerate(self.labels)}
        unknown = sorted(set(names) - code.keys())
        if unknown:
            raise ValueError(f"label {unknown[0]!r} is none of the model's: {', '.join(self.labels)}")
        return np.array([code[name] for name in names], "int32")

    def _class_weight(self, codes, class_weight):
        """The weight of each cell, (cells,) float32, from its code and the weight of each class."""
        if isinstance(class_weight, dict):
            weight = {str(name): value for name, value in class_weight.items()}
            self.codes(list(weight))  # refuses a name that the model does not know
            weight = {name: _checks.not_negative(w, f"class_weight[{name!r}]") for name, w in weight.items()}
        elif _checks.choice(class_weight, ("balanced",), "class_weight"):
            present, n_cells = np.unique(codes, return_counts=True)
            share = len(codes) / (len(present) * n_cells)
            weight = {self.labels[code]: value for code, value in zip(present, share, strict=True)}
        lacking = sorted({self.labels[code] for code in codes} - weight.keys())
        if lacking:
            raise ValueError(
                f"class_weight lacks label {lacking[0]!r}: give each label a weight, or 'balanced'"
            )
        return np.array([weight[self.labels[code]] for code in codes], "float32")

    def logits(self, x):
        """The logits, (cells, labels), of counts (cells, genes), tensors, as in inference."""
        return self.head(self.trunk(x))

    def from_log1p(self):
        """The function from the values of `log1p`, (cells, genes), to the logits, (cells, labels), tensors.

        Attributions are taken of it: it begins after the division by the cell's total, through which attributions of
        counts cancel.
        """
        trunk = keras.Model(self.trunk.get_layer("tokens").input, self.trunk.output)
        return lambda x: self.head(trunk(x))

    def predict_labels(self, x, threshold=0.0, batch_size=256, *, fill=None) -> dict:
        """Name the cells.

        Args:
            x: (cells, genes), counts, in any form.
            threshold: a cell whose most probable label has a probability below it is "unassigned"; in [0, 1).
            batch_size: cells at a time; fewer where they have many tokens.
            fill: 0 takes genes of the model that the cells lack as 0; None refuses them.

        Returns:
            ``label`` (cells,), names, and ``probability`` (cells, labels), in the order of ``labels``, float32.

        Raises:
            ValueError: for a threshold outside [0, 1), and as `encode`.
        """
        _checks.share(threshold, "threshold", zero=True)
        probability = in_batches(
            lambda x: ops.softmax(self.logits(x), axis=-1),
            self._take(x, fill=fill).matrix,
            batch_size=self._bounded(batch_size),
        )
        label = np.array(self.labels, object)[probability.argmax(axis=1)]
        label[probability.max(axis=1) < threshold] = UNASSIGNED
        return {"label": label, "probability": probability}

    def get_config(self):
        return {**super().get_config(), "labels": self.labels, "label_smoothing": self.label_smoothing}
