"""Pooling of the tokens of a cell to one vector."""

import keras
from keras import ops

from latentcells import _checks
from latentcells.layers._transformer_block import masked_softmax

KINDS = ("mean", "cls", "attention")


@keras.saving.register_keras_serializable(package="latentcells")
class TokenPooling(keras.layers.Layer):
    r"""Average the tokens of a cell: :math:`z_i = \sum_s a_{is} t_{is}`, with weights that sum to 1.

    ``"mean"``: equal weights. ``"cls"``: the first token alone, which represents the cell (Devlin
    et al. 2019, arXiv:1810.04805). ``"attention"``: :math:`\mathrm{softmax}_s(t_{is} \cdot u)` with a learned u
    (Ilse et al. 2018, arXiv:1802.04712, without their gate). Masked tokens have no weight.

    Args:
        kind: one of the three.

    Call arguments:
        t: (cells, tokens, dim).
        padding_mask: (cells, tokens), true for a token; all by default.

    Returns:
        (cells, dim).

    Raises:
        ValueError: for an unknown kind.

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import TokenPooling
        >>> t, padding_mask = np.float32([[[1.0], [3.0], [99.0]]]), np.array([[True, True, False]])
        >>> float(TokenPooling("mean")(t, padding_mask)[0, 0])
        2.0
    """

    def __init__(self, kind="mean", **kwargs):
        super().__init__(**kwargs)
        self.kind = _checks.choice(kind, KINDS, "kind")

    def build(self, t_shape):
        if self.kind == "attention":
            self.query = self.add_weight(shape=(t_shape[-1],), initializer="zeros", name="query")

    def call(self, t, padding_mask=None):
        if self.kind == "cls":
            return t[:, 0]
        weight = ops.matmul(t, self.query) if self.kind == "attention" else ops.zeros_like(t[..., 0])
        return ops.einsum("bs,bsd->bd", masked_softmax(weight, padding_mask), t)

    def compute_output_shape(self, t_shape):
        return t_shape[0], t_shape[-1]

    def get_config(self):
        return {**super().get_config(), "kind": self.kind}
