"""The same answer twice: from the same seed to the bit, from the same weights on every backend.

Fresh processes train and load the models (tests/trainings.py); here their answers are compared. What needs more than
a thread, or a second training on another backend, is slow.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests import trainings

MODELS = list(trainings.small_models(12, 8))
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS")
NAMES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
OTHERS = ["jax", pytest.param("torch", marks=pytest.mark.slow)]


def started(folder, *arguments, backend="tensorflow", threads=1, hash_seed=0):
    """A process of its own; what it found."""
    if importlib.util.find_spec(backend) is None:
        pytest.skip(f"{backend} is not installed")
    program = [sys.executable, trainings.__file__, str(folder), *map(str, arguments)]
    xla = f"--xla_backend_optimization_level=0 --xla_cpu_multi_thread_eigen={str(threads > 1).lower()}"
    own = dict.fromkeys(ONE_THREAD, str(threads)) | {
        "KERAS_BACKEND": backend,
        "XLA_FLAGS": xla,
        "PYTHONHASHSEED": str(hash_seed),  # the order of a set of names is not to matter either
        "PYTHONPATH": str(Path(trainings.lc.__file__).parents[1]),
    }
    done = subprocess.run(program, env=os.environ | own, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-2000:]
    return {path.stem: dict(np.load(path)) for path in sorted(Path(folder).glob("*.npz"))}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return tmp_path_factory.mktemp("same_answer")


@pytest.fixture(scope="module")
def first(folders):
    """A training on TensorFlow with one thread, which then reads its own models again."""
    return started(folders / "first", "--train", "--read", folders / "first")


@pytest.fixture(scope="module")
def second(folders, elsewhere):
    """The same training once more, by a process that reads the models that JAX saved."""
    elsewhere("jax")
    return started(folders / "second", "--train", "--read", folders / "jax", hash_seed=1)


@pytest.fixture(scope="module")
def elsewhere(folders, first):
    """elsewhere("jax"): the models of the first process, read and saved on another backend."""
    known = {}

    def get(backend):
        if backend not in known:
            known[backend] = started(folders / backend, "--read", folders / "first", backend=backend)["read"]
        return known[backend]

    return get


def of(found, model):
    """What a process found of one model."""
    return {key: value for key, value in found.items() if key.startswith(f"{model}/")}


def same_bits(one, other):
    assert one.keys() == other.keys() and any(key.endswith("/z") for key in one)
    for key, value in one.items():
        assert value.dtype == other[key].dtype, key
        assert value.tobytes() == other[key].tobytes(), key


@pytest.mark.parametrize("model", MODELS)
def test_two_processes_train_to_the_same_bits(first, second, model, found):
    same_bits(of(first["trained"], model), of(second["trained"], model))
    found(
        "same_answer",
        model=model,
        what="trained twice by TensorFlow, one thread: weights and z",
        equal="to the bit",
    )


def test_the_comparison_sees_a_bit(first):
    one = of(first["trained"], "VAE")
    other = {key: value.copy() for key, value in one.items()}
    other["VAE/z"].view(np.uint8)[0, 0] ^= 1
    with pytest.raises(AssertionError):
        same_bits(one, other)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("backend", "threads"), [("tensorflow", 1), ("tensorflow", 2), ("jax", 1), ("jax", 2)]
)
def test_larger_models_too(tmp_path, backend, threads, found):
    """500 genes and 256 hidden units: enough for a second thread to get a share of the work."""
    runs = [
        started(
            tmp_path / str(i), "--train", "--size", "large", backend=backend, threads=threads, hash_seed=i
        )
        for i in range(2)
    ]
    for model in MODELS:
        same_bits(of(runs[0]["trained"], model), of(runs[1]["trained"], model))
    number = "one thread" if threads == 1 else f"{threads} threads"
    found(
        "same_answer", what=f"all six at 500 genes, trained twice by {backend}, {number}", equal="to the bit"
    )


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("model", MODELS)
def test_the_same_loss_from_the_same_weights(first, elsewhere, backend, model, found):
    here, there = first["read"][f"{model}/loss"], elsewhere(backend)[f"{model}/loss"]
    assert np.isfinite(here) and here != 0
    np.testing.assert_allclose(there, here, rtol=1e-4)
    found(
        "same_answer",
        model=model,
        what=f"the loss by TensorFlow and by {NAMES[backend]}",
        equal="within 1e-4 of it",
    )


@pytest.mark.parametrize("backend", OTHERS)
@pytest.mark.parametrize("model", MODELS)
def test_a_model_that_tensorflow_saved_has_the_same_z_elsewhere(first, elsewhere, backend, model, found):
    np.testing.assert_allclose(elsewhere(backend)[f"{model}/z"], first["trained"][f"{model}/z"], atol=1e-5)
    found(
        "same_answer",
        model=model,
        what=f"z where {NAMES[backend]} loads what TensorFlow saved",
        equal="within 1e-5",
    )


@pytest.mark.parametrize("model", MODELS)
def test_a_model_that_jax_saved_has_the_same_z_here(first, second, model, found):
    np.testing.assert_allclose(second["read"][f"{model}/z"], first["trained"][f"{model}/z"], atol=1e-5)
    found("same_answer", model=model, what="z where TensorFlow loads what JAX saved", equal="within 1e-5")


@pytest.mark.parametrize("model", MODELS)
def test_a_model_loaded_by_the_same_backend_has_the_same_bits(first, model, found):
    assert first["read"][f"{model}/z"].tobytes() == first["trained"][f"{model}/z"].tobytes()
    found("same_answer", model=model, what="z of a saved model where it was trained", equal="to the bit")
