"""What a `GeneTransformer` learns, keeps and hands on; its trunk, its attention and its refusals have their files."""

import keras
import numpy as np
import pytest
from scipy import stats
from sklearn.utils.class_weight import compute_sample_weight

from latentcells._batching import in_batches
from latentcells.models import GeneTransformer, _gene_transformer
from latentcells.models._cell_model import batches
from tests.helpers import run_model_test, trained
from tests.models.conftest import TYPES, one_step

CONFIG = {"n_genes": 30, "n_tokens": 8, "dim": 8, "n_heads": 2, "depth": 1}


def transformer(labels=None, **keywords):
    return GeneTransformer(**{**CONFIG, "labels": labels, **keywords})


def same_weights(one, other):
    return all(np.array_equal(a, b) for a, b in zip(one.get_weights(), other.get_weights(), strict=True))


@pytest.fixture(scope="module")
def annotator(typed):
    return trained(transformer(TYPES), typed["x"], y=typed["y"], epochs=12)


@pytest.fixture(scope="module")
def pretrained(typed):
    model = transformer()
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    model.fit(typed["x"], epochs=60, batch_size=16, verbose=0)
    return model


@pytest.mark.parametrize("labels", [None, TYPES])
def test_what_every_model_must_bear(labels, typed, tmp_path):
    config = {**CONFIG, "labels": labels, "label_smoothing": 0.1, "values": "binned", "dropout": 0.2}
    keywords = {} if labels is None else {"y": typed["y"][:64]}
    run_model_test(GeneTransformer, config, typed["x"][:64], tmp_path, **keywords)


# -- annotation -------------------------------------------------------------------------------------------------------


def test_names_held_out_cells(annotator, typed):
    right = annotator.predict_labels(typed["new x"])["label"] == typed["new y"]
    assert right.mean() > 0.85, "chance is a third"


def test_the_loss_is_the_cross_entropy_with_smoothed_targets(typed):
    y = np.array([TYPES.index(name) for name in typed["y"]])
    logits = np.random.default_rng(0).normal(size=(len(y), 3)).astype("float32")
    log_share = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    for smoothing in (0.0, 0.2):
        target = (1 - smoothing) * np.eye(3)[y] + smoothing / 3
        loss = transformer(TYPES, label_smoothing=smoothing).compute_loss
        expected = -(target * log_share).sum(axis=1)
        np.testing.assert_allclose(loss(y=y, y_pred=logits), expected.mean(), rtol=1e-5)
        weight = np.arange(len(y), dtype="float32")
        got = loss(y=y, y_pred=logits, sample_weight=weight)
        np.testing.assert_allclose(got, (weight * expected).mean(), rtol=1e-5)


def test_balanced_weights_are_those_of_scikit_learn(typed):
    rare = np.flatnonzero((typed["y"] != "B") | (np.arange(len(typed["y"])) % 4 == 0))[:60]
    x, y = typed["x"][rare], typed["y"][rare]
    weight = compute_sample_weight("balanced", y)
    other = np.random.default_rng(0).uniform(0.5, 2.0, len(y))

    def fitted(**keywords):
        return one_step(transformer(TYPES), x, y, **keywords)

    balanced = fitted(class_weight="balanced")
    assert same_weights(balanced, fitted(sample_weight=weight.astype("float32")))
    assert same_weights(balanced, fitted(class_weight=dict(zip(y, weight, strict=True))))
    assert not same_weights(balanced, fitted())
    both = fitted(class_weight="balanced", sample_weight=other)
    assert same_weights(both, fitted(sample_weight=weight.astype("float32") * other))
    assert not same_weights(balanced, both)


