"""Group normalisation: over a group of features, a cell at a time."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks
from latentcells.layers.normalization._normalization import Normalization


@keras.saving.register_keras_serializable(package="latentcells")
class GroupNormalization(Normalization):
    r"""Standardise each cell over the features of a group (Wu & He 2018, arXiv:1803.08494).

    .. math::
        \bar x_{ig} = \frac1{|S_g|} \sum_{j \in S_g} x_{ij}, \qquad
        v_{ig} = \frac1{|S_g|} \sum_{j \in S_g} (x_{ij} - \bar x_{ig})^2

    A number of groups cuts the features as they lie into equal runs :math:`S_g`, as
    `keras.layers.GroupNormalization` does, to which the layer is then equal. In an image neighbouring
    channels may belong together; neighbouring genes need not. A group for each feature takes any
    sets, for example modules of genes that are expressed together. One group is layer normalisation.

    Args:
        groups: number of groups of equal size, or the number of the group of each feature, (features,).
        epsilon: added to the variance, in its unit.

    Call arguments:
        x: (cells, features).

    Returns:
        (cells, features).

    Raises:
        ValueError: for groups that do not divide the features, do not fit them, or hold a single feature.

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
        self.spread = member.T

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
        x = ops.cast(x, "float32")
        mean = ops.matmul(ops.matmul(x, self.average), self.spread)
        variance = ops.matmul(ops.matmul(ops.square(x - mean), self.average), self.spread)
        return self._standardise(x, mean, variance)

    def get_config(self):
        return {**super().get_config(), "groups": self.groups}


def _equal_runs(n, groups):
    if groups > n:
        raise ValueError(f"groups must be at most the {n} features, got {groups}")
    if n % groups:
        divisors = ", ".join(str(g) for g in range(1, n // 2 + 1) if n % g == 0)
        raise ValueError(f"groups must divide the {n} features, got {groups}: take one of {divisors}")
    if groups == n:
        raise ValueError(
            f"{groups} groups of {n} features hold one each: minus its own mean a feature is 0 in every cell; "
            "take fewer groups"
        )
    return np.repeat(np.arange(groups), n // groups)
