"""conftest.py compares outputs only where the data sets are available; a false claim fails everywhere."""

import os
import re
import shutil
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from nbval.plugin import get_sanitize_patterns

from conftest import with_stored_numbers
from tests.notebooks.chapter_rules import ROOT


def cell(source):
    """A cell whose stored output is "stored"."""
    return new_code_cell(
        source, execution_count=1, outputs=[new_output("stream", name="stdout", text="stored\n")]
    )


def nbval(folder, datasets, *notebooks, options=()):
    """The exit status and the report of nbval on notebooks; each is a list of cells, or the source of its only cell."""
    shutil.copy(ROOT / "conftest.py", folder)
    for i, cells in enumerate(notebooks):
        nb = new_notebook(metadata={"latentcells": {"datasets": datasets}})
        nb.cells = [cell(cells)] if isinstance(cells, str) else cells
        nbformat.write(nb, folder / f"{i}.ipynb")
    command = [sys.executable, "-m", "pytest", folder, "--rootdir", folder, "--nbval", "--nbval-current-env"]
    offline = os.environ | {"LATENTCELLS_DATA": str(folder), "LATENTCELLS_OFFLINE": "1"}
    run = subprocess.run([*command, *options], capture_output=True, text=True, env=offline, cwd=folder)
    return run.returncode, run.stdout


@pytest.mark.slow
def test_outputs_are_compared_where_the_data_are_available(tmp_path):
    status, report = nbval(tmp_path, [], "print('stored')", "print('another')")
    assert (status, "outputs compared" in report, "1 failed, 1 passed" in report) == (1, True, True), report


STORED = "a table\n✓ the VAE (layer) is ahead of 65 (VAE 0.740, PCA 1,234, p 3.00e-08)"


@pytest.mark.parametrize(
    ("printed", "same"),
    [
        (STORED, True),
        (STORED.replace("0.740", "0.735").replace("1,234", "1,200").replace("3.00e-08", "8.10e-12"), True),
        (STORED.replace("0.740", "0.700"), False),
        (STORED.replace("1,234", "1,100"), False),
        (STORED.replace("65", "66"), False),
        (STORED.replace("PCA", "UMAP"), False),
        (STORED.replace("ahead", "behind"), False),
        (STORED.replace("✓", "-").replace("0.740", "0.741"), False),
        (STORED + "\nmore", False),
    ],
)
def test_only_a_claims_numbers_have_a_tolerance(printed, same):
    assert (with_stored_numbers(printed, STORED) == STORED) == same


@pytest.mark.slow
def test_nbval_compares_the_numbers_of_a_claim_with_the_tolerance(tmp_path):
    def claim(stored, printed):
        output = new_output("stream", name="stdout", text=f"✓ it holds (VAE {stored})\n")
        return [new_code_cell(f"print('✓ it holds (VAE {printed})')", execution_count=1, outputs=[output])]

    status, report = nbval(tmp_path, [], claim("0.740", "0.741"), claim("0.740", "0.840"))
    assert (status, "1 failed, 1 passed" in report) == (1, True), report


@pytest.mark.slow
@pytest.mark.parametrize("options", [(), ("-n", "1")], ids=["one process", "pytest-xdist"])
def test_outputs_are_not_compared_where_the_data_are_missing(tmp_path, options):
    cells = "print('another')", "raise AssertionError('✗ a claim')"
    status, report = nbval(tmp_path, ["pbmc_facs"], *cells, options=options)
    assert (status, "outputs not compared" in report, "1 failed, 1 passed" in report) == (1, True, True), (
        report
    )


@pytest.mark.slow
def test_the_longest_chapter_starts_first(tmp_path):
    chapters = [
        [
            new_markdown_cell(f"**Time** about {time} seconds on two cores"),
            *(cell("print('stored')") for _ in range(n)),
        ]
        for time, n in ((10, 3), (100, 1), (20, 2))
    ]
    status, report = nbval(tmp_path, [], *chapters, options=["-v", "-n", "1", "--dist", "loadfile"])
    assert status == 0, report
    assert re.findall(r"PASSED (\d)::", report) == ["1", "2", "2", "0", "0", "0"], report


def test_the_sanitiser_replaces_only_what_depends_on_the_machine():
    def sanitised(text):
        for regex, replacement in get_sanitize_patterns((ROOT / "tests/notebooks/sanitize.cfg").read_text()):
            text = re.sub(regex, replacement, text)
        return text

    assert sanitised("<object at 0x7f60b8c1>, 12.3 s, 4 ms/step") == "<object at ADDRESS>, TIME, TIME"
    assert sanitised("/tmp/a1/data/x.h5ad 'C:\\Temp\\a\\x.h5ad'") == "PATH/x.h5ad 'PATH/x.h5ad'"
    same = "F1 0.741, 1838 genes, 3/4, https://doi.org/10.1000/182, chapters/01_vae.ipynb, 0x1F"
    assert sanitised(same) == same
