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
