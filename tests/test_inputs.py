"""Every public function meets every form of good input and every kind of odd or bad input.

`tests.inputs.entries` states what it must make of each: the answer that the same numbers give as a float32 array, a
refusal and its text, or some finite answer. A public function without an entry is a failure.
"""

import re
from functools import cache
from pathlib import Path

import numpy as np
import pytest

from tests.inputs import entries, model_entries
from tests.inputs.forms import GOOD
from tests.inputs.outcomes import are_equal, are_finite, outcome
from tests.inputs.public import CLASSES, PUBLIC, TENSORS

ENTRIES = entries.ENTRIES | model_entries.MODEL_ENTRIES
ELSEWHERE = entries.ELSEWHERE | model_entries.ELSEWHERE
ROOT = Path(__file__).parents[1]
pytestmark = [
    pytest.mark.filterwarnings("ignore:Observation names are not unique:UserWarning"),
    pytest.mark.filterwarnings("ignore:Variable names are not unique:UserWarning"),
]


def test_every_public_function_is_tested():
    assert sorted(PUBLIC.keys() - ENTRIES.keys() - ELSEWHERE.keys() - CLASSES - TENSORS) == []
    assert sorted((ENTRIES.keys() | ELSEWHERE.keys()) - PUBLIC.keys()) == []
    for name, path in ELSEWHERE.items():
        assert name.split(".")[-1] in (ROOT / path).read_text(encoding="utf8"), (name, path)


def test_every_entry_states_every_kind_of_input():
    for name, entry in ENTRIES.items():
        refused_kinds = entry.refuses.keys() - entry.forms.keys()
        assert sorted([*refused_kinds, *entry.allows]) == sorted(entry.kinds), name


@cache
def reference(name, numbers):
    """The answer to these numbers, the bytes of an array like the good one, in float32."""
    entry = ENTRIES[name]
    x = np.frombuffer(numbers, "float32").reshape(GOOD[entry.good].shape)
    return outcome(lambda: entry.answer(entry.reference_input(x)))


def answer(name, form_or_kind):
    """The answer to the good numbers in another form, or to bad ones."""
    entry = ENTRIES[name]
    return outcome(lambda: entry.answer(entry.convert(form_or_kind, GOOD[entry.good])))


def is_accepted(name, form):
    entry, result = ENTRIES[name], answer(name, form)
    numbers = entry.forms[form].numbers(GOOD[entry.good]).astype("float32")
    return not isinstance(result, str) and are_equal(
        result, reference(name, numbers.tobytes()), entry.tolerance
    )


def is_refused(name, kind):
    result = answer(name, kind)
    return isinstance(result, str) and re.match(ENTRIES[name].refuses[kind], result)


def is_allowed(name, kind):
    result = answer(name, kind)
    return not isinstance(result, str) and (are_finite(result) or kind in ("NaN", "infinity", "no X"))


def describe(result):
    return (
        result
        if isinstance(result, str)
        else f"{len(result)} arrays, the first of shape {result[0].shape}: {result[0].ravel()[:3]}"
    )


# What the page calls an answer -> the inputs that an entry states it for, and how it is recognised.
ANSWERS = {
    "as dense float32": (lambda entry: entry.accepts, is_accepted),
    "refused": (lambda entry: entry.refuses, is_refused),
    "a result": (lambda entry: entry.allows, is_allowed),
}
CASES = [
    pytest.param(
        name, stated, id=f"{name}-{stated}", marks=[pytest.mark.slow] * (entry.slow and stated != "refused")
    )
    for stated in ANSWERS
    for name, entry in ENTRIES.items()
]


@pytest.mark.parametrize(("name", "stated"), CASES)
def test_inputs_are_answered_as_stated(name, stated, publish):
    stated_for, is_right = ANSWERS[stated]
    inputs = list(stated_for(ENTRIES[name]))
    assert {kind: describe(answer(name, kind)) for kind in inputs if not is_right(name, kind)} == {}
    for kind in inputs:
        publish("inputs", function=name, input=kind, answer=stated)


def stated_answers():
    """The rows that the tests publish, slow ones too: `make reliability` runs them all."""
    for case in CASES:
        name, stated = case.values
        for kind in ANSWERS[stated][0](ENTRIES[name]):
            yield {"function": name, "input": kind, "answer": stated}
