"""How nbval compares a chapter: strictly where every data set that the chapter names can be had, else not at all.

Strict: what a cell prints must equal what is stored (tags and tests/notebooks/sanitize.cfg aside). Lax: the chapter
runs on its offline data, so its numbers differ; its claims still raise. nbval never compares images: rasters differ
between machines and say nothing that a claim on the plotted numbers could not; tests/notebooks looks at them instead.

The chapters run longest first, so that no process is left alone with a long one at the end.
"""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest


@cache
def unavailable(name: str) -> str:
    """Why a data set cannot be had here; empty if it can."""
    from latentcells import datasets

    try:
        datasets.load(name)
    except datasets.DataUnavailable as error:
        return f"{name}: {error}"
    return ""


def missing_data(notebook: Path) -> str:
    """Which of the chapter's data sets cannot be had here, and why; empty if all can."""
    names = nbformat.read(notebook, as_version=4).metadata.get("latentcells", {}).get("datasets", [])
    return next(filter(None, map(unavailable, names)), "")


def chapters(config) -> list[Path]:
    """The notebooks that nbval is to run."""
    if not config.getoption("nbval", default=False):
        return []
    paths = [Path(arg.partition("::")[0]) for arg in config.args]
    return [
        notebook for path in paths for notebook in (sorted(path.glob("*.ipynb")) if path.is_dir() else [path])
    ]


@cache
def seconds(notebook: Path) -> int:
    """How long the chapter's card says that it takes; 0 without a card."""
    said = re.search(r"\*\*Time\*\* about (\d+) seconds", notebook.read_text(encoding="utf8"))
    return int(said[1]) if said else 0


def pytest_configure(config):
    if config.getoption("nbval", default=False):
        config.option.loadscopereorder = False  # pytest-xdist would begin with the chapter of the most cells


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node):
    """Tell each process of `pytest -n` what is missing, so that it need not read the data again."""
    node.workerinput["missing"] = {
        notebook.name: missing_data(notebook) for notebook in chapters(node.config)
    }


def pytest_collection_modifyitems(config, items):
    told = getattr(config, "workerinput", {}).get("missing", {})
    cells = [item for item in items if hasattr(item, "cell_num")]
    for item in cells:
        if told[item.path.name] if item.path.name in told else missing_data(item.path):
            item.options["check"] = "nbval-check-output" in item.cell.metadata.get("tags", [])
    if cells:
        items.sort(key=lambda item: -seconds(item.path))


def pytest_report_header(config):
    """Said before the run, for with `pytest -n` the processes that collect the cells report nothing."""
    for notebook in chapters(config):
        missing = missing_data(notebook)
        yield f"{notebook.name}: outputs " + (f"not compared ({missing})" if missing else "compared")
