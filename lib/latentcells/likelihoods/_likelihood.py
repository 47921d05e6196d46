"""What the decoder heads have in common."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks
from latentcells._cells import blocks

ROWS = 512  # of a sparse matrix that are dense at a time


class Likelihood(keras.layers.Layer):
    """A decoder head: turns the decoder's last hidden layer into the parameters of a likelihood.

    A head computes in float32 whatever the dtype policy: probabilities need it, also in mixed precision.

    Args:
        n_genes: genes that the head gives parameters for.
        seed: whole number; of the initial weights.

    Call arguments:
        hidden: (cells, units), the decoder's last hidden layer.
        library: (cells, 1), the sum of each cell's values; only the count likelihoods read it.

    Returns:
        the parameters, a dictionary of float32 tensors for `log_prob` and `mean`. Each class names them with their
        shapes, which broadcast to (cells, genes).
    """

    def __init__(self, n_genes, seed=0, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.n_genes = _checks.at_least(n_genes, 1, "n_genes")
        self.seed = _checks.at_least(seed, 0, "seed")
        self.dense = self._dense("dense", self.seed)

    def _dense(self, name, seed):
        start = keras.initializers.GlorotUniform(seed=seed)
        return keras.layers.Dense(self.n_genes, kernel_initializer=start, name=name, dtype="float32")

    def build(self, hidden_shape, library_shape):
        self.dense.build(hidden_shape)

    def get_config(self):
        return {**super().get_config(), "n_genes": self.n_genes, "seed": self.seed}

    @staticmethod
    def _check(x):
        """Refuse data that the likelihood is not meant for.

        Args:
            x: (cells, genes), dense or sparse.

        Raises:
            ValueError: with the first unsuitable value and what the data look like.
        """
        raise NotImplementedError

    def _start_at(self, x):
        """Set the biases so that the untrained decoder gives the average training cell.

        Args:
            x: (cells, genes), dense, or sparse with rows that can be sliced (CSR); both give the same bits.
        """
        raise NotImplementedError

    @staticmethod
    def _encoder_input(x):
        """What the encoder sees of ``x``, (cells, genes): values of moderate size."""
        return x

    def log_prob(self, x, parameters):
        """Log-probability of each value of ``x``, (cells, genes), in nats."""
        raise NotImplementedError

    def sample(self, parameters, rng):
        """Values drawn from the likelihood.

        Args:
            parameters: what the head gives for the cells, as NumPy arrays.
            rng: a NumPy generator.

        Returns:
            (cells, genes) float32, in the unit of the data.
        """
        raise NotImplementedError

    def mean(self, parameters):
        """Expected value, (cells, genes), in the unit of the data."""
        raise NotImplementedError


def to_float32(*arrays):
    """The arrays as float32 tensors."""
    return (ops.convert_to_tensor(array, dtype="float32") for array in arrays)


def sum_over_cells(x, function=lambda values: values) -> np.ndarray:
    """Sum of ``function(x)`` over the cells, (genes,) float64; a sparse ``x`` is made dense some rows at a time."""
    return sum(function(np.ascontiguousarray(rows, "float64")).sum(axis=0) for rows in blocks(x, ROWS))
