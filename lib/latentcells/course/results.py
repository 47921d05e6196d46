"""Stored runs: the numbers over several seeds that `make results` and `make bench` write and the book reads.

A stored run is a JSON file, ``book/results/<chapter>_<topic>.json``::

    {"made_by": command, "library": version + hash, "versions": {...},
     "machine": {...}, "rows": [row, ...]}

and a row is ``{"dataset", "method", "baseline", "metric", "values": [one per seed], "mean", "sd", "unit"}``.
"""

import json
import math
import re
import statistics
from itertools import pairwise
from pathlib import Path

import pandas as pd

__all__ = ["load", "read", "row", "table", "validate", "values", "write"]

_FOLDER = Path("book", "results")
_METRIC = re.compile(r"[a-z0-9_]+(\[[^\[\]]+\])?")
_GIVEN = "dataset", "method", "metric", "values", "unit", "baseline"  # the rest of a row follows from these
_KEY = "dataset", "method", "metric"


def __dir__():
    return __all__


def row(dataset, method, metric, values, unit="1", baseline=False) -> dict:
    """One method's values of one metric on one data set.

    Args:
        dataset: a name of the data table.
        method: what was measured.
        metric: lower case and underscored, a setting in brackets: ``"probe_macro_f1[10 per type]"``.
        values: one per seed, or one per round.
        unit: of the values; "1" for a share or a ratio.
        baseline: whether other methods are compared with this one.

    Returns:
        a row for `write`: numbers of six significant digits, and ``sd`` None for a single value.

    Raises:
        ValueError: for a metric with another kind of name, and for a value that is missing or not finite.

    Example:
        >>> row("kang", "PCA", "knn_macro_f1", [0.5, 0.7], baseline=True)["mean"]
        0.6
    """
    if not _METRIC.fullmatch(metric):
        raise ValueError(f"metric must be like 'knn_macro_f1' or 'r2[10 genes]', got {metric!r}")
    numbers, where = [float(value) for value in values], f"{metric} of {method!r} on {dataset!r}"
    if not numbers:
        raise ValueError(f"no value for {where}")
    if not all(map(math.isfinite, numbers)):
        raise ValueError(f"a value for {where} is not finite: {numbers}")
    sd = statistics.stdev(numbers) if len(numbers) > 1 else None
    return {
        "dataset": dataset,
        "method": method,
        "baseline": bool(baseline),
        "metric": metric,
        "values": [_rounded(value) for value in numbers],
        "mean": _rounded(statistics.fmean(numbers)),
        "sd": None if sd is None else _rounded(sd),
        "unit": unit,
    }


def _rounded(value: float) -> float:
    return float(f"{value:.6g}")


def write(path, made_by, library, versions, machine, rows) -> dict:
    """Write a stored run, all of it or nothing.

    Args:
        path: the JSON file; its folder is made.
        made_by: the command that makes it again, ``"make results"``.
        library: version and hash of the library that made it.
        versions: package -> version.
        machine: what a time depends on.
        rows: from `row`. They are sorted: by data set, the baselines first, by method and metric.

    Returns:
        the run, as `load` reads it.

    Raises:
        ValueError: for what `validate` refuses.

    Example:
        >>> import tempfile
        >>> rows = [row("kang", "PCA", "knn_macro_f1", [0.5, 0.7], baseline=True)]
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     run = write(f"{folder}/01_vae.json", "make results", "0.1.0", {}, {}, rows)
        ...     load(f"{folder}/01_vae.json") == run
        True
    """
    path = Path(path)
    rows = sorted(rows, key=lambda r: (r["dataset"], not r["baseline"], r["method"], r["metric"]))
    run = {"made_by": made_by, "library": library, "versions": versions, "machine": machine, "rows": rows}
    validate(run, path.name)
    part = path.with_name(path.name + ".part")
    path.parent.mkdir(parents=True, exist_ok=True)
    part.write_text(json.dumps(run, indent=1, ensure_ascii=False, allow_nan=False) + "\n", encoding="utf8")
    part.replace(path)
    return run


def validate(run, name="the run") -> None:
    """Refuse what `write` would not have written.

    Args:
        run: what a JSON file holds.
        name: what a message calls it.

    Raises:
        ValueError: naming the run, the row and what is wrong with it.

    Example:
        >>> validate({"rows": []})
        Traceback (most recent call last):
        ValueError: the run is not valid: 'made_by' is missing
    """
    if problem := _problem(run, name):
        raise ValueError(problem)


def _problem(run, name) -> str:
    """What is wrong with a run, or "" if nothing is."""
    where = name
    try:
        for key in ("made_by", "library", "versions", "machine"):
            run[key]
        for number, stored in enumerate(run["rows"], 1):
            where = f"{name}, row {number}"
            _check_row(stored)
        where = name
        _check_distinct(run["rows"])
    except (KeyError, TypeError, ValueError) as error:
        reason = f"{error} is missing" if isinstance(error, KeyError) else error
        return f"{where} is not valid: {reason}"
    return ""


