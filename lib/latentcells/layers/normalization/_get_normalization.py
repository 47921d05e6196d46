"""One place that turns a name into a normalisation layer."""

import keras

from latentcells import _checks
from latentcells.layers.normalization._batch_normalization import BatchNormalization
from latentcells.layers.normalization._group_normalization import DEFAULT_GROUPS, GroupNormalization
from latentcells.layers.normalization._layer_normalization import LayerNormalization

LAYERS = {
    "batch": BatchNormalization,
    "layer": LayerNormalization,
    "rms": keras.layers.RMSNormalization,
}


def get_normalization(normalization, groups=None, **kwargs):
    """The normalisation layer of a name.

    Args:
        normalization: ``"batch"``, ``"layer"``, ``"group"``, ``"rms"`` (Zhang & Sennrich 2019,
            arXiv:1910.07467), or None.
        groups: for ``"group"`` alone: how many groups of equal size (8 by default), or the number of
            the group of each feature.
        kwargs: for the layer.

    Returns:
        a new layer, or None.

    Raises:
        ValueError: for an unknown name, and for groups without ``"group"``.

    Example:
        >>> get_normalization("group", groups=4).groups
        4
    """
    _checks.choice(normalization, (None, *LAYERS, "group"), "normalization")
    if normalization == "group":
        return GroupNormalization(DEFAULT_GROUPS if groups is None else groups, **kwargs)
    if groups is not None:
        raise ValueError(
            f"groups are for normalization='group', got groups={groups!r} with {normalization!r}: leave them out"
        )
    return None if normalization is None else LAYERS[normalization](**kwargs)
