import keras
import numpy as np
import pytest

from latentcells.layers import TokenPooling, TransformerBlock
from tests.helpers import gradient, refused, run_layer_test

RNG = np.random.default_rng(0)
T = np.float32(RNG.normal(size=(4, 6, 8)))
MASK = RNG.uniform(size=(4, 6)) < 0.6
MASK[:, 2] = True


def block(**kwargs):
    """A block whose biases, scales and shifts are not the initial ones, which would hide errors."""
    layer = TransformerBlock(**{"dim": 8, "n_heads": 2, "hidden": 12, **kwargs})
    layer.build((None, 6, 8))
    rng = np.random.default_rng(1)
    for variable in layer.trainable_variables:
        variable.assign(variable.numpy() + rng.normal(0.0, 0.3, variable.shape))
    return layer


def apply(layer, *args, **kwargs):
    return keras.tree.map_structure(keras.ops.convert_to_numpy, layer(*args, **kwargs))


@pytest.mark.backend
@pytest.mark.parametrize(("dropout", "drop_path"), [(0.0, 0.0), (0.2, 0.0), (0.0, 0.2)])
def test_fulfils_what_every_layer_must(dropout, drop_path, tmp_path):
    config = {"dim": 8, "n_heads": 2, "dropout": dropout, "drop_path": drop_path, "seed": 3}
    run_layer_test(TransformerBlock, config, (T, MASK), tmp_path)


# -- what it computes -------------------------------------------------------------------------------------------------


def keras_attention(layer):
    """`keras.layers.MultiHeadAttention` with the weights of our layer."""
    attention = keras.layers.MultiHeadAttention(2, 4)
    attention.build(T.shape, T.shape)
    kernel, bias = (w.numpy().reshape(*w.shape[:-1], 3, 2, 4) for w in (layer.qkv.kernel, layer.qkv.bias))
    qkv = [part for i in range(3) for part in (kernel[:, i], bias[i])]
    attention.set_weights([*qkv, layer.out.kernel.numpy().reshape(2, 4, 8), layer.out.bias.numpy()])
    return attention


@pytest.mark.backend
@pytest.mark.parametrize("mask", [MASK, None], ids=["some", "all"])
def test_attention_is_that_of_keras(mask):
    layer = block()
    attention_mask = None if mask is None else np.repeat(mask[:, None], 6, axis=1)
    normed = layer.norm_attention(T)
    expected, maps = apply(
        keras_attention(layer), normed, normed, attention_mask=attention_mask, return_attention_scores=True
    )
    for weight in (layer.contract.kernel, layer.contract.bias):  # keep only the attention branch
        weight.assign(0.0 * weight)
    out, attention = apply(layer, T, mask, return_attention=True)
    np.testing.assert_allclose(out - T, expected, atol=1e-6)
    np.testing.assert_allclose(attention, maps, atol=1e-6)


@pytest.mark.backend
def test_each_branch_is_normalised_and_has_a_shortcut():
    """The equation of the docstring, computed with Keras layers."""
    layer = block()
    h = T + apply(keras_attention(layer), *[layer.norm_attention(T)] * 2)
    expected = h + apply(
        layer.contract, keras.activations.gelu(layer.expand(layer.norm_mlp(h)), approximate=True)
    )
    np.testing.assert_allclose(apply(layer, T), expected, atol=1e-5)


@pytest.mark.backend
def test_attention_of_one_token_is_1():
    out, attention = apply(block(), T[:, :1], return_attention=True)
    np.testing.assert_array_equal(attention, np.ones((4, 2, 1, 1)))
    np.testing.assert_allclose(
        apply(block(), T[:, 2:3]), apply(block(), T, np.arange(6) == np.full((4, 1), 2))[:, 2:3], atol=1e-5
    )
    assert out.shape == (4, 1, 8)


@pytest.mark.backend
def test_the_attention_of_a_token_sums_to_1_over_visible_tokens():
    attention = apply(block(), T, MASK, return_attention=True)[1]
    np.testing.assert_allclose(attention.sum(axis=-1), 1.0, atol=1e-6)
    assert not np.allclose(attention.sum(axis=-2), 1.0, atol=0.1)
    closed = np.broadcast_to(~MASK[:, None, None, :], attention.shape)
    assert (attention[closed] == 0).all() and (attention[~closed] > 0).all()


# -- padding and order ------------------------------------------------------------------------------------------------


@pytest.mark.backend
def test_a_masked_token_changes_nothing():
    other = np.where(MASK[..., None], T, 50 * T[::-1])
    np.testing.assert_array_equal(apply(block(), other, MASK)[MASK], apply(block(), T, MASK)[MASK])
    assert not np.allclose(apply(block(), other)[MASK], apply(block(), T)[MASK], atol=0.01)


@pytest.mark.backend
def test_tokens_have_no_order():
    order, layer = RNG.permutation(6), block()
    result = apply(layer, T[:, order], MASK[:, order])
    np.testing.assert_allclose(result, apply(layer, T, MASK)[:, order], atol=1e-5)
    cells = [
        apply(TokenPooling(), t, m) for t, m in ((result, MASK[:, order]), (apply(layer, T, MASK), MASK))
    ]
    np.testing.assert_allclose(*cells, atol=1e-5)


