import re
from fractions import Fraction

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.model_selection import train_test_split

from latentcells.preprocess import split
from tests.helpers import refused


def cells(*label):
    return anndata.AnnData(
        np.ones((len(label), 1)), obs=pd.DataFrame({"label": label}, index=map(str, range(len(label))))
    )


@pytest.mark.usefixtures("unchanged")
def test_every_cell_is_in_one_part(adata):
    train, test = split(adata)
    assert sorted([*train.obs_names, *test.obs_names]) == sorted(adata.obs_names)
    assert (train.n_obs, test.n_obs) == (192, 48)
    np.testing.assert_array_equal(test.X.toarray(), adata[test.obs_names].X.toarray())


@pytest.mark.usefixtures("unchanged")
def test_the_parts_are_copies(adata):
    for part in split(adata):
        assert not part.is_view
        part.X.data[:] = 7
        part.layers["counts"].data[:] = 7
        part.obs["label"] = "none"


def test_equals_scikit_learn(adata):
    rows = train_test_split(np.arange(240), test_size=0.2, stratify=adata.obs["label"], random_state=3)
    for part, expected in zip(split(adata, seed=3), rows, strict=True):
        assert list(part.obs_names) == list(adata.obs_names[expected])


@pytest.mark.parametrize("seed", range(10))
def test_every_label_keeps_its_share_within_one_cell(adata, seed):
    _, test = split(adata, seed=seed)
    share = test.obs["label"].value_counts() - 0.2 * adata.obs["label"].value_counts()
    assert (share.abs() < 1).all(), share


@settings(deadline=None, max_examples=30)
@given(st.lists(st.integers(4, 60), min_size=2, max_size=5), st.floats(0.2, 0.8), st.integers(0, 99))
def test_every_label_keeps_its_share_for_any_sizes(sizes, test_size, seed):
    adata = cells(*np.repeat(list("abcde")[: len(sizes)], sizes))
    if min(test_size, 1 - test_size) * adata.n_obs < len(sizes):
        return
    _, test = split(adata, test_size, seed=seed)
    share = test.obs["label"].value_counts().reindex(adata.obs["label"].unique(), fill_value=0)
    # the test part is rounded up to whole cells, which may add to the rounding of a label
    assert (abs(share - test_size * adata.obs["label"].value_counts()) < 2).all()


def test_the_seed_decides(adata):
    names = [list(split(adata, seed=seed)[1].obs_names) for seed in (0, 0, 1)]
    assert names[0] == names[1] != names[2]


@pytest.mark.usefixtures("unchanged")
def test_by_keeps_groups_whole(adata):
    train, test = split(adata, test_size=0.25, by="donor")
    assert set(train.obs["donor"]) | set(test.obs["donor"]) == set("wxyz")
    assert set(train.obs["donor"]).isdisjoint(test.obs["donor"])
    assert test.obs["donor"].nunique() == 1
    assert train.n_obs + test.n_obs == 240


def test_by_needs_no_label(adata):
    del adata.obs["label"]
    assert split(adata, by="donor")[1].n_obs > 0


@pytest.mark.parametrize("labelled", [True, False])
def test_at_random(adata, labelled):
    if not labelled:
        del adata.obs["label"]
    parts = train_test_split(np.arange(240), test_size=0.2, random_state=3)
    for part, expected in zip(split(adata, seed=3, stratify=None), parts, strict=True):
        assert list(part.obs_names) == list(adata.obs_names[expected])


def test_stratify_names_another_column(adata):
    parts = train_test_split(np.arange(240), test_size=0.2, stratify=adata.obs["donor"], random_state=0)
    assert list(split(adata, stratify="donor")[1].obs_names) == list(adata.obs_names[parts[1]])


@pytest.mark.parametrize("test_size", [np.float32(0.25), np.float64(0.25), Fraction(1, 4)])
@pytest.mark.parametrize("keywords", [{}, {"stratify": None}, {"by": "donor"}])
def test_a_share_is_any_real_number(adata, test_size, keywords):
    result, expected = (split(adata, share, **keywords)[1].obs_names for share in (test_size, 0.25))
    assert list(result) == list(expected)


@pytest.mark.parametrize("test_size", [0, 1, 1.0, -0.1, 20, float("nan")])
def test_refuses_a_share_outside_0_and_1(adata, test_size):
    refused(lambda: split(adata, test_size), f"^test_size must be above 0 and below 1, got {test_size!r}$")


@pytest.mark.parametrize("test_size", ["0.2", None, True])
def test_refuses_a_share_that_is_not_a_number(adata, test_size):
    refused(lambda: split(adata, test_size), f"^test_size must be a number, got {test_size!r}", TypeError)


def test_refuses_a_label_with_one_cell():
    with pytest.raises(
        ValueError, match=r"label 'b' has 1 cell, a stratified split needs 2 .* drop it, adata\["
    ):
        split(cells("a", "a", "a", "b"), 0.5)


def test_refuses_parts_too_small_for_the_labels():
    with pytest.raises(
        ValueError, match=r"test_size=0\.1 makes 5 training and 1 test cells, too few for 2 labels"
    ):
        split(cells(*"aaabbb"), 0.1)


def test_refuses_parts_without_a_cell():
    message = r"^test_size=0\.2 makes 0 training and 1 test cells, too few: move it towards 0\.5 or take more cells$"
    refused(lambda: split(cells("a"), stratify=None), message)


RANDOM = "pass stratify=None to split at random"


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({}, f"stratify='label' is no column of obs: choose from ['donor', 'batch'], or {RANDOM}"),
        (
            {"stratify": "type"},
            f"stratify='type' is no column of obs: choose from ['donor', 'batch'], or {RANDOM}",
        ),
        ({"by": "patient"}, "by='patient' is no column of obs: choose from ['donor', 'batch']"),
        ({"by": ["donor"]}, "by=['donor'] is no column of obs: choose from ['donor', 'batch']"),
    ],
)
def test_refuses_an_unknown_column(adata, keywords, message):
    del adata.obs["label"]
    refused(lambda: split(adata, **keywords), f"^{re.escape(message)}$")


def test_offers_no_column_where_there_is_none(adata):
    adata.obs = adata.obs[[]]
    refused(lambda: split(adata), re.escape(f"is no column of obs: set adata.obs['label'], or {RANDOM}"))
    refused(lambda: split(adata, by="donor"), re.escape("is no column of obs: set adata.obs['donor']") + "$")


def test_refuses_whole_groups_and_shares_at_once(adata):
    message = r"^by='donor' keeps groups whole and cannot keep the shares of stratify='batch': pass one$"
    refused(lambda: split(adata, by="donor", stratify="batch"), message)


@pytest.mark.parametrize("by", [None, "donor"])
def test_refuses_missing_values(adata, by):
    adata.obs[by or "label"] = adata.obs[by or "label"].astype(object).where(np.arange(240) > 2)
    with pytest.raises(
        ValueError, match=rf"obs\['{by or 'label'}'\] lacks a value for 3 of 240 cells: drop them"
    ):
        split(adata, by=by)


def test_refuses_to_test_on_all_groups(adata):
    with pytest.raises(
        ValueError, match=r"test_size=0.9 of 4 groups in obs\['donor'\] leaves none to train on"
    ):
        split(adata, 0.9, by="donor")
