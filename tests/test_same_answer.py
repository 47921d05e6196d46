"""Reproducibility: the same seed gives the same bits, the same weights give the same answer on every backend.

Separate processes train and load the models (tests/trainings.py); these tests compare their answers.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import trainings

pytestmark = pytest.mark.slow
MODELS = list(trainings.small_models(12, 8))
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
BACKENDS = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
OTHER_BACKENDS = ["jax", "torch"]


def run_trainings(folder, *arguments, backend="tensorflow", threads=1, hash_seed=0):
    """Run tests/trainings.py, which must write nothing to standard error; return "trained" and "loaded" -> answers."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    program = [sys.executable, trainings.__file__, str(folder), *map(str, arguments)]
    multi_thread = str(threads > 1).lower()
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    environment |= dict.fromkeys(ONE_THREAD, str(threads)) | {
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": f"--xla_backend_optimization_level=0 --xla_cpu_multi_thread_eigen={multi_thread}",
        "PYTHONHASHSEED": str(hash_seed),  # the order of a set of names must have no effect either
        "PYTHONPATH": str(Path(trainings.lc.__file__).parents[1]),
    }
    process = subprocess.run(program, env=environment, capture_output=True, text=True)
    assert (process.returncode, process.stderr[-2000:]) == (0, "")
    return {path.stem: dict(np.load(path)) for path in sorted(Path(folder).glob("*.npz"))}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp("same_answer")


@pytest.fixture(scope="module")
def first(folders):
    """A process that trains on TensorFlow with one thread and then loads the models that it saved."""
    return run_trainings(folders / "first", "--train", "--load", folders / "first")


@pytest.fixture(scope="module")
def second(folders, loaded_on):
    """Another process with the same training, which then loads the models that JAX saved."""
    loaded_on("jax")
    return run_trainings(folders / "second", "--train", "--load", folders / "jax", hash_seed=1)


@pytest.fixture(scope="module")
def loaded_on(folders, first):
    """loaded_on("jax"): answers of the first process's models on another backend, which also saves them again."""
    answers = {}

    def load(backend):
        if backend not in answers:
            process = run_trainings(folders / backend, "--load", folders / "first", backend=backend)
            answers[backend] = process["loaded"]
        return answers[backend]

    return load


def answers_of(model, answers):
    """The answers of one model among those of all models."""
    return {key: value for key, value in answers.items() if key.startswith(f"{model}/")}


def assert_same_bits(one, other):
    assert one.keys() == other.keys() and any(key.endswith("/z") for key in one)
    for key, value in one.items():
        assert value.dtype == other[key].dtype, key
        assert value.tobytes() == other[key].tobytes(), key


@pytest.mark.parametrize("model", MODELS)
def test_two_processes_train_to_the_same_bits(first, second, model, publish):
    assert_same_bits(answers_of(model, first["trained"]), answers_of(model, second["trained"]))
    compared = "trained twice by TensorFlow, one thread: weights and z"
    publish("same_answer", model=model, what=compared, equal="to the bit")


def test_the_comparison_detects_one_bit(first):
    one = answers_of("VAE", first["trained"])
    other = {key: value.copy() for key, value in one.items()}
    other["VAE/z"].view(np.uint8)[0, 0] ^= 1
    with pytest.raises(AssertionError):
        assert_same_bits(one, other)


@pytest.mark.parametrize(
    ("backend", "threads"), [("tensorflow", 1), ("tensorflow", 2), ("jax", 1), ("jax", 2)]
)
def test_two_processes_train_large_models_to_the_same_bits(tmp_path, backend, threads):
    """500 genes and 256 hidden units, so that a second thread gets a share of the work."""
    options = {"backend": backend, "threads": threads}
    one, other = (
        run_trainings(tmp_path / str(i), "--train", "--size", "large", hash_seed=i, **options)
        for i in range(2)
    )
    assert_same_bits(one["trained"], other["trained"])


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
@pytest.mark.parametrize("model", MODELS)
def test_the_same_loss_from_the_same_weights(first, loaded_on, backend, model, publish):
    loss, other_loss = first["loaded"][f"{model}/loss"], loaded_on(backend)[f"{model}/loss"]
    assert np.isfinite(loss) and loss != 0
    np.testing.assert_allclose(other_loss, loss, rtol=1e-4)
    compared = f"the loss by TensorFlow and by {BACKENDS[backend]}"
    if backend == "jax":  # no recorded run tests the others
        publish("same_answer", model=model, what=compared, equal="within 1e-4 of it")


@pytest.mark.parametrize("backend", OTHER_BACKENDS)
@pytest.mark.parametrize("model", MODELS)
def test_another_backend_loads_what_tensorflow_saved(first, loaded_on, backend, model, publish):
    np.testing.assert_allclose(loaded_on(backend)[f"{model}/z"], first["trained"][f"{model}/z"], atol=1e-5)
    compared = f"z where {BACKENDS[backend]} loads what TensorFlow saved"
    if backend == "jax":
        publish("same_answer", model=model, what=compared, equal="within 1e-5")


@pytest.mark.parametrize("model", MODELS)
def test_tensorflow_loads_what_jax_saved(first, second, model, publish):
    np.testing.assert_allclose(second["loaded"][f"{model}/z"], first["trained"][f"{model}/z"], atol=1e-5)
    publish("same_answer", model=model, what="z where TensorFlow loads what JAX saved", equal="within 1e-5")


@pytest.mark.parametrize("model", MODELS)
def test_a_model_loaded_on_its_own_backend_has_the_same_bits(first, model, publish):
    assert first["loaded"][f"{model}/z"].tobytes() == first["trained"][f"{model}/z"].tobytes()
    publish("same_answer", model=model, what="z of a saved model where it was trained", equal="to the bit")
