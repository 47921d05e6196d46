"""What the augmentations of expression have in common."""

import keras
from keras import ops

from latentcells import _checks, _seeds


class Augmentation(keras.layers.Layer):
    """Counts in, other counts of the same cells out, drawn anew at each call.

    Args:
        seed: whole number; the state of the draws belongs to the layer and not to the backend.

    Call arguments:
        x: (cells, genes), counts.
        training: False gives x back.

    Returns:
        (cells, genes), counts.
    """

    def __init__(self, seed=0, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})  # half precision holds no whole number above 2048
        self.seed = _checks.at_least(seed, 0, "seed")
        self.seed_generator = _seeds.generator(self.seed)

    def call(self, x, training=True):
        x = ops.cast(x, "float32")
        return self.draw(x) if training else x

    def draw(self, x):
        """Other counts of the same cells, (cells, genes)."""
        raise NotImplementedError

    def _uniform(self, shape, low=0.0):
        return keras.random.uniform(shape, low, 1.0, seed=self.seed_generator)

    def compute_output_shape(self, input_shape, *others):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "seed": self.seed}
