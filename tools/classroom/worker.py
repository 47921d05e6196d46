"""One submission in one process: run its cells, then the checks on what they left, within limits.

The limits protect a class from mistakes and from a curious student, not from an attacker: whoever grades strangers
runs the grader in a container besides.
"""

import contextlib
import io
import json
import os
import resource
import signal
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager


@dataclass(frozen=True)
class Limits:
    """What a submission may use."""

    seconds: int = 60  # in all; then the process is killed
    cell_seconds: int = 15  # a cell, or a check; then it is interrupted and the next one runs
    megabytes: int = 2000  # memory beyond what the library takes
    characters: int = 1_000_000  # of output; what is printed beyond is dropped
    file_megabytes: int = 20  # the submission itself, and any file that it writes


LIMITS = Limits()
MOST_NOTES = 20


class TooLong(BaseException):
    """A cell or a check ran longer than it may. No ``except Exception`` of a student catches it."""


class Output(io.TextIOBase):
    """A standard output that counts, and keeps nothing."""

    def __init__(self, limit: int):
        self.limit, self.written = limit, 0

    def write(self, text: str) -> int:
        """Take the text and drop it."""
        self.written += len(text)
        return len(text)

    @property
    def full(self) -> bool:
        """More was printed than allowed."""
        return self.written > self.limit


class Nothing:
    """Stands for ``grader`` and ``get_ipython()``: whatever is called, nothing happens."""

    def __call__(self, *args, **kwargs):
        return self

    def __getattr__(self, name):
        return self


# Reading.


def read(path: Path, limits: Limits) -> nbformat.NotebookNode:
    """The notebook of a submission, an .ipynb or Otter's .zip around one; raises ValueError with one line."""
    if path.stat().st_size > limits.file_megabytes * 1_000_000:
        raise ValueError(f"larger than {limits.file_megabytes} MB: not read")
    try:
        text = _from_zip(path, limits) if path.suffix == ".zip" else path.read_text(encoding="utf8")
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except ValueError as error:
        if str(error).startswith("a zip"):
            raise
        raise ValueError(f"not a notebook ({type(error).__name__})") from None
    except Exception as error:  # nbformat raises many kinds for what is no notebook
        raise ValueError(f"not a notebook ({type(error).__name__})") from None
    return notebook


def _from_zip(path: Path, limits: Limits) -> str:
    with zipfile.ZipFile(path) as archive:
        found = [info for info in archive.infolist() if info.filename.endswith(".ipynb")]
        if len(found) != 1:
            raise ValueError(f"a zip with {len(found)} notebooks; needed: one")
        if found[0].file_size > limits.file_megabytes * 1_000_000:
            raise ValueError("a zip whose notebook is too large")
        return archive.read(found[0]).decode("utf8")


def chapter_of(notebook: nbformat.NotebookNode, path: Path, chapters) -> str:
    """Which chapter a notebook belongs to: by what Otter wrote into it, else by the file's name."""
    named = notebook.metadata.get("otter", {}).get("assignment_name")
    found = [chapter for chapter in chapters if chapter == named or (not named and chapter in path.stem)]
    if len(found) != 1:
        raise ValueError(f"of no known chapter: the notebook says {named!r}, the file is {path.name}")
    return found[0]


# Running.


def run_cells(notebook: nbformat.NotebookNode, limits: Limits) -> tuple[dict, list[str]]:
    """Run the code cells in a fresh namespace; it, and a line for each cell that stopped."""
    world = {"__name__": "__main__", "grader": Nothing(), "get_ipython": Nothing(), "display": Nothing()}
    notes, transform = [], TransformerManager().transform_cell
    for number, cell in enumerate(notebook.cells, start=1):
        if cell.cell_type != "code" or "otter.Notebook(" in cell.source:
            continue
        try:
            with time_limit(limits.cell_seconds):
                exec(compile(transform(cell.source), f"<cell {number}>", "exec"), world)
        except BaseException as error:
            notes.append(f"cell {number}: {_said(error)}")
    return world, notes


def run_checks(source: str, world: dict, limits: Limits) -> list[dict]:
    """The results of a question's test file in Otter's format: name, points, possible, hidden, hint, error."""
    from otter.test_files.exception_test import ExceptionTestFile

    results = []
    for case in ExceptionTestFile.from_string(source).test_cases:
        name = case.body.test_func.__name__
        missing = [name for name in case.body._get_func_params() if name != "env" and name not in world]
        error = f"not found: {', '.join(missing)} (was a cell deleted?)" if missing else ""
        if not missing:
            try:
                with time_limit(limits.cell_seconds):
                    case.body.call_func(world)
            except BaseException as failure:
                error = _said(failure)
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


