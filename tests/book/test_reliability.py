"""The tables of book/reliability.md: what they are about is what is tried."""

import csv

from tests.book.book_rules import ROOT
from tests.datasets.test_faults import REFUSED


def rows(name):
    with open(ROOT / "book" / "reliability" / f"{name}.csv", encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_table_is_filled():
    for name in ("faults", "strangers", "inputs", "arguments", "same_answer", "licences", "scaling"):
        assert rows(name) and all(all(row.values()) for row in rows(name))


def test_the_faults_are_those_of_the_test():
    stored = {row["fault"]: row for row in rows("faults")}
    assert all(stored[fault]["cache"] == "empty" for fault in REFUSED)
    assert all(stored[fault]["told"] == reason for fault, (_, reason) in REFUSED.items())
