"""A learned token that represents the whole cell."""

import keras
from keras import ops

from latentcells import _checks


@keras.saving.register_keras_serializable(package="latentcells")
class CellToken(keras.layers.Layer):
    """Prepend one learned token to the tokens of every cell (Devlin et al. 2019, arXiv:1810.04805).

    It belongs to no gene: after the blocks it holds what it has read from the other tokens.

    Args:
        seed: whole number; of the token's initial value.

    Call arguments:
        t: (cells, tokens, dim).
        padding_mask: (cells, tokens), true for a token.

    Returns:
        (cells, 1 + tokens, dim), and the padding_mask with true for the new token.

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import CellToken
        >>> t, padding_mask = CellToken()(np.zeros((2, 5, 8), "float32"), np.ones((2, 5), bool))
        >>> tuple(t.shape), tuple(padding_mask.shape)
        ((2, 6, 8), (2, 6))
    """

    def __init__(self, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.seed = _checks.at_least(seed, 0, "seed")

    def build(self, t_shape):
        start = keras.initializers.RandomNormal(stddev=0.02, seed=self.seed)
        self.token = self.add_weight(shape=(1, 1, t_shape[-1]), initializer=start, name="token")

    def call(self, t, padding_mask):
        token = ops.zeros_like(t[:, :1]) + ops.cast(self.token, t.dtype)
        token_mask = ops.ones_like(padding_mask[:, :1])
        return ops.concatenate([token, t], axis=1), ops.concatenate([token_mask, padding_mask], axis=1)

    def compute_output_spec(self, t, padding_mask):
        cells, tokens, dim = t.shape
        return (
            keras.KerasTensor((cells, 1 + tokens, dim), self.compute_dtype),
            keras.KerasTensor((cells, 1 + tokens), "bool"),
        )

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