@pytest.mark.backend
def test_cells_are_independent():
    layer = block()
    alone = [apply(layer, t[None], mask[None]) for t, mask in zip(T, MASK, strict=True)]
    np.testing.assert_allclose(apply(layer, T, MASK), np.concatenate(alone), atol=1e-5)


@pytest.mark.backend
@pytest.mark.parametrize("dtype", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_a_cell_without_tokens_gives_finite_values(dtype):
    """A training step may hide every gene of a cell; the block computes in its own precision."""
    layer = TransformerBlock(8, n_heads=2, dtype=dtype)
    out, attention = layer(T, np.zeros_like(MASK), return_attention=True)
    assert keras.backend.standardize_dtype(attention.dtype) == layer.compute_dtype
    assert np.isfinite(apply(keras.ops.cast, out, "float32")).all()


# -- how it learns ----------------------------------------------------------------------------------------------------


@pytest.mark.backend
def test_the_gradient_reaches_only_visible_tokens():
    layer = block()
    (slope,) = gradient(lambda t: layer(t, MASK)[:, 2], T)
    assert (np.abs(slope).max(axis=-1) > 0).tolist() == MASK.tolist()


@pytest.mark.backend
def test_dropout_acts_on_both_branches_in_training_only():
    layer = block(dropout=0.5)
    plain = apply(layer, T, MASK)
    np.testing.assert_array_equal(apply(layer, T, MASK), plain)
    np.testing.assert_array_equal(plain, apply(block(), T, MASK))
    one, two = (apply(layer, T, MASK, training=True) for _ in range(2))
    assert not np.allclose(one, two) and not np.allclose(one, plain)
    all_lost = block(dropout=1 - 1e-7)
    np.testing.assert_array_equal(apply(all_lost, T, MASK, training=True), T)


@pytest.mark.backend
def test_a_dropped_branch_is_dropped_for_the_whole_cell():
    """Half of the cells keep their tokens; averaged over cells the branches keep their size."""
    layer, t = block(drop_path=0.5), np.repeat(T[:1], 2000, axis=0)
    for weight in (layer.contract.kernel, layer.contract.bias):  # keep only the attention branch
        weight.assign(0.0 * weight)
    branch = apply(layer, t) - t
    dropped = apply(layer, t, training=True) - t
    left_out = (np.abs(dropped) < 1e-6).all(axis=(1, 2))
    assert abs(left_out.mean() - 0.5) < 0.06
    np.testing.assert_allclose(dropped[~left_out], 2 * branch[~left_out], atol=1e-4)


@pytest.mark.backend
def test_with_a_zero_start_a_block_starts_as_the_identity_and_learns_both_branches():
    layer = TransformerBlock(8, n_heads=2, zero_start=True)
    np.testing.assert_array_equal(apply(layer, T, MASK), T)
    assert TransformerBlock.from_config(layer.get_config()).zero_start
    model = keras.Sequential([layer])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    model.fit(T, np.ones_like(T), epochs=2, verbose=0)
    for kernel in (layer.out.kernel, layer.contract.kernel):
        assert np.abs(keras.ops.convert_to_numpy(kernel)).max() > 0


@pytest.mark.backend
def test_the_branches_are_dropped_independently():
    layer = block(drop_path=0.5)
    moved = np.abs(apply(layer, np.repeat(T[:1], 2000, axis=0), training=True) - T[:1]).sum(axis=(1, 2))
    assert len(np.unique(moved.round(2))) == 4, "neither, the attention, the network, both"


@pytest.mark.backend
def test_the_seed_gives_the_weights():
    one, two, other = (TransformerBlock(8, seed=seed) for seed in (1, 1, 2))
    outputs = [apply(layer, T) for layer in (one, two, other)]
    np.testing.assert_array_equal(outputs[0], outputs[1])
    assert not np.isclose(outputs[0], outputs[2]).all(axis=-1).any()
    kernels = [w.numpy().ravel()[:64] for w in one.trainable_variables if w.name == "kernel"]
    assert len(kernels) == 4 and len(np.unique(kernels)) == 4 * 64, "each layer has weights of its own"


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        ({"n_heads": 3}, ValueError, r"^n_heads=3 does not divide dim=8: choose from \[1, 2, 4, 8\]$"),
        ({"n_heads": 0}, ValueError, "^n_heads must be at least 1, got 0"),
        ({"dim": 8.0}, TypeError, "^dim must be an integer, got 8.0"),
        ({"hidden": 0}, ValueError, "^hidden must be at least 1, got 0"),
        ({"dropout": 1.0}, ValueError, "^dropout must be at least 0 and less than 1, got 1.0"),
        ({"drop_path": 1.0}, ValueError, "^drop_path must be at least 0 and less than 1, got 1.0"),
        ({"zero_start": "no"}, TypeError, "^zero_start='no' is no truth value: pass True or False"),
    ],
)
def test_a_setting_is_refused(keywords, kind, message):
    refused(lambda: block(**keywords), message, kind)


def test_the_network_is_twice_as_wide_as_a_token():
    assert TransformerBlock(8).hidden == 16
