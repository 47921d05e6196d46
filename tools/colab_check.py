"""`make colab-check`: run each notebook of _build/colab, its first cell included, on the packages that Colab ships.

Each notebook runs in an empty folder and in a fresh environment on top of one with Python 3.13 and the versions of
colab_pins.txt; the edition is served on this computer only. The check fails if a cell raises (a false claim does) or
if the first cell changes an installed package or leaves one with a missing requirement.
"""

import argparse
import functools
import os
import resource
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbformat.v4 import new_code_cell
from packaging.utils import canonicalize_name

from tools.colab import ROOT, SITE, requirements

# Runs before the first cell: imports what Colab's kernel has already loaded, and records the installed versions.
BEFORE = """
import importlib.metadata, subprocess, sys
import matplotlib.pyplot, numpy, pandas

def _unmet_requirements():
    check = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    return set(subprocess.run(check, capture_output=True, text=True).stdout.splitlines())

_unmet_before = _unmet_requirements()
_versions = {d.name: d.version for d in importlib.metadata.distributions()}
_loaded = {name.partition(".")[0] for name in sys.modules}
"""

# Runs after the first cell: no installed package may have changed, and no requirement may be missing.
AFTER = """
_versions_now = {d.name: d.version for d in reversed([*importlib.metadata.distributions()])}
_distributions = importlib.metadata.packages_distributions()
_loaded_distributions = {name for module in _loaded for name in _distributions.get(module, ())}
_changed = [
    f"{name} from {old} to {_versions_now[name]}"
    + (", which was loaded: a restart would be needed" if name in _loaded_distributions else "")
    for name, old in _versions.items()
    if _versions_now[name] != old
]
if _changed:
    raise RuntimeError("the first cell changed " + "; ".join(_changed))
_unmet = _unmet_requirements() - _unmet_before - {"No broken requirements found."}
if _unmet:
    raise RuntimeError("after the first cell " + "; ".join(sorted(_unmet)))
"""


def differences(python: Path, pins: dict[str, str]) -> Iterator[str]:
    """Yield a line for each package of an environment whose version differs from the pinned one."""
    listing = [python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"]
    lines = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    installed = {canonicalize_name(name): version for name, version in (line.split("==") for line in lines)}
    for name, version in pins.items():
        if installed.get(canonicalize_name(name)) != version:
            yield f"{name} is {installed.get(canonicalize_name(name), 'not there')}; Colab has {version}"


def overlay(python: Path, folder: Path) -> Path:
    """Make an environment on top of another one, which installing into it does not change; return its Python."""
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    overlay_python = folder / "bin/python"
    query = "import sysconfig; print(sysconfig.get_path('purelib'))"
    packages, base_packages = (
        subprocess.check_output([p, "-c", query], text=True).strip() for p in (overlay_python, python)
    )
    Path(packages, "below.pth").write_text(base_packages, encoding="utf8")
    return overlay_python


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """Serve a folder on this computer only; yield its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(_Quiet, directory=folder))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


def run(path: Path, python: Path, address: str) -> None:
    """Run a notebook as a reader would in Colab.

    Args:
        path: the notebook's file.
        python: the Python of the environment that stands in for Colab's.
        address: where its first cell finds the wheel.

    Raises:
        CellExecutionError: if a cell raises, or the first cell changes an installed package.
        CellTimeoutError, DeadKernelError: if a cell does not finish.
    """
    notebook = nbformat.read(path, as_version=4)
    first, *rest = notebook.cells
    notebook.cells = [new_code_cell(BEFORE), first, new_code_cell(AFTER), *rest]
    with tempfile.TemporaryDirectory() as folder:
        overlay_python, empty = overlay(python, Path(folder, "environment")), Path(folder, "empty")
        empty.mkdir()
        install = [overlay_python, "-m", "ipykernel", "install", "--prefix", folder, "--name", "colab"]
        subprocess.run(install, check=True, capture_output=True)
        kernels = KernelSpecManager(kernel_dirs=[f"{folder}/share/jupyter/kernels"])
        manager = AsyncKernelManager(kernel_name="colab", kernel_spec_manager=kernels)
        client = NotebookClient(notebook, km=manager, timeout=600, resources={"metadata": {"path": empty}})
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        quiet = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # the kernel's debugger warns of Python 3.13
        client.execute(cleanup_kc=True, env=clean | quiet | {SITE: address})


def report(path: Path, python: Path, address: str) -> bool:
    """Run a notebook and print one line: its wall-clock time, its CPU time and what went wrong.

    Returns whether it ran to its end. On a busy machine the wall-clock time is too long.
    """
    start, before = time.perf_counter(), _cpu_seconds()
    try:
        run(path, python, address)
        problem = ""
    except CellExecutionError as error:
        problem = f"{error.ename}: {error.evalue}"
    except (CellTimeoutError, DeadKernelError) as error:
        problem = str(error)
    clock, cpu = time.perf_counter() - start, _cpu_seconds() - before
    print(f"{'✗' if problem else '✓'} {path.stem:28}{clock:4.0f} s {cpu:4.0f} s  {problem}", flush=True)
    return not problem


def _cpu_seconds() -> float:
    """The CPU seconds of all finished child processes."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, default=ROOT / ".venv-colab/bin/python")
    parser.add_argument("--folder", type=Path, default=ROOT / "_build/colab")
    parser.add_argument("notebooks", nargs="+", help="their file names in the folder")
    args = parser.parse_args()
    if lines := list(differences(args.python, requirements("colab_pins.txt"))):
        print("The environment is not Colab's; remove .venv-colab:", *lines, sep="\n  ")
        return 1
    with served(args.folder) as address:
        passed = [report(args.folder / name, args.python, address) for name in args.notebooks]
    return int(not all(passed))


if __name__ == "__main__":
    sys.exit(main())
