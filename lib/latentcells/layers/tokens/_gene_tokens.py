"""The choice of the genes of a cell that become its tokens."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks

HOW = ("all", "expressed", "rank")


@keras.saving.register_keras_serializable(package="latentcells")
class GeneTokens(keras.layers.Layer):
    r"""Turn the genes of a cell into a set of tokens, each the index of a gene and a value.

    ================= ============================================== ======================================
    ``how``           the tokens of cell i                           value
    ================= ============================================== ======================================
    ``"all"``         every gene, for instance the variable ones     :math:`x_{ij}`
    ``"expressed"``   the ``n_tokens`` genes of largest              :math:`x_{ij}`
                      :math:`x_{ij}`
    ``"rank"``        the ``n_tokens`` genes of largest              :math:`1 - r_{ij} / T`
                      :math:`x_{ij} / \bar x_j`
    ================= ============================================== ======================================

    :math:`\bar x_j` is the gene's mean over the training cells, computed by `adapt`: a gene that is strongly
    expressed in every cell then ranks high only where it exceeds its own mean (Theodoris et al. 2023,
    doi:10.1038/s41586-023-06139-9, who divide by the median). :math:`r_{ij}` is the rank in this order, from 0,
    and T is ``n_tokens``. With ``"expressed"`` and ``"rank"`` a gene with value 0 is no token: where a cell
    expresses fewer than T genes, the remaining places are masked.

    Args:
        how: one of the three.
        n_tokens: T; not for ``"all"``.

    Call arguments:
        x: (cells, genes), log1p.

    Returns:
        ``gene`` (cells, T), indices; ``value`` (cells, T) float32; ``mask`` (cells, T), true for a token.

    Raises:
        ValueError: for an unknown ``how``, more tokens than genes, ``n_tokens`` with ``"all"``; in `adapt`
            for no cells, or another number of genes.

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import GeneTokens
        >>> tokens = GeneTokens("rank", n_tokens=2)
        >>> tokens.adapt(np.float32([[9, 1, 0], [9, 3, 2]]))
        >>> np.asarray(tokens(np.float32([[9, 3, 0]]))["gene"]).tolist()  # 9/9 < 3/2
        [[1, 0]]
    """

    def __init__(self, how="rank", n_tokens=None, **kwargs):
        super().__init__(**{**kwargs, "dtype": "float32"})
        self.how = _checks.choice(how, HOW, "how")
        if (how == "all") != (n_tokens is None):
            raise ValueError(
                f"how={how!r} with n_tokens={n_tokens!r}: 'all' takes every gene, the others need a number"
            )
        self.n_tokens = n_tokens if n_tokens is None else _checks.at_least(n_tokens, 1, "n_tokens")

    def build(self, input_shape):
        n_genes = input_shape[-1]
        if (self.n_tokens or 0) > n_genes:
            raise ValueError(f"n_tokens={self.n_tokens} is more than the {n_genes} genes: lower it")
        self.mean = self.add_weight(shape=(n_genes,), initializer="ones", trainable=False, name="mean")

    def adapt(self, x):
        """Compute the mean of each gene over the training cells.

        A gene that no training cell expresses never becomes a token.

        Args:
            x: (cells, genes), log1p, or an iterable of such blocks of cells, which need not be in memory together.
        """
        n_cells, total = 0, 0.0
        for block in [x] if hasattr(x, "shape") else x:
            block = ops.convert_to_numpy(block).astype("float64")
            if not self.built:
                self.build(block.shape)
            _checks.same_genes(block.shape[1], self.mean.shape[0], "x")
            n_cells, total = n_cells + len(block), total + block.sum(axis=0)
        if not n_cells:
            raise ValueError("x has no cells: pass the log1p values of the training cells")
        self.mean.assign(np.where(total > 0, total / n_cells, np.inf))

    def call(self, x):
        x = ops.cast(x, "float32")
        if self.how == "all":
            gene = ops.broadcast_to(ops.arange(x.shape[1], dtype="int32"), ops.shape(x))
            return {"gene": gene, "value": x, "mask": ops.ones_like(x, dtype="bool")}
        score, gene = ops.top_k(x / self.mean if self.how == "rank" else x, self.n_tokens)
        rank = ops.arange(self.n_tokens, dtype="float32") / self.n_tokens
        value = ops.zeros_like(score) + 1.0 - rank if self.how == "rank" else score
        return {"gene": ops.cast(gene, "int32"), "value": value, "mask": score > 0}

    def compute_output_spec(self, x):
        shape = (x.shape[0], self.n_tokens or x.shape[1])
        dtypes = {"gene": "int32", "value": "float32", "mask": "bool"}
        return {name: keras.KerasTensor(shape, dtype) for name, dtype in dtypes.items()}

    def get_config(self):
        return {**super().get_config(), "how": self.how, "n_tokens": self.n_tokens}
