"""Untrusted files: loading one runs no code in it and reads no more bytes than allowed."""

import ast
import io
import json
import struct
import warnings
import zipfile
from pathlib import Path

import anndata
import h5py
import keras
import numpy as np
import pytest

import latentcells as lc
from latentcells import _hdf5
from latentcells.datasets import _fetch, _rfile, pbmc3k
from tests.datasets.test_fetch import SOURCE
from tests.helpers import refused

LIBRARY = Path(lc.__file__).parent
CELLS = np.ones((4, 6), "float32")


@pytest.fixture
def marker(tmp_path):
    """The path of a file that a payload creates when it runs."""
    return tmp_path / "ran"


@pytest.fixture
def save(tmp_path):
    """save(model): the path of its .keras file."""

    def write(model):
        path = tmp_path / "model.keras"
        model.compile(optimizer="adam")
        model(CELLS)  # otherwise Keras warns of a model never called and an optimizer never built
        model.optimizer.build(model.trainable_variables)
        model.save(path)
        return path

    return write


def rewrite(path, change=lambda config: None, weights=None, more=()):
    """Rewrite the archive, compressed, with a changed configuration, other weights or more members."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    config = json.loads(members["config.json"])
    change(config)
    members["config.json"] = json.dumps(config)
    members["model.weights.h5"] = weights or members["model.weights.h5"]
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in (members | dict(more)).items():
            archive.writestr(name, content)
    return path


# -- code -------------------------------------------------------------------------------------------------------------


def payload(marker):
    """A layer with code in it, in the form that Keras serializes."""
    layer = keras.layers.Lambda(eval(f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]"))
    return keras.saving.serialize_keras_object(layer)


def small_vae():
    return lc.models.VAE(n_genes=6, latent_dim=2, hidden=(4,))


def in_place_of_an_augmentation(save, marker):
    model = lc.models.ContrastiveEncoder(n_genes=6, latent_dim=2, hidden=(4,), projection=4)
    return rewrite(save(model), lambda c: c["config"].update(augmentations=[payload(marker)]))


def in_place_of_the_optimizer(save, marker):
    return rewrite(save(small_vae()), lambda c: c["compile_config"].update(optimizer=payload(marker)))


def as_a_model_of_keras(save, marker):
    x = keras.Input((6,))
    code = keras.layers.Lambda(eval(f"lambda x: (open({str(marker)!r}, 'w').close(), x)[1]"))
    path = save(keras.Model(x, code(x)))
    marker.unlink()  # the code ran when the model was built
    return path


def as_a_class_of_the_system(save, marker):
    config = {
        "module": "os",
        "class_name": "system",
        "registered_name": "system",
        "config": f"touch {marker}",
    }
    return rewrite(save(small_vae()), lambda c: (c.clear(), c.update(config)))


def as_a_function_in_an_argument(save, marker):
    config = {"class_name": "function", "module": "builtins", "config": "eval", "registered_name": "function"}
    return rewrite(save(small_vae()), lambda c: c["compile_config"].update(loss=config))


def as_a_download(save, marker):
    config = {
        "module": "keras.utils",
        "class_name": "get_file",
        "registered_name": None,
        "config": {"fname": "x"},
    }
    return rewrite(save(small_vae()), lambda c: c["compile_config"].update(optimizer=config))


CODE = {
    "a model with code in a layer": as_a_model_of_keras,
    "code in place of an augmentation": in_place_of_an_augmentation,
    "code in place of the optimizer": in_place_of_the_optimizer,
    "a command of the system as the model's class": as_a_class_of_the_system,
    "`eval` as the loss": as_a_function_in_an_argument,
    "a download in place of the optimizer": as_a_download,
}


@pytest.mark.parametrize("kind", CODE)
def test_code_in_a_model_does_not_run(save, marker, publish, kind):
    path = CODE[kind](save, marker)
    for load in (lc.models.load, keras.models.load_model):
        with pytest.raises((ValueError, TypeError)):
            load(path)
        assert not marker.exists()
    publish("strangers", file=kind, answer="refused; nothing ran")


def test_the_payload_would_run(save, marker):
    """Without this the tests above would prove nothing."""
    path = as_a_model_of_keras(save, marker)
    keras.models.load_model(path, safe_mode=False)
    assert marker.exists()


def integers(*values):
    return struct.pack(f">{len(values)}i", *values)


def characters(text):
    return integers(0x00040009, len(text)) + text.encode()


def test_an_r_file_is_parsed_and_not_run(tmp_path, marker, publish):
    """``x <- quote(system("touch …"))``, written in R's format (R Internals, serialization formats)."""
    call = integers(6, 1) + characters("system")
    call += integers(2, 16, 1) + characters(f"touch {marker}") + integers(254)
    workspace = b"RDX2\nX\n" + integers(2, 0x00030602, 0x00020300)
    workspace += integers(0x402, 1) + characters("x") + call + integers(254)
    path = tmp_path / "evil.rda"
    path.write_bytes(workspace)
    with warnings.catch_warnings(action="ignore"):  # rdata warns that it does not know the object
        read = _rfile.read_r(path)
    assert "x" in read and not marker.exists()
    publish("strangers", file="an R file with a call in it", answer="read as data; nothing ran")


