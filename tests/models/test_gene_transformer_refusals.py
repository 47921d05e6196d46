"""What a `GeneTransformer` refuses, a line for each message."""

import numpy as np
import pytest

from latentcells.models import GeneTransformer, MaskedAutoencoder
from tests.helpers import refused
from tests.models.conftest import SETS, TYPES

CONFIG = {"n_genes": 30, "n_tokens": 8, "dim": 8, "n_heads": 2, "depth": 1}
OF_SETS = {"tokens": "sets", "sets": SETS, "n_tokens": None}


def transformer(labels=None, **keywords):
    model = GeneTransformer(**{**CONFIG, "labels": labels, **keywords})
    model.compile()
    return model


@pytest.fixture(scope="module")
def annotator():
    return transformer(TYPES)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"n_heads": 3}, r"^n_heads=3 does not divide dim=8: choose from \[1, 2, 4, 8\]$"),
        ({"n_genes": 0}, "^n_genes must be at least 1, got 0"),
        ({"dim": 0}, "^dim must be at least 1, got 0"),
        ({"depth": -1}, "^depth must be at least 0, got -1"),
        ({"target_sum": 0}, "^target_sum must be positive, got 0"),
        ({"drop_path": 1.0}, "^drop_path must be at least 0 and less than 1, got 1.0"),
        ({"seed": -1}, "^seed must be at least 0, got -1"),
        ({"tokens": "genes"}, "^tokens='genes' is unknown: choose from 'all', 'expressed', 'rank', 'sets'"),
        ({"values": "cubic"}, "^values='cubic' is unknown: choose from 'linear', 'binned', 'piecewise'"),
        ({"pooling": "max"}, "^pooling='max' is unknown: choose from 'mean', 'cls', 'attention'"),
        ({"n_tokens": 31}, "^n_tokens=31 is more than the 30 genes: lower it"),
        ({"tokens": "all"}, "^how='all' with n_tokens=8: 'all' takes every gene"),
        ({**OF_SETS, "n_tokens": 8}, "^tokens='sets' with n_tokens=8: every set is a token, leave it out"),
        ({"sets": SETS}, "^tokens='rank' with sets=.*: tokens='sets' needs sets, the others none"),
        ({"tokens": "sets"}, "^tokens='sets' with sets=None: tokens='sets' needs sets"),
        ({**OF_SETS, "sets": []}, "^members must be sets with a gene each, got 0 sets"),
        ({**OF_SETS, "sets": [[1], []]}, "got 2 sets, 1 of them empty: drop the empty ones"),
        ({**OF_SETS, "sets": [[1], [30]]}, "^members has gene 30, the data have 30: number them from 0"),
        ({"rate": 0}, "^rate must be above 0 and below 1, got 0$"),
        ({"rate": 1.0, "labels": TYPES}, "^rate must be at least 0 and less than 1, got 1.0$"),
        ({"rate": -0.1, "labels": TYPES}, "^rate must be at least 0 and less than 1, got -0.1$"),
        ({"dropout": 1.0}, "^dropout must be at least 0 and less than 1, got 1.0"),
        ({"label_smoothing": 1}, "^label_smoothing must be at least 0 and less than 1, got 1$"),
        ({"labels": ["T"]}, r"^labels must be two different names or more, got \['T'\]"),
        ({"labels": ["T", "B", "T"]}, r"^labels must be two different names or more, got \['T', 'B', 'T'\]"),
    ],
)
def test_a_setting_is_refused(keywords, message):
    refused(lambda: transformer(**keywords), message)


def test_a_rate_of_0_and_one_token_are_settings(typed):
    model = transformer(TYPES, rate=0, n_tokens=1)
    model.fit(typed["x"], typed["y"], verbose=0)
    assert np.isfinite(model.encode(typed["x"])).all()


def test_labels_are_refused(annotator, typed):
    x, y = typed["x"], typed["y"]
    held_out = x[:9]
    for call, message in (
        (
            lambda: annotator.fit(x),
            r"^y is missing, but the model has labels=\['B', 'NK', 'T'\]: fit it with y",
        ),
        (lambda: annotator.fit(x, y[1:]), "^y has 159 labels for 160 cells: pass one a cell"),
        (lambda: annotator.fit(x, [*y[1:], "CD8"]), "^label 'CD8' is none of the model's: B, NK, T"),
        (lambda: annotator.fit(x, [*y[1:], np.nan]), "^label 'nan' is none of the model's: B, NK, T"),
        (lambda: transformer().fit(x, y), "^y is given, but the model has labels=None: fit it without y"),
        (lambda: transformer().codes(y), "^labels were given to a model that has none"),
        (lambda: annotator.fit(x, y, validation_data=held_out), "^y is missing, but"),
        (lambda: annotator.fit(x, y, validation_data=(held_out,)), "^y is missing, but"),
        (lambda: annotator.fit(x, y, validation_data=(held_out, y)), "^y has 160 labels for 9 cells"),
        (lambda: annotator.fit(x, y, validation_data=(held_out, ["A"] * 9)), "^label 'A' is none of"),
    ):
        refused(call, message)


