"""How nbval compares a chapter: strictly where every data set that the chapter names can be had, else not at all.

Strict: what a cell prints must equal what is stored (tags and tests/notebooks/sanitize.cfg aside), but for the numbers
that a claim shows in its brackets: they may be TOLERANCE away, for their last digits differ between machines. Lax: the
chapter runs on its offline data, so its numbers differ; its claims still raise. nbval never compares images: rasters
differ between machines and say nothing that a claim on the plotted numbers could not; tests/notebooks looks at them
instead.

The chapters run longest first, so that no process is left alone with a long one at the end.
"""

import re
from functools import cache
from pathlib import Path

import nbformat
import pytest

# How far the number of a claim may be from the stored one: this much, or this share of it.
TOLERANCE = {"abs": 0.01, "rel": 0.05}
CLAIM = re.compile(r"(✓ .*) \((.*)\)")
NUMBER = re.compile(r"(?<![\w.])-?\d[\d,]*(?:\.\d*)?(?:e[+-]\d+)?(?!\w)")


def with_stored_numbers(printed: str, stored: str) -> str:
    """What a cell printed, with each claim's numbers as they are stored where they are close to them."""
    lines, stored_lines = printed.split("\n"), stored.split("\n")
    if len(lines) != len(stored_lines):
        return printed
    return "\n".join(
        there if _same_claim(here, there) else here for here, there in zip(lines, stored_lines, strict=True)
    )


def _same_claim(here, there) -> bool:
    """Whether two lines are one claim: the same words, and close numbers."""
    one, other = CLAIM.fullmatch(here), CLAIM.fullmatch(there)
    if not (one and other and one[1] == other[1] and NUMBER.sub("#", one[2]) == NUMBER.sub("#", other[2])):
        return False
    pairs = zip(NUMBER.findall(one[2]), NUMBER.findall(other[2]), strict=True)
    return all(
        float(a.replace(",", "")) == pytest.approx(float(b.replace(",", "")), **TOLERANCE) for a, b in pairs
    )


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
        compare_with_tolerance()
        config.option.loadscopereorder = False  # pytest-xdist would begin with the chapter of the most cells


def compare_with_tolerance():
    """Let nbval compare a claim's numbers as `with_stored_numbers` does."""
    from nbval.plugin import IPyNbCell

    compare = IPyNbCell.compare_outputs

    def compare_outputs(cell, test, ref, skip_compare=None):
        for printed, stored in zip(test, ref, strict=False):
            if printed.get("name") == stored.get("name") == "stdout":
                printed["text"] = with_stored_numbers(printed["text"], stored["text"])
        return compare(cell, test, ref, skip_compare)

    IPyNbCell.compare_outputs = compare_outputs


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
