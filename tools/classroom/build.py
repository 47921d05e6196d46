"""`make classroom SECRET=...`: build the editions of every master, the marking guide and the chapters' figures."""

import argparse
import contextlib
import copy
import io
import os
import re
import shutil
import sys
import tempfile
from pathlib import Path

import nbformat
import yaml

from tools.classroom import figures, guide, masters, variants
from tools.wheel import build_wheel

ROOT = Path(__file__).parents[2]
MASTERS = ROOT / "book/exercises"
CLASSROOM = ROOT / "_build/classroom"
_MARKS = re.compile(  # Otter's marks around a solution, which the teacher's edition does not need
    r' *# BEGIN SOLUTION NO PROMPT\n| *# END SOLUTION\n *""" # BEGIN PROMPT\n.*?""" +# END PROMPT', re.DOTALL
)


def build(paths: list[Path], out: Path, secret: str, wheel: Path | None = None) -> list[str]:
    """Build the editions of each master in ``out``; return one line for each problem.

    ``student/`` and ``teacher/`` hold one notebook per chapter, ``autograder/`` one zip per chapter for Gradescope,
    Otter and `make grade`. A master with a problem is left out, and the others are still built.
    """
    out.mkdir(parents=True, exist_ok=True)
    for folder in ("student", "teacher", "autograder"):
        shutil.rmtree(out / folder, ignore_errors=True)
        (out / folder).mkdir()
    problems, rendered = [], []
    for path in paths:
        try:
            master = masters.read(path)
            lines = list(masters.problems(master))
            if not lines:
                rendered.append(variants.render(master, secret))
                _assign(rendered[-1], out, wheel)
        except ValueError as error:
            lines = [str(error)]
        problems += [f"{path.name}: {line}" for line in lines]
    (out / "marking_guide.md").write_text(guide.marking_guide(rendered), encoding="utf8")
    if wheel:
        shutil.copy(wheel, out / "student")
    return problems


def _assign(master: masters.Master, out: Path, wheel: Path | None) -> None:
    """Run ``otter assign`` on a rendered master and copy the editions that it makes to ``out``."""
    from otter.assign import main as otter_assign

    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        nbformat.write(_with_library(master, wheel, work), work / f"{master.name}.ipynb")
        with contextlib.redirect_stdout(io.StringIO()):
            otter_assign(str(work / f"{master.name}.ipynb"), str(work), no_pdfs=True, no_run_tests=True)
        shutil.copy(work / f"student/{master.name}.ipynb", out / "student")
        teacher = nbformat.read(work / f"autograder/{master.name}.ipynb", as_version=4)
        for cell in teacher.cells:
            cell.source = _MARKS.sub("", cell.source).rstrip()
        nbformat.write(teacher, out / f"teacher/{master.name}.ipynb")
        autograder = next((work / "autograder").glob("*.zip"))
        shutil.copy(autograder, out / f"autograder/{master.name}.zip")


def _with_library(master: masters.Master, wheel: Path | None, work: Path) -> nbformat.NotebookNode:
    """The master's notebook with settings that make the autograder install the library from the wheel in its zip."""
    notebook = copy.deepcopy(master.notebook)
    if wheel:
        shutil.copy(wheel, work)
        settings = {
            "requirements": [f"{wheel.name.split('-')[0]} @ file:///autograder/source/files/{wheel.name}"],
            "autograder_files": [wheel.name],
        }
        notebook.cells.insert(0, nbformat.v4.new_raw_cell("# ASSIGNMENT CONFIG\n" + yaml.safe_dump(settings)))
    return notebook


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=CLASSROOM)
    args = parser.parse_args()
    secret = os.environ.get("SECRET", "")
    if not secret:
        print(
            "no secret: make classroom SECRET=words-that-only-you-know (the same words give the same numbers)"
        )
        return 2
    with tempfile.TemporaryDirectory() as folder:
        wheel = Path(folder, build_wheel(Path(folder)))
        problems = build(sorted(MASTERS.glob("*.ipynb")), args.out, secret, wheel)
    figures.collect(sorted((ROOT / "chapters").glob("*.ipynb")), args.out / "figures")
    for line in problems:
        print("left out:", line)
    print(f"the classroom: {args.out}")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
