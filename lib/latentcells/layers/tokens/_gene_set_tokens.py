"""Tokens that stand for sets of genes: each depends on the genes of its set and no others."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks


@keras.saving.register_keras_serializable(package="latentcells")
class GeneSetTokens(keras.layers.Layer):
    r"""A token for each set of genes, a projection of the set's own genes.

    .. math::
        t_{is} = b_s + \sum_{j \in S_s} x_{ij} \, w_{sj}

    with vectors :math:`w_{sj}` and :math:`b_s` of ``dim`` entries. It is a dense layer whose weights between a
    set and the genes outside it are zero; only the others are stored and multiplied
    (Chen et al. 2023, doi:10.1038/s41467-023-35923-4). Their initial standard deviation is small, 0.02, so that a
    gene without use in training hardly changes the token.

    Args:
        members: for each set the indices of its genes, at least one.
        dim: size of a token.
        seed: whole number; of the weights.

    Call arguments:
        x: (cells, genes), log1p.

    Returns:
        (cells, sets, dim).

    Raises:
        ValueError: for no set, an empty set, an index of a gene that the data do not have.

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import GeneSetTokens
        >>> layer = GeneSetTokens([[0, 1], [2]], dim=4)
        >>> before, after = layer(np.float32([[1, 1, 1]])), layer(np.float32([[1, 1, 9]]))
        >>> np.any(before != after, axis=-1).tolist()  # only the second set has the third gene
        [[False, True]]
    """

    def __init__(self, members, dim, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.members = [[_checks.at_least(gene, 0, "members") for gene in genes] for genes in members]
        if not self.members or not all(self.members):
            raise ValueError(
                f"members must be sets with a gene each, got {len(self.members)} sets, "
                f"{self.members.count([])} of them empty: drop the empty ones"
            )
        self.dim = _checks.at_least(dim, 1, "dim")
        self.seed = _checks.at_least(seed, 0, "seed")

    def build(self, input_shape):
        last = max(map(max, self.members))
        if last >= input_shape[-1]:
            raise ValueError(f"members has gene {last}, the data have {input_shape[-1]}: number them from 0")
        sizes = np.array([len(genes) for genes in self.members])
        is_member = np.arange(sizes.max()) < sizes[:, None]
        self._index = np.zeros(is_member.shape, "int32")
        self._index[is_member] = np.concatenate(self.members)
        self._is_member = is_member.astype("float32")  # shorter sets are padded with gene 0 times 0
        self.kernel = self.add_weight(
            shape=(*is_member.shape, self.dim),
            initializer=keras.initializers.RandomNormal(stddev=0.02, seed=self.seed),
            name="kernel",
        )
        self.bias = self.add_weight(shape=(len(sizes), self.dim), initializer="zeros", name="bias")

    def call(self, x):
        x = ops.cast(x, self.compute_dtype)
        values = ops.take(x, self._index, axis=1) * ops.cast(self._is_member, self.compute_dtype)
        return ops.einsum("bsm,smd->bsd", values, self.kernel) + self.bias

    def compute_output_shape(self, input_shape):
        return input_shape[0], len(self.members), self.dim

    def get_config(self):
        return {**super().get_config(), "members": self.members, "dim": self.dim, "seed": self.seed}
