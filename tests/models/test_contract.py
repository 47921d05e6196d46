"""Keras's promises, one contract for every public model: untrained, trained, and loaded from a file."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import latentcells as lc
from tests.helpers import refused
from tests.models.contract import CELLS, KINDS, STATES, fit, replay, same

NO_FLOAT64_ON_JAX = pytest.mark.skipif(
    keras.backend.backend() == "jax", reason="JAX has no float64 unless its own configuration allows it"
)


@pytest.fixture(scope="module", params=KINDS)
def case(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def trained(case):
    """The model after an epoch. Tests leave its weights as they are."""
    model = case.build()
    fit(model, case)
    return model


@pytest.fixture(scope="module", params=STATES)
def model(request, case, trained, tmp_path_factory):
    if request.param == "fresh":
        return case.build()
    if request.param == "trained":
        return trained
    path = tmp_path_factory.mktemp("saved") / "model.keras"
    trained.save(path)
    return keras.models.load_model(path)


# -- in every state ---------------------------------------------------------------------------------------------------


def test_summary(model):
    lines = []
    model.summary(print_fn=lines.append)
    text = "\n".join(lines)
    assert type(model).__name__.lower().replace("_", "") in text.lower().replace("_", "")
    assert f"{sum(np.prod(w.shape, dtype=int) for w in model.trainable_variables):,}" in text


@pytest.mark.parametrize(
    "model",
    [*(pytest.param(state, marks=pytest.mark.slow) for state in STATES[:2]), STATES[2]],
    indirect=True,
    scope="module",
)
def test_export_serves_what_the_model_answers(model, case, tmp_path):
    model.export(tmp_path / "served", verbose=False)
    exported, cells = tf.saved_model.load(tmp_path / "served"), case.tensors()
    served = exported.serve(cells)
    same(served, model(cells), rtol=1e-5, atol=1e-6)
    if isinstance(served, dict) and "z_mean" in served:
        same(served["z_mean"].numpy(), model.encode(case.cells(case.x)), rtol=1e-5, atol=1e-6)


@pytest.mark.backend
def test_predict_gives_a_row_a_cell(model, case):
    cells = case.cells(case.x)
    answer = model.predict(cells, batch_size=7, verbose=0)
    for values in keras.tree.flatten(answer):
        assert values.shape[0] == CELLS and np.isfinite(values).all()
    if case.labelled:
        share = np.exp(answer) / np.exp(answer).sum(axis=1, keepdims=True)
        same(model.predict_labels(cells)["probability"], share, atol=1e-5)
    elif "z_mean" in answer:
        same(answer["z_mean"], model.encode(cells), rtol=1e-5, atol=1e-6)


def loss_of_cells(model, case, y_pred):
    """The loss of each cell, (cells,), by NumPy from what the model answers."""
    if case.labelled:
        log_share = y_pred - np.log(np.exp(y_pred).sum(axis=1, keepdims=True))
        return -np.where(case.y()[:, None] == np.array(["B", "T"]), log_share, 0.0).sum(axis=1)
    if "projected_a" in y_pred:
        return np.asarray(
            lc.objectives.info_nce(y_pred["projected_a"], y_pred["projected_b"], model.temperature)
        )
    missed = -np.asarray(model.head.log_prob(case.x, y_pred))
    if "mask" in y_pred:
        return (y_pred["mask"] * missed).sum(axis=1) / np.maximum(y_pred["mask"].sum(axis=1), 1)
    mean, log_var = y_pred["z_mean"], y_pred["z_log_var"]
    return missed.sum(axis=1) + 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)


@pytest.mark.backend
def test_evaluate_is_the_weighted_mean_of_the_cells_losses(model, case):
    """A cell of weight 0 adds nothing, and is still one of the cells."""
    cells, weight = case.cells(case.x), (np.arange(CELLS) % 3).astype("float32")
    keywords = {"batch_size": CELLS, "verbose": 0, "return_dict": True}
    y_pred, plain, weighted, listed, on_batch = replay(
        model,
        lambda: keras.tree.map_structure(keras.ops.convert_to_numpy, model(case.tensors())),
        lambda: model.evaluate(cells, case.y(), **keywords)["loss"],
        lambda: model.evaluate(cells, case.y(), sample_weight=weight, **keywords)["loss"],
        lambda: model.evaluate(cells, case.y(), sample_weight=weight.tolist(), **keywords)["loss"],
        lambda: model.test_on_batch(cells, case.y(), sample_weight=weight, return_dict=True)["loss"],
    )
    expected = loss_of_cells(model, case, y_pred)
    np.testing.assert_allclose(plain, expected.mean(), rtol=1e-4)
    np.testing.assert_allclose([weighted, listed, on_batch], (weight * expected).mean(), rtol=1e-4)


@pytest.mark.backend
def test_it_goes_on_learning(case, trained, tmp_path):
    """A loaded model takes the step that the one it was saved from takes."""
    trained.save(tmp_path / "model.keras")
    one, other = (keras.models.load_model(tmp_path / "model.keras") for _ in range(2))
    before = one.get_weights()
    for model in (one, other):
        fit(model, case)
    same(one.get_weights(), other.get_weights())
    assert not all(np.array_equal(a, b) for a, b in zip(before, one.get_weights(), strict=True))


# -- weights ----------------------------------------------------------------------------------------------------------


@pytest.mark.backend
def test_weights_and_files_bring_z_back_to_the_bit(case, tmp_path):
    model, cells = case.build(), case.cells(case.x)
    path = tmp_path / "best.weights.h5"
    fit(model, case, callbacks=[keras.callbacks.ModelCheckpoint(path, save_weights_only=True)])
    z = model.encode(cells)
    other = case.build()
    assert not np.array_equal(other.encode(cells), z)
    other.load_weights(path)
    same(other.encode(cells), z)
    model.save(tmp_path / "model.keras")
    for load in (keras.models.load_model, lc.models.load):
        same(load(tmp_path / "model.keras").encode(cells), z)


def test_clone_has_the_configuration_and_takes_the_weights(case, trained):
    clone = keras.models.clone_model(trained)
    assert type(clone) is type(trained) and clone.get_config() == trained.get_config()
    cells = case.cells(case.x)
    assert not np.array_equal(clone.encode(cells), trained.encode(cells))
    clone.set_weights(trained.get_weights())
    same(clone.encode(cells), trained.encode(cells))


# -- arguments of fit -------------------------------------------------------------------------------------------------


def test_validation_data_goes_before_validation_split(case):
    """The split is the last cells as they lie."""
    first, last = slice(18), slice(18, None)
    labels = case.y()

    def pair(rows):
        cells = case.cells(case.x)
        cells = keras.tree.map_structure(lambda array: array[rows], cells)
        return (cells,) if labels is None else (cells, labels[rows])

    def history(rows=slice(None), **keywords):
        return fit(case.build(), case, *pair(rows), **keywords)

    split = history(validation_split=0.25)
    same(split, history(first, validation_data=pair(last)))
    data = history(validation_data=pair(last))
    assert split["loss"] != data["loss"]
    same(history(validation_data=pair(last), validation_split=0.25), data)


@pytest.mark.parametrize("share", [1.0, 1.5, -0.2, float("nan")])
def test_a_validation_split_is_refused(case, trained, share):
    message = f"^validation_split must be at least 0 and less than 1, got {share}$"
    refused(lambda: fit(trained, case, validation_split=share), message)


def with_weights(model, case, sample_weight):
    """Each method that takes weights, called with these."""
    arguments = case.cells(case.x), case.y()
    for method in ("fit", "evaluate", "train_on_batch", "test_on_batch"):
        yield lambda method=method: getattr(model, method)(*arguments, sample_weight=sample_weight)


@pytest.mark.parametrize(
    ("weight", "message"),
    [
        (np.ones(CELLS - 1), rf"^sample_weight has shape \({CELLS - 1},\) for {CELLS} cells: pass one weight a cell"),
        (np.ones((CELLS, 1)), rf"^sample_weight has shape \({CELLS}, 1\) for {CELLS} cells: pass one weight a cell"),
        ([1.0] * (CELLS - 1) + [float("nan")], "^sample_weight must be finite, got nan"),
        ([1.0] * (CELLS - 1) + [-1.0], "^sample_weight must be 0 or more, got -1"),
    ],
    ids=["too few", "a matrix", "NaN", "negative"],
)  # fmt: skip
def test_weights_are_refused(case, trained, weight, message):
    for call in with_weights(trained, case, weight):
        refused(call, message)


def test_weights_that_are_no_numbers_are_refused(case, trained):
    for call in with_weights(trained, case, ["one"] * CELLS):
        refused(call, "^sample_weight must be numbers", TypeError)


def test_class_weight_is_for_labels(case, trained):
    """And there it is checked; it is an argument of `fit` alone."""
    cells = case.cells(case.x), case.y()
    for weight, message in (
        ({"B": float("nan"), "T": 1.0}, r"^class_weight\['B'\] must be 0 or more, got nan"),
        ({"B": -1.0, "T": 1.0}, r"^class_weight\['B'\] must be 0 or more, got -1"),
        ({0: 1.0, 1: 1.0}, "^label '0' is none of the model's: B, T"),
    ):
        message = message if case.labelled else "^class_weight needs a model with classes: pass sample_weight"
        refused(lambda weight=weight: trained.fit(*cells, class_weight=weight), message)
        refused(lambda weight=weight: trained.train_on_batch(*cells, class_weight=weight), "^class_weight")


def test_class_weight_is_the_weight_of_the_cells_of_a_label():
    case, weight = KINDS["CellAnnotator"], {"B": 2.0, "T": 0.0}
    one, other = case.build(), case.build()
    fit(one, case, class_weight=weight)
    fit(other, case, sample_weight=[weight[name] for name in case.y()])
    same(one.get_weights(), other.get_weights())


# -- precision --------------------------------------------------------------------------------------------------------


@pytest.fixture
def precision():
    """Sets Keras's policy or its float type, and puts both back."""
    policy, floatx = keras.config.dtype_policy(), keras.config.floatx()
    yield {"mixed_float16": keras.config.set_dtype_policy, "float64": keras.config.set_floatx}
    keras.config.set_floatx(floatx)
    keras.config.set_dtype_policy(policy)


