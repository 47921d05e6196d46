"""`make colab-check`: run each notebook of _build/colab through its own first cell, upon what Colab ships.

Each runs from an empty folder, in a fresh environment upon that of Python 3.13 held to colab_pins.txt, with the
edition served on this computer only. It fails where a cell raises, and a claim that does not hold raises; where the
first cell changed a package that was there, or left one without what it needs.
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

# Before the first cell: Colab's kernel has loaded these by then; and what is there.
BEFORE = """
import importlib.metadata, subprocess, sys
import matplotlib.pyplot, numpy, pandas

def _lacking():
    check = [sys.executable, "-m", "pip", "check", "--disable-pip-version-check"]
    return set(subprocess.run(check, capture_output=True, text=True).stdout.splitlines())

_lacked = _lacking()
_versions = {d.name: d.version for d in importlib.metadata.distributions()}
_loaded = {name.partition(".")[0] for name in sys.modules}
"""

# After it: nothing that was there may have changed, and nothing may be missing.
AFTER = """
_now = {d.name: d.version for d in reversed([*importlib.metadata.distributions()])}
_homes = importlib.metadata.packages_distributions()
_in_use = {home for module in _loaded for home in _homes.get(module, ())}
_changed = [
    f"{name} from {old} to {_now[name]}" + (", which was loaded: a restart would be needed" if name in _in_use else "")
    for name, old in _versions.items()
    if _now[name] != old
]
if _changed:
    raise RuntimeError("the first cell changed " + "; ".join(_changed))
_lacks = _lacking() - _lacked - {"No broken requirements found."}
if _lacks:
    raise RuntimeError("after the first cell " + "; ".join(sorted(_lacks)))
"""


def differences(python: Path, pins: dict[str, str]) -> Iterator[str]:
    """Where the packages of an environment are not those of the pins."""
    listing = [python, "-m", "pip", "list", "--format=freeze", "--disable-pip-version-check"]
    listed = subprocess.run(listing, capture_output=True, text=True, check=True).stdout.split()
    there = {canonicalize_name(name): version for name, version in (line.split("==") for line in listed)}
    for name, version in pins.items():
        if there.get(canonicalize_name(name)) != version:
            yield f"{name} is {there.get(canonicalize_name(name), 'not there')}; Colab has {version}"


def overlay(python: Path, folder: Path) -> Path:
    """Make an environment upon another one, which what is installed in it leaves as it is; its Python."""
    subprocess.run([python, "-m", "venv", "--without-pip", folder], check=True)
    mine = folder / "bin/python"
    ask = "import sysconfig; print(sysconfig.get_path('purelib'))"
    (here, below) = (subprocess.check_output([p, "-c", ask], text=True).strip() for p in (mine, python))
    Path(here, "below.pth").write_text(below, encoding="utf8")
    return mine


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address at which a folder is served, on this computer only."""
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
        path: of the notebook.
        python: of the environment that stands for Colab's.
        address: where its first cell finds the wheel.

    Raises:
        CellExecutionError: where a cell raised, or the first cell changed what was there.
        CellTimeoutError, DeadKernelError: where a cell did not come to its end.
    """
    notebook = nbformat.read(path, as_version=4)
    first, *rest = notebook.cells
    notebook.cells = [new_code_cell(BEFORE), first, new_code_cell(AFTER), *rest]
    with tempfile.TemporaryDirectory() as folder:
        mine, empty = overlay(python, Path(folder, "environment")), Path(folder, "empty")
        empty.mkdir()
        install = [mine, "-m", "ipykernel", "install", "--prefix", folder, "--name", "colab"]
        subprocess.run(install, check=True, capture_output=True)
        kernels = KernelSpecManager(kernel_dirs=[f"{folder}/share/jupyter/kernels"])
        manager = AsyncKernelManager(kernel_name="colab", kernel_spec_manager=kernels)
        client = NotebookClient(notebook, km=manager, timeout=600, resources={"metadata": {"path": empty}})
        clean = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        quiet = {"PYDEVD_DISABLE_FILE_VALIDATION": "1"}  # the kernel's debugger warns of Python 3.13
        client.execute(cleanup_kc=True, env=clean | quiet | {SITE: address})


def report(path: Path, python: Path, address: str) -> bool:
    """Run a notebook and print one line: how long it took, by the clock and of the processor, and what went wrong.

    Returns whether it ran to its end. On a machine that is busy with other things the clock overstates.
    """
    start, before = time.perf_counter(), _processor()
    try:
        run(path, python, address)
        wrong = ""
    except CellExecutionError as error:
        wrong = f"{error.ename}: {error.evalue}"
    except (CellTimeoutError, DeadKernelError) as error:
        wrong = str(error)
    clock, processor = time.perf_counter() - start, _processor() - before
    print(f"{'✗' if wrong else '✓'} {path.stem:28}{clock:4.0f} s {processor:4.0f} s  {wrong}", flush=True)
    return not wrong


def _processor() -> float:
    """Seconds of the processor that the programs which this one has started, and which have ended, took."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> int:
    """Run the command line; the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--python", type=Path, default=ROOT / ".venv-colab/bin/python")
    parser.add_argument("--folder", type=Path, default=ROOT / "_build/colab")
    parser.add_argument("notebooks", nargs="+", help="their file names in the folder")
    args = parser.parse_args()
    if wrong := list(differences(args.python, requirements("colab_pins.txt"))):
        print("The environment is not Colab's; remove .venv-colab:", *wrong, sep="\n  ")
        return 1
    with served(args.folder) as address:
        held = [report(args.folder / name, args.python, address) for name in args.notebooks]
    return int(not all(held))


if __name__ == "__main__":
    sys.exit(main())
