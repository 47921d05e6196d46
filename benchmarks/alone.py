"""Run a function in a fresh process and measure its memory."""

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np


def run_alone(function, x, *arguments):
    """Call ``function(x, *arguments)`` in a fresh process, unaffected by earlier work.

    Args:
        function: a function of a module, so that the process can import it.
        x: an array, passed in a file so that the process holds it only once.
        arguments: small arguments, which are pickled.

    Returns:
        the function's result and the peak memory of the process in MB.
    """
    with TemporaryDirectory() as folder, ProcessPoolExecutor(1, get_context("spawn")) as process:
        np.save(path := Path(folder, "x.npy"), x)
        return process.submit(_measure, function, path, arguments).result()


def peak_mb():
    """The peak memory of this process so far in MB (Linux); getrusage would give the parent's if that is higher."""
    return int(Path("/proc/self/status").read_text().partition("VmHWM:")[2].split()[0]) / 1024


def _measure(function, path, arguments):
    return function(np.load(path), *arguments), peak_mb()
