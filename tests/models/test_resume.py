"""An interrupted training resumes to the same weights: order, noise and optimizer are restored."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import latentcells as lc

SMALL = {"n_genes": 20, "latent_dim": 2, "hidden": (4,), "seed": 0}
MODELS = {
    "VAE": lambda: lc.models.VAE(**SMALL, dropout=0.2),
    "MaskedAutoencoder": lambda: lc.models.MaskedAutoencoder(**SMALL),
    "ContrastiveEncoder": lambda: lc.models.ContrastiveEncoder(**SMALL, projection=4),
}


class CutOff(keras.callbacks.Callback):
    """Simulates a power failure at the beginning of an epoch."""

    def on_epoch_begin(self, epoch, logs=None):
        if epoch == 2:
            raise ConnectionAbortedError


def train_to_weights(kind, counts, *callbacks):
    """The model's weights after three epochs; the callbacks may end the training sooner."""
    model = MODELS[kind]()
    model.compile(optimizer=keras.optimizers.Adam(0.01), run_eagerly=True, steps_per_execution=1)
    model.fit(counts, epochs=3, batch_size=48, verbose=0, callbacks=list(callbacks))
    return model.get_weights()


@pytest.mark.skipif(keras.backend.backend() != "tensorflow", reason="run eagerly, which is slow on JAX")
@pytest.mark.parametrize("kind", MODELS)
def test_a_resumed_training_ends_at_the_same_weights(kind, counts, tmp_path):
    expected = train_to_weights(kind, counts)
    with pytest.raises(ConnectionAbortedError):
        train_to_weights(kind, counts, keras.callbacks.BackupAndRestore(tmp_path / "backup"), CutOff())
    epochs = []
    record_epochs = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: epochs.append(epoch))
    resumed = train_to_weights(
        kind, counts, keras.callbacks.BackupAndRestore(tmp_path / "backup"), record_epochs
    )
    assert epochs == [2]
    for one, other in zip(expected, resumed, strict=True):
        np.testing.assert_array_equal(one, other)


def test_a_file_without_the_noise_state_still_loads(counts, tmp_path):
    model = MODELS["VAE"]()
    model(counts)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(lc.models.VAE, "_noise", lambda self: [])
        model.save_weights(tmp_path / "old.weights.h5")
    other = MODELS["VAE"]()
    other(counts)
    other.load_weights(tmp_path / "old.weights.h5")
    np.testing.assert_array_equal(other.encode(counts), model.encode(counts))


PROGRAM = """
import os, signal, sys
import keras, numpy as np
import latentcells as lc

out, backup, last = sys.argv[1], sys.argv[2], int(sys.argv[3])
x = np.random.default_rng(0).poisson(3.0, (96, 20)).astype("float32") + np.eye(96, 20, dtype="float32")
model = lc.models.VAE(20, latent_dim=2, hidden=(4,), seed=0)
model.compile(optimizer="adam", steps_per_execution=1)
kill = keras.callbacks.LambdaCallback(
    on_epoch_begin=lambda epoch, logs: os.kill(os.getpid(), signal.SIGKILL) if epoch == last else None
)
model.fit(x, epochs=3, batch_size=48, verbose=0, callbacks=[keras.callbacks.BackupAndRestore(backup), kill])
np.savez(out, *model.get_weights())
"""


@pytest.mark.slow
def test_a_killed_process_resumes(tmp_path):
    """SIGKILL gives a process no time to save anything."""

    def run(name, backup, last):
        command = [sys.executable, "-c", PROGRAM, tmp_path / f"{name}.npz", tmp_path / backup, str(last)]
        environment = {"KERAS_BACKEND": "tensorflow", "PYTHONPATH": str(Path(lc.__file__).parents[1])}
        environment |= {"TF_NUM_INTRAOP_THREADS": "1", "OMP_NUM_THREADS": "1"}
        return subprocess.run(command, env=os.environ | environment, check=False).returncode

    assert run("killed", "backup", 2) == -signal.SIGKILL and not (tmp_path / "killed.npz").exists()
    assert run("resumed", "backup", 99) == 0 and run("whole", "another", 99) == 0
    resumed, whole = np.load(tmp_path / "resumed.npz"), np.load(tmp_path / "whole.npz")
    for name in whole:
        np.testing.assert_array_equal(resumed[name], whole[name])
