"""The door of a model: cells in any form become checked arrays, with their targets and weights."""

import numpy as np
import pandas as pd

from latentcells import _checks
from latentcells._arrays import column, same_cells
from latentcells._batching import batches
from latentcells._cells import NO_FILL, Expression, gene_names, match_genes, n_cells, read, stack
from latentcells._streams import cells_of, check_stream, is_stream, with_plain_refusals


class Door:
    """What a `CellModel` does with cells before anything else sees them.

    Attributes:
        genes: the names of the genes that the model has learned from, a list, or None where it was given none.
    """

    _layer = None  # to read of an AnnData, where there is one of that name
    _genes = None

    @property
    def genes(self):
        return None if self._genes is None else list(self._genes)

    def _read(self, x, fill=None):
        """The cells as an `Expression` whose genes are the model's, in its order; those of a stream as CSR."""
        if is_stream(x):
            parts = with_plain_refusals(lambda: [self._read(cells, fill).matrix for cells in cells_of(x)])
            return Expression(stack(parts))
        expression = read(x, self._layer)
        return expression._replace(matrix=match_genes(expression, self._genes, fill))

    def _check(self, x, training=False):
        """Refuse cells, (cells, genes) float32, dense or CSR, that the model cannot take; return them."""
        _checks.same_genes(x.shape[1], self.n_genes, "x")
        self._check_values(x)
        return x

    def _check_values(self, x):
        """Refuse values that are not in the model's unit."""
        _checks.finite(x, "x")

    def _check_target(self, y, n_cells):
        """The target as the loss needs it, (cells,), or None: a model without targets ignores them."""

    def _take(self, x, training=False, fill=None):
        """The cells of a call, in memory, checked: an `Expression`."""
        expression = self._read(x, NO_FILL if training else fill)
        return expression._replace(matrix=self._check(expression.matrix, training))

    def _take_all(self, x, y=None, sample_weight=None, training=False, fill=None):
        """Checked cells with their targets and weights: ``(x,)``, ``(x, y)`` or ``(x, y, sample_weight)``."""
        if isinstance(y, str) and hasattr(x, "obs_names"):
            y = column(x, y, "y")
        cells = self._take(x, training, fill)
        check_alignment(cells, y=y, sample_weight=sample_weight)
        n = n_cells(cells.matrix)
        data = _pack(cells.matrix, self._check_target(y, n), _check_weight(sample_weight, n))
        return data

    def _remember_genes(self, x):
        """Keep the names of the genes that the model is going to learn from, if there are any and it has none."""
        genes = gene_names(x["x"] if isinstance(x, dict) else x)
        if self._genes is not None or genes is None:
            return
        _checks.unique_names(genes)
        self._genes = pd.Index(genes.astype(str))

    def _feed(self, x, y=None, sample_weight=None, batch_size=None, fill=None, argument="batch_size"):
        """Checked mini-batches of cells that the model does not train on; ``argument`` is what a message calls it."""
        if is_stream(x):
            return self._check_stream(x, y, sample_weight)[0]
        data = self._take_all(x, y, sample_weight, fill=fill)
        batch_size = _checks.at_least(32 if batch_size is None else batch_size, 1, argument)
        self._check_held_out(n_cells(data), batch_size, argument)
        return batches(data, batch_size)

    def _feed_cells(self, x, batch_size=None, fill=None):
        """Checked mini-batches of the cells alone, whatever targets a stream has beside them."""
        if is_stream(x):
            return with_plain_refusals(lambda: check_stream(x, lambda x, *others: (self._take(x).matrix,))[0])
        cells = self._take(x, fill=fill).matrix
        return batches((cells,), _checks.at_least(32 if batch_size is None else batch_size, 1, "batch_size"))

    def _check_held_out(self, n, batch_size, argument):
        """Refuse mini-batches that a model cannot evaluate; most can evaluate any."""

    def _check_stream(self, x, y=None, sample_weight=None):
        """The stream with each mini-batch checked, and a list of its first mini-batches."""
        if y is not None or sample_weight is not None:
            raise ValueError(
                f"y and sample_weight beside a {type(x).__name__}: let its mini-batches be (x, y, sample_weight)"
            )
        return with_plain_refusals(lambda: check_stream(x, self._take_all))


def check_alignment(cells, **values):
    """Refuse pandas objects whose index names other cells than an `Expression` does."""
    if cells.cells is None:
        return
    named = pd.Series(0, index=cells.cells)
    for name, series in values.items():
        if isinstance(series, (pd.Series, pd.DataFrame)):
            same_cells(**{"x": named, name: series})


def as_names(values) -> np.ndarray:
    """Names of batches or labels, whatever they came as (text, category, bytes out of a Dataset), as strings."""
    return np.array(
        [v.decode() if isinstance(v, bytes) else str(v) for v in np.asarray(values).ravel()]
    ).reshape(np.shape(values))


def _check_weight(sample_weight, n):
    """Weights of the cells, (cells,) float32, or None."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight)
    if weight.dtype.kind not in "biuf":
        raise TypeError(f"sample_weight must be numbers, got values of dtype {weight.dtype}: pass one a cell")
    if weight.shape != (n,):
        raise ValueError(f"sample_weight has shape {weight.shape} for {n} cells: pass one weight a cell")
    _checks.finite(weight, "sample_weight")
    if weight.min() < 0:
        raise ValueError(f"sample_weight must be 0 or more, got {weight.min():.6g}: 0 leaves a cell out")
    return weight.astype("float32")


def _pack(x, y, sample_weight):
    """Keras's tuple; a weight needs a target beside it, and a model without one ignores it."""
    if sample_weight is None:
        return (x,) if y is None else (x, y)
    return x, np.zeros(n_cells(x), "float32") if y is None else y, sample_weight
