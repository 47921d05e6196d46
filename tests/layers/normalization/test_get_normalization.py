import pytest

from latentcells.layers import (
    BatchNormalization,
    GroupNormalization,
    LayerNormalization,
    get_normalization,
)


@pytest.mark.parametrize(
    ("name", "kind"),
    [("batch", BatchNormalization), ("layer", LayerNormalization), ("group", GroupNormalization)],
)
def test_a_name_gives_its_layer(name, kind):
    layer = get_normalization(name, epsilon=0.01, name="norm")
    assert type(layer) is kind and (layer.epsilon, layer.name) == (0.01, "norm")


def test_none_gives_none():
    assert get_normalization(None) is None


def test_groups_reach_the_layer():
    assert get_normalization("group").groups == 8
    assert get_normalization("group", groups=[0, 0, 1, 1]).groups == [0, 0, 1, 1]


def test_refusals():
    with pytest.raises(ValueError, match="normalization='instance' is unknown: choose from None, 'batch'"):
        get_normalization("instance")
    with pytest.raises(ValueError, match="groups are for normalization='group', got groups=4 with 'layer'"):
        get_normalization("layer", groups=4)
