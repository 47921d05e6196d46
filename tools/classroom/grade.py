"""`make grade SUBMISSIONS=folder`: grade a class unattended and write a CSV with a row for every file."""

import argparse
import csv
import json
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from multiprocessing.connection import wait
from pathlib import Path

from tools.classroom import worker
from tools.classroom.build import CLASSROOM, ROOT
from tools.classroom.confinement import LIMITS

COLUMNS = ("file", "chapter", "points", "possible", "status", "questions", "notes", "seconds")

# modules that the fork server imports once for all submissions
PRELOADED = [
    "latentcells",
    "keras",
    "sklearn.linear_model",
    "otter.test_files.exception_test",
    "tools.classroom.build",
    "tools.classroom.worker",
]


@dataclass
class Grade:
    """What is known about a submission."""

    file: str
    chapter: str = ""
    checks: dict[str, list[dict]] = field(default_factory=dict)
    possible: float = 0
    status: str = "the process ended before it said anything"
    notes: list[str] = field(default_factory=list)
    seconds: float = 0

    @property
    def points(self) -> float:
        """The points of the checks that passed."""
        return round(sum(check["points"] for checks in self.checks.values() for check in checks), 6)

    def row(self) -> dict:
        """The row of the CSV."""
        questions = [
            f"{name} {sum(check['points'] for check in checks):g}/{sum(check['possible'] for check in checks):g}"
            for name, checks in self.checks.items()
        ]
        return {
            "file": self.file,
            "chapter": self.chapter,
            "points": f"{self.points:.2f}",
            "possible": f"{self.possible:.2f}",
            "status": self.status,
            "questions": "; ".join(questions),
            "notes": "; ".join(self.notes),
            "seconds": f"{self.seconds:.1f}",
        }

    def feedback(self) -> str:
        """The text for the student: the hints of the checks that failed, hidden checks included."""
        lines = [f"# {self.file}: {self.points:.2f} of {self.possible:.2f} points", "", *self.notes]
        for name, checks in self.checks.items():
            failed = [check for check in checks if check["error"]]
            if failed and all(check["error"].startswith("NotImplementedError") for check in failed):
                lines += ["", f"{name}: not answered"]
                continue
            for check in failed:
                lines += ["", f"{name}: {check['hint']}", f"    ({check['error']})"]
        return "\n".join(lines) + "\n"


def banks_of(classroom: Path) -> dict[str, dict[str, str]]:
    """The test files by chapter and question, read from the autograders."""
    banks = {}
    for path in sorted((classroom / "autograder").glob("*.zip")):
        with zipfile.ZipFile(path) as archive:
            tests = [name for name in archive.namelist() if name.startswith("tests/")]
            banks[path.stem] = {Path(name).stem: archive.read(name).decode() for name in sorted(tests)}
    return banks


