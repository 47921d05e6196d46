"""What the augmentations of counts have in common."""

import keras
from keras import ops

from latentcells import _checks, _seeds


class Augmentation(keras.layers.Layer):
    """Randomly changed counts of the same cells, drawn anew at each call.

    In float32 whatever the dtype policy: half precision holds no odd number above 2048.

    Args:
        seed: whole number; the layer has its own random state, independent of the backend's global one.

    Call arguments:
        x: (cells, genes), counts.
        training: whether to change the counts; False returns x.

    Returns:
        (cells, genes), counts.
    """

    def __init__(self, seed=0, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.seed = _checks.at_least(seed, 0, "seed")
        self.seed_generator = _seeds.generator(self.seed)

    def call(self, x, training=True):
        x = ops.cast(x, "float32")
        return self._draw(x) if training else x

    def _draw(self, x):
        """The changed counts, (cells, genes)."""
        raise NotImplementedError

    def _uniform(self, shape, low=0.0):
        return keras.random.uniform(shape, low, 1.0, dtype="float32", seed=self.seed_generator)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
