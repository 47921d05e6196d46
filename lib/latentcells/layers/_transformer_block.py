"""One block of a Transformer encoder: self-attention between the tokens of a cell, then a network on each token."""

import math

import keras
from keras import ops

from latentcells import _checks
from latentcells._seeds import derived


@keras.saving.register_keras_serializable(package="latentcells")
class TransformerBlock(keras.layers.Layer):
    r"""Multi-head self-attention and a two-layer network, each with a layer normalisation before it and a shortcut.

    .. math::
        h &= t + \mathrm{Attention}(\mathrm{LN}(t)), \qquad t' = h + W_2 \, \mathrm{GELU}(W_1 \, \mathrm{LN}(h)) \\
        A &= \mathrm{softmax}_{\text{keys}}\!\left( q k^\top / \sqrt{d / H} \right)

    for each of the H heads, whose outputs :math:`A v` are concatenated and mixed by a dense layer (Vaswani et
    al. 2017, arXiv:1706.03762; the pre-norm order: Xiong et al. 2020, arXiv:2002.04745). All dense layers have
    biases. With the same weights the attention equals `keras.layers.MultiHeadAttention`. The normalisation is
    `keras.layers.LayerNormalization`: the course's own takes (cells, features), without an axis for tokens.

    Args:
        dim: d, the size of a token.
        n_heads: H, must divide ``dim``.
        hidden: units of the two-layer network; 2 × ``dim`` by default.
        dropout: share of the entries of each branch that a training step drops.
        drop_path: share of the cells for which a training step drops a whole branch and keeps only the shortcut
            (stochastic depth: Huang et al. 2016, arXiv:1603.09382).
        zero_start: whether the last kernel of each branch is initialised to zero: the block then starts as the
            identity, and a branch grows only as far as training finds a use for it.
        seed: whole number; of the weights and of the dropout.

    Call arguments:
        t: (cells, tokens, dim).
        padding_mask: (cells, tokens), true for a token that may be attended to; all by default.
        training: whether to apply the dropout.
        return_attention: also return A.

    Returns:
        (cells, tokens, dim); with ``return_attention`` also A, (cells, heads, tokens, tokens), whose last two axes
        are queries and keys: each row sums to 1 over the keys.

    Raises:
        ValueError: where ``n_heads`` does not divide ``dim``, for a dropout or a drop_path outside [0, 1).

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import TransformerBlock
        >>> t = np.random.default_rng(0).normal(size=(2, 5, 8)).astype("float32")
        >>> out, attention = TransformerBlock(8, n_heads=2)(t, return_attention=True)
        >>> out.shape == t.shape, tuple(attention.shape)
        (True, (2, 2, 5, 5))
    """

    def __init__(
        self, dim, n_heads=4, hidden=None, dropout=0.0, drop_path=0.0, zero_start=False, seed=0, **kwargs
    ):
        super().__init__(**kwargs)
        self.dim = _checks.at_least(dim, 1, "dim")
        self.n_heads = _checks.at_least(n_heads, 1, "n_heads")
        if dim % n_heads:
            possible = [h for h in range(1, dim + 1) if dim % h == 0]
            raise ValueError(f"n_heads={n_heads} does not divide dim={dim}: choose from {possible}")
        self.hidden = 2 * dim if hidden is None else _checks.at_least(hidden, 1, "hidden")
        self.dropout = _checks.share(dropout, "dropout", zero=True)
        self.drop_path = _checks.share(drop_path, "drop_path", zero=True)
        self.zero_start = _checks.truth(zero_start, "zero_start")
        self.seed = _checks.at_least(seed, 0, "seed")
        seeds = derived(self.seed, 8)
        self.norm_attention = self._norm("norm_attention")
        self.norm_mlp = self._norm("norm_mlp")
        self.qkv = self._dense(3 * self.dim, seeds, "qkv")
        self.out = self._dense(self.dim, seeds, "out", zero_start)
        self.expand = self._dense(self.hidden, seeds, "expand")
        self.contract = self._dense(self.dim, seeds, "contract", zero_start)
        self.drop = [self._dropout(self.dropout, seeds) for _ in range(2)]
        self.drop_branch = [self._dropout(self.drop_path, seeds, (None, 1, 1)) for _ in range(2)]

    def _norm(self, name):
        return keras.layers.LayerNormalization(epsilon=1e-5, name=name, dtype=self.dtype_policy)

    def _dense(self, units, seeds, name, zero=False):
        glorot = keras.initializers.GlorotUniform(seed=next(seeds))
        start = "zeros" if zero else glorot
        return keras.layers.Dense(units, kernel_initializer=start, name=name, dtype=self.dtype_policy)

    def _dropout(self, rate, seeds, noise_shape=None):
        return keras.layers.Dropout(rate, noise_shape, seed=next(seeds), dtype=self.dtype_policy)

    def build(self, t_shape):
        for layer in (self.norm_attention, self.norm_mlp, self.qkv, self.out, self.expand):
            layer.build(t_shape)
        self.contract.build((*t_shape[:-1], self.hidden))

    def call(self, t, padding_mask=None, training=False, return_attention=False):
        read, attention = self._attend(self.norm_attention(t), padding_mask)
        t = t + self._drop(0, read, training)
        update = self.contract(ops.gelu(self.expand(self.norm_mlp(t)), approximate=True))
        t = t + self._drop(1, update, training)
        return (t, attention) if return_attention else t

    def _drop(self, branch, t, training):
        """The output of a branch, less the entries and the cells that a training step drops."""
        return self.drop_branch[branch](self.drop[branch](t, training=training), training=training)

    def _attend(self, t, padding_mask):
        """What each token reads from the others, (cells, tokens, dim), and A."""
        shape = (-1, t.shape[1], 3, self.n_heads, self.dim // self.n_heads)
        q, k, v = ops.unstack(ops.transpose(ops.reshape(self.qkv(t), shape), (2, 0, 3, 1, 4)), 3)
        logits = ops.matmul(q * (1.0 / math.sqrt(shape[-1])), ops.transpose(k, (0, 1, 3, 2)))
        attention = masked_softmax(logits, None if padding_mask is None else padding_mask[:, None, None, :])
        read = ops.transpose(ops.matmul(attention, v), (0, 2, 1, 3))
        return self.out(ops.reshape(read, (-1, t.shape[1], self.dim))), attention

    def compute_output_spec(self, t, padding_mask=None, training=False, return_attention=False):
        out = keras.KerasTensor(t.shape, self.compute_dtype)
        maps = keras.KerasTensor((t.shape[0], self.n_heads, t.shape[1], t.shape[1]), self.compute_dtype)
        return (out, maps) if return_attention else out

    def get_config(self):
        keys = "dim", "n_heads", "hidden", "dropout", "drop_path", "zero_start", "seed"
        return {**super().get_config(), **{key: getattr(self, key) for key in keys}}


def masked_softmax(logits, mask=None):
    """Softmax over the last axis, where the mask is true; where it is true nowhere, the weights are equal.

    In float32 or wider: -1e9 is infinite in float16, and the softmax of infinities alone is NaN.
    """
    if logits.shape[-1] == 1:  # Keras warns of a softmax over one entry
        return ops.ones_like(logits)
    wide = ops.cast(logits, keras.backend.result_type(logits.dtype, "float32"))
    wide = wide if mask is None else ops.where(mask, wide, -1e9)
    return ops.cast(ops.softmax(wide, axis=-1), logits.dtype)
