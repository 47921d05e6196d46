"""Tables for readers: sensible digits, the best in bold."""

import html
import re

import numpy as np
import pandas as pd

from latentcells import _checks


class Table:
    """A table as a notebook shows it.

    Attributes:
        text: table of strings, as they are shown.
        bold: table of booleans of the same shape.
    """

    def __init__(self, text, bold):
        self.text, self.bold = text, bold

    def __repr__(self):
        return self.text.to_string()

    def _repr_html_(self):
        escaped = self.text.map(html.escape)
        return escaped.where(~self.bold, "<b>" + escaped + "</b>").to_html(escape=False)


def show(table, highest=(), lowest=(), digits=3) -> Table:
    """A table with ``digits`` decimals and the best value of some columns in bold.

    Args:
        table: pandas DataFrame of numbers, or of texts that begin with one, such as ``"0.740 ± 0.012"``; other texts
            are shown as they are. Name its rows and columns as a reader would.
        highest: the columns in which the highest value is the best.
        lowest: the columns in which the lowest is.
        digits: decimals of the numbers that are not whole.

    Raises:
        ValueError: for a column that is not there, and for fewer than 0 digits.

    Example:
        >>> scores = pd.DataFrame({"macro-F1": [0.8571, 0.7402], "seconds": [3, 41]}, ["logistic regression", "VAE"])
        >>> show(scores, highest=["macro-F1"], lowest=["seconds"]).bold.loc["logistic regression"].tolist()
        [True, True]
    """
    digits = _checks.at_least(digits, 0, "digits")
    if unknown := [column for column in (*highest, *lowest) if column not in table]:
        raise ValueError(f"the table has no column {unknown[0]!r}: choose from {list(table.columns)}")
    text = table.map(lambda value: _text(value, digits))
    bold = pd.DataFrame(False, table.index, table.columns)
    for columns, best in ((highest, pd.Series.max), (lowest, pd.Series.min)):
        for column in columns:
            numbers = text[column].map(_number)
            bold[column] = numbers == best(numbers)
    return Table(text, bold)


def _text(value, digits) -> str:
    if isinstance(value, str | bool | np.bool_):
        return str(value)
    if pd.isna(value):
        return "–"
    return f"{value:,.{digits}f}" if isinstance(value, float | np.floating) else f"{value:,}"


def _number(text) -> float:
    """The number that a text begins with, as it is shown; NaN where there is none."""
    found = re.match(r"[-−]?[\d,]*\.?\d+(?:e[-+]\d+)?", text)
    return float(found[0].replace(",", "").replace("−", "-")) if found else float("nan")
