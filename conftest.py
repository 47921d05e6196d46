"""How nbval compares a chapter: strictly where every data set that the chapter names can be had, else not at all.

Strict: what a cell prints must equal what is stored (tags and tests/notebooks/sanitize.cfg aside). Lax: the chapter
runs on its offline data, so its numbers differ; its claims still raise. nbval never compares images: rasters differ
between machines and say nothing that a claim on the plotted numbers could not; tests/notebooks looks at them instead.
"""

from functools import cache
from pathlib import Path

import nbformat


@cache
def missing_data(notebook: Path) -> str:
    """Which of the chapter's data sets cannot be had here, and why; empty if all can."""
    names = nbformat.read(notebook, as_version=4).metadata.get("latentcells", {}).get("datasets", [])
    for name in names:
        from latentcells import datasets

        try:
            datasets.load(name)
        except datasets.DataUnavailable as error:
            return f"{name}: {error}"
    return ""


def pytest_collection_modifyitems(items):
    for item in items:
        if hasattr(item, "cell_num") and missing_data(item.path):
            item.options["check"] = "nbval-check-output" in item.cell.metadata.get("tags", [])


def pytest_report_header(config):
    """Said before the run, for with `pytest -n` the processes that collect the cells report nothing."""
    if not config.getoption("nbval", default=False):
        return
    for path in (Path(arg.partition("::")[0]) for arg in config.args):
        for notebook in sorted(path.glob("*.ipynb")) if path.is_dir() else [path]:
            missing = missing_data(notebook)
            yield f"{notebook.name}: outputs " + (f"not compared ({missing})" if missing else "compared")
