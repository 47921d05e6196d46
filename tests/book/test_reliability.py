"""The tables of book/reliability.md match what the tests state; `tests.conftest.publish` compares each row."""

import pytest

from tests.conftest import count_rows, stored_rows
from tests.datasets.test_faults import REFUSED
from tests.test_arguments import refused_arguments
from tests.test_inputs import stated_answers
from tests.test_same_answer import MODELS

STATED = {"inputs": (stated_answers, "function"), "arguments": (refused_arguments, "argument")}


@pytest.mark.parametrize("table", ["faults", "strangers", "same_answer", "licences", "scaling"])
def test_a_table_is_filled(table):
    assert stored_rows(table) and all(all(row.values()) for row in stored_rows(table))


@pytest.mark.parametrize("table", STATED)
def test_a_table_matches_what_the_tests_state(table):
    rows, counted = STATED[table]
    stated = [{key: str(value) for key, value in row.items()} for row in count_rows(list(rows()), counted)]
    assert stored_rows(table) == stated


def test_every_model_gives_the_same_answer_twice():
    assert {row["models"] for row in stored_rows("same_answer")} == {str(len(MODELS))}


def test_the_stored_faults_are_those_of_the_test():
    stored = {row["fault"]: row for row in stored_rows("faults")}
    assert all(stored[fault]["cache"] == "empty" for fault in REFUSED)
    assert all(stored[fault]["told"] == reason for fault, (_, reason) in REFUSED.items())
