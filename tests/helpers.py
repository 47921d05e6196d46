"""Checks that the tests of all layers and all models share."""

import inspect
import json

import keras
import numpy as np
import pytest


def gradient(function, *arrays):
    """Gradient of the sum of ``function(*arrays)`` with respect to each array, on the current backend."""
    if keras.backend.backend() == "jax":
        import jax

        gradients = jax.grad(lambda *a: function(*a).sum(), range(len(arrays)))(*arrays)
    else:
        import tensorflow as tf

        tensors = [tf.convert_to_tensor(a) for a in arrays]
        with tf.GradientTape() as tape:
            tape.watch(tensors)
            total = tf.reduce_sum(function(*tensors))
        gradients = tape.gradient(total, tensors, unconnected_gradients="zero")
    return [np.asarray(g) for g in gradients]


def run_layer_test(layer_class, config, arrays, tmp_path, float32_output=False, differentiable=True):
    """Test what every layer must fulfil, on the current backend.

    Args:
        layer_class: the class.
        config: its keyword arguments.
        arrays: its call arguments: float32, or booleans and integers, which get no dense layer in front.
        tmp_path: a folder to save it in.
        float32_output: whether the output is float32 under every dtype policy.
        differentiable: whether a gradient flows from the output to the float arrays.
    """
    check_config(layer_class, config)
    layer = layer_class(**config)
    eager = layer(*arrays)
    _check_build_config(layer, layer_class(**config), arrays, eager)
    model = _check_symbolic_call(layer_class(**config), arrays, eager)
    _check_saved(model, arrays, tmp_path / "layer.keras")
    _check_training(layer_class(**config), arrays, differentiable)
    for policy in ("mixed_float16", "mixed_bfloat16", "float16"):
        _check_dtypes(layer_class(**config, dtype=policy), arrays, float32_output)
    if keras.backend.backend() != "jax":  # which has no float64 unless its own configuration allows it
        _check_float64(layer_class, config, arrays, float32_output)


def check_config(layer_class, config):
    """The configuration has the arguments, and an object made from it via JSON has the same configuration."""
    stored = layer_class(**config).get_config()
    assert {key: stored[key] for key in config} == config
    assert layer_class.from_config(json.loads(json.dumps(stored))).get_config() == stored


def _check_build_config(layer, fresh, arrays, eager):
    """The build configuration, via JSON, gives a fresh layer with the same configuration the same weights."""
    fresh.build_from_config(json.loads(json.dumps(layer.get_build_config())))
    assert [(v.name, v.shape) for v in fresh.variables] == [(v.name, v.shape) for v in layer.variables]
    _assert_equal(fresh(*arrays), eager)


def _check_symbolic_call(layer, arrays, eager):
    """Build a functional model from the layer and check its shapes and dtypes against the eager call."""
    inputs = [keras.Input(a.shape[1:], dtype=str(a.dtype)) for a in arrays]
    outputs = layer(*inputs)

    def check(symbol, value):
        assert symbol.dtype == keras.backend.standardize_dtype(value.dtype)
        assert symbol.shape in (tuple(value.shape), (None, *value.shape[1:]))

    keras.tree.map_structure(check, outputs, eager)
    return keras.Model(inputs, outputs)


def _check_saved(model, arrays, path):
    model.save(path)
    loaded = keras.models.load_model(path)
    _assert_equal(model(list(arrays)), loaded(list(arrays)))


class Trained(keras.Model):
    """Trains the float outputs of a layer, times a learned factor, towards 3.

    A differentiable layer without weights gets dense layers in front, which learn only if its gradient reaches them.
    """

    def __init__(self, layer, arrays, differentiable):
        super().__init__()
        self.layer = layer
        self.factor = self.add_weight(shape=(), initializer="ones", name="factor")
        front = differentiable and not layer.trainable_variables
        self.front = [keras.layers.Dense(a.shape[-1]) if front and _is_float(a) else None for a in arrays]

    def call(self, arrays):
        return self.layer(*(a if d is None else d(a) for d, a in zip(self.front, arrays, strict=True)))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        outputs = filter(_is_float, keras.tree.flatten(y_pred))
        return sum(keras.ops.mean(keras.ops.square(self.factor * out - 3.0)) for out in outputs)


def _check_training(layer, arrays, differentiable):
    """One compiled step has a finite loss and changes every weight; the trained model has a summary."""
    layer(*arrays)
    model = Trained(layer, arrays, differentiable)
    model(list(arrays))
    before = [v.numpy() for v in model.trainable_variables]
    model.compile(keras.optimizers.SGD(0.1))
    model.optimizer.build(model.trainable_variables)  # otherwise TensorFlow traces the step twice
    assert np.isfinite(model.fit(list(arrays), batch_size=len(arrays[0]), verbose=0).history["loss"]).all()
    assert not any(
        np.array_equal(a, v.numpy()) for a, v in zip(before, model.trainable_variables, strict=True)
    )
    lines = []
    model.summary(line_length=200, print_fn=lines.append)
    assert layer.name in "\n".join(lines)


