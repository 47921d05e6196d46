import json

import pytest

from latentcells.layers import BatchNormalization, GroupNormalization, LayerNormalization
from latentcells.layers.normalization._get_normalization import get_normalization
from tests.helpers import refused


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


@pytest.mark.parametrize(
    ("n", "groups", "message"),
    [
        (7, None, r"^groups must divide the 7 features, got 8 \(the default\): choose from \[1\]$"),
        (
            12,
            None,
            r"^groups must divide the 12 features, got 8 \(the default\): choose from \[1, 2, 3, 4, 6\]$",
        ),
        (
            1,
            None,
            "^groups cannot be formed of a single feature: .*; take more features or no normalisation$",
        ),
        (1, 1, "^groups cannot be formed of a single feature"),
    ],
)
def test_a_number_of_groups_that_does_not_fit_names_one_that_does(n, groups, message):
    refused(lambda: get_normalization("group", groups).build((None, n)), message)


def test_every_number_of_groups_that_is_offered_is_accepted():
    for n in (2, 7, 12, 30):
        with pytest.raises(ValueError, match="choose from") as refusal:
            get_normalization("group", n + 1).build((None, n))
        for groups in json.loads(str(refusal.value).partition("choose from ")[2]):
            get_normalization("group", groups).build((None, n))


def test_refusals():
    with pytest.raises(ValueError, match="normalization='instance' is unknown: choose from None, 'batch'"):
        get_normalization("instance")
    with pytest.raises(ValueError, match="groups are for normalization='group', got groups=4 with 'layer'"):
        get_normalization("layer", groups=4)
