"""Finding the dependency that broke the tests: the parts of tools/newest.py that need no network."""

import sys
from importlib import metadata

from tests.book.book_rules import ROOT
from tools import newest

PROJECT = """
[project]
dependencies = ["keras>=3.13", "scib-metrics>=0.5.10,<0.6", "scikit_learn"]
[project.optional-dependencies]
book = ["jupyter-book==1.0.4.post1"]
test = ["keras", "pytest>=8"]
classroom = ["otter-grader>=7,<8"]
bench = ["torch"]
"""
REPORT = """<testsuites><testsuite>
<testcase classname="tests.models.test_vae" name="test_a[x-1]"><failure message="no"/></testcase>
<testcase classname="tests.models.test_vae" name="test_b"/>
<testcase classname="tests.test_plots" name="test_c"><error message="no"/></testcase>
<testcase classname="tests.test_plots" name="test_d"><skipped/></testcase>
</testsuite></testsuites>"""


def test_the_direct_dependencies_are_those_of_the_project():
    assert newest.direct_dependencies(PROJECT) == [
        "jupyter-book", "keras", "otter-grader", "pytest", "scib-metrics", "scikit-learn"
    ]  # fmt: skip
    assert {"keras", "tensorflow", "hypothesis"} <= set(
        newest.direct_dependencies((ROOT / "pyproject.toml").read_text())
    )


def test_installed_versions_are_listed():
    environment = object.__new__(newest.Environment)  # the environment that the tests run in
    environment.python = sys.executable
    assert environment.versions()["keras"] == metadata.version("keras")


def test_changed_versions_are_listed():
    before, after = (
        {"keras": "3.13", "numpy": "2.0", "pip": "25"},
        {"keras": "3.15", "numpy": "2.0", "pip": "26"},
    )
    assert newest.changed_versions(before, after | {"rdata": "1"}, ["keras", "numpy", "rdata", "jax"]) == {
        "keras": ("3.13", "3.15"),
        "rdata": (None, "1"),
    }


def test_failed_tests_are_read_from_the_report(tmp_path):
    (tmp_path / "report.xml").write_text(REPORT)
    assert newest.failed_tests(tmp_path / "report.xml") == [
        "tests/models/test_vae.py::test_a[x-1]",
        "tests/test_plots.py::test_c",
    ]


def test_a_dependency_that_breaks_the_tests_alone_is_named():
    upgrades = {"keras": ("3.13", "3.15"), "numpy": ("2.0", "3.0")}
    guilty = newest.culprits(upgrades, lambda name, version: (name, version) == ("numpy", "3.0"))
    assert guilty == ["numpy"]
    text = newest.summary(upgrades, ["tests/test_plots.py::test_c"], guilty)
    assert "1 tests fail. With one of these alone they fail: numpy." in text
    assert "- `tests/test_plots.py::test_c`" in text and "- numpy: 2.0 → 3.0" in text


def test_no_dependency_is_named_where_all_pass_or_several_are_the_cause():
    assert newest.summary({}, [], []) == "Newest releases: all tests pass.\n\nNothing moved since the lock.\n"
    assert "No direct dependency does it alone." in newest.summary({"keras": ("1", "2")}, ["x"], [])
