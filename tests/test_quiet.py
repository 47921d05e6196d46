"""TensorFlow's log lines are removed from standard error; everything else written there stays."""

import os
import subprocess
import sys

import nbclient
import nbformat
import pytest

from latentcells._quiet import tensorflow_log_silenced

LOG_LINES = b"""\
WARNING: All log messages before absl::InitializeLog() is called are written to STDERR
I0000 00:00:1795400735.767350    4193 port.cc:153] oneDNN custom operations are on.
E0000 00:00:1795400735.768505    4193 cuda_dnn.cc:8579] Unable to register cuDNN factory
W0000 00:00:1795400735.768505    4193 computation_placer.cc:177] computation placer already registered.
2025-09-17 14:44:05.157831: I external/local_xla/xla/tsl/cuda/cudart_stub.cc:32] Could not find cuda drivers
"""
OTHER_LINES = b"""\
F0000 00:00:1795400735.767350    4193 cpu_feature_guard.cc:37] compiled to use AVX
WARNING: the disk is nearly full
I see.
2025-09-17 14:44:05.157831: someone else's line
a last line without an end"""

FIT = """\
import latentcells as lc
import numpy as np
x = np.random.default_rng(0).poisson(2.0, (64, 30)).astype("float32")
model = lc.models.VAE(n_genes=30, latent_dim=2, hidden=(8,))
model.compile(optimizer="adam")
model.fit(x, epochs=1, verbose=0)
z = model.encode(x)
"""


@pytest.fixture
def unset(monkeypatch):
    """An environment in which the log level is not set."""
    monkeypatch.delenv("TF_CPP_MIN_LOG_LEVEL", raising=False)
    return monkeypatch


@pytest.mark.usefixtures("unset")
def test_log_lines_are_dropped_and_all_others_stay(capfdbinary):
    with tensorflow_log_silenced():
        for log, other in zip(LOG_LINES.splitlines(True), OTHER_LINES.splitlines(True), strict=True):
            os.write(2, log)
            os.write(2, other)
    os.write(2, b"\nafterwards\n")
    assert capfdbinary.readouterr().err == OTHER_LINES + b"\nafterwards\n"


@pytest.mark.usefixtures("unset")
def test_an_error_propagates_and_standard_error_is_restored(capfdbinary):
    def fail():
        with tensorflow_log_silenced():
            os.write(2, b"before\n")
            raise ImportError

    with pytest.raises(ImportError):
        fail()
    os.write(2, b"after\n")
    assert capfdbinary.readouterr().err == b"before\nafter\n"


def test_a_program_without_standard_error_runs(unset):
    def closed(_):
        raise OSError(9, "Bad file descriptor")

    unset.setattr(os, "dup", closed)
    unset.setattr(sys, "stderr", None)
    block_ran = False
    with tensorflow_log_silenced():
        block_ran = True
    assert block_ran


@pytest.mark.parametrize(("before", "after"), [(None, "3"), ("1", "3"), ("0", "0"), ("2", "2")])
def test_a_log_level_that_is_set_stays(unset, before, after):
    if before:
        unset.setenv("TF_CPP_MIN_LOG_LEVEL", before)
    with tensorflow_log_silenced():
        assert os.environ["TF_CPP_MIN_LOG_LEVEL"] == after


@pytest.mark.slow
def test_a_program_that_fits_a_model_on_jax_writes_nothing(unset):
    """For TensorFlow, test_same_answer.py checks the same for a program that fits every model."""
    unset.setenv("KERAS_BACKEND", "jax")
    program = FIT + "import keras, sys\nprint(keras.backend.backend(), file=sys.stderr)"
    process = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=600)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "jax\n")


@pytest.mark.slow
@pytest.mark.usefixtures("unset")
def test_a_notebook_that_fits_models_stores_nothing():
    cells = [
        nbformat.v4.new_code_cell(FIT),
        nbformat.v4.new_code_cell(  # a thread of the kernel forwards standard error
            'import os, time; n = os.write(2, b"forwarded"); time.sleep(1)'
        ),
    ]
    env = {
        key: value for key, value in os.environ.items() if key != "PYTEST_CURRENT_TEST"
    }  # otherwise nothing is captured
    client = nbclient.NotebookClient(
        nbformat.v4.new_notebook(cells=cells), timeout=600, kernel_name="python3"
    )
    client.execute(env=env)
    fit_text, written_text = ([output["text"] for output in cell.outputs] for cell in cells)
    assert [
        text for text in fit_text if "TqdmWarning" not in text
    ] == []  # tqdm warns if ipywidgets is missing
    assert written_text == ["forwarded"]
