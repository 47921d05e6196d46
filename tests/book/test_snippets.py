"""The snippets of README.md, CONTRIBUTING.md and the book's pages run.

Python snippets run with the data sets and without them; shell commands are only checked, by a dry run.
"""

import importlib.util
import os
import re
import shlex
import socket
import subprocess
import sys
from pathlib import Path

import pytest

import latentcells as lc
from tests.book.book_rules import ROOT

PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "book").glob("*.md"))]
TEXTS = {str(path.relative_to(ROOT)): path.read_text(encoding="utf8") for path in PAGES}
# the loaders that have no simulated substitute for a file that is neither cached nor downloadable
NEEDS_DATA = re.compile(r"lc\.datasets\.(?:pbmc3k|pbmc_facs|cell_mixture|rna_mixture|kang|reactome)\(")
TWO_WORKERS = "engine.initialize"
# code that the snippets of a page assume has run
GIVEN = {
    "book/data.md": "import latentcells as lc",
    "book/scaling.md": """
import sys
import keras
import latentcells as lc
n_cells = 1024
adata = lc.datasets.simulate(n_cells, 2000, 2, markers_per_type=2, seed=0)
adata.write_h5ad("atlas.h5ad")
hvg = lc.preprocess.HighlyVariableGenes(50).fit(adata)
x = lc.inputs(hvg.transform(adata))
""",
}
# commands for a reader's own machine, which install something or start a server
NOT_RUN = {
    "pip install .",
    "pip freeze",
    "pre-commit install",
    "python -m http.server",
    "python -m pip install jupyterlab otter-grader latentcells-*.whl",
    "jupyter lab",
}


def snippets(page, language):
    """The code listings of a page, with every training cut to one epoch to save time."""
    listings = re.findall(rf"^```{language}\n(.*?)^```$", TEXTS[page], re.M | re.S)
    return [re.sub(r"\bepochs=\d+", "epochs=1", listing) for listing in listings]


def commands(page):
    """The shell commands in the listings and in the text of a page."""
    lines = [line.partition(" #")[0].strip() for text in snippets(page, "bash") for line in text.splitlines()]
    spans = re.findall(r"(?<!`)`((?:make|python|pip|jupyter|pre-commit) [^`]+)`", TEXTS[page])
    return sorted({line for line in lines if line} | set(spans))


def run(page):
    """Run the Python snippets of a page in order; return those that found no data."""
    namespace, without_data = {"__name__": "snippet"}, []
    exec(GIVEN.get(page, ""), namespace)
    for snippet in snippets(page, "python"):
        if TWO_WORKERS in snippet:
            continue
        try:
            exec(compile(snippet, page, "exec"), namespace)
        except lc.datasets.DataUnavailable:
            without_data.append(snippet)
    return without_data


WITH_PYTHON = [page for page in TEXTS if snippets(page, "python")]
# book/data.md reads every data set, some of them for seconds
IN_TIME = [
    pytest.param(page, marks=[pytest.mark.slow] if page == "book/data.md" else []) for page in WITH_PYTHON
]


def test_the_pages_have_snippets_and_commands():
    assert {"README.md", "book/data.md", "book/scaling.md"} <= set(WITH_PYTHON)
    assert sum(len(commands(page)) for page in TEXTS) > 20


@pytest.mark.parametrize("page", IN_TIME)
def test_python_runs_with_the_data(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    without_data = run(page)  # empty where the data sets are available
    assert all(NEEDS_DATA.search(snippet) for snippet in without_data)


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_python_runs_without_the_data(page, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("LATENTCELLS_DATA", str(tmp_path / "empty"))
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")
    assert run(page) == [snippet for snippet in snippets(page, "python") if NEEDS_DATA.search(snippet)]


@pytest.mark.slow
def test_the_two_worker_snippet_runs(tmp_path):
    page = "book/scaling.md"
    (snippet,) = (text for text in snippets(page, "python") if TWO_WORKERS in text)
    exec(GIVEN[page].replace('"atlas.h5ad"', repr(str(tmp_path / "atlas.h5ad"))), {})
    with socket.socket() as free:
        free.bind(("localhost", 0))
        port = str(free.getsockname()[1])
    assert "12345" in snippet
    imports = "import sys\nimport keras\nimport latentcells as lc\nn_cells = 1024\n"
    program = imports + snippet.replace("12345", port)
    environment = os.environ | {"KERAS_BACKEND": "jax", "PYTHONPATH": str(Path(lc.__file__).parents[1])}
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", program, worker],
            cwd=tmp_path,
            env=environment,
            stderr=subprocess.PIPE,
            text=True,
        )
        for worker in "01"
    ]
    try:
        for worker in workers:
            error = worker.communicate(timeout=300)[1]
            assert worker.returncode == 0, error[-2000:]
    finally:  # if one worker fails, the other waits for it forever
        for worker in workers:
            worker.kill()


@pytest.mark.parametrize(("page", "command"), [(page, line) for page in TEXTS for line in commands(page)])
def test_a_command_is_valid(page, command):
    program, *arguments = shlex.split(command)
    if command in NOT_RUN:
        return
    if program == "make":
        dry = subprocess.run(["make", "--dry-run", *arguments], cwd=ROOT, capture_output=True, text=True)
        assert dry.returncode == 0, dry.stderr
    else:
        assert program in ("python", ".venv/bin/python") and arguments[0] == "-m", command
        assert importlib.util.find_spec(arguments[1])
        assert all((ROOT / path).exists() for path in arguments[2:] if "/" in path)


def test_make_help_lists_every_target():
    output = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    phony = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", (ROOT / "Makefile").read_text(encoding="utf8"), re.M)[1]
    assert set(re.findall(r"^  make ([\w-]+)", output, re.M)) == set(phony.replace("\\", " ").split())
