"""Two replicas that share each batch learn what one learns from the whole of it."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import latentcells as lc

PROGRAM = """
import sys
import numpy as np
import tensorflow as tf

replicas = int(sys.argv[2])
cpu = tf.config.list_physical_devices("CPU")[0]
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * replicas)

import keras
import latentcells as lc

# each replica draws its own noise: here none, so that one and two can be compared
keras.random.normal = lambda shape, *args, dtype="float32", **kwargs: keras.ops.zeros(shape, dtype)
x = np.random.default_rng(0).poisson(3.0, (96, 20)).astype("float32") + np.eye(96, 20, dtype="float32")
strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)])
with strategy.scope():
    model = lc.models.VAE(20, latent_dim=2, hidden=(4,), seed=0)
    # plain descent: Adam divides by the gradient's own size, and would not notice one that is twice as large
    model.compile(optimizer=keras.optimizers.SGD(1e-3), steps_per_execution=1)
history = model.fit(tf.data.Dataset.from_tensor_slices(x).batch(48), epochs=3, verbose=0)
assert strategy.num_replicas_in_sync == replicas
np.savez(sys.argv[1], *model.get_weights(), loss=history.history["loss"])
"""


@pytest.mark.slow
def test_two_replicas_learn_what_one_does(tmp_path):
    found = []
    for replicas in (1, 2):
        out = tmp_path / f"{replicas}.npz"
        own = {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(Path(lc.__file__).parents[1])}
        command = [sys.executable, "-c", PROGRAM, out, str(replicas)]
        done = subprocess.run(command, env=os.environ | own, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        found.append(np.load(out))
    assert found[0].files == found[1].files
    for name in found[0]:
        np.testing.assert_allclose(found[1][name], found[0][name], rtol=1e-4, atol=1e-5, err_msg=name)