def test_class_weights_are_refused(annotator, typed):
    x, y = typed["x"], typed["y"]
    for weight, message in (
        ({"B": 1.0, "T": 2.0}, "^class_weight lacks label 'NK': give each label a weight, or 'balanced'"),
        ("even", "^class_weight='even' is unknown: choose from 'balanced'"),
    ):
        refused(lambda weight=weight: annotator.fit(x, y, class_weight=weight), message)
    for model, arguments in ((transformer(), (x,)), (annotator, (iter([(x, y)]),))):
        call = lambda model=model, arguments=arguments: model.fit(*arguments, class_weight="balanced")  # noqa: E731
        refused(call, "^class_weight needs labels and an array of cells: pass sample_weight")


@pytest.mark.parametrize("threshold", [1, -0.1, 1.5, float("nan")])
def test_a_threshold_is_refused(threshold, annotator, typed):
    message = f"^threshold must be at least 0 and less than 1, got {threshold}$"
    refused(lambda: annotator.predict_labels(typed["x"], threshold), message)


def test_a_model_without_labels_predicts_none(typed):
    refused(
        lambda: transformer().predict_labels(typed["x"]), "^the model has no labels to predict: build one"
    )


@pytest.mark.parametrize("name", ["encode", "predict_labels", "attention", "attention_maps", "fit"])
def test_data_that_are_no_counts_are_refused(name, annotator, typed):
    x = typed["x"]
    more = (typed["y"],) if name == "fit" else ()
    for cells, message in (
        (np.log1p(x), "^x must hold counts .*: looks like log1p data"),
        (-x, "^x must hold counts .*: looks like z-scores"),
        (x * np.nan, "^x must be finite, got nan"),
        (x[:, 1:], "^x has 29 genes, expected 30: select the genes"),
        (x * (np.arange(160) != 3)[:, None], r"^x has 1 cells with a total of 0 \(the first has index 3\)"),
    ):
        refused(lambda cells=cells: getattr(annotator, name)(cells, *more), message)
    if name in ("encode", "attention", "fit"):
        refused(
            lambda: getattr(annotator, name)(x, *more, batch_size=0), "^batch_size must be at least 1, got 0"
        )


def test_a_cell_needs_a_gene_that_the_training_cells_had(typed):
    """Of a gene that they lack the rank is unknown, as of one that another study brings; others may be missing."""
    x, only = typed["x"].copy(), np.zeros((3, 30), "float32")
    x[:, :2], only[[0, 1, 2], [5, 0, 1]] = 0, 9
    assert np.isfinite(transformer().fit(x, verbose=0).history["loss"]).all()
    model = transformer(TYPES)
    model.fit(x, typed["y"], verbose=0)
    message = r"^2 cells have no gene that can be a token \(the first has index 1\): drop them$"
    for call in (model.encode, model.predict_labels, model.attention):
        refused(lambda call=call: call(only), message)
    assert np.isfinite(model.encode(only[:1])).all()
    for tokens in ({"tokens": "expressed"}, {"tokens": "all", "n_tokens": None}, OF_SETS):
        assert np.isfinite(transformer(TYPES, **tokens).encode(only)).all()


@pytest.mark.parametrize(
    ("keywords", "differs"),
    [
        ({"dim": 4}, "dim=4 against 8"),
        ({"n_tokens": 9}, "n_tokens=9 against 8"),
        ({"pooling": "cls"}, "pooling='cls' against 'mean'"),
        ({"values": "linear"}, "values='linear' against 'piecewise'"),
        ({"tokens": "expressed", "depth": 2}, "tokens='expressed' against 'rank', depth=2 against 1"),
        (OF_SETS, "tokens='sets' against 'rank', n_tokens=None against 8, sets=.*"),
    ],
)
def test_another_trunk_is_refused(keywords, differs, annotator):
    before = annotator.get_weights()
    message = rf"^the trunks differ \({differs}\): build both models with the same arguments$"
    refused(lambda: annotator.start_from(transformer(**keywords)), message)
    for weight, same in zip(annotator.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_the_trunk_of_another_kind_of_model_is_refused(annotator):
    other = MaskedAutoencoder(30, latent_dim=8)
    refused(
        lambda: annotator.start_from(other), r"^the trunks differ \(tokens=None against 'rank', .*\): build"
    )


def test_sets_may_be_arrays_of_numpy():
    one, two = (transformer(**{**OF_SETS, "sets": [make(s) for s in SETS]}) for make in (np.array, tuple))
    assert one.get_config()["sets"] == SETS
    two.start_from(one)
