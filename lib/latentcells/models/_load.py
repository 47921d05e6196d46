"""A model from a file that a stranger may have made."""

import json
import zipfile
from pathlib import Path

import h5py
import keras

from latentcells import _checks, _hdf5
from latentcells.models._cell_model import CellModel

MEMBERS = {"metadata.json", "config.json", "model.weights.h5"}


def load(path, max_bytes=_hdf5.LIMIT):
    """Load a model of this library from a file that a stranger may have made.

    `keras.models.load_model` does for a file of your own. It runs no code of a file either, unless it is told to
    (``safe_mode=False``), but it reads what the file holds before it knows how much that is.

    Args:
        path: a ``.keras`` file.
        max_bytes: how much it may hold once it is unpacked, 1 GiB by default.

    Returns:
        the model, compiled if it was.

    Raises:
        ValueError: for a file that is no such archive, that holds more than ``max_bytes`` or anything but a model of
            this library, and as Keras does for a model with code in it.
        TypeError: for a ``max_bytes`` that is no integer.

    Example:
        >>> import os, tempfile, numpy as np, latentcells as lc
        >>> model, cells = lc.models.VAE(n_genes=30, latent_dim=2, hidden=(8,)), np.ones((4, 30), "float32")
        >>> found = model(cells)
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     path = os.path.join(folder, "vae.keras")
        ...     model.save(path)
        ...     lc.models.load(path).encode(cells).shape
        (4, 2)
    """
    path, max_bytes = Path(path), _checks.at_least(max_bytes, 1, "max_bytes")
    if not zipfile.is_zipfile(path):
        raise ValueError(f"{path} is no model that Keras saved: get another copy")
    with zipfile.ZipFile(path) as archive:
        _check(path, archive, max_bytes)
    return keras.models.load_model(path, safe_mode=True)


def _check(path, archive, max_bytes):
    if (names := set(archive.namelist())) != MEMBERS:
        raise ValueError(
            f"{path.name} holds {sorted(names)}, a model of latentcells {sorted(MEMBERS)}: get another copy"
        )
    _bounded(path, sum(member.file_size for member in archive.infolist()), max_bytes)
    kind = keras.saving.get_registered_object(json.loads(archive.read("config.json")).get("registered_name"))
    if not (isinstance(kind, type) and issubclass(kind, CellModel)):
        raise ValueError(f"{path.name} holds no model of latentcells: keras.models.load_model may load it")
    with archive.open("model.weights.h5") as member, h5py.File(member) as weights:
        _bounded(path, _hdf5.declared_bytes(weights), max_bytes)


def _bounded(path, size, max_bytes):
    if size > max_bytes:
        raise ValueError(
            f"{path.name} takes {path.stat().st_size} bytes and unpacks to {size}, more than max_bytes={max_bytes}: "
            "trust it not, or raise max_bytes"
        )
