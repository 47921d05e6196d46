"""Tables for readers: their digits, and which values are bold."""

import numpy as np
import pandas as pd
import pytest

from latentcells.course import show
from tests.helpers import refused


def bold(table, column):
    return table.bold.index[table.bold[column]].tolist()


def test_the_best_of_each_column_is_bold():
    table = pd.DataFrame({"F1": [0.7, 0.9], "loss": [-2.0, 3.0], "cells": [5, 6]}, ["VAE", "PCA"])
    shown = show(table, highest=["F1"], lowest=["loss"])
    assert (bold(shown, "F1"), bold(shown, "loss"), bold(shown, "cells")) == (["PCA"], ["VAE"], [])
    assert shown._repr_html_().count("<b>") == 2
    assert "<td><b>0.900</b></td>" in shown._repr_html_() and "<td><b>-2.000</b></td>" in shown._repr_html_()


def test_values_that_are_shown_alike_are_all_bold():
    shown = show(pd.DataFrame({"F1": [0.7401, 0.7399, 0.7]}, list("abc")), highest=["F1"], digits=2)
    assert bold(shown, "F1") == ["a", "b"]


def test_texts_are_compared_by_the_number_that_they_begin_with():
    table = pd.DataFrame(
        {"F1": ["0.740 ± 0.9", "–", "0.86"], "loss": ["1,200", "−3 ± 1", "2e-3"]}, list("abc")
    )
    shown = show(table, highest=["F1"], lowest=["loss"])
    assert (bold(shown, "F1"), bold(shown, "loss")) == (["c"], ["b"])
    assert shown.text.equals(table)


@pytest.mark.parametrize(
    ("value", "text"),
    [(0.12345, "0.12"), (1234.5, "1,234.50"), (1234, "1,234"), (np.int64(1234), "1,234"), (np.float32(0.5), "0.50"),
     (True, "True"), ("a < b", "a < b"), (float("nan"), "–")],
)  # fmt: skip
def test_digits(value, text):
    shown = show(pd.DataFrame({"x": [value]}), digits=2)
    assert shown.text.loc[0, "x"] == text
    assert text.replace("<", "&lt;") in shown._repr_html_()
    assert text in repr(shown)


def test_an_absent_column_is_refused():
    table = pd.DataFrame({"F1": [0.7]})
    refused(lambda: show(table, highest=["f1"]), r"^the table has no column 'f1': choose from \['F1'\]$")


def test_a_table_is_not_changed():
    table = pd.DataFrame({"F1": [0.7]})
    show(table, highest=["F1"])
    assert table.equals(pd.DataFrame({"F1": [0.7]}))