def _check_float64(layer_class, config, arrays, float32_output):
    """With ``set_floatx("float64")``, before or after the default dtype policy was made from it."""
    wide = [a.astype("float64") if _is_float(a) else a for a in arrays]
    keras.config.set_floatx("float64")
    try:
        for policy in ("float64", "float32"):
            _check_dtypes(layer_class(**config, dtype=policy), wide, float32_output)
    finally:
        keras.config.set_floatx("float32")


def _check_dtypes(layer, arrays, float32_output):
    """The outputs, in training and in inference, are finite and of the layer's dtype; so are the weights."""
    takes_training = "training" in inspect.signature(layer.call).parameters
    for keywords in ({"training": True}, {"training": False}) if takes_training else ({},):
        for output in filter(_is_float, keras.tree.flatten(layer(*arrays, **keywords))):
            expected = "float32" if float32_output else layer.compute_dtype
            assert keras.backend.standardize_dtype(output.dtype) == expected
            assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(output, "float32"))).all()
    expected = "float32" if float32_output else layer.variable_dtype
    assert all(v.dtype == expected for v in layer.trainable_variables)


def _is_float(array):
    return keras.backend.is_float_dtype(keras.backend.standardize_dtype(array.dtype))


def _assert_equal(outputs, expected):
    """Each tensor of two structures has the same bits."""
    for one, other in zip(*map(keras.tree.flatten, (outputs, expected)), strict=True):
        np.testing.assert_array_equal(*map(keras.ops.convert_to_numpy, (one, other)))


def run_model_test(model_class, config, x, tmp_path, **keywords):
    """Test what every model that embeds cells must fulfil, on the current backend.

    Args:
        model_class: the class.
        config: its keyword arguments, without a seed.
        x: the cells that it is trained on and encodes.
        tmp_path: a folder to save it in.
        keywords: further arguments of its `fit`, such as the cells' labels.
    """
    check_config(model_class, {**config, "seed": 3})
    model, same_seed, other = (
        trained(model_class(**config, seed=seed), x, global_seed, run_eagerly=EAGER, **keywords)
        for seed, global_seed in SEEDS
    )
    z = model.encode(x)
    width = model.latent_dim if hasattr(model, "latent_dim") else model.dim
    assert z.shape == (len(z), width) and z.dtype == np.float32 and np.isfinite(z).all()
    np.testing.assert_array_equal(same_seed.encode(x), z)
    assert not np.allclose(other.encode(x), z, atol=1e-3)
    np.testing.assert_allclose(model.encode(x, batch_size=7), z, atol=1e-5)
    _check_z_after_loading(model, x, tmp_path / "compiled.keras", **keywords)
    bare = model_class(**config, seed=0)
    bare.set_weights(model.get_weights())
    bare(bare._take(x).matrix)  # otherwise Keras warns that a model that was never called may have no weights
    _check_z_after_loading(bare, x, tmp_path / "bare.keras")


EAGER = keras.backend.backend() == "tensorflow"  # a few steps take less time than tracing them
SEEDS = (0, 1), (0, 2), (1, 1)  # (the model's seed, the global seed, which must have no effect)


def trained(model, x, global_seed=0, run_eagerly=False, **keywords):
    """The model after a few quick training steps, whose losses are in ``model.history``."""
    keras.utils.set_random_seed(global_seed)
    # one step per execution halves the time of tracing
    model.compile(optimizer=keras.optimizers.Adam(0.01), steps_per_execution=1, run_eagerly=run_eagerly)
    model.fit(x, **{"epochs": 2, "batch_size": 32, "verbose": 0, **keywords})
    return model


def _check_z_after_loading(model, x, path, **keywords):
    model.save(path)
    loaded = keras.models.load_model(path)
    assert json.dumps(loaded.get_config()) == json.dumps(model.get_config())
    assert loaded.compiled == model.compiled
    np.testing.assert_array_equal(loaded.encode(x), model.encode(x))
    if loaded.compiled:
        loaded.fit(x, epochs=1, batch_size=32, verbose=0, **keywords)  # training can continue
        assert not np.array_equal(loaded.encode(x), model.encode(x))


def refused(call, message, kind=ValueError):
    """The call raises an error of the library's own, in one line that matches ``message``."""
    with pytest.raises(kind, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
    assert refusal.value.__cause__ is None and refusal.value.__context__ is None
    assert "latentcells" in str(refusal.traceback[-1].path)
