import pytest

from latentcells.datasets import BLOOD_TYPES


@pytest.mark.parametrize("name", BLOOD_TYPES)
def test_every_label_has_a_common_word(name, real):
    assert set(real(name).obs["label"].cat.categories) == BLOOD_TYPES[name].keys()


def test_five_types_are_in_all_studies():
    shared = set.intersection(*(set(types.values()) for types in BLOOD_TYPES.values()))
    assert shared == {"B", "CD4 T", "CD8 T", "NK", "monocyte"}
