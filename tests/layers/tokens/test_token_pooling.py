import keras
import numpy as np
import pytest

from latentcells.layers import TokenPooling
from tests.helpers import gradient, refused, run_layer_test

RNG = np.random.default_rng(0)
T = np.float32(RNG.normal(size=(6, 5, 3)))
MASK = RNG.uniform(size=(6, 5)) < 0.6
MASK[:, 0] = True
QUERY = np.float32([1.0, -2.0, 0.5])
KINDS = "mean", "cls", "attention"


def pooling(kind):
    layer = TokenPooling(kind)
    layer(T)
    if kind == "attention":
        layer.query.assign(QUERY)
    return layer


def apply(function, *arrays):
    return keras.ops.convert_to_numpy(function(*arrays))


def by_hand(kind, t, mask):
    """The reference, in float64, one cell at a time."""
    pooled = []
    for tokens, visible in zip(t.astype("float64"), mask, strict=True):
        visible_tokens = tokens[visible]
        weight = {"mean": 0.0 * visible_tokens[:, 0], "attention": visible_tokens @ QUERY}.get(kind)
        weight = (
            np.arange(len(visible_tokens)) == 0 if weight is None else np.exp(weight) / np.exp(weight).sum()
        )
        pooled.append(weight @ visible_tokens)
    return np.array(pooled)


@pytest.mark.backend
@pytest.mark.parametrize("kind", KINDS)
def test_fulfils_what_every_layer_must(kind, tmp_path):
    run_layer_test(TokenPooling, {"kind": kind}, (T, MASK), tmp_path)


@pytest.mark.backend
@pytest.mark.parametrize("mask", [MASK, None], ids=["some", "all"])
@pytest.mark.parametrize("kind", KINDS)
def test_is_a_weighted_mean_of_the_tokens(kind, mask):
    visible = np.ones_like(MASK) if mask is None else mask
    np.testing.assert_allclose(apply(pooling(kind), T, mask), by_hand(kind, T, visible), atol=1e-6)


@pytest.mark.backend
@pytest.mark.parametrize("kind", KINDS)
def test_a_masked_token_changes_nothing(kind):
    other = np.where(MASK[..., None], T, 1e3 * T[::-1])
    np.testing.assert_array_equal(apply(pooling(kind), other, MASK), apply(pooling(kind), T, MASK))


@pytest.mark.backend
@pytest.mark.parametrize("kind", ["mean", "attention"])
def test_tokens_have_no_order(kind):
    order = RNG.permutation(5)
    result = apply(pooling(kind), T[:, order], MASK[:, order])
    np.testing.assert_allclose(result, apply(pooling(kind), T, MASK), atol=1e-6)


@pytest.mark.backend
def test_attention_starts_as_the_mean():
    np.testing.assert_allclose(
        apply(TokenPooling("attention"), T, MASK), apply(TokenPooling("mean"), T, MASK), atol=1e-6
    )


@pytest.mark.backend
def test_the_gradient_reaches_only_visible_tokens():
    layer = pooling("attention")
    (slope,) = gradient(lambda t: layer(t, MASK), T)
    assert (slope[MASK] != 0).all() and (slope[~MASK] == 0).all()


@pytest.mark.backend
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_cell_without_tokens_gives_finite_values(kind, dtype):
    z = TokenPooling(kind, dtype=dtype)(T, np.zeros_like(MASK))
    assert np.isfinite(apply(keras.ops.cast, z, "float32")).all()


@pytest.mark.backend
@pytest.mark.parametrize("kind", KINDS)
def test_the_only_token_is_the_cell(kind):
    np.testing.assert_array_equal(apply(pooling(kind), T[:, :1], MASK[:, :1]), T[:, 0])


def test_a_kind_is_refused():
    refused(lambda: TokenPooling("max"), "^kind='max' is unknown: choose from 'mean', 'cls', 'attention'")