def submissions(folder: Path) -> list[Path]:
    """Every file in the folder that is not hidden."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.is_file() and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def grade_all(folder: Path, classroom: Path, limits=LIMITS, jobs: int = 1) -> Iterator[Grade]:
    """Grade every submission, each in its own process; yield the grades as they are ready.

    The processes are forked from a server that has already imported the library, so that each starts fast and clean.
    """
    banks, waiting, running = banks_of(classroom), submissions(folder)[::-1], []
    if not banks:
        raise ValueError(f"no autograder in {classroom}: run make classroom first")
    forbidden = [classroom, folder, ROOT / "book/exercises", ROOT / "_build", ROOT / "chapters"]
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    # so that no submission's time includes the server's imports
    warm_up = context.Process(target=worker.ready)
    warm_up.start()
    warm_up.join()
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                running.append(Run(waiting.pop(), folder, context, list(banks), forbidden, limits))
            ready = wait([run.pipe for run in running], timeout=0.2)
            for run in list(running):
                if run.pipe in ready and not run.listen(banks):
                    running.remove(run)
                    yield run.end()
                elif time.monotonic() - run.started > limits.seconds:
                    running.remove(run)
                    yield run.end(f"ran longer than {limits.seconds} s: stopped")
    finally:
        for run in running:
            run.end()


class Run:
    """A submission that is being graded: its process, its folder and its grade so far."""

    def __init__(self, path: Path, folder: Path, context, chapters: list[str], forbidden: list[Path], limits):
        self.grade = Grade(str(path.relative_to(folder)))
        self.workdir = Path(tempfile.mkdtemp())
        self.pipe, worker_pipe = context.Pipe()
        arguments = (path, chapters, self.workdir, forbidden, limits, worker_pipe)
        self.process = context.Process(target=worker.grade, args=arguments)
        self.process.start()
        worker_pipe.close()
        self.started = time.monotonic()

    def listen(self, banks: dict) -> bool:
        """Receive one message; return whether more may come. An unreadable message ends only this submission."""
        try:
            message = json.loads(self.pipe.recv_bytes(10_000_000))
            self._handle(message, banks)
        except Exception:
            return False
        return "done" not in message and "broken" not in message

    def _handle(self, message: dict, banks: dict) -> None:
        grade = self.grade
        if "ready" in message:
            self.started = time.monotonic()
        if "broken" in message:
            grade.status, grade.notes = "not graded", [message["broken"]]
        if "chapter" in message:
            grade.chapter = message["chapter"]
            grade.possible = sum(map(_points, banks[grade.chapter].values()))
            grade.status = "the process ended before the checks"
        if message.get("cells"):
            grade.status = "the process ended during the checks"
            self.pipe.send_bytes(json.dumps(banks[grade.chapter]).encode())
        if "question" in message:
            grade.checks[message["question"]] = message["checks"]
        if message.get("done"):
            grade.status = "graded"
        grade.notes += message.get("notes", [])

    def end(self, stopped: str = "") -> Grade:
        """Kill the process and its children; return the grade."""
        try:
            os.killpg(self.process.pid, signal.SIGKILL)
        except (ProcessLookupError, PermissionError):
            self.process.kill()
        self.process.join()
        self.pipe.close()
        shutil.rmtree(self.workdir, ignore_errors=True)
        self.grade.seconds = time.monotonic() - self.started
        if stopped:
            self.grade.status = "stopped"
            self.grade.notes.append(stopped)
        return self.grade


def _points(source: str) -> float:
    """The points that a test file in Otter's format is worth."""
    return float(
        next(line for line in source.splitlines() if line.startswith("points = ")).partition("= ")[2]
    )


def feedback_beside(out: Path) -> Path:
    """The feedback folder beside a CSV."""
    return out.with_name(f"{out.stem}_feedback")


def write(grades: Iterable[Grade], out: Path) -> list[Grade]:
    """Write a row and the feedback for each grade as it arrives; return the grades."""
    feedback = feedback_beside(out)
    feedback.mkdir(parents=True, exist_ok=True)
    written = []
    with open(out, "w", newline="", encoding="utf8") as file:
        table = csv.DictWriter(file, COLUMNS)
        table.writeheader()
        for grade in grades:
            written.append(grade)
            table.writerow(grade.row())
            file.flush()
            path = feedback / f"{grade.file}.md"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(grade.feedback(), encoding="utf8")
    return written


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("submissions", help="a folder; every file in it gets a row")
    parser.add_argument("--classroom", type=Path, default=CLASSROOM)
    parser.add_argument("--out", type=Path, default=ROOT / "_build/grades.csv")
    parser.add_argument("--jobs", type=int, default=1, help="submissions at a time (default: 1)")
    args = parser.parse_args()
    if not args.submissions or not Path(args.submissions).is_dir():
        print(f"{args.submissions!r} is no folder: make grade SUBMISSIONS=folder")
        return 2
    os.environ["MPLBACKEND"] = "Agg"  # so that a submission's figures open no windows
    try:
        grades = write(grade_all(Path(args.submissions), args.classroom, jobs=args.jobs), args.out)
    except ValueError as error:
        print(error)
        return 2
    print(f"{len(grades)} submissions: {args.out}; feedback in {feedback_beside(args.out)}")
    for grade in grades:
        if grade.status != "graded" or grade.notes:
            print(f"  {grade.file}: {grade.status}; {'; '.join(grade.notes)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
