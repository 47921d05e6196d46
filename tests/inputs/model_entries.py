"""How the models' own methods are called; tests/models/test_contract.py tests the methods of every Keras model."""

from functools import cache

from tests.inputs import refusals
from tests.inputs.entries import Entry
from tests.inputs.forms import BATCH, COUNTS, LABEL, N_CELLS, N_GENES
from tests.inputs.public import PUBLIC, TENSORS
from tests.trainings import model_input, small_models


@cache
def trained_models():
    """Name -> a small model after one step."""
    models = small_models(N_GENES, 4)
    for name, model in models.items():
        model.compile(optimizer="sgd", run_eagerly=True, steps_per_execution=1)
        labels = [LABEL] if name == "CellAnnotator" else []
        model.fit(model_input(model, COUNTS), *labels, verbose=0)
    return models


_NO_CELLS = r"x must be \(cells, genes\), got"
_COUNTS = (
    refusals.counts("x")
    | refusals.numbers("x")
    | {
        "no cells": rf"ValueError: {_NO_CELLS} shape \(0, 6\)",
        "no genes": "ValueError: x has 0 genes, expected 6",
        "one gene": "ValueError: x has 1 genes, expected 6",
        "one row, 1-D": rf"ValueError: {_NO_CELLS} shape \(6,\)",
        "None": rf"TypeError: {_NO_CELLS} NoneType",
    }
)


def _call(model, method, cells):
    options = {} if method == "attention_maps" else {"batch_size": N_CELLS}
    return getattr(trained_models()[model], method)(cells, **options)


def _of_counts(model, method):
    def call(x):
        return _call(model, method, x)

    return Entry(call, "counts", _COUNTS, ("one cell",))


def _of_counts_and_batches(model, method):
    def call(x, rows):
        return _call(model, method, {"x": x, "batch": rows(BATCH)})

    return Entry(call, "counts", _COUNTS | refusals.MISALIGNED, ("one cell",), rows=True)


def _of_z(model, method):
    refuses = refusals.dense("z", "cells, dimensions") | {
        "one gene": r"ValueError: z must be \(cells, 2\), got shape \(96, 1\): model\.encode\(x\) gives it"
    }
    allows = "-1", "z-scores", "another unit", "one cell"
    return Entry(lambda z: getattr(trained_models()[model], method)(z), "embedding", refuses, allows)


def _entry(model, method):
    if method in ("decode", "sample"):
        return _of_z(model, method)
    takes_batches = model in ("BatchVAE", "NeighbourVAE")
    return (_of_counts_and_batches if takes_batches else _of_counts)(model, method)


# These take no cells, but names, another model or graph tensors.
MODELS_ELSEWHERE = dict.fromkeys(("log1p", "start_from"), "gene_transformer") | dict.fromkeys(
    ("codes", "from_log1p", "logits"), "cell_annotator"
)

METHODS = [
    name.split(".")[1:]
    for name in sorted(PUBLIC.keys() - TENSORS)
    if name.startswith("models.") and name.count(".") == 2
]
MODEL_ENTRIES = {
    f"models.{model}.{method}": _entry(model, method)
    for model, method in METHODS
    if method not in MODELS_ELSEWHERE
}
ELSEWHERE = {
    f"models.{model}.{method}": f"tests/models/test_{MODELS_ELSEWHERE[method]}.py"
    for model, method in METHODS
    if method in MODELS_ELSEWHERE
}
