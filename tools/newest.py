"""Run the tests with the newest releases that pyproject.toml allows, and report which dependency broke them.

`make newest`, which the weekly workflow calls, makes two environments: the lock's and the newest. If a test fails with
the newest releases, each direct dependency whose version changed is upgraded alone in the lock's environment, and the
failed tests run again: the report names the dependencies with which they fail. If none breaks them alone, several
together are the cause.
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
EXTRAS = "book", "test", "classroom"  # the extras that the lock includes
PIP = ["-m", "pip", "--disable-pip-version-check"]


def direct_dependencies(text) -> list:
    """The names of the packages that pyproject.toml requires for the library and for the extras of the lock."""
    project = tomllib.loads(text)["project"]
    requirements = project["dependencies"] + [
        line for extra in EXTRAS for line in project["optional-dependencies"][extra]
    ]
    return sorted({normalise_name(re.match(r"[A-Za-z0-9._-]+", line)[0]) for line in requirements})


def normalise_name(name) -> str:
    """A package's name in the normal form that registries compare."""
    return re.sub(r"[-_.]+", "-", name).lower()


def changed_versions(before, after, names) -> dict:
    """Name -> (version before, version after) of the direct dependencies whose versions differ."""
    versions = {name: (before.get(name), after[name]) for name in names if name in after}
    return {name: (old, new) for name, (old, new) in versions.items() if old != new}


def failed_tests(report) -> list:
    """The file and name of each test that failed, from pytest's report in JUnit's format."""
    cases = ET.parse(report).getroot().iter("testcase")
    return [
        f"{case.get('classname').replace('.', '/')}.py::{case.get('name')}"
        for case in cases
        if case.find("failure") is not None or case.find("error") is not None
    ]


def culprits(upgrades, fails) -> list:
    """The dependencies that make the tests fail when upgraded alone, as ``fails(name, version)`` returns."""
    return [name for name, (_, version) in upgrades.items() if fails(name, version)]


def summary(upgrades, failures, guilty) -> str:
    """The report, in Markdown."""
    lines = [f"- {name}: {before or 'not there'} → {after}" for name, (before, after) in upgrades.items()]
    head = ["Newest releases: all tests pass."]
    if failures:
        why = "No direct dependency does it alone."
        if guilty:
            why = f"With one of these alone they fail: {', '.join(guilty)}."
        head = [
            f"Newest releases: {len(failures)} tests fail. {why}",
            "",
            *(f"- `{test}`" for test in failures[:20]),
        ]
    return "\n".join(
        [*head, "", "Moved since the lock:" if upgrades else "Nothing moved since the lock.", "", *lines]
    )


class Environment:
    """A virtual environment with the packages that the lock pins."""

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
        return {normalise_name(package["name"]): package["version"] for package in json.loads(listed)}

    def run(self, tests) -> list:
        """Run the tests and return those that fail; a run without a report counts as a failure."""
        report = ROOT / "_build" / "newest.xml"
        report.parent.mkdir(exist_ok=True)
        report.unlink(missing_ok=True)
        command = [str(self.python), "-m", "pytest", *TESTS, f"--junit-xml={report}", *tests]
        code = subprocess.run(command, cwd=ROOT, check=False).returncode
        failures = failed_tests(report) if report.is_file() else []
        return failures or (["the tests did not start"] if code else [])


def main():
    """Run the tests and report; exit with 1 if a test fails."""
    names = direct_dependencies((ROOT / "pyproject.toml").read_text(encoding="utf8"))
    newest = Environment(ROOT / ".venv-newest")
    before = newest.versions()
    everything = f".[{','.join(EXTRAS)}]"
    newest.pip(
        "install", "--upgrade", "--upgrade-strategy", "eager", "--no-build-isolation", "-e", everything
    )
    upgrades = changed_versions(before, newest.versions(), names)
    failures = newest.run(["tests", "lib"])

    def fails(name, version):
        alone = Environment(ROOT / ".venv-alone")
        alone.pip("install", f"{name}=={version}")
        return bool(alone.run([test for test in failures if "::" in test] or ["tests", "lib"]))

    text = summary(upgrades, failures, culprits(upgrades, fails) if failures else [])
    print(text)
    if page := os.environ.get("GITHUB_STEP_SUMMARY"):
        with open(page, "a", encoding="utf8") as file:
            file.write(text + "\n")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
