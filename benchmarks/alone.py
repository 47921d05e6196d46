"""A function in a fresh process: what it returns, and what memory it took."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np


def alone(function, x, *arguments):
    """``function(x, *arguments)`` in a fresh process, where no other work has left its traces.

    Args:
        function: of a module, so that the process can import it.
        x: an array, which goes there by a file: the process holds it once.
        arguments: small ones.

    Returns:
        what the function returns, and the peak memory of the process in MB.
    """
    with TemporaryDirectory() as folder, ProcessPoolExecutor(1, get_context("spawn")) as process:
        np.save(path := Path(folder, "x.npy"), x)
        return process.submit(_measured, function, path, arguments).result()


def peak_mb():
    """The peak memory of this process so far (Linux); getrusage tells the parent's where that is higher."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def _measured(function, path, arguments):
    return function(np.load(path), *arguments), peak_mb()