def test_an_r_file_with_another_hash_is_not_parsed(tmp_path, monkeypatch, publish):
    monkeypatch.setenv("LATENTCELLS_DATA", str(tmp_path))
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")
    (tmp_path / "some").mkdir()
    (tmp_path / SOURCE.file).write_bytes(b"RDX2\nX\n")
    with pytest.raises(lc.datasets.DataUnavailable, match=r"data\.tsv is damaged"):
        _fetch.fetch(SOURCE)
    publish("strangers", file="a raw file with another hash", answer="refused; not read")


RUNS_CODE = {"eval", "exec", "compile", "__import__"}
LOADS_CODE = {"pickle", "dill", "joblib", "marshal", "shelve", "cloudpickle", "yaml", "subprocess"}


def test_the_library_calls_nothing_that_could_run_a_file():
    for path in LIBRARY.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf8"))):
            if isinstance(node, ast.Call):
                assert getattr(node.func, "id", "") not in RUNS_CODE, path
                assert all(k.arg != "allow_pickle" for k in node.keywords), path
                assert all(k.value.value for k in node.keywords if k.arg == "safe_mode"), path
            if isinstance(node, ast.Import | ast.ImportFrom):
                names = {getattr(node, "module", None) or "", *(alias.name for alias in node.names)}
                assert not {name.split(".")[0] for name in names} & LOADS_CODE, path


# -- size -------------------------------------------------------------------------------------------------------------


def bomb_of_shape():
    """A small HDF5 file that declares a terabyte but never wrote it."""
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        file.create_dataset("layers/x/vars/0", (2**38,), "float32", chunks=(2**20,), compression="gzip")
    return buffer.getvalue()


def zip_bomb(save):
    """An archive member that claims to unpack to a terabyte; writing a real one would take an hour."""
    path = rewrite(save(small_vae()))
    with zipfile.ZipFile(path, "a") as archive:
        archive.getinfo("model.weights.h5").file_size = 2**40
        archive.comment = b"a change, so that the directory is written again"
    return path


def shape_bomb(save):
    return rewrite(save(small_vae()), weights=bomb_of_shape())


BOMBS = {"a zip bomb": zip_bomb, "weights of a terabyte that are not there": shape_bomb}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_bomb_is_refused_before_it_is_read(save, monkeypatch, publish, kind):
    path = BOMBS[kind](save)
    assert path.stat().st_size < 100_000
    monkeypatch.setattr(keras.models, "load_model", lambda *args, **kwargs: pytest.fail("the file was read"))
    refused(
        lambda: lc.models.load(path),
        r"^model\.keras takes \d+ bytes and unpacks to 1\d{12}, more than max_bytes",
    )
    publish("strangers", file=kind, answer="refused before it is read")


def test_the_caller_sets_the_bound(save):
    path = save(small_vae())
    refused(lambda: lc.models.load(path, max_bytes=1000), "more than max_bytes=1000: trust it not, or raise")
    refused(
        lambda: lc.models.load(path, max_bytes="many"), "^max_bytes must be an integer, got 'many'", TypeError
    )
    assert lc.models.load(path).compiled


def test_a_data_file_of_a_terabyte_is_not_read(tmp_path, monkeypatch, publish):
    monkeypatch.setenv("LATENTCELLS_DATA", str(tmp_path))
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")
    (tmp_path / "pbmc3k_processed.h5ad").write_bytes(bomb_of_shape())
    monkeypatch.setattr(anndata, "read_h5ad", lambda *args, **kwargs: pytest.fail("the file was read"))
    with pytest.raises(lc.datasets.DataUnavailable, match="is damaged in"):
        pbmc3k()
    publish(
        "strangers", file="a data file of a terabyte that is not there", answer="refused before it is read"
    )


def test_declared_bytes(tmp_path):
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file["a/b"] = np.zeros((3, 5), "float32")
        file["c"] = np.zeros(2, "int64")
        file["again"] = h5py.SoftLink("/c")
        assert _hdf5.declared_bytes(file) == 3 * 5 * 4 + 2 * 8


# -- no model -------------------------------------------------------------------------------------------------


def test_a_file_that_is_not_an_archive_is_refused(tmp_path, publish):
    path = tmp_path / "model.keras"
    path.write_bytes(b"not a zip")
    refused(lambda: lc.models.load(path), r"model\.keras is no model that Keras saved: get another copy")
    publish("strangers", file="a file that is no archive", answer="refused")


def test_an_archive_with_an_extra_member(save, publish):
    path = rewrite(save(small_vae()), more={"../../evil.py": "print()"})
    refused(lambda: lc.models.load(path), r"holds \['\.\./\.\./evil\.py', .*a model of latentcells \['config")
    publish(
        "strangers", file="an archive that would write outside its folder", answer="refused; not unpacked"
    )


def test_an_archive_without_its_weights(tmp_path):
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    refused(lambda: lc.models.load(path), r"^model\.keras holds \['config\.json'\], a model of")


def test_a_model_of_another_library(save):
    path = save(keras.Sequential([keras.Input((6,)), keras.layers.Dense(2)]))
    refused(
        lambda: lc.models.load(path), r"holds no model of latentcells: keras\.models\.load_model may load it"
    )
