"""A `CellAnnotator` learns to predict the labels of cells."""

import keras
import numpy as np
import pandas as pd
import pytest
from sklearn.utils.class_weight import compute_sample_weight

from latentcells._batching import batches, in_batches
from latentcells.models import CellAnnotator, _cell_annotator, _gene_transformer
from tests.helpers import refused, run_model_test, trained
from tests.models.conftest import SETS, TRANSFORMER, TYPES, one_step


def annotator(**keywords):
    model = CellAnnotator(**{**TRANSFORMER, "labels": TYPES, **keywords})
    model.compile(steps_per_execution=1)
    return model


def same_weights(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.fixture(scope="module")
def fitted(typed):
    return trained(annotator(), typed["x"], y=typed["y"], epochs=12)


@pytest.mark.backend
def test_what_every_model_must_fulfil(typed, tmp_path):
    config = {**TRANSFORMER, "labels": TYPES, "label_smoothing": 0.1, "values": "binned", "dropout": 0.2}
    run_model_test(CellAnnotator, config, typed["x"][:64], tmp_path, y=typed["y"][:64])


@pytest.mark.backend
def test_names_held_out_cells(fitted, typed):
    correct = fitted.predict_labels(typed["new x"])["label"] == typed["new y"]
    assert correct.mean() > 0.85, "chance is a third"


def test_the_loss_is_the_cross_entropy_with_smoothed_targets(typed):
    y = np.array([TYPES.index(name) for name in typed["y"]])
    logits = np.random.default_rng(0).normal(size=(len(y), 3)).astype("float32")
    log_share = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    for smoothing in (0.0, 0.2):
        target = (1 - smoothing) * np.eye(3)[y] + smoothing / 3
        loss = annotator(label_smoothing=smoothing).compute_loss
        expected = -(target * log_share).sum(axis=1)
        np.testing.assert_allclose(loss(y=y, y_pred=logits), expected.mean(), rtol=1e-5)
        weight = np.arange(len(y), dtype="float32")
        weighted = loss(y=y, y_pred=logits, sample_weight=weight)
        np.testing.assert_allclose(weighted, (weight * expected).mean(), rtol=1e-5)


def test_balanced_weights_are_those_of_scikit_learn(typed):
    rare = np.flatnonzero((typed["y"] != "B") | (np.arange(len(typed["y"])) % 4 == 0))[:60]
    x, y = typed["x"][rare], typed["y"][rare]
    weight = compute_sample_weight("balanced", y)
    other = np.random.default_rng(0).uniform(0.5, 2.0, len(y))

    def train_one_step(**keywords):
        return one_step(annotator(), x, y, **keywords)

    balanced = train_one_step(class_weight="balanced")
    assert same_weights(balanced, train_one_step(sample_weight=weight.astype("float32")))
    assert same_weights(balanced, train_one_step(class_weight=dict(zip(y, weight, strict=True))))
    assert not same_weights(balanced, train_one_step())
    combined = train_one_step(class_weight="balanced", sample_weight=other)
    assert same_weights(combined, train_one_step(sample_weight=weight.astype("float32") * other))
    assert not same_weights(balanced, combined)


def test_a_cell_below_the_threshold_has_no_name(fitted, typed):
    prediction = fitted.predict_labels(typed["new x"], batch_size=7)
    assert prediction["probability"].shape == (80, 3) and prediction["probability"].dtype == np.float32
    np.testing.assert_allclose(prediction["probability"].sum(axis=1), 1.0, atol=1e-5)
    confidence = prediction["probability"].max(axis=1)
    np.testing.assert_array_equal(
        prediction["label"], np.array(TYPES)[prediction["probability"].argmax(axis=1)]
    )
    threshold = float(np.sort(confidence)[30])  # the confidence of one cell, which is not below itself
    label = fitted.predict_labels(typed["new x"], threshold, batch_size=7)["label"]
    np.testing.assert_array_equal(label == "unassigned", confidence < threshold)
    np.testing.assert_array_equal(
        label[confidence >= threshold], prediction["label"][confidence >= threshold]
    )
    assert 0 < (label == "unassigned").sum() <= 30


@pytest.mark.parametrize("name", ["encode", "predict_labels", "attention"])
def test_with_many_tokens_fewer_cells_are_processed_at_a_time(fitted, typed, monkeypatch, name):
    sizes = []

    def spy(function, x, batch_size):
        sizes.append(batch_size)
        return in_batches(function, x, batch_size=batch_size)

    for module in (_gene_transformer, _cell_annotator):
        monkeypatch.setattr(module, "in_batches", spy)
    call = getattr(fitted, name)
    usual = call(typed["new x"], batch_size=7)
    monkeypatch.setattr(_gene_transformer, "MAX_MAP_VALUES", 3 * fitted.n_heads * 8**2 + 1)
    fewer = call(typed["new x"], batch_size=7)
    assert sizes == [7, 3]
    for one, other in zip(*map(keras.tree.flatten, (usual, fewer)), strict=True):
        assert np.array_equal(one, other) if one.dtype == object else np.allclose(one, other, atol=1e-5)


def test_the_probabilities_are_the_softmax_of_the_logits(fitted, typed):
    logits = keras.ops.convert_to_numpy(fitted.logits(typed["new x"]))
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_labels(typed["new x"])["probability"], share, atol=1e-5)


