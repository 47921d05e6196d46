import keras
import numpy as np
import pytest
from scipy import stats

from latentcells.layers import CountThinning, GeneDropout, GeneMasking, NeighbourMixing
from tests.helpers import run_layer_test

MEAN = [0.0, 0.1, 1.0, 50.0]
ONE_CELL = {
    "masking": GeneMasking(0.3, seed=1),
    "thinning": CountThinning(0.4, seed=1),
    "dropout": GeneDropout(MEAN, half=0.5, seed=1),
}


def counts(n_cells=4000, seed=0):
    return np.float32(np.random.default_rng(seed).poisson([0.5, 3, 20, 400], (n_cells, 4)))


def apply(layer, *arrays, **kwargs):
    return keras.ops.convert_to_numpy(layer(*arrays, **kwargs))


@pytest.mark.backend
@pytest.mark.parametrize("name", ONE_CELL)
def test_counts_stay_counts_and_differ_at_each_call(name):
    x = counts()
    first, second = apply(ONE_CELL[name], x), apply(ONE_CELL[name], x)
    for result in (first, second):
        assert result.dtype == np.float32 and result.shape == x.shape
        assert np.array_equal(result, np.rint(result)) and (result >= 0).all() and (result <= x).all()
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(apply(ONE_CELL[name], x, training=False), x)


@pytest.mark.backend
@pytest.mark.parametrize(
    ("layer_class", "config"),
    [
        (GeneMasking, {"rate": 0.2, "seed": 3}),
        (CountThinning, {"low": 0.3, "seed": 3}),
        (GeneDropout, {"mean": MEAN, "half": 0.2, "seed": 3}),
        (NeighbourMixing, {"low": 0.3, "seed": 3}),
    ],
)
def test_fulfils_what_every_layer_must_and_draws_by_its_seed(layer_class, config, tmp_path):
    arrays = (counts(), counts(seed=1))[: 2 if layer_class is NeighbourMixing else 1]
    run_layer_test(layer_class, config, arrays, tmp_path, float32_output=True, differentiable=False)
    first = apply(layer_class(**config), *arrays)
    np.testing.assert_array_equal(apply(layer_class(**config), *arrays), first)
    assert not np.array_equal(apply(layer_class(**{**config, "seed": 4}), *arrays), first)


@pytest.mark.backend
@pytest.mark.parametrize("layer_class", [CountThinning, GeneMasking])
def test_half_precision_keeps_large_counts_whole(layer_class):
    x = np.full((50, 4), 5001, "float32")
    thinned = apply(layer_class(0.5, dtype="mixed_float16"), x)
    assert thinned.dtype == np.float32 and thinned.max() > 2048 and (thinned % 2 == 1).any()


# -- masking ----------------------------------------------------------------------------------------------------------


@pytest.mark.backend
def test_masking_hides_its_share_of_every_gene():
    x = np.ones((4000, 4), "float32")
    hidden = 1 - apply(GeneMasking(0.3, seed=0), x)
    np.testing.assert_allclose(hidden.mean(axis=0), 0.3, atol=5 * np.sqrt(0.21 / 4000))
    assert abs(np.corrcoef(hidden, rowvar=False)[0, 1]) < 5 / np.sqrt(4000)


@pytest.mark.backend
def test_the_mask_marks_what_is_hidden():
    layer, x = GeneMasking(0.5, seed=0), counts(50) + 1
    mask = keras.ops.convert_to_numpy(layer._draw_mask(x))
    same = GeneMasking(0.5, seed=0)
    np.testing.assert_array_equal(apply(same, x), np.where(mask > 0, 0, x))


@pytest.mark.backend
def test_the_library_is_scaled_up_for_the_hidden_share():
    x = np.float32([[4, 6, 10], [0, 0, 8]])
    visible, library = GeneMasking(0.5)._hide(x, np.float32([[1, 0, 0], [0, 0, 1]]))
    np.testing.assert_array_equal(visible, [[0, 6, 10], [0, 0, 0]])
    np.testing.assert_array_equal(library, [[32], [0]])


# -- thinning ---------------------------------------------------------------------------------------------------------


