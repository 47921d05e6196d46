"""What the tests of every layer and of every model share."""

import json

import keras
import numpy as np
import pytest


def gradient(function, *arrays):
    """Gradient of the sum of ``function(*arrays)`` in each array, on the backend in use."""
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


def run_layer_test(layer_class, config, arrays, tmp_path, float32_output=False):
    """Drive a layer through what every layer must bear, on the backend in use.

    Args:
        layer_class: the class.
        config: its keyword arguments.
        arrays: its call arguments, float32, or booleans and whole numbers, which no weight is put before.
        tmp_path: where it may be saved.
        float32_output: whether the output stays float32 in mixed precision.
    """
    _configuration_comes_back(layer_class, config)
    eager = layer_class(**config)(*arrays)
    model = _symbolic_call_agrees(layer_class(**config), arrays, eager)
    _same_output_once_loaded(model, arrays, tmp_path / "layer.keras")
    _one_compiled_step(layer_class(**config), arrays)
    for policy in ("mixed_float16", "mixed_bfloat16"):
        _mixed_precision(layer_class(**config, dtype=policy), arrays, float32_output)


def _configuration_comes_back(layer_class, config):
    stored = layer_class(**config).get_config()
    assert {key: stored[key] for key in config} == config
    assert layer_class.from_config(json.loads(json.dumps(stored))).get_config() == stored


def _symbolic_call_agrees(layer, arrays, eager):
    """The layer's functional model, whose shapes and dtypes must be those of the eager call."""
    inputs = [keras.Input(a.shape[1:], dtype=str(a.dtype)) for a in arrays]
    outputs = layer(*inputs)

    def agree(symbol, value):
        assert symbol.dtype == keras.backend.standardize_dtype(value.dtype)
        assert symbol.shape in (tuple(value.shape), (None, *value.shape[1:]))

    keras.tree.map_structure(agree, outputs, eager)
    return keras.Model(inputs, outputs)


def _same_output_once_loaded(model, arrays, path):
    model.save(path)
    loaded = keras.models.load_model(path)
    for before, after in zip(_flat(model(list(arrays))), _flat(loaded(list(arrays))), strict=True):
        np.testing.assert_array_equal(before, after)


class Trained(keras.Model):
    """The layer, to be pulled to an output of 3; dense layers come before one that has no weights of its own."""

    def __init__(self, layer, arrays):
        super().__init__()
        self.layer = layer
        bare = not layer.trainable_variables
        self.front = [keras.layers.Dense(a.shape[-1]) if bare and _is_float(a) else None for a in arrays]

    def call(self, arrays):
        return self.layer(*(a if d is None else d(a) for d, a in zip(self.front, arrays, strict=True)))

    def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
        outputs = filter(_is_float, keras.tree.flatten(y_pred))
        return sum(keras.ops.mean(keras.ops.square(out - 3.0)) for out in outputs)


def _one_compiled_step(layer, arrays):
    """The loss is finite and every weight moves."""
    layer(*arrays)
    model = Trained(layer, arrays)
    model(list(arrays))
    before = [v.numpy() for v in model.trainable_variables]
    model.compile()
    assert np.isfinite(model.fit(list(arrays), epochs=1, verbose=0).history["loss"]).all()
    assert before and not any(
        np.array_equal(a, v.numpy()) for a, v in zip(before, model.trainable_variables, strict=True)
    )


def _mixed_precision(layer, arrays, float32_output):
    due = "float32" if float32_output else layer.compute_dtype
    for output in filter(_is_float, _flat(layer(*arrays), numpy=False)):
        assert keras.backend.standardize_dtype(output.dtype) == due
        assert np.isfinite(keras.ops.convert_to_numpy(keras.ops.cast(output, "float32"))).all()
    assert all(v.dtype == "float32" for v in layer.trainable_variables)


def _is_float(array):
    return keras.backend.is_float_dtype(keras.backend.standardize_dtype(array.dtype))


def _flat(outputs, numpy=True):
    outputs = keras.tree.flatten(outputs)
    return [keras.ops.convert_to_numpy(o) for o in outputs] if numpy else outputs


def run_model_test(model_class, config, x, tmp_path, **keywords):
    """Drive a model that embeds cells through what every one must bear, on the backend in use.

    Args:
        model_class: the class.
        config: its keyword arguments, a seed not among them.
        x: what it is trained on and encodes.
        tmp_path: where it may be saved.
        keywords: more for its `fit`, as the cells' labels.
    """
    _configuration_comes_back(model_class, {**config, "seed": 3})
    model, again, other = (
        trained(model_class(**config, seed=seed), x, around, **keywords) for seed, around in SEEDS
    )
    z = model.encode(x)
    width = model.latent_dim if hasattr(model, "latent_dim") else model.dim
    assert z.shape == (len(z), width) and z.dtype == np.float32 and np.isfinite(z).all()
    np.testing.assert_array_equal(again.encode(x), z)
    assert not np.allclose(other.encode(x), z, atol=1e-3)
    np.testing.assert_allclose(model.encode(x, batch_size=7), z, atol=1e-5)
    _same_z_once_loaded(model, x, tmp_path / "compiled.keras", **keywords)
    bare = model_class(**config, seed=0)
    bare.set_weights(model.get_weights())
    bare(bare._take(x).matrix)  # else Keras warns that a model which it never called may have no weights
    _same_z_once_loaded(bare, x, tmp_path / "bare.keras")


SEEDS = (0, 1), (0, 2), (1, 1)  # the model's own, and the global one, which is not to matter


def trained(model, x, around=0, **keywords):
    """The model after a few quick steps; ``model.history`` says how they went."""
    keras.utils.set_random_seed(around)
    # one step an execution takes half the time to trace
    model.compile(optimizer=keras.optimizers.Adam(0.01), steps_per_execution=1)
    model.fit(x, **{"epochs": 2, "batch_size": 32, "verbose": 0, **keywords})
    return model


def _same_z_once_loaded(model, x, path, **keywords):
    model.save(path)
    loaded = keras.models.load_model(path)
    assert json.dumps(loaded.get_config()) == json.dumps(model.get_config())
    assert loaded.compiled == model.compiled
    np.testing.assert_array_equal(loaded.encode(x), model.encode(x))
    if loaded.compiled:
        loaded.fit(x, epochs=1, batch_size=32, verbose=0, **keywords)  # it goes on learning
        assert not np.array_equal(loaded.encode(x), model.encode(x))


def refused(call, message, kind=ValueError):
    """The call raises an error of ours, one line that matches ``message``."""
    with pytest.raises(kind, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
    assert refusal.value.__cause__ is None and refusal.value.__context__ is None
    assert "latentcells" in str(refusal.traceback[-1].path)
