"""Run the tests with the newest releases that pyproject.toml allows, and say which dependency broke them.

`make newest`, which the weekly workflow calls, makes two environments: the lock's and the newest. Where a test fails
with the newest, each direct dependency that moved is upgraded in the lock's environment by itself, and the tests that
failed run again: those under which they fail are named. Where none does alone, the cause is several at once.
"""

import json
import os
import re
import subprocess
import sys
import tomllib
import xml.etree.ElementTree as ET
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
TESTS = ["-q", "-n", "auto", "--dist", "loadfile", "-m", "not slow"]
EXTRAS = "book", "test", "classroom"  # those of the lock
PIP = ["-m", "pip", "--disable-pip-version-check"]


def direct(text) -> list:
    """The names of what pyproject.toml asks for, of the library and of the extras of the lock."""
    project = tomllib.loads(text)["project"]
    asked = project["dependencies"] + [
        line for extra in EXTRAS for line in project["optional-dependencies"][extra]
    ]
    return sorted({normal(re.match(r"[A-Za-z0-9._-]+", line)[0]) for line in asked})


def normal(name) -> str:
    """A package's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def moved(before, after, names) -> dict:
    """Name -> (version before, version after) of the direct dependencies that are not the same in both."""
    both = {name: (before.get(name), after[name]) for name in names if name in after}
    return {name: (old, new) for name, (old, new) in both.items() if old != new}


def failed(report) -> list:
    """The tests that failed, by their file and name, of pytest's report in JUnit's form."""
    cases = ET.parse(report).getroot().iter("testcase")
    return [
        f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]


def culprits(moves, fails) -> list:
    """The dependencies with which, upgraded alone, the tests fail: ``fails(name, version)`` says so."""
    return [name for name, (_, version) in moves.items() if fails(name, version)]


def summary(moves, broken, guilty) -> str:
    """What to read in the morning, in Markdown."""
    lines = [f"- {name}: {before or 'not there'} → {after}" for name, (before, after) in moves.items()]
    head = ["Newest releases: all tests pass."]
    if broken:
        why = "No direct dependency does it alone."
        if guilty:
            why = f"With one of these alone they fail: {', '.join(guilty)}."
        head = [
            f"Newest releases: {len(broken)} tests fail. {why}",
            "",
            *(f"- `{test}`" for test in broken[:20]),
        ]
    return "\n".join(
        [*head, "", "Moved since the lock:" if moves else "Nothing moved since the lock.", "", *lines]
    )


class Environment:
    """A virtual environment with what the lock pins."""

    def __init__(self, folder):
        self.python = folder / "bin" / "python"
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        self.pip("install", "--require-hashes", "--no-deps", "-r", "requirements.lock")
        self.pip("install", "--no-build-isolation", "--no-deps", "-e", ".")

    def pip(self, *arguments):
        subprocess.run([str(self.python), *PIP, "--quiet", *arguments], cwd=ROOT, check=True)

    def versions(self) -> dict:
        command = [str(self.python), *PIP, "list", "--format=json"]
        listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
        return {normal(package["name"]): package["version"] for package in json.loads(listed)}

    def run(self, tests) -> list:
        """The tests that fail; a run that ends without a report is a failure, too."""
        report = ROOT / "_build" / "newest.xml"
        report.parent.mkdir(exist_ok=True)
        report.unlink(missing_ok=True)
        command = [str(self.python), "-m", "pytest", *TESTS, f"--junit-xml={report}", *tests]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        found = failed(report) if report.is_file() else []
        return found or (["the tests did not start"] if code else [])


def main():
    """Exit with 1 where a test fails."""
    names = direct((ROOT / "pyproject.toml").read_text(encoding="utf8"))
    newest = Environment(ROOT / ".venv-newest")
    before = newest.versions()
    everything = f".[{','.join(EXTRAS)}]"
    newest.pip(
        "install", "--upgrade", "--upgrade-strategy", "eager", "--no-build-isolation", "-e", everything
    )
    moves = moved(before, newest.versions(), names)
    broken = newest.run(["tests", "lib"])

    def fails(name, version):
        alone = Environment(ROOT / ".venv-alone")
        alone.pip("install", f"{name}=={version}")
        return bool(alone.run([test for test in broken if "::" in test] or ["tests", "lib"]))

    text = summary(moves, broken, culprits(moves, fails) if broken else [])
    print(text)
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(page, "a", encoding="utf8") as file:
            file.write(text + "\n")
    sys.exit(bool(broken))


if __name__ == "__main__":
    main()
