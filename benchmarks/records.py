"""Stored runs: ``book/results/<chapter>_<topic>.json``, in one shape for all."""

import hashlib
import json
import math
import os
import platform
import re
import statistics
from importlib import metadata
from itertools import pairwise
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "book" / "results"

_LIBRARY = ROOT / "lib" / "latentcells"
_PACKAGES = "anndata", "jax", "keras", "numpy", "scanpy", "scikit-learn", "scvi-tools", "tensorflow", "torch"
_METRIC = re.compile(r"[a-z0-9_]+(\[[^\[\]]+\])?")


def row(dataset, method, metric, values, unit="1", baseline=False) -> dict:
    """One method's values of one metric on one data set.

    Args:
        dataset: a name of the data table.
        method: what was measured.
        metric: lower case and underscored, a setting in brackets: ``"probe_macro_f1[10 per type]"``.
        values: one a seed, or one a round.
        unit: of the values; "1" for a share or a ratio.
        baseline: what the others are to be compared with.

    Returns:
        a row for `record`: six significant digits, and no ``sd`` (None) of a single value.

    Raises:
        ValueError: for a metric that is not named so, and where a value is missing or not finite.
    """
    if not _METRIC.fullmatch(metric):
        raise ValueError(f"metric must be like 'knn_macro_f1' or 'r2[10 genes]', got {metric!r}")
    values = [float(value) for value in values]
    where = f"{metric} of {method!r} on {dataset!r}"
    if not values:
        raise ValueError(f"no value for {where}")
    if any(value - value != 0 for value in values):
        raise ValueError(f"a value for {where} is not finite: {values}")
    sd = statistics.stdev(values) if len(values) > 1 else None
    return {
        "dataset": dataset,
        "method": method,
        "baseline": bool(baseline),
        "metric": metric,
        "values": [_rounded(value) for value in values],
        "mean": _rounded(statistics.fmean(values)),
        "sd": None if sd is None else _rounded(sd),
        "unit": unit,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def record(path, made_by, rows) -> dict:
    """Write a stored run, whole or not at all.

    Args:
        path: the file; a bare name such as ``"01_vae"`` means ``book/results/01_vae.json``.
        made_by: the command that makes it again, ``"make results"``.
        rows: from `row`. They are sorted: by data set, the baselines first, by method and metric.

    Returns:
        what was written.

    Raises:
        ValueError: for two rows of the same data set, method and metric.
    """
    path = Path(path)
    if path.suffix != ".json":
        path = FOLDER / f"{path}.json"
    rows = sorted(rows, key=lambda r: (r["dataset"], not r["baseline"], r["method"], r["metric"]))
    for one, other in pairwise(rows):
        if all(one[key] == other[key] for key in ("dataset", "method", "metric")):
            raise ValueError(f"two rows for {one['metric']} of {one['method']!r} on {one['dataset']!r}")
    stored = {
        "made_by": made_by,
        "library": library_hash(),
        "versions": versions(),
        "machine": machine(),
        "rows": rows,
    }
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(json.dumps(stored, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf8")
    part.replace(path)
    return stored


def stored(path) -> dict:
    """What a file of `record` holds.

    Raises:
        ValueError: for what `record` would not have written; it names the file and the row.
    """
    where = name = Path(path).name
    try:
        run = json.loads(Path(path).read_text(encoding="utf8"))
        for key in ("made_by", "library", "versions", "machine"):
            run[key]
        for number, kept in enumerate(run["rows"], 1):
            where = f"{name}, row {number}"
            _check(kept)
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        raise ValueError(
            f"{where} is not as it was recorded: {reason} (make results or make bench writes it again)"
        ) from None
    return run


def _check(kept):
    """Refuse a row that `row` does not make of its values; these are rounded."""
    fields = "dataset", "method", "metric", "values", "unit", "baseline"
    made = row(**{key: kept[key] for key in fields})
    near = 1e-5 * max(map(abs, made["values"]))
    for key in ("mean", "sd"):
        one, other = kept[key], made[key]
        same = one is other if None in (one, other) else math.isclose(one, other, rel_tol=1e-5, abs_tol=near)
        if not same:
            raise ValueError(f"{key} is {one}, where the values give {other}")


def library_hash(folder=_LIBRARY) -> str:
    """The library's version and the SHA-256 (its first 16 digits) of its files: names and contents."""
    digest = hashlib.sha256()
    for path in sorted(Path(folder).rglob("*")):
        if path.suffix in (".py", ".gz"):
            content = hashlib.sha256(path.read_bytes()).hexdigest()
            digest.update(f"{path.relative_to(folder).as_posix()} {content}\n".encode())
    return f"{metadata.version('latentcells')}+{digest.hexdigest()[:16]}"


def versions() -> dict:
    """Python's version and those of the packages that a figure depends on, where they are installed."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def machine() -> dict:
    """Cores, memory, processor and operating system: what a time depends on, and nothing that names the computer."""
    return {
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
        "cpu": _processor(),
        "os": f"{platform.system()} {platform.machine()}",
    }


def _processor() -> str:
    """Its model, where the system tells it (Linux), else its family."""
    cpuinfo = Path("/proc/cpuinfo")
    text = cpuinfo.read_text() if cpuinfo.is_file() else ""
    model = re.search(r"^model name\s*:\s*(.+)$", text, flags=re.MULTILINE)
    return model[1].strip() if model else platform.processor() or platform.machine()