def test_a_cell_below_the_threshold_has_no_name(annotator, typed):
    found = annotator.predict_labels(typed["new x"], batch_size=7)
    assert found["probability"].shape == (80, 3) and found["probability"].dtype == np.float32
    np.testing.assert_allclose(found["probability"].sum(axis=1), 1.0, atol=1e-5)
    best = found["probability"].max(axis=1)
    np.testing.assert_array_equal(found["label"], np.array(TYPES)[found["probability"].argmax(axis=1)])
    threshold = float(np.sort(best)[30])  # a cell's own: it is not less probable
    label = annotator.predict_labels(typed["new x"], threshold, batch_size=7)["label"]
    np.testing.assert_array_equal(label == "unassigned", best < threshold)
    np.testing.assert_array_equal(label[best >= threshold], found["label"][best >= threshold])
    assert 0 < (label == "unassigned").sum() <= 30


@pytest.mark.parametrize("name", ["encode", "predict_labels", "attention"])
def test_many_tokens_take_fewer_cells_at_a_time(annotator, typed, monkeypatch, name):
    taken = []

    def spy(function, x, batch_size):
        taken.append(batch_size)
        return in_batches(function, x, batch_size=batch_size)

    monkeypatch.setattr(_gene_transformer, "in_batches", spy)
    call = getattr(annotator, name)
    usual = call(typed["new x"], batch_size=7)
    monkeypatch.setattr(_gene_transformer, "MAPS", 3 * annotator.n_heads * 8**2 + 1)
    fewer = call(typed["new x"], batch_size=7)
    assert taken == [7, 3]
    for one, other in zip(*map(keras.tree.flatten, (usual, fewer)), strict=True):
        assert np.array_equal(one, other) if one.dtype == object else np.allclose(one, other, atol=1e-5)


def test_logits_are_what_the_probabilities_come_from(annotator, typed):
    logits = keras.ops.convert_to_numpy(annotator.logits(typed["new x"]))
    share = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(annotator.predict_labels(typed["new x"])["probability"], share, atol=1e-5)


# -- learning from hidden counts --------------------------------------------------------------------------------------


def test_hidden_counts_are_predicted_better_than_by_the_genes_shares(pretrained, typed):
    """On held-out cells, against each gene's share times the visible total, with the best dispersion of each gene."""
    x = typed["new x"]
    y_pred = {key: np.asarray(value, "float64") for key, value in pretrained(x).items()}
    mask, theta = y_pred["mask"] == 1, y_pred["theta"]
    library = (x * ~mask).sum(axis=1, keepdims=True) / (1 - mask.mean())
    mean = library * typed["x"].sum(axis=0) / typed["x"].sum()

    def loss(mean, theta):
        return -np.where(mask, stats.nbinom.logpmf(x, theta, theta / (theta + mean)), 0.0).sum(axis=0)

    baseline = np.min([loss(mean, theta) for theta in np.geomspace(0.1, 1e4, 40)], axis=0)
    assert loss(y_pred["mean"], theta).sum() < 0.97 * baseline.sum()


@pytest.mark.parametrize("tokens", ["all", "rank"])
def test_hidden_counts_do_not_reach_their_prediction(tokens, typed):
    """Two models of one seed hide the same values."""
    one, two = (transformer(tokens=tokens, n_tokens=None) for _ in range(2))
    x = typed["x"][:16]
    found = {key: np.asarray(value) for key, value in one(x).items()}
    again = {key: np.asarray(value) for key, value in two(np.where(found["mask"] == 1, 1000, x)).items()}
    for key in ("mask", "mean"):
        np.testing.assert_array_equal(found[key], again[key])
    assert abs(found["mask"].mean() - 0.3) < 5 * np.sqrt(0.21 / 480)


def test_the_loss_is_that_of_the_hidden_counts(pretrained, typed):
    """By SciPy, the mean over cells of each one's mean."""
    x = typed["x"]
    y_pred = {key: np.asarray(value) for key, value in pretrained(x).items()}
    mask, mean, theta = (y_pred[key].astype("float64") for key in ("mask", "mean", "theta"))
    log_prob = stats.nbinom.logpmf(x, theta, theta / (theta + mean))
    expected = -(log_prob * mask).sum(axis=1) / mask.sum(axis=1)
    np.testing.assert_allclose(pretrained.compute_loss(x, y_pred=y_pred), expected.mean(), rtol=1e-5)
    weight = np.arange(160, dtype="float32")
    got = pretrained.compute_loss(x, y_pred=y_pred, sample_weight=weight)
    np.testing.assert_allclose(got, (weight * expected).mean(), rtol=1e-5)