@pytest.mark.parametrize("tokens", ["rank", "sets"])
def test_from_log1p_starts_after_the_normalisation(tokens, typed):
    """Counts with other totals give the same logits; other values give other logits."""
    tokens_config = {"sets": SETS, "n_tokens": None} if tokens == "sets" else {}
    model, x = annotator(tokens=tokens, target_sum=300.0, **tokens_config), typed["new x"][:5]
    model._prepare(typed["x"])
    function, values = model.from_log1p(), np.log1p(300.0 * x / x.sum(axis=1, keepdims=True))
    logits = keras.ops.convert_to_numpy(model.logits(x))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(function(values)), logits, atol=1e-4)
    assert np.abs(keras.ops.convert_to_numpy(function(values[:, ::-1].copy())) - logits).max() > 1e-4


# -- targets ----------------------------------------------------------------------------------------------------------


def test_names_become_codes_in_every_form(typed):
    expected = [TYPES.index(name) for name in typed["y"]]
    model = annotator()
    assert model.codes(typed["y"]).tolist() == expected
    for y in (
        typed["y"], typed["y"].tolist(), typed["y"].astype(object), typed["y"].astype(bytes),
        typed["y"].astype(bytes).astype(object), pd.Series(typed["y"]), pd.Categorical(typed["y"]),
        expected, np.array(expected, "uint8"),
    ):  # fmt: skip
        codes = model._check_target(y, 160)
        assert codes.dtype == np.int32 and codes.tolist() == expected


def test_a_number_that_is_a_label_is_not_a_code():
    model = annotator(labels=[2, 1, 7])
    assert model._check_target([1, 2, 7], 3).tolist() == [1, 0, 2]
    refused(lambda: model._check_target([0, 1, 2], 3), "^label '0' is none of the model's: 2, 1, 7$")


def test_held_out_cells_are_scored_by_their_names(typed):
    """Without the masks, dropout and smoothing of training: the mean of -log of the label's probability."""
    x, y = typed["new x"], typed["new y"]
    model = annotator()
    history = trained(model, typed["x"], y=typed["y"], epochs=1, validation_data=(x, y)).history.history
    share = model.predict_labels(x)["probability"][np.arange(80), [TYPES.index(name) for name in y]]
    np.testing.assert_allclose(history["val_loss"], [-np.log(share).mean()], rtol=1e-4)


def test_data_may_be_a_dataset_of_codes(typed):
    codes = annotator().codes(typed["y"])
    data = batches((typed["x"], codes), 80)
    new = batches((typed["new x"], codes[:80]), 80)
    model = annotator()
    first = model.fit(data, validation_data=new, verbose=0).history
    second = model.fit(data, validation_data=(typed["new x"], typed["new y"]), verbose=0).history
    third = model.fit(typed["x"], typed["y"], batch_size=80, validation_data=new, verbose=0).history
    assert all(np.isfinite(h["loss"] + h["val_loss"]).all() for h in (first, second, third))


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"rate": 1.0}, "^rate must be at least 0 and less than 1, got 1.0$"),
        ({"rate": -0.1}, "^rate must be at least 0 and less than 1, got -0.1$"),
        ({"label_smoothing": 1}, "^label_smoothing must be at least 0 and less than 1, got 1$"),
        ({"labels": ["T"]}, r"^labels must be two different names or more, got \['T'\]"),
        ({"labels": ["T", "B", "T"]}, r"^labels must be two different names or more, got \['T', 'B', 'T'\]"),
    ],
)
def test_a_setting_is_refused(keywords, message):
    refused(lambda: annotator(**keywords), message)


