"""A function in a fresh process: what it returns, and how much memory it took."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np


def alone(function, x, *arguments):
    """``function(x, *arguments)`` in a fresh process, which no earlier work has affected.

    Args:
        function: of a module, so that the process can import it.
        x: an array, which is passed in a file: the process holds it once.
        arguments: small ones, which are pickled.

    Returns:
        what the function returns, and the peak memory of the process in MB.
    """
    with TemporaryDirectory() as folder, ProcessPoolExecutor(1, get_context("spawn")) as process:
        np.save(path := Path(folder, "x.npy"), x)
        return process.submit(_measure, function, path, arguments).result()


def peak_mb():
    """The peak memory of this process so far (Linux), in MB; getrusage gives the parent's if that is higher."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def _measure(function, path, arguments):
    return function(np.load(path), *arguments), peak_mb()
