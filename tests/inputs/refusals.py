"""Messages of refusals: kind of input -> a regular expression that matches the start of ``"ValueError: its line"``."""

from tests.inputs.forms import SPARSE


def finite(name):
    """``name`` must not contain NaN or infinity."""
    return {
        "NaN": rf"ValueError: {name} must be finite, got nan \(1 of \d+ stored values\): drop or fill them",
        "infinity": rf"ValueError: {name} must be finite, got inf \(1 of \d+ stored values\): drop or fill them",
    }


def counts(name):
    """``name`` must hold counts."""
    start = rf"ValueError: {name} must hold counts \(whole numbers, 0 or more\), got"
    return finite(name) | {
        "-1": rf"{start} -1: looks like z-scores; ",
        "z-scores": rf"{start} -?\d\.\d+: looks like z-scores; ",
        "another unit": rf"{start} \d\.\d+: looks like log1p data; ",
    }


def log1p(name):
    """``name`` must hold log1p data."""
    start = rf"ValueError: {name} must hold log1p data \(0 to 20, fractional\), got"
    return finite(name) | {
        **dict.fromkeys(("int64", "uint16", "bool"), rf"{start} \d: looks like counts; "),
        "-1": rf"{start} -1: looks like z-scores; ",
        "z-scores": rf"{start} -\d\.\d+: looks like z-scores; ",
        "another unit": rf"{start} \d+: looks like counts; ",
    }


ADATA = {
    "no cells": r"ValueError: the AnnData has 0 cells and 6 genes: ",
    "no genes": r"ValueError: the AnnData has \d+ cells and 0 genes: ",
    "a matrix": r"TypeError: got ndarray: pass an AnnData, a matrix alone has no names",
    "None": r"TypeError: got NoneType: pass an AnnData, a matrix alone has no names",
}
X_NEEDED = {
    "no X": r"ValueError: the AnnData has no X: set adata\.X = adata\.layers\['counts'\]\.copy\(\)",
    "masked values": r"ValueError: X is a masked array \(1 of \d+ values masked\): fill it",
}
UNIQUE_GENES = {
    "repeated gene names": r"ValueError: 1 gene names repeat \(gene 1\): call adata\.var_names_make_unique\(\)"
}

MISALIGNED = {
    "misaligned index": r"ValueError: row 0 is cell 'cell 0' in \w+ and 'cell 95' in \w+: pass the same "
}


def numbers(name):
    """``name`` must hold numbers, none of them masked."""
    return {
        "text": rf"TypeError: {name} must hold numbers, got values of dtype <U4",
        "objects": rf"TypeError: {name} must hold numbers, got values of dtype object",
        "masked values": rf"ValueError: {name} is a masked array \(1 of \d+ values masked\): fill it",
    }


def dense(name, columns):
    """``name`` must be a dense matrix of finite numbers, (cells, columns)."""
    start = rf"ValueError: {name} must have the shape \({columns}\), got"
    return finite(name) | numbers(name) | {
        **dict.fromkeys([*SPARSE, "COO"], rf"{start} sparse \(96, \d\): pass a dense 2-D array"),
        "AnnData": rf"TypeError: {name} is an AnnData: pass ",
        "no cells": rf"{start} \(0, \d\): pass a dense 2-D array",
        "no genes": rf"{start} \(96, 0\): pass a dense 2-D array",
        "one row, 1-D": rf"{start} \(\d,\): pass a dense 2-D array",
        "None": rf"{start} \(\): pass a dense 2-D array",
    }  # fmt: skip