@pytest.mark.backend
@pytest.mark.parametrize("name", ["mixed_float16", pytest.param("float64", marks=NO_FLOAT64_ON_JAX)])
def test_other_precisions(case, precision, name):
    precision[name](name)
    model = case.build()
    history = fit(model, case)
    z = model.encode(case.cells(case.x))
    assert np.isfinite(history["loss"]).all()
    assert z.dtype == np.float32 and np.isfinite(z).all() and np.ptp(z, axis=0).all()
    for values in keras.tree.flatten(model.predict(case.cells(case.x), verbose=0)):
        assert values.shape[0] == CELLS and np.isfinite(values).all()


# -- a mini-batch at a time -------------------------------------------------------------------------------------------


@pytest.mark.backend
def test_a_step_on_a_batch_is_the_step_of_fit(case):
    """But for a model that draws neighbours in `fit`; both prepare the model."""
    one, other, cells = case.build(), case.build(), case.cells(case.x)
    before = one.get_weights()
    loss = one.train_on_batch(cells, case.y(), return_dict=True)["loss"]
    assert np.isfinite(loss)
    assert not all(np.array_equal(a, b) for a, b in zip(before, one.get_weights(), strict=True))
    if not case.walks:
        history = fit(other, case, batch_size=CELLS)
        np.testing.assert_allclose(loss, history["loss"], rtol=1e-6)
        same(one.get_weights(), other.get_weights(), rtol=1e-6, atol=1e-7)


@pytest.mark.backend
def test_an_answer_to_a_batch_is_that_of_evaluate_and_predict(case, trained):
    cells, keywords = case.cells(case.x), {"batch_size": CELLS, "verbose": 0}
    loss, on_batch = replay(
        trained,
        lambda: trained.evaluate(cells, case.y(), **keywords, return_dict=True)["loss"],
        lambda: trained.test_on_batch(cells, case.y(), return_dict=True)["loss"],
    )
    np.testing.assert_allclose(on_batch, loss, rtol=1e-6)
    same(
        *replay(trained, lambda: trained.predict(cells, **keywords), lambda: trained.predict_on_batch(cells))
    )


def test_the_kinds_are_all_public_models():
    models = {
        value
        for name, value in vars(lc.models).items()
        if name in lc.models.__all__ and isinstance(value, type)
    }
    assert {kind.make.func for kind in KINDS.values()} == models - {lc.models.GeneTransformer}
