"""Two replicas, or two workers, that share each mini-batch learn the same as one that gets all of it."""

import os
import socket
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

# each replica would draw its own noise: it is 0 here, so that one and two replicas can be compared
keras.random.normal = lambda shape, *args, dtype="float32", **kwargs: keras.ops.zeros(shape, dtype)
x = np.random.default_rng(0).poisson(3.0, (96, 20)).astype("float32") + np.eye(96, 20, dtype="float32")
strategy = tf.distribute.MirroredStrategy([f"CPU:{i}" for i in range(replicas)])
with strategy.scope():
    model = lc.models.VAE(20, latent_dim=2, hidden=(4,), seed=0)
    # plain SGD: Adam normalises the gradient and would hide one that is twice as large
    model.compile(optimizer=keras.optimizers.SGD(1e-3), steps_per_execution=1)
history = model.fit(tf.data.Dataset.from_tensor_slices(x).batch(48), epochs=3, verbose=0)
assert strategy.num_replicas_in_sync == replicas
np.savez(sys.argv[1], *model.get_weights(), loss=history.history["loss"])
"""


@pytest.mark.slow
def test_two_replicas_learn_what_one_does(tmp_path):
    results = []
    for replicas in (1, 2):
        out = tmp_path / f"{replicas}.npz"
        environment = {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(Path(lc.__file__).parents[1])}
        command = [sys.executable, "-c", PROGRAM, out, str(replicas)]
        process = subprocess.run(command, env=os.environ | environment, capture_output=True, text=True)
        assert process.returncode == 0, process.stderr[-2000:]
        results.append(np.load(out))
    assert results[0].files == results[1].files
    for name in results[0]:
        np.testing.assert_allclose(results[1][name], results[0][name], rtol=1e-4, atol=1e-5, err_msg=name)


WORKER = """
import sys
import keras
import numpy as np
import latentcells as lc

path, out, address, workers, worker = *sys.argv[1:4], *map(int, sys.argv[4:])
if workers > 1:
    keras.distribution.initialize(address, workers, worker)
    keras.distribution.set_distribution(keras.distribution.DataParallel(auto_shard_dataset=False))
    assert keras.distribution.distribution().num_processes == workers
model = lc.models.VAE(20, latent_dim=2, hidden=(4,), seed=0)
model.compile(optimizer=keras.optimizers.Adam(0.01))
cells, share = lc.datasets.stream(path, batch_size=96), 96 // workers
mine = cells.map(lambda cells: cells[worker * share : (worker + 1) * share])
history = model.fit(mine, epochs=3, verbose=0)
np.savez(out, *model.get_weights(), loss=history.history["loss"])
"""


@pytest.mark.slow
def test_two_workers_learn_what_one_does(tmp_path):
    """Two processes on the loopback, each with half of a mini-batch, give the losses and weights of a single one."""
    pytest.importorskip("jax")
    lc.datasets.simulate(960, 20, 2, markers_per_type=2, library=100.0, seed=0).write_h5ad(
        tmp_path / "x.h5ad"
    )
    with socket.socket() as free:
        free.bind(("localhost", 0))
        address = "localhost:{1}".format(*free.getsockname())
    environment = {"KERAS_BACKEND": "jax", "PYTHONPATH": str(Path(lc.__file__).parents[1])}

    def start(workers, worker):
        out = tmp_path / f"{worker} of {workers}.npz"
        command = [sys.executable, "-c", WORKER, tmp_path / "x.h5ad", out, address, str(workers), str(worker)]
        return out, subprocess.Popen(command, env=os.environ | environment, stderr=subprocess.PIPE, text=True)

    started, results = [start(1, 0), start(2, 0), start(2, 1)], []
    try:
        for out, process in started:
            error = process.communicate(timeout=300)[1]
            assert process.returncode == 0, error[-2000:]
            results.append(np.load(out))
    finally:  # if one worker fails, the other waits for it forever
        for _, process in started:
            process.kill()
    single, *shared = results
    for worker in shared:
        assert worker.files == single.files
        for name in single:
            np.testing.assert_allclose(worker[name], single[name], rtol=1e-5, atol=1e-6, err_msg=name)
