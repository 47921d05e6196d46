"""Helpers for all stored runs: seeds, rows over seeds, and the library and machine that made the run."""

import hashlib
import os
import platform
import re
from importlib import metadata
from pathlib import Path

from latentcells.course import results
from latentcells.course.results import row

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "book" / "results"
SEEDS = range(5)
UNITS = {
    "heldout_elbo": "nats per cell",
    "heldout_kl": "nats per cell",
    "heldout_gain": "nats per molecule",
    "log_loss": "nats per cell",
    "epochs": "epochs",
}  # "1" for the others

_LIBRARY = ROOT / "lib" / "latentcells"
_PACKAGES = "anndata", "jax", "keras", "numpy", "scanpy", "scikit-learn", "scvi-tools", "tensorflow", "torch"


def over_seeds(dataset, method, score, baseline=False, seeds=SEEDS) -> list:
    """A row for each metric of ``score(seed)``, a dictionary."""
    return rows_of(dataset, method, [score(seed) for seed in seeds], baseline)


def rows_of(dataset, method, runs, baseline=False) -> list:
    """A row for each metric of ``runs``, dictionaries with the same metrics, one per seed."""
    return [
        row(dataset, method, metric, [run[metric] for run in runs], unit_of(metric), baseline)
        for metric in runs[0]
    ]


def unit_of(metric) -> str:
    """The unit of a metric, without regard to its setting in brackets."""
    return UNITS.get(metric.partition("[")[0], "1")


def record(path, made_by, rows) -> dict:
    """Write a stored run of this library on this machine, either all of it or nothing.

    Args:
        path: the file; a bare name such as ``"01_vae"`` means ``book/results/01_vae.json``.
        made_by: the command that reproduces it, ``"make results"``.
        rows: from `rows_of` or `latentcells.course.results.row`.

    Returns:
        the run as written.

    Raises:
        ValueError: as `latentcells.course.results.write`.
    """
    path = Path(path)
    if path.suffix != ".json":
        path = FOLDER / f"{path}.json"
    return results.write(path, made_by, library_hash(), versions(), machine(), rows)


def library_hash(folder=_LIBRARY) -> str:
    """The library's version and the first 16 digits of the SHA-256 of its files, names and contents."""
    digest = hashlib.sha256()
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix in (".py", ".gz"):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return f"{metadata.version('latentcells')}+{digest.hexdigest()[:16]}"


def versions() -> dict:
    """The version of Python and of each installed package that the numbers depend on."""
    installed = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            installed[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return installed


def machine() -> dict:
    """Cores, memory, CPU and operating system, on which times depend, but nothing that identifies the computer."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "cpu": _cpu_name(),
        "os": f"{platform.system()} {platform.machine()}",
    }


def _cpu_name() -> str:
    """The CPU's model if the system reports it (Linux), else its family."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.is_file() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    return model[1].strip() if model else platform.processor() or platform.machine()