def _check_row(stored):
    """Refuse a row that `row` does not make of its values, which are rounded."""
    made = row(**{key: stored[key] for key in _GIVEN})
    if extra := stored.keys() - made.keys():
        raise ValueError(f"{min(extra)!r} is no field of a row")
    near = 1e-5 * max(map(abs, made["values"]))
    for key in ("mean", "sd"):
        one, other = stored[key], made[key]
        same = one is other if None in (one, other) else math.isclose(one, other, rel_tol=1e-5, abs_tol=near)
        if not same:
            raise ValueError(f"{key} is {one}, where the values give {other}")


def _check_distinct(rows):
    for one, other in pairwise(sorted(rows, key=lambda r: [r[key] for key in _KEY])):
        if all(one[key] == other[key] for key in _KEY):
            raise ValueError(f"two rows for {one['metric']} of {one['method']!r} on {one['dataset']!r}")


def load(path) -> dict:
    """A stored run from its file, validated.

    Args:
        path: the JSON file.

    Raises:
        ValueError: for what `validate` refuses, and for a file that is not JSON.
        FileNotFoundError: if there is no such file.

    Example:
        >>> load("book/results/01_vae.json")["made_by"]
        'make results'
    """
    path = Path(path)
    run, problem = _parse(path.read_text(encoding="utf8"), path.name)
    if problem := problem or _problem(run, path.name):
        raise ValueError(f"{problem}; make results or make bench writes it again")
    return run


def _parse(text, name) -> tuple:
    """What a JSON text holds, and what is wrong with the text, or ""."""
    try:
        return json.loads(text), ""
    except ValueError as error:
        return None, f"{name} is not JSON: {error}"


def read(name) -> pd.DataFrame:
    """The rows of ``book/results/<name>.json``, from the working directory upwards, or from inside the library.

    The wheel of the Colab edition contains the folder.

    Args:
        name: for instance ``"01_vae"``.

    Returns:
        a row for each data set, method and metric: ``values`` (one per seed), ``mean``, ``sd``, ``unit``,
        ``baseline``.

    Raises:
        FileNotFoundError: if there is no such file; it lists those that exist.
        ValueError: for what `validate` refuses.

    Example:
        >>> read("01_preparation")["dataset"].unique().tolist()
        ['pbmc3k', 'pbmc_facs']
    """
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).parents[1]):
        if (stored := folder / _FOLDER).is_dir():
            if not (path := stored / f"{name}.json").is_file():
                names = ", ".join(sorted(p.stem for p in stored.glob("*.json")))
                raise FileNotFoundError(
                    f"no stored run {name!r}: choose from {names or 'none'}; make results writes them"
                )
            return pd.DataFrame(load(path)["rows"])
    raise FileNotFoundError(
        f"no folder {_FOLDER} in or above the working directory: work in a clone of the course"
    )


def values(name, dataset, metric) -> dict:
    """Method -> one value per seed, in the stored order.

    Args:
        name: of the stored run.
        dataset: one of `latentcells.datasets.names`.
        metric: for instance ``"knn_macro_f1"``.

    Raises:
        ValueError: if the run has no such rows.
        FileNotFoundError: as `read`.

    Example:
        >>> len(values("01_vae", "pbmc_facs", "knn_macro_f1")["PCA, prepared by the rule"])
        5
    """
    rows = read(name).query("dataset == @dataset and metric == @metric")
    if rows.empty:
        raise ValueError(f"{name} has no {metric!r} on {dataset!r}: see lc.course.results.read({name!r})")
    return dict(zip(rows["method"], rows["values"], strict=True))


def table(name, dataset, metrics) -> pd.DataFrame:
    """Methods × metrics, each cell "mean ± sd" over the seeds (a single value has no spread).

    Args:
        name: of the stored run.
        dataset: one of `latentcells.datasets.names`.
        metrics: the columns.

    Raises:
        ValueError: if the run lacks one of the metrics on the data set.
        FileNotFoundError: as `read`.

    Example:
        >>> table("01_vae", "pbmc_facs", ["knn_macro_f1"]).index[0]
        'PCA, as many components as z'
    """
    rows = read(name).query("dataset == @dataset and metric in @metrics").copy()
    if missing := [metric for metric in metrics if metric not in set(rows["metric"])]:
        raise ValueError(f"{name} has no {missing[0]!r} on {dataset!r}: see lc.course.results.read({name!r})")
    spread = rows["sd"].map(lambda sd: "" if pd.isna(sd) else f" ± {sd:.3f}")
    rows["text"] = rows["mean"].map("{:.3f}".format) + spread
    methods = rows["method"].drop_duplicates()
    return rows.pivot(index="method", columns="metric", values="text").loc[methods, list(metrics)].fillna("–")
