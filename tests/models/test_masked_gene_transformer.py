"""A `MaskedGeneTransformer` learns to predict hidden counts."""

import keras
import numpy as np
import pytest
from scipy import stats

from latentcells.models import MaskedGeneTransformer
from tests.helpers import refused, run_model_test
from tests.models.conftest import TRANSFORMER, TYPES, one_step


def transformer(**keywords):
    return MaskedGeneTransformer(**{**TRANSFORMER, **keywords})


@pytest.fixture(scope="module")
def pretrained(typed):
    model = transformer()
    model.compile(optimizer=keras.optimizers.Adam(0.01))
    model.fit(typed["x"], epochs=60, batch_size=16, verbose=0)
    return model


@pytest.mark.backend
def test_what_every_model_must_fulfil(typed, tmp_path):
    config = {**TRANSFORMER, "values": "binned", "dropout": 0.2}
    run_model_test(MaskedGeneTransformer, config, typed["x"][:64], tmp_path)


@pytest.mark.backend
def test_hidden_counts_are_predicted_better_than_by_the_genes_shares(pretrained, typed):
    """On held-out cells; the baseline is each gene's share times the visible total, with its best dispersion."""
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
    """Two models with the same seed hide the same values."""
    one, two = (transformer(tokens=tokens, n_tokens=None) for _ in range(2))
    x = typed["x"][:16]
    first = {key: np.asarray(value) for key, value in one(x).items()}
    second = {key: np.asarray(value) for key, value in two(np.where(first["mask"] == 1, 1000, x)).items()}
    for key in ("mask", "mean"):
        np.testing.assert_array_equal(first[key], second[key])
    assert abs(first["mask"].mean() - 0.3) < 5 * np.sqrt(0.21 / 480)


def test_the_loss_is_that_of_the_hidden_counts(pretrained, typed):
    """The reference uses SciPy: the mean over cells of each cell's mean."""
    x = typed["x"]
    y_pred = {key: np.asarray(value) for key, value in pretrained(x).items()}
    mask, mean, theta = (y_pred[key].astype("float64") for key in ("mask", "mean", "theta"))
    log_prob = stats.nbinom.logpmf(x, theta, theta / (theta + mean))
    expected = -(log_prob * mask).sum(axis=1) / mask.sum(axis=1)
    np.testing.assert_allclose(pretrained.compute_loss(x, y_pred=y_pred), expected.mean(), rtol=1e-5)
    weight = np.arange(160, dtype="float32")
    weighted = pretrained.compute_loss(x, y_pred=y_pred, sample_weight=weight)
    np.testing.assert_allclose(weighted, (weight * expected).mean(), rtol=1e-5)


def test_an_untrained_model_predicts_the_average_cell(typed):
    model = transformer()
    model._prepare(typed["x"])
    start = np.log((typed["x"].sum(axis=0) + 1) / (typed["x"].sum(axis=0) + 1).sum())
    np.testing.assert_allclose(model.head.dense.bias.numpy(), start, rtol=1e-5)
    model._prepare(typed["x"][:5])  # only the first call has an effect
    np.testing.assert_allclose(model.head.dense.bias.numpy(), start, rtol=1e-5)


def test_a_gene_without_a_count_is_learned_as_rare(typed):
    """It is never a token, and its expected count is a small fraction of a molecule."""
    x = typed["x"].copy()
    x[:, :2] = 0
    model = one_step(transformer(), x)
    assert np.isfinite(model.history.history["loss"]).all()
    mean = np.asarray(model(x)["mean"])
    assert 0 < mean[:, :2].max() < 0.1 < mean[:, 2:].mean()
    assert not np.isin(model.attention_maps(x)["gene"][model.attention_maps(x)["mask"]], [0, 1]).any()


# -- refusals ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0, 1.0, -0.1])
def test_a_rate_is_refused(rate):
    refused(lambda: transformer(rate=rate), f"^rate must be above 0 and below 1, got {rate}$")


def test_labels_are_refused(typed):
    model = transformer()
    model.compile()
    message = "^y is given, but the model learns without labels: leave y out, or build a CellAnnotator$"
    refused(lambda: model.fit(typed["x"], typed["y"]), message)
    with pytest.raises(ValueError, match="labels"):
        transformer(labels=TYPES)
