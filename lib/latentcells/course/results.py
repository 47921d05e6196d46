"""Stored runs: the numbers over several seeds that `make results` and `make bench` write and the book reads."""

import json
from pathlib import Path

import pandas as pd

_FOLDER = Path("book", "results")


def read(name) -> pd.DataFrame:
    """The rows of ``book/results/<name>.json``, found from the working directory upwards, or inside the library.

    The wheel of the Colab edition carries the folder.

    Args:
        name: for instance ``"01_vae"``.

    Returns:
        one row per data set, method and metric: ``values`` (one per seed), ``mean``, ``sd``, ``unit``, ``baseline``.

    Raises:
        FileNotFoundError: where there is no such file; it lists what is there.
    """
    for folder in (Path.cwd(), *Path.cwd().parents, Path(__file__).parents[1]):
        if (stored := folder / _FOLDER).is_dir():
            path = stored / f"{name}.json"
            if not path.is_file():
                there = ", ".join(sorted(p.stem for p in stored.glob("*.json")))
                raise FileNotFoundError(
                    f"no stored run {name!r}: there are {there or 'none'}; make results writes them"
                )
            return pd.DataFrame(json.loads(path.read_text(encoding="utf8"))["rows"])
    raise FileNotFoundError(
        f"no folder {_FOLDER} in or above the working directory: work in a clone of the course"
    )


def values(name, dataset, metric) -> dict:
    """Method -> one value per seed, in the order stored.

    Args:
        name: of the stored run.
        dataset: as in `latentcells.datasets.names`.
        metric: for instance ``"knn_macro_f1"``.
    """
    rows = read(name).query("dataset == @dataset and metric == @metric")
    if rows.empty:
        raise ValueError(f"{name} stores no {metric!r} on {dataset!r}: look at lc.results.read({name!r})")
    return dict(zip(rows["method"], rows["values"], strict=True))


def table(name, dataset, metrics) -> pd.DataFrame:
    """Methods × metrics, each cell "mean ± sd" over the seeds (a single run has no spread).

    Args:
        name: of the stored run.
        dataset: as in `latentcells.datasets.names`.
        metrics: the columns.
    """
    rows = read(name).query("dataset == @dataset and metric in @metrics").copy()
    spread = rows["sd"].map(lambda sd: "" if pd.isna(sd) else f" ± {sd:.3f}")
    rows["text"] = rows["mean"].map("{:.3f}".format) + spread
    methods = rows["method"].drop_duplicates()
    return rows.pivot(index="method", columns="metric", values="text").loc[methods, list(metrics)].fillna("–")
