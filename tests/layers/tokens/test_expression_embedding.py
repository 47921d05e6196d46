import keras
import numpy as np
import pytest

from latentcells.layers import ExpressionEmbedding
from tests.helpers import gradient, refused, run_layer_test

RNG = np.random.default_rng(0)
VALUE = np.float32(RNG.uniform(-1.0, 7.0, (5, 40)))  # some values are beyond the knots
VALUE[0, :7] = [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0]  # some values are on knots
KNOTS = np.linspace(0.0, 6.0, 7)
KINDS = "linear", "binned", "piecewise"


def layer(kind, **kwargs):
    embedding = ExpressionEmbedding(**{"dim": 3, "kind": kind, "n_bins": 7, "high": 6.0, **kwargs})
    embedding.build((None, 40))
    return embedding


def apply(function, value):
    return keras.ops.convert_to_numpy(function(value))


@pytest.mark.backend
@pytest.mark.parametrize("kind", KINDS)
def test_fulfils_what_every_layer_must(kind, tmp_path):
    config = {"dim": 3, "kind": kind, "n_bins": 7, "high": 6.0, "seed": 3}
    run_layer_test(ExpressionEmbedding, config, (VALUE,), tmp_path)


@pytest.mark.backend
def test_linear_is_a_line():
    linear = layer("linear")
    start, slope = linear.table.numpy()
    np.testing.assert_allclose(apply(linear, VALUE), start + VALUE[..., None] * slope, atol=1e-6)


@pytest.mark.backend
def test_binned_takes_the_nearest_knot():
    binned = layer("binned")
    nearest = np.abs(VALUE[..., None] - KNOTS).argmin(axis=-1)
    np.testing.assert_array_equal(apply(binned, VALUE), binned.table.numpy()[nearest])
    assert set(np.unique(apply(binned._basis, VALUE))) == {0.0, 1.0}


@pytest.mark.backend
def test_piecewise_interpolates_between_the_knots():
    piecewise = layer("piecewise")
    expected = [np.interp(VALUE, KNOTS, column) for column in piecewise.table.numpy().T]
    np.testing.assert_allclose(apply(piecewise, VALUE), np.stack(expected, axis=-1), atol=1e-6)


@pytest.mark.backend
@pytest.mark.parametrize("kind", KINDS)
def test_the_weights_sum_to_1_and_make_the_vector(kind):
    embedding = layer(kind)
    weights = apply(embedding._basis, VALUE)
    assert weights.shape == (5, 40, 2 if kind == "linear" else 7)
    np.testing.assert_allclose(apply(embedding, VALUE), weights @ embedding.table.numpy(), atol=1e-6)
    if kind != "linear":
        np.testing.assert_allclose(weights.sum(axis=-1), 1.0, atol=1e-6)


@pytest.mark.backend
def test_only_the_binned_kind_has_no_gradient():
    value = VALUE[1:]  # no value on a knot, where the slope is not unique
    between_knots = (value > 0) & (value < 6)
    for kind in KINDS:
        (slope,) = gradient(lambda v, kind=kind: layer(kind)(v)[..., 0], value)
        moves = {
            "linear": np.ones_like(between_knots),
            "binned": np.zeros_like(between_knots),
            "piecewise": between_knots,
        }
        np.testing.assert_array_equal(slope != 0, moves[kind])


@pytest.mark.backend
def test_the_seed_gives_the_table():
    one, two, other = (layer("binned", seed=seed).table.numpy() for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.isclose(one, other).any()


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        (
            {"kind": "cubic"},
            ValueError,
            "^kind='cubic' is unknown: choose from 'linear', 'binned', 'piecewise'",
        ),
        ({"n_bins": 1}, ValueError, "^n_bins must be at least 2, got 1"),
        ({"high": 0.0}, ValueError, "^high must be positive, got 0.0"),
        ({"dim": 0}, ValueError, "^dim must be at least 1, got 0"),
    ],
)
def test_a_setting_is_refused(keywords, kind, message):
    refused(lambda: layer(**{"kind": "binned", **keywords}), message, kind)
