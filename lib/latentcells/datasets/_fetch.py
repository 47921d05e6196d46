"""Raw files: read from the cache folder, or downloaded into it whole, or refused in one line."""

import errno
import logging
import os
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPException
from pathlib import Path
from urllib.error import URLError

import pooch
import requests

from latentcells.datasets._registry import Source

_RETRIES = 2
_TIMEOUT = (10, 30)  # seconds to connect, and between two pieces of the body
_SLOWEST = 10_000  # bytes per second: a slower download is given up


class DataUnavailable(OSError):
    """A raw file is not in the cache folder and cannot be downloaded; the message says what to do."""


def cache_folder() -> Path:
    """The folder that holds the raw files: ``LATENTCELLS_DATA``, or the system's cache folder."""
    return Path(os.environ.get("LATENTCELLS_DATA") or pooch.os_cache("latentcells")).expanduser()


def fetch(source: Source) -> Path:
    """Return the path of a raw file, downloaded if the cache folder does not hold it intact.

    A file with the right SHA-256 is only read, so that a read-only folder is enough. A download is written
    under a temporary name and takes its place, or that of a damaged file, once its SHA-256 is right.

    Raises:
        DataUnavailable: if the file cannot be downloaded, with the address, the reason and the remedy.
    """
    folder = cache_folder()
    path = folder / source.file
    try:
        if path.exists() and pooch.file_hash(path) in (source.sha256, *source.rebuilt):
            return path
        _refuse_if_offline()
        path.parent.mkdir(parents=True, exist_ok=True)  # pooch's own fails where another process was quicker
        with _silent_pooch():
            _mirror(folder, source).fetch(source.file, downloader=_Bounded(source.size))
    except (OSError, ValueError) as error:
        raise _unavailable(path, source.url, error) from None
    return path


def _refuse_if_offline() -> None:
    """Raise if the environment forbids downloads: ``LATENTCELLS_OFFLINE=1``."""
    if os.environ.get("LATENTCELLS_OFFLINE", "0") not in ("", "0"):
        raise OSError(errno.ENETDOWN, "LATENTCELLS_OFFLINE forbids downloads")


def _unavailable(path: Path, url: str, error: Exception) -> DataUnavailable:
    """The one line for a file that could not be had."""
    state = "is damaged in" if path.is_file() else "is not in"
    return DataUnavailable(
        f"{path.name} {state} {path.parent} and could not be fetched from {url} ({_reason(error)}): set "
        "LATENTCELLS_DATA to a folder that holds it, or call lc.datasets.load(name, offline_ok=True)"
    )


def _mirror(folder: Path, source: Source) -> pooch.Pooch:
    return pooch.create(
        path=folder,
        base_url="",
        registry={source.file: f"sha256:{source.sha256}"},
        urls={source.file: source.url},
        retry_if_failed=_RETRIES,
    )


class _Bounded:
    """A downloader for pooch with a limit on the bytes and on the time.

    The hash is known only at the end; until then a server must not fill the disk, nor send a byte at a time.
    """

    def __init__(self, size: int):
        self.size = size

    def __call__(self, url: str, output_file: str, pooch_: pooch.Pooch) -> None:
        http = pooch.HTTPDownloader(progressbar=sys.stderr.isatty(), timeout=_TIMEOUT)
        self.left, self.end = self.size, time.monotonic() + sum(_TIMEOUT) + self.size / _SLOWEST
        with open(output_file, "wb") as self.file:
            http(url, self, pooch_)
        os.chmod(output_file, 0o644)  # pooch's temporary file is its owner's alone; a folder may be shared

    def write(self, piece: bytes) -> None:
        self.left -= len(piece)
        if self.left < 0:
            raise OSError(errno.EFBIG, f"more came than the {self.size} bytes of the file")
        if time.monotonic() > self.end:
            raise TimeoutError
        self.file.write(piece)

    def flush(self) -> None:
        self.file.flush()


@contextmanager
def _silent_pooch() -> Iterator[None]:
    """Keep pooch's log lines out of stderr, and so out of notebooks."""
    logger = pooch.get_logger()
    before = logger.level
    logger.setLevel(logging.WARNING)
    try:
        yield
    finally:
        logger.setLevel(before)


def _reason(error: Exception) -> str:
    """What went wrong with a download, in a few words."""
    status = getattr(getattr(error, "response", None), "status_code", None) or getattr(error, "code", None)
    if status:
        return f"HTTP {status}"
    for kinds, words in _WORDS.items():
        if isinstance(error, kinds):
            return words
    return getattr(error, "strerror", None) or "it cannot be read"


_WORDS = {  # from the special to the general
    (requests.Timeout, TimeoutError): "no answer in time",
    (requests.ConnectionError, URLError, ConnectionError): "no connection",
    (requests.RequestException, HTTPException): "the download broke off",
    (PermissionError,): "permission denied",
    (ValueError,): "what came has another SHA-256",
}
