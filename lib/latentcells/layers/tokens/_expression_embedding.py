"""The embedding of expression values: how strongly a gene is expressed, as input of a Transformer."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks

KINDS = ("linear", "binned", "piecewise")


@keras.saving.register_keras_serializable(package="latentcells")
class ExpressionEmbedding(keras.layers.Layer):
    r"""Embed a value v as a weighted sum of learned vectors, :math:`\sum_k \phi_k(v) \, w_k`.

    The kinds differ in the weights :math:`\phi`. ``"linear"``: (1, v), a line in the embedding. ``"binned"``:
    1 for the nearest of the ``n_bins`` knots, else 0: any curve, in steps (Cui et al. 2024,
    doi:10.1038/s41592-024-02201-0). ``"piecewise"``: linear interpolation between the two knots beside v: any
    curve, without steps (Gorishniy et al. 2022, arXiv:2203.05556). The knots are evenly spaced from 0 to
    ``high``; values beyond are clipped.

    Args:
        dim: size of the vector.
        kind: one of the three.
        n_bins: number of knots; unused by ``"linear"``.
        high: the last knot, in the unit of the values.
        seed: whole number; of the weights.

    Call arguments:
        value: (cells, tokens), log1p or ranks.

    Returns:
        (cells, tokens, dim).

    Raises:
        ValueError: for an unknown kind, fewer than 2 knots, ``high`` not positive.

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import ExpressionEmbedding
        >>> layer = ExpressionEmbedding(4, "piecewise", n_bins=3, high=2.0)
        >>> low, middle, high = np.asarray(layer(np.float32([[0.0, 0.5, 1.0]])))[0]
        >>> bool(np.allclose(middle, (low + high) / 2))
        True
    """

    def __init__(self, dim, kind="piecewise", n_bins=16, high=8.0, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.dim = _checks.at_least(dim, 1, "dim")
        self.kind = _checks.choice(kind, KINDS, "kind")
        self.n_bins = _checks.at_least(n_bins, 2, "n_bins")
        self.high = _checks.positive(high, "high")
        self.seed = _checks.at_least(seed, 0, "seed")

    def build(self, input_shape):
        self.table = self.add_weight(
            shape=(2 if self.kind == "linear" else self.n_bins, self.dim),
            initializer=keras.initializers.RandomNormal(stddev=0.02, seed=self.seed),
            name="table",
        )

    def _basis(self, value):
        r""":math:`\phi` of each value, (cells, tokens, 2 or n_bins)."""
        value = ops.expand_dims(ops.cast(value, "float32"), -1)
        if self.kind == "linear":
            return ops.concatenate([ops.ones_like(value), value], axis=-1)
        place = ops.clip(value, 0.0, self.high) * ((self.n_bins - 1) / self.high)
        if self.kind == "binned":
            place = ops.floor(place + 0.5)
        return ops.maximum(0.0, 1.0 - ops.abs(place - np.arange(self.n_bins, dtype="float32")))

    def call(self, value):
        return ops.matmul(ops.cast(self._basis(value), self.compute_dtype), self.table)

    def compute_output_shape(self, input_shape):
        return *input_shape, self.dim

    def get_config(self):
        keys = "dim", "kind", "n_bins", "high", "seed"
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}