def _said(error: BaseException) -> str:
    """A line about an error, whatever a student's exception makes of being printed."""
    try:
        first = str(error).splitlines()[:1]
    except Exception:
        first = []
    return f"{type(error).__name__}: {first[0][:200]}" if first else type(error).__name__


@contextlib.contextmanager
def time_limit(seconds: int):
    """Raise TooLong in what takes longer; again each second, should it be caught."""

    def stop(*_):
        raise TooLong(f"stopped after {seconds} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds, 1)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


# Guarding.

_FILES = {"open", "os.listdir", "os.scandir", "os.rename", "os.remove", "os.link", "os.symlink", "os.chmod"}
_PROGRAMS = {"subprocess.Popen", "socket.connect"} | {
    f"os.{name}" for name in ("system", "exec", "spawn", "posix_spawn", "fork", "forkpty", "kill", "killpg")
}


def guard(forbidden: list[Path], refused: list[str]) -> None:
    """Refuse, for the rest of this process, to open what lies under these folders and to start programs.

    An audit hook of Python cannot be removed. What was refused is added to the list.
    """

    def refuse(what: str) -> None:
        if len(refused) < MOST_NOTES:
            refused.append(f"tried {what}: refused")
        raise PermissionError("a submission may not do this")

    folders = [os.path.realpath(folder) + os.sep for folder in forbidden]

    def hook(event: str, args: tuple) -> None:
        if event in _PROGRAMS:
            refuse(event)
        for path in args[:2] if event in _FILES else ():
            if isinstance(path, str | bytes | os.PathLike):
                real = os.path.realpath(os.fsdecode(path)) + os.sep
                if any(real.startswith(folder) for folder in folders):
                    refuse(f"to open {os.path.basename(real.rstrip(os.sep))}")

    sys.addaudithook(hook)


def confine(folder: Path, limits: Limits, forbidden: list[Path], refused: list[str]) -> None:
    """Put this process under its limits, in an empty folder of its own."""
    os.setsid()
    os.chdir(folder)
    tempfile.tempdir = str(folder)
    os.environ["MPLBACKEND"] = "Agg"
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize() if _LINUX else 0
    if _LINUX:
        _lower(resource.RLIMIT_AS, taken + limits.megabytes * 1_000_000)
    _lower(resource.RLIMIT_FSIZE, limits.file_megabytes * 1_000_000)
    _lower(resource.RLIMIT_CORE, 0)
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    guard(forbidden, refused)


_LINUX = sys.platform == "linux"


def _lower(kind: int, value: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (value if hard == resource.RLIM_INFINITY else min(value, hard), hard))


def _close_all_but(kept: int) -> None:
    """Close what this process inherited: through it a submission could disturb the server of the processes."""
    for number in [int(name) for name in os.listdir("/dev/fd")]:
        if number > 2 and number != kept:
            with contextlib.suppress(OSError):
                os.close(number)


def ready() -> None:
    """Do nothing: a process that ran this has shown that the next ones can start at once."""


def grade(path: Path, chapters: list[str], folder: Path, forbidden: list[Path], limits: Limits, pipe) -> None:
    """The life of the process: read, run, and ask for the checks only when the submission's cells have run.

    Sends lines of JSON: the chapter, then each question's results, then notes. The checks come through the pipe, so
    that while the cells run they are nowhere in this process.
    """
    refused: list[str] = []
    say = lambda **what: pipe.send_bytes(json.dumps(what).encode())  # noqa: E731
    output = Output(limits.characters)
    _close_all_but(pipe.fileno())
    say(ready=True)
    try:
        notebook = read(path, limits)
        say(chapter=chapter_of(notebook, path, chapters))
    except (ValueError, OSError) as error:
        say(broken=str(error))
        return
    confine(folder, limits, forbidden, refused)
    sys.stdout = sys.stderr = output
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    world, notes = run_cells(notebook, limits)
    say(cells=True)
    for name, source in json.loads(pipe.recv_bytes()).items():
        say(question=name, checks=run_checks(source, world, limits))
    if output.full:
        notes.insert(0, f"printed {output.written:,} characters: dropped")
    say(notes=[*dict.fromkeys(refused), *notes][:MOST_NOTES], done=True)
