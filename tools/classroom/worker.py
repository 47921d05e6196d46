"""Grade one submission in one process: run its cells, then run the checks on the resulting namespace."""

import contextlib
import io
import json
import os
import signal
import sys
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager

from tools.classroom import submission
from tools.classroom.confinement import MOST_NOTES, Limits, close_all_but, confine


class TooLong(BaseException):
    """A cell or a check ran too long. A student's ``except Exception`` does not catch it."""


class Output(io.TextIOBase):
    """A standard output that counts characters and stores none."""

    def __init__(self, limit: int):
        self.limit, self.written = limit, 0

    def write(self, text: str) -> int:
        """Count the text and drop it."""
        self.written += len(text)
        return len(text)

    @property
    def full(self) -> bool:
        """Whether more was printed than allowed."""
        return self.written > self.limit


class Nothing:
    """A stand-in for ``grader`` and ``get_ipython()`` whose methods all do nothing."""

    def __call__(self, *args, **kwargs):
        return self

    def __getattr__(self, name):
        return self


def run_cells(notebook: nbformat.NotebookNode, limits: Limits) -> tuple[dict, list[str]]:
    """Run the code cells in a fresh namespace; return it and a line for each cell that failed."""
    namespace = {"__name__": "__main__", "grader": Nothing(), "get_ipython": Nothing(), "display": Nothing()}
    notes, transform = [], TransformerManager().transform_cell
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or "otter.Notebook(" in cell.source:
            continue
        try:
            with time_limit(limits.cell_seconds):
                exec(compile(transform(cell.source), f"<cell {number}>", "exec"), namespace)
        except BaseException as error:
            notes.append(f"cell {number}: {_describe(error)}")
    return namespace, notes


def run_checks(source: str, namespace: dict, limits: Limits) -> list[dict]:
    """The results of a question's test file in Otter's format: name, points, possible, hidden, hint, error."""
    from otter.test_files.exception_test import ExceptionTestFile

    results = []
    for case in ExceptionTestFile.from_string(source).test_cases:
        name = case.body.test_func.__name__
        missing = [name for name in case.body._get_func_params() if name != "env" and name not in namespace]
        error = f"not found: {', '.join(missing)} (was a cell deleted?)" if missing else ""
        if not missing:
            try:
                with time_limit(limits.cell_seconds):
                    case.body.call_func(namespace)
            except BaseException as failure:
                error = _describe(failure)
        results.append(
            {
                "check": name,
                "hidden": case.hidden,
                "points": 0 if error else case.points,
                "possible": case.points,
                "hint": case.failure_message if error else "",
                "error": error,
            }
        )
    return results


def _describe(error: BaseException) -> str:
    """One line about an error, even if the exception's ``__str__`` fails."""
    try:
        first = str(error).splitlines()[:1]
    except Exception:
        first = []
    return f"{type(error).__name__}: {first[0][:200]}" if first else type(error).__name__


@contextlib.contextmanager
def time_limit(seconds: int):
    """Raise TooLong in code that runs longer, and again every second in case it is caught."""

    def stop(*_):
        raise TooLong(f"stopped after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def ready() -> None:
    """Do nothing: once a process has run this, the server has imported everything and later ones start at once."""


def grade(path: Path, chapters: list[str], folder: Path, forbidden: list[Path], limits: Limits, pipe) -> None:
    """Read the submission, run its cells, then receive the checks and run them.

    Sends JSON messages: the chapter, then each question's results, then the notes. The checks arrive through the pipe
    only after the cells have run, so that the submission cannot find them in this process.
    """
    refused: list[str] = []
    send = lambda **what: pipe.send_bytes(json.dumps(what).encode())  # noqa: E731
    output = Output(limits.characters)
    close_all_but(pipe.fileno())
    send(ready=True)
    try:
        notebook = submission.read(path, limits.file_megabytes)
        send(chapter=submission.chapter_of(notebook, path, chapters))
    except (ValueError, OSError) as error:
        send(broken=str(error))
        return
    confine(folder, limits, forbidden, refused)
    sys.stdout = sys.stderr = output
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    namespace, notes = run_cells(notebook, limits)
    send(cells=True)
    for name, source in json.loads(pipe.recv_bytes()).items():
        send(question=name, checks=run_checks(source, namespace, limits))
    if output.full:
        notes.insert(0, f"printed {output.written:,} characters: dropped")
    send(notes=[*dict.fromkeys(refused), *notes][:MOST_NOTES], done=True)