def test_an_untrained_model_predicts_the_average_cell(typed):
    model = transformer()
    model.prepare(typed["x"])
    start = np.log((typed["x"].sum(axis=0) + 1) / (typed["x"].sum(axis=0) + 1).sum())
    np.testing.assert_allclose(model.head.dense.bias.numpy(), start, rtol=1e-5)
    model.prepare(typed["x"][:5])  # the first cells count
    np.testing.assert_allclose(model.head.dense.bias.numpy(), start, rtol=1e-5)


# -- one model for another ------------------------------------------------------------------------------------------


def test_a_trunk_is_taken_over(pretrained, typed):
    model = transformer(TYPES, dropout=0.0, rate=0.1, seed=5)
    assert not np.allclose(model.encode(typed["x"]), pretrained.encode(typed["x"]), atol=1e-2)
    model.start_from(pretrained)
    np.testing.assert_array_equal(model.encode(typed["x"]), pretrained.encode(typed["x"]))
    means = pretrained.trunk.get_layer("tokens").mean.numpy()
    before = pretrained.get_weights()
    one_step(model, typed["x"][:24] * (np.arange(30) % 2 + 1), typed["y"][:24])
    np.testing.assert_array_equal(model.trunk.get_layer("tokens").mean.numpy(), means)
    assert not np.allclose(model.encode(typed["x"]), pretrained.encode(typed["x"]), atol=1e-3)
    for weight, same in zip(pretrained.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_means_are_those_of_the_training_cells_and_saved(annotator, typed, tmp_path):
    x = typed["x"]
    log1p = np.log1p(1e4 * x / x.sum(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(annotator.trunk.get_layer("tokens").mean.numpy(), log1p, rtol=1e-5)
    annotator.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    ours, theirs = (model.trunk.get_layer("tokens").mean.numpy() for model in (annotator, loaded))
    np.testing.assert_array_equal(ours, theirs)
    for key, value in annotator.predict_labels(typed["new x"], 0.6).items():
        np.testing.assert_array_equal(loaded.predict_labels(typed["new x"], 0.6)[key], value)
    loaded.fit(typed["new x"], typed["new y"], verbose=0)
    np.testing.assert_array_equal(loaded.trunk.get_layer("tokens").mean.numpy(), theirs)


# -- other data -------------------------------------------------------------------------------------------------------


def test_held_out_cells_are_scored_by_their_names(typed):
    """Without masks, dropout or smoothing of the training: the mean of -log of the name's probability."""
    x, y = typed["new x"], typed["new y"]
    model = transformer(TYPES)
    history = trained(model, typed["x"], y=typed["y"], epochs=1, validation_data=(x, y)).history.history
    share = model.predict_labels(x)["probability"][np.arange(80), [TYPES.index(name) for name in y]]
    np.testing.assert_allclose(history["val_loss"], [-np.log(share).mean()], rtol=1e-4)


def test_data_may_be_a_dataset_of_numbers(typed):
    codes = transformer(TYPES).codes(typed["y"])
    assert codes.tolist() == [TYPES.index(name) for name in typed["y"]]
    data = batches((typed["x"], codes), 80)
    new = batches((typed["new x"], codes[:80]), 80)
    model = transformer(TYPES)
    model.compile(steps_per_execution=1)
    first = model.fit(data, validation_data=new, verbose=0).history
    second = model.fit(data, validation_data=(typed["new x"], typed["new y"]), verbose=0).history
    third = model.fit(typed["x"], typed["y"], batch_size=80, validation_data=new, verbose=0).history
    assert all(np.isfinite(h["loss"] + h["val_loss"]).all() for h in (first, second, third))
