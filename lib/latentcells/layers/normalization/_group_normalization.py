"""Group normalisation: moments over each group of features of each cell."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks
from latentcells.layers.normalization._normalization import Normalization

DEFAULT_GROUPS = 8  # of a model whose user names none


@keras.saving.register_keras_serializable(package="latentcells")
class GroupNormalization(Normalization):
    r"""Standardise each cell over the features of a group (Wu & He 2018, arXiv:1803.08494).

    .. math::
        \bar x_{ig} = \frac1{|S_g|} \sum_{j \in S_g} x_{ij}, \qquad
        v_{ig} = \frac1{|S_g|} \sum_{j \in S_g} (x_{ij} - \bar x_{ig})^2

    A number of groups cuts the features in their order into equal runs :math:`S_g`; the layer then equals
    `keras.layers.GroupNormalization`. In an image neighbouring channels may belong together; neighbouring
    genes need not. A list with the group of each feature allows any sets, for example modules of genes that
    are expressed together. One group is layer normalisation.

    Args:
        groups: number of groups of equal size, or the number of the group of each feature, (features,).
        epsilon: added to the variance, in its unit.

    Call arguments:
        x: (cells, features).

    Returns:
        (cells, features).

    Raises:
        ValueError: for a number that does not divide the features, a list of another length, a group of one feature.

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import GroupNormalization
        >>> x = np.float32([[0, 2, 10, 30]])
        >>> np.asarray(GroupNormalization(2, epsilon=1e-9)(x)).round(3).tolist()
        [[-1.0, 1.0, -1.0, 1.0]]
        >>> np.asarray(GroupNormalization([0, 1, 0, 1], epsilon=1e-9)(x)).round(3).tolist()
        [[-1.0, -1.0, 1.0, 1.0]]
    """

    def __init__(self, groups, epsilon=1e-3, **kwargs):
        super().__init__(epsilon, **kwargs)
        if np.ndim(groups):
            self.groups = [_checks.at_least(g, 0, "groups") for g in np.asarray(groups).tolist()]
        else:
            self.groups = _checks.at_least(groups, 1, "groups")

    def build(self, input_shape):
        super().build(input_shape)
        label = self._label(input_shape[-1])
        member = np.eye(max(label) + 1, dtype="float32")[label]
        self.average = member / np.maximum(member.sum(axis=0), 1)  # (features, groups)
        self.broadcast = member.T  # (groups, features)

    def _label(self, n):
        """The group of each of n features."""
        if isinstance(self.groups, int):
            return _equal_runs(n, self.groups)
        if len(self.groups) != n:
            raise ValueError(f"groups must name a group for each of the {n} features, got {len(self.groups)}")
        sizes = np.bincount(self.groups)
        if (sizes == 1).any():
            raise ValueError(
                f"group {np.argmax(sizes == 1)} holds one feature: minus its own mean it is 0 in every cell; "
                "put it into a larger group"
            )
        return self.groups

    def call(self, x):
        x = self._widen(x)
        mean = self._group_means(x)
        variance = self._group_means(ops.square(x - mean))
        return self._standardise(x, mean, variance)

    def _group_means(self, values):
        """The mean of each cell over each group, repeated for the features of the group, (cells, features)."""
        return ops.matmul(ops.matmul(values, self.average), self.broadcast)

    def get_config(self):
        return {**super().get_config(), "groups": self.groups}


def _equal_runs(n, groups):
    """The group of each of n features, (n,)."""
    possible = [number for number in range(1, n // 2 + 1) if n % number == 0]
    if not possible:
        raise ValueError(
            "groups cannot be formed of a single feature: minus its own mean it is 0 in every cell; "
            "take more features or no normalisation"
        )
    if n % groups:
        received = f"{groups} (the default)" if groups == DEFAULT_GROUPS else groups
        raise ValueError(f"groups must divide the {n} features, got {received}: choose from {possible}")
    if groups == n:
        raise ValueError(
            f"{groups} groups of {n} features hold one each: minus its own mean a feature is 0 in every cell; "
            "take fewer groups"
        )
    return np.repeat(np.arange(groups), n // groups)
