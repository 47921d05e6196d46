import numpy as np
import pytest

from latentcells import inputs
from latentcells.preprocess import GeneModules, GeneSets, LibrarySize

SETS = {
    "all": [f"gene{i}" for i in range(60)],
    "half": [f"gene{i}" for i in range(30)],
    "few": ["gene0", "gene1"],
}


@pytest.fixture
def log1p(adata):
    return LibrarySize().fit(adata).transform(adata)


@pytest.fixture
def two_programmes(log1p):
    """Genes that alternately follow one of two latent programmes over the cells."""
    rng = np.random.default_rng(0)
    course = rng.gamma(2.0, 1.0, (log1p.n_obs, 2))
    log1p.X = np.float32(course[:, np.arange(80) % 2] * rng.uniform(0.5, 2, 80) + rng.random((240, 80)))
    return log1p


def test_genes_that_rise_together_share_a_module(two_programmes):
    label = GeneModules(2).fit(two_programmes).labels_
    assert label.shape == (80,) and len(set(label[::2])) == len(set(label[1::2])) == 1
    assert label[0] != label[1]


def test_the_scale_of_a_gene_has_no_effect(two_programmes):
    expected = GeneModules(4).fit(two_programmes).labels_
    two_programmes.X = two_programmes.X * np.linspace(0.1, 1, 80, dtype="float32")
    np.testing.assert_array_equal(GeneModules(4).fit(two_programmes).labels_, expected)


def test_modules_are_those_of_the_training_cells(log1p):
    varying = log1p[:, np.ptp(inputs(log1p[:120]), axis=0) > 0]
    varying = varying[:, np.ptp(inputs(varying[120:]), axis=0) > 0]
    one, two = (GeneModules(8).fit(varying[:120]).labels_ for _ in range(2))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, GeneModules(8).fit(varying[120:]).labels_)


def test_no_gene_is_alone_and_no_number_is_left_out(log1p):
    """Forty modules of eighty unrelated genes, for which k-means would leave many genes alone."""
    size = np.bincount(GeneModules(40).fit(log1p).labels_)
    assert size.min() >= 2 and size.sum() == 80


def test_modules_do_not_change_the_data(log1p):
    before = inputs(log1p)
    modules = GeneModules(4).fit(log1p)
    np.testing.assert_array_equal(before, inputs(log1p))
    assert list(modules.genes_) == list(log1p.var_names)


def test_modules_refuse_counts_constant_genes_and_too_many(adata, log1p):
    with pytest.raises(ValueError, match="X must hold log1p data"):
        GeneModules(4).fit(adata)
    with pytest.raises(ValueError, match=r"n=41 modules of 80 genes would leave genes alone: lower n to 40"):
        GeneModules(41).fit(log1p)
    log1p.X = inputs(log1p)
    log1p.X[:, 7] = 1.5
    with pytest.raises(ValueError, match=r"1 genes are constant over these cells \(the first is 'gene7'\)"):
        GeneModules(4).fit(log1p)


@pytest.mark.parametrize("setting", [{"n": 0}, {"n": 2, "components": 0}, {"n": 2, "seed": -1}])
def test_modules_refuse_settings(setting):
    with pytest.raises(ValueError, match="must be at least"):
        GeneModules(**setting)


def test_a_gene_goes_to_its_smallest_set_and_the_others_to_the_rest(adata):
    sets = GeneSets(SETS, min_size=2).fit(adata)
    names = sets.names_[sets.labels_]
    assert list(names) == ["few"] * 2 + ["half"] * 28 + ["all"] * 30 + ["the rest"] * 20


def test_a_set_too_small_does_not_count(adata):
    sets = GeneSets(SETS, min_size=10).fit(adata)
    assert list(np.unique(sets.names_)) == ["all", "half", "the rest"]


def test_a_set_whose_genes_are_all_in_smaller_sets_does_not_count(adata):
    sets = GeneSets({"half": SETS["half"], "more": [*SETS["half"], "gene50"]}, min_size=2).fit(adata)
    assert list(sets.names_) == ["half", "the rest"]


def test_a_last_gene_without_a_set_joins_one(adata):
    sets = GeneSets({"most": list(adata.var_names[1:])}).fit(adata)
    assert list(sets.names_) == ["most"] and not sets.labels_.any()


def test_sets_without_a_gene_of_the_data_are_refused(adata):
    with pytest.raises(
        ValueError, match="none of the 1 sets has min_size=10 of the 80 genes: lower min_size"
    ):
        GeneSets({"mouse": ["Cd3d"]}).fit(adata)
    with pytest.raises(ValueError, match="min_size must be at least 2, got 1"):
        GeneSets(SETS, min_size=1)
