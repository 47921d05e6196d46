"""From counts to z, with each kind of token, value and pooling."""

import keras
import numpy as np
import pytest

from latentcells.models import GeneTransformer
from tests.models.conftest import SETS, TYPES, one_step

CONFIG = {"n_genes": 30, "n_tokens": 8, "dim": 8, "n_heads": 2, "depth": 1}


def transformer(labels=None, **keywords):
    return GeneTransformer(**{**CONFIG, "labels": labels, **keywords})


@pytest.mark.parametrize("pooling", ["mean", "cls", "attention"])
@pytest.mark.parametrize("tokens", ["all", "expressed", "rank", "sets"])
def test_every_weight_learns(tokens, pooling, typed, tmp_path):
    """And comes back with the file, for each kind of token and of pooling."""
    config = {"tokens": tokens, "pooling": pooling, "sets": SETS if tokens == "sets" else None}
    model = transformer(TYPES, **config, n_tokens=None if tokens in ("all", "sets") else 8)
    before = [w.numpy() for w in model.trainable_variables]
    x, y = typed["x"][:24], typed["y"][:24]
    one_step(model, x, y)
    for start, weight in zip(before, model.trainable_variables, strict=True):
        assert not np.array_equal(start, weight.numpy()), weight.path
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.encode(x), model.encode(x))
    share, again = (m.predict_labels(x)["probability"] for m in (model, loaded))
    np.testing.assert_array_equal(again, share)


@pytest.mark.parametrize("values", ["linear", "binned", "piecewise"])
@pytest.mark.parametrize("tokens", ["all", "expressed"])
def test_the_values_matter_and_not_the_genes_alone(tokens, values):
    """Two cells whose tokens are the same genes in the same order."""
    model = transformer(tokens=tokens, values=values, n_tokens=None)
    one, two = model.encode(np.exp2([np.arange(30) % 3, 2.0 * (np.arange(30) % 3)]).astype(int))
    assert np.abs(one - two).max() > 1e-3


def test_z_does_not_depend_on_the_depth(typed):
    model = transformer()
    np.testing.assert_allclose(model.encode(3 * typed["new x"]), model.encode(typed["new x"]), atol=1e-4)


@pytest.mark.parametrize("target_sum", [300.0, 1e4])
def test_counts_are_scaled_to_the_target_sum(target_sum, typed):
    """Also where the mean of each gene is taken that the ranks are relative to."""
    x = typed["x"]
    model = transformer(TYPES, target_sum=target_sum)
    one_step(model, x, typed["y"])
    expected = np.log1p(target_sum * x / x.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model.log1p(x)), expected, rtol=1e-5)
    mean = keras.ops.convert_to_numpy(model.trunk.get_layer("tokens").mean)
    np.testing.assert_allclose(mean, expected.mean(axis=0), rtol=1e-5)


@pytest.mark.parametrize("tokens", ["rank", "sets"])
def test_the_function_of_the_values_begins_behind_the_division(tokens, typed):
    """With other totals the counts give the same logits, and other values other ones."""
    own = {"sets": SETS, "n_tokens": None} if tokens == "sets" else {}
    model, x = transformer(TYPES, tokens=tokens, target_sum=300.0, **own), typed["new x"][:5]
    model.prepare(typed["x"])
    function, values = model.from_log1p(), np.log1p(300.0 * x / x.sum(axis=1, keepdims=True))
    logits = keras.ops.convert_to_numpy(model.logits(x))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(function(values)), logits, atol=1e-4)
    assert np.abs(keras.ops.convert_to_numpy(function(values[:, ::-1].copy())) - logits).max() > 1e-4


def test_without_blocks_the_tokens_are_pooled_as_they_are(typed):
    model, x = transformer(tokens="all", n_tokens=None, depth=0, values="linear"), typed["new x"][:5]
    which, (shift, slope) = (model.trunk.get_layer(name).get_weights()[0] for name in ("genes", "values"))
    log1p = np.log1p(1e4 * x / x.sum(axis=1, keepdims=True))
    token = which + shift + log1p[..., None] * slope
    mean = token.mean(axis=1)
    normed = (mean - mean.mean(-1, keepdims=True)) / np.sqrt(mean.var(-1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(model.encode(x), normed, atol=1e-4)
    for call in (model.attention, model.attention_maps):
        with pytest.raises(ValueError, match=r"^depth=0 leaves no block, and no attention: build"):
            call(x)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("labels", [None, TYPES])
def test_half_precision(policy, labels, typed):
    """Deep cells: a library size of 1e5 is beyond float16."""
    x, before = typed["x"][:32] * 1000, keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = transformer(labels, pooling="cls")
        one_step(model, x, None if labels is None else typed["y"][:32])
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(model.history.history["loss"]).all()
    assert model.encode(x).dtype == np.float32 and np.isfinite(model.encode(x)).all()
    np.testing.assert_allclose(model.attention(x).sum(axis=1), 1.0, atol=0.4)
