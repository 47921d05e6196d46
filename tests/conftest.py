"""Settings that every test shares, and the tables of the book's page on reliability."""

import csv
from collections import Counter
from pathlib import Path

import hypothesis
import pytest

from tests.book import book_rules as rules
from tests.served_site import address, built, chromium, site, visit
from tools import pdf

# Defined once for all folders: two Chromiums of one process would be two event loops in one thread.
__all__ = ["address", "built", "chromium", "site", "visit"]

# No deadline: the first call of a compiled function is slow. The same examples in every run: a red test stays red.
hypothesis.settings.register_profile("latentcells", deadline=None, derandomize=True)
hypothesis.settings.load_profile("latentcells")

# These tables show how many there are of this column, not each one by itself.
COUNTED = {"inputs": "function", "arguments": "argument", "same_answer": "model"}
TABLES = Path(__file__).parents[1] / "book" / "reliability"


def pytest_addoption(parser):
    parser.addoption(
        "--record", action="store_true", help="write what the tests publish to book/reliability/*.csv"
    )


@pytest.fixture
def publish(record_property, pytestconfig):
    """publish("faults", fault=..., cache=...): this row is in book/reliability/faults.csv; --record writes it."""

    def add(table, **row):
        record_property("reliability", (table, row))
        if not pytestconfig.getoption("record"):
            shown = {column: value for column, value in row.items() if column != COUNTED.get(table)}
            assert any(shown.items() <= stored.items() for stored in stored_rows(table)), (
                f"book/reliability/{table}.csv does not have {shown}: make reliability writes it"
            )

    return add


def stored_rows(table):
    with open(TABLES / f"{table}.csv", encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))


def pytest_terminal_summary(terminalreporter, config):
    """With --record, write the tables of the tests that passed."""
    if not config.getoption("record"):
        return
    tables = {}
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            if name == "reliability" and report.when == "call":
                table, row = value
                tables.setdefault(table, []).append(row)
    for table, rows in tables.items():
        rows = count_rows(rows, COUNTED[table]) if table in COUNTED else rows
        with open(TABLES / f"{table}.csv", "w", encoding="utf8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
    terminalreporter.line(f"written to book/reliability: {', '.join(sorted(tables)) or 'nothing'}")


def count_rows(rows, counted):
    """The different rows without the column ``counted``, grouped by their first column, and the number of each."""
    counts = Counter(tuple((key, value) for key, value in row.items() if key != counted) for row in rows)
    first_column = list(dict.fromkeys(row[0][1] for row in counts))
    ordered = sorted(counts, key=lambda row: first_column.index(row[0][1]))
    return [dict(row) | {f"{counted}s": counts[row]} for row in ordered]


def pytest_report_header():
    if pdf.chromium() is None:
        return rules.NO_CHROMIUM