@pytest.mark.backend
def test_thinning_is_binomial():
    """Given a cell's share, estimated from a gene with ten million molecules, the other gene is binomial."""
    x = np.tile(np.float32([1e7, 40]), (3000, 1))
    thinned = apply(CountThinning(0.4, seed=0), x)
    share = thinned[:, 0] / 1e7
    assert stats.kstest(share, stats.uniform(0.4, 0.6).cdf).pvalue > 1e-3
    z = (thinned[:, 1] - 40 * share) / np.sqrt(40 * share * (1 - share))
    assert abs(z.mean()) < 5 / np.sqrt(3000) and abs(z.var() - 1) < 5 * np.sqrt(2 / 3000)


@pytest.mark.backend
def test_a_thinned_poisson_count_is_poisson():
    x = np.float32(np.random.default_rng(0).poisson(6.0, (200, 500)))
    thinned = apply(CountThinning(0.999, seed=0), x)
    assert abs(thinned.var() / thinned.mean() - 1) < 5 * np.sqrt(2 / thinned.size)


# -- dropout ----------------------------------------------------------------------------------------------------------


@pytest.mark.backend
def test_dropout_falls_with_the_mean():
    x = np.ones((8000, 4), "float32")
    kept_share = apply(GeneDropout(MEAN, half=0.5, seed=0), x).mean(axis=0)
    expected = np.array(MEAN) / (0.5 + np.array(MEAN))
    np.testing.assert_allclose(kept_share, expected, atol=5 * np.sqrt(0.25 / 8000))
    assert kept_share[0] == 0


# -- mixing -----------------------------------------------------------------------------------------------------------


@pytest.mark.backend
def test_mixing_replaces_a_share_of_the_cell_by_the_neighbour():
    x, neighbour = np.zeros((3000, 2), "float32"), np.zeros((3000, 2), "float32")
    x[:, 0], neighbour[:, 1] = 10_000, 10_000
    mixed = apply(NeighbourMixing(0.6, seed=0), x, neighbour)
    assert np.array_equal(mixed, np.rint(mixed))
    assert stats.kstest(mixed[:, 0] / 10_000, stats.uniform(0.6, 0.4).cdf).pvalue > 1e-3
    np.testing.assert_allclose(mixed.sum(axis=1), 10_000, atol=6 * np.sqrt(2 * 2500))
    np.testing.assert_array_equal(apply(NeighbourMixing(0.6), x, neighbour, training=False), x)


@pytest.mark.backend
def test_mixing_a_cell_with_itself_keeps_its_mean():
    x = np.full((3000, 4), 20, "float32")
    mixed = apply(NeighbourMixing(0.5, seed=0), x, x)
    assert abs(mixed.mean() - 20) < 5 * np.sqrt(10 / mixed.size)


# -- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("layer_class", "name"), [(GeneMasking, "rate"), (CountThinning, "low"), (NeighbourMixing, "low")]
)
@pytest.mark.parametrize("value", [0, 1, -0.1, 1.5, float("nan")])
def test_a_share_lies_between_0_and_1(layer_class, name, value):
    with pytest.raises(ValueError, match=rf"^{name} must be above 0 and below 1, got {value!r}$"):
        layer_class(value)


def test_dropout_refuses_an_invalid_mean():
    for mean, value in (([1.0, -2.0], "-2.0"), ([float("nan")], "nan")):
        with pytest.raises(ValueError, match=rf"^mean must be 0 or more for each gene, got {value}"):
            GeneDropout(mean)
    with pytest.raises(ValueError, match=r"^half must be positive, got 0: it is a mean count$"):
        GeneDropout(MEAN, half=0)
    with pytest.raises(ValueError, match=r"^x has 3 genes, mean has 4: take the means of the same genes$"):
        GeneDropout(MEAN)(np.ones((2, 3), "float32"))


def test_mixing_refuses_another_shape():
    with pytest.raises(ValueError, match=r"neighbour has shape \(3, 4\), x \(2, 4\): one neighbour a cell"):
        NeighbourMixing()(np.ones((2, 4), "float32"), np.ones((3, 4), "float32"))