def test_a_rate_of_0_and_one_token_are_settings(typed):
    model = annotator(rate=0, n_tokens=1)
    model.fit(typed["x"], typed["y"], verbose=0)
    assert np.isfinite(model.encode(typed["x"])).all()


def test_labels_are_refused(fitted, typed):
    x, y = typed["x"], typed["y"]
    held_out = x[:9]
    missing = "^y is missing: pass the label of each cell, one of B, NK, T$"
    for call, message in (
        (lambda: fitted.fit(x), missing),
        (lambda: fitted.fit(x, y[1:]), "^y has 159 labels for 160 cells: pass one a cell"),
        (
            lambda: fitted.fit(x, y[:, None]),
            r"^y must be \(cells,\), got shape \(160, 1\): pass one label a cell",
        ),
        (lambda: fitted.fit(x, "B"), r"^y must be \(cells,\), got shape \(\): pass one label a cell"),
        (lambda: fitted.fit(x, [*y[1:], "CD8"]), "^label 'CD8' is none of the model's: B, NK, T"),
        (lambda: fitted.fit(x, [*y[1:], np.nan]), "^label 'nan' is none of the model's: B, NK, T"),
        (lambda: fitted.fit(x, np.arange(160) % 4), "^y has codes from 0 to 3, there are 3 labels: number"),
        (lambda: fitted.fit(x, -np.ones(160, int)), "^y has codes from -1 to -1, there are 3 labels: number"),
        (lambda: fitted.fit(x, np.ones(160)), "^label '1.0' is none of the model's: B, NK, T"),
        (lambda: fitted.codes(["B", "A"]), "^label 'A' is none of the model's: B, NK, T"),
        (lambda: fitted.fit(x, y, validation_data=held_out), missing),
        (lambda: fitted.fit(x, y, validation_data=(held_out,)), missing),
        (lambda: fitted.fit(x, y, validation_data=(held_out, y)), "^y has 160 labels for 9 cells"),
        (lambda: fitted.fit(x, y, validation_data=(held_out, ["A"] * 9)), "^label 'A' is none of"),
    ):
        refused(call, message)


def test_class_weights_are_refused(fitted, typed):
    x, y = typed["x"], typed["y"]
    even = dict.fromkeys(TYPES, 1.0)
    for weight, message, kind in (
        ({"B": 1.0, "T": 2.0}, "^class_weight lacks label 'NK': give each label", ValueError),
        ({**even, "CD8": 1.0}, "^label 'CD8' is none of the model's: B, NK, T$", ValueError),
        ({**even, "B": np.nan}, r"^class_weight\['B'\] must be 0 or more, got nan$", ValueError),
        ({**even, "B": -1.0}, r"^class_weight\['B'\] must be 0 or more, got -1.0$", ValueError),
        ({**even, "B": "2"}, r"^class_weight\['B'\] must be a number, got '2' \(str\)$", TypeError),
        ("even", "^class_weight='even' is unknown: choose from 'balanced'", ValueError),
    ):
        refused(lambda weight=weight: fitted.fit(x, y, class_weight=weight), message, kind)
    refused(lambda: fitted.fit(x, class_weight="balanced"), "^y is missing: pass the label of each cell")
    short = r"^sample_weight has shape \(9,\) for 160 cells"
    refused(lambda: fitted.fit(x, y, class_weight="balanced", sample_weight=np.ones(9)), short)
    names = [f"cell {i}" for i in range(160)]
    table, backwards = pd.DataFrame(x, names), pd.Series(1.0, names[::-1])
    message = "^row 0 is cell 'cell 159' in sample_weight and 'cell 0' in x"
    refused(lambda: fitted.fit(table, y, class_weight="balanced", sample_weight=backwards), message)
    message = "^class_weight beside a list_iterator: give its mini-batches a sample_weight"
    refused(lambda: fitted.fit(iter([(x, y)]), class_weight="balanced"), message)


@pytest.mark.parametrize("threshold", [1, -0.1, 1.5, float("nan")])
def test_a_threshold_is_refused(threshold, fitted, typed):
    message = f"^threshold must be at least 0 and less than 1, got {threshold}$"
    refused(lambda: fitted.predict_labels(typed["x"], threshold), message)
