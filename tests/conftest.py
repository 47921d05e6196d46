"""Settings that every test shares, and the record of what the tests of reliability found."""

import csv
from collections import Counter
from pathlib import Path

import hypothesis
import pytest

from tests.book import book_rules as rules

# No deadline: the first call of a compiled function is slow. The same examples in every run: a red test stays red.
hypothesis.settings.register_profile("latentcells", deadline=None, derandomize=True)
hypothesis.settings.load_profile("latentcells")

# of these tables the page shows how many there are of each kind, not each by itself
COUNTED = {"inputs": "function", "arguments": "argument", "same_answer": "model"}
TABLES = Path(__file__).parents[1] / "book" / "reliability"


def pytest_addoption(parser):
    parser.addoption(
        "--record",
        action="store_true",
        help="write what the tests of reliability found to book/reliability/*.csv",
    )


@pytest.fixture
def found(record_property):
    """found("faults", fault=..., cache=...): a row of book/reliability/faults.csv, written by --record."""

    def add(table, **row):
        record_property("reliability", (table, row))

    return add


def pytest_terminal_summary(terminalreporter, config):
    """Write the tables of the tests that passed, the rows in their order, each once."""
    if not config.getoption("record"):
        return
    tables = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "reliability" and report.when == "call":
                table, row = value
                tables.setdefault(table, []).append(row)
    TABLES.mkdir(exist_ok=True)
    for table, rows in tables.items():
        rows = counted(rows, COUNTED[table]) if table in COUNTED else rows
        with open(TABLES / f"{table}.csv", "w", encoding="utf8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    terminalreporter.line(f"book/reliability: {', '.join(sorted(tables)) or 'nothing found'}")


def counted(rows, what):
    """The rows without ``what``, each once, and how many of that there are in each."""
    kinds = Counter(tuple((key, value) for key, value in row.items() if key != what) for row in rows)
    found = [dict(kind) | {f"{what}s": n} for kind, n in kinds.items()]
    first = list(dict.fromkeys(next(iter(row.values())) for row in found))
    return sorted(found, key=lambda row: first.index(next(iter(row.values()))))


def pytest_report_header():
    if rules.chromium() is None:
        return rules.NO_CHROMIUM
