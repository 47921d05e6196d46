"""Every numeric argument of a public function refuses other and out-of-range values with a message that names it."""

import inspect
import re
from functools import cache, partial

import pandas as pd
import pytest

from tests.inputs.entries import AMOUNT, HELD_OUT, PARTS, TARGET, linear
from tests.inputs.forms import BATCH, COUNTS, GENES, LABEL, LOG1P, PROBABILITY, Z, as_adata
from tests.inputs.outcomes import outcome
from tests.inputs.public import PUBLIC
from tests.trainings import model_input, small_models

WRONG = {"text": "many", "NaN": float("nan"), "-1": -1, "a list": [1]}
NUMBERS_WITHOUT_DEFAULT = {"n_genes", "n", "dim", "n_heads", "n_domains"}
ONE_PER_CELL = {"library"}  # a list is valid
RANKING = {"B": pd.Series(1.0, GENES)}
LABELLED_Z = (Z, LABEL)

# Valid values for the other arguments of each function.
ARGUMENTS = {
    "course.show": ((pd.DataFrame({"F1": [0.5]}),), {}),
    "datasets.simulate": ((), {"n_cells": 10, "n_genes": 60}),
    "evaluate.across_batches": ((Z, AMOUNT, BATCH), {}),
    "evaluate.generation": ((COUNTS, COUNTS), {}),
    "evaluate.annotation": (LABELLED_Z, {"n_neighbors": 3, "folds": 2}),
    "evaluate.calibration": ((PROBABILITY, LABEL, ["B", "T"]), {}),
    "evaluate.clustering": (LABELLED_Z, {"n_neighbors": 5}),
    "evaluate.draw_labels": ((LABEL, HELD_OUT), {}),
    "evaluate.few_labels": ((*LABELLED_Z, HELD_OUT), {}),
    "evaluate.neighbourhood_preservation": ((Z, Z), {}),
    "evaluate.overcorrection": ((*LABELLED_Z, "B"), {}),
    "evaluate.proportions": ((Z, PARTS, BATCH), {}),
    "layers.BatchNormalization": ((), {}),
    "layers.CellToken": ((), {}),
    "layers.CountThinning": ((), {}),
    "layers.DomainBatchNormalization": ((), {"n_domains": 2}),
    "layers.ExpressionEmbedding": ((), {"dim": 4}),
    "layers.GeneDropout": (([1.0, 2.0],), {}),
    "layers.GeneMasking": ((), {}),
    "layers.GeneSetTokens": (([[0]],), {"dim": 4}),
    "layers.GradientReversal": ((), {}),
    "layers.GroupNormalization": ((2,), {}),
    "layers.LayerNormalization": ((), {}),
    "layers.NeighbourMixing": ((), {}),
    "layers.Sampling": ((), {}),
    "layers.TransformerBlock": ((), {"dim": 4, "n_heads": 2}),
    "markers.ablation": ((linear, LOG1P, TARGET, [0]), {}),
    "markers.gradient_times_input": ((linear, LOG1P, TARGET), {}),
    "markers.integrated_gradients": ((linear, LOG1P, TARGET), {}),
    "markers.precision_at": ((RANKING, {"B": GENES}), {}),
    "markers.stability": (([RANKING, RANKING],), {}),
    "objectives.barlow_twins": ((Z, Z), {}),
    "objectives.info_nce": ((Z, Z), {}),
    "objectives.vicreg": ((Z, Z), {}),
    "preprocess.GeneModules": ((), {"n": 2}),
    "preprocess.GeneSets": (({"one": GENES[:3]},), {}),
    "preprocess.HighlyVariableGenes": ((), {"n": 2}),
    "preprocess.LibrarySize": ((), {}),
    "preprocess.mutual_neighbours": ((Z, BATCH), {}),
    "preprocess.shared_space": ((COUNTS,), {}),
    "preprocess.split": ((as_adata(COUNTS),), {}),
    "preprocess.split_counts": ((COUNTS,), {}),
} | {
    f"likelihoods.{name}": ((), {"n_genes": 6})
    for name in ("Bernoulli", "Gaussian", "Likelihood", "NegativeBinomial", "Poisson", "ZeroInflatedNegativeBinomial")
}  # fmt: skip
# These take a file or an axis, or draw what they are given.
ELSEWHERE = {"datasets.stream", "models.load", "course.plots.ternary"}
BASES = {"models.GeneTransformer"}  # an abstract class


MODELS = cache(partial(small_models, 6, 4))


def other_arguments(name):
    """Valid arguments, positional and keyword, that a function needs; the first one of a method is its model."""
    if not name.startswith("models."):
        return ARGUMENTS[name]
    _, model, *method = name.split(".")
    model = MODELS()[model]
    if method:
        return (model, Z if method[0] in ("decode", "sample") else model_input(model, COUNTS)), {}
    config = model.get_config()
    return (), {key: config[key] for key in ("n_genes", "batches", "labels") if key in config}


def _numbers(name):
    """The arguments whose default is a number or that must be one."""
    if name == "datasets.DataUnavailable":  # an exception has no signature
        return
    for argument, parameter in inspect.signature(PUBLIC[name]).parameters.items():
        has_number = isinstance(parameter.default, int | float) and not isinstance(parameter.default, bool)
        if has_number or argument in NUMBERS_WITHOUT_DEFAULT:
            yield argument


NUMBERS = {name: numbers for name in sorted(PUBLIC) if (numbers := list(_numbers(name)))}


TESTED = [name for name in NUMBERS if name not in ELSEWHERE | BASES]


def test_every_number_is_tested():
    untested = {name for name in NUMBERS if not name.startswith("models.")} - ARGUMENTS.keys()
    assert untested == ELSEWHERE - {"models.load"}


def cases(name):
    """Each numeric argument of the function with each kind of invalid value."""
    for argument in NUMBERS[name]:
        for kind in WRONG:
            if not (kind == "a list" and argument in ONE_PER_CELL):
                yield argument, kind


@pytest.mark.parametrize("name", TESTED)
def test_an_invalid_number_is_refused(name, publish):
    positional, keywords = other_arguments(name)
    failures = {}
    for argument, kind in cases(name):
        wrong = {argument: WRONG[kind]}
        result = outcome(lambda wrong=wrong: PUBLIC[name](*positional, **keywords | wrong))
        message = rf"(Type|Value)Error: {argument}\b.*({re.escape(repr(WRONG[kind]))}|dtype <U4)"
        if not (isinstance(result, str) and re.match(message, result)):
            failures[argument, kind] = result if isinstance(result, str) else "a result"
    assert failures == {}
    for argument, kind in cases(name):
        publish("arguments", argument=f"{name}({argument})", input=kind, answer="refused")


def refused_arguments():
    """The rows that the tests publish."""
    for name in TESTED:
        for argument, kind in cases(name):
            yield {"argument": f"{name}({argument})", "input": kind, "answer": "refused"}
