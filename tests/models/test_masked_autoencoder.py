import keras
import numpy as np
import pytest
from scipy import stats

from latentcells.models import MaskedAutoencoder
from tests.helpers import refused, run_model_test, trained

CONFIG = {"n_genes": 20, "latent_dim": 2, "hidden": (8,)}


def autoencoder(**keywords):
    return MaskedAutoencoder(**{**CONFIG, **keywords})


@pytest.fixture(scope="module")
def model(counts):
    return trained(autoencoder(), counts, epochs=30)


@pytest.mark.parametrize(
    "keywords",
    [{}, {"hidden": (8, 4), "rate": 0.2, "dropout": 0.1, "normalization": "group", "groups": 2}],
)
def test_what_every_model_must_fulfil(keywords, counts, tmp_path):
    run_model_test(MaskedAutoencoder, {**CONFIG, **keywords}, counts, tmp_path)


def test_there_may_be_no_hidden_layer(counts):
    assert np.isfinite(trained(autoencoder(hidden=()), counts).encode(counts)).all()


# -- what it computes --------------------------------------------------------------------------------------------


def test_the_loss_falls(model):
    losses = model.history.history["loss"]
    assert set(model.history.history) == {"loss"} and losses[-1] < losses[0] - 0.1


def test_the_loss_is_that_of_the_hidden_values(model, counts):
    """The reference uses NumPy and SciPy in float64."""
    y_pred = {key: np.asarray(value, "float64") for key, value in model(counts).items()}
    mask, mean, theta = y_pred["mask"], y_pred["mean"], np.exp(np.asarray(model.head.log_theta, "float64"))
    assert set(np.unique(mask)) == {0.0, 1.0}
    log_prob = stats.nbinom.logpmf(counts, theta, theta / (theta + mean))
    expected = -np.mean([log_prob[i, mask[i] == 1].mean() for i in range(len(counts))])
    y_pred = {key: value.astype("float32") for key, value in y_pred.items()}
    np.testing.assert_allclose(model.compute_loss(counts, y_pred=y_pred), expected, rtol=1e-5)
    changed = np.where(mask == 1, counts, counts + 7)
    assert float(model.compute_loss(changed, y_pred=y_pred)) == float(
        model.compute_loss(counts, y_pred=y_pred)
    )
    changed = np.where(mask == 1, counts + 7, counts)
    assert float(model.compute_loss(changed, y_pred=y_pred)) > expected + 0.1


def test_weights_scale_the_loss(model, counts):
    y_pred = model(counts)
    plain = float(model.compute_loss(counts, y_pred=y_pred))
    double = model.compute_loss(counts, y_pred=y_pred, sample_weight=np.full(96, 2.0, "float32"))
    np.testing.assert_allclose(double, 2 * plain, rtol=1e-6)


@pytest.mark.parametrize("rate", [0.2, 0.7])
def test_each_call_hides_a_new_share_of_the_values(rate, counts):
    model = autoencoder(rate=rate)
    one, two = (np.asarray(model(counts)["mask"]) for _ in range(2))
    assert abs(one.mean() - rate) < 5 * np.sqrt(rate * (1 - rate) / one.size)
    assert not np.array_equal(one, two)


def test_the_encoder_sees_log_cp10k_of_the_visible_counts(model, counts):
    """The decoder gets their total divided by the visible share."""
    mask = model.predict_hidden(counts)["mask"]
    visible = counts * (1 - mask)
    total = visible.sum(axis=1, keepdims=True)
    hidden = model.encoder.get_layer("hidden_0")(np.log1p(1e4 * visible / total))
    z = model.encoder.get_layer("z")(np.maximum(hidden, 0))
    expected = model.head.mean(model.decoder({"z": z, "library": keras.ops.convert_to_tensor(total / 0.5)}))
    np.testing.assert_allclose(model.predict_hidden(counts)["mean"], expected, rtol=1e-4)


def test_z_does_not_depend_on_the_depth(model, counts):
    np.testing.assert_allclose(model.encode(3 * counts), model.encode(counts), atol=1e-4)


# -- predicting what is hidden -----------------------------------------------------------------------------------


def test_hidden_counts_do_not_influence_their_prediction(model, counts):
    before = model.predict_hidden(counts, seed=4)
    changed = np.where(before["mask"] == 1, counts[::-1] + 50, counts)
    np.testing.assert_array_equal(model.predict_hidden(changed, seed=4)["mean"], before["mean"])
    changed_visible = np.where(before["mask"] == 1, counts, counts[::-1] + 50)
    assert not np.allclose(model.predict_hidden(changed_visible, seed=4)["mean"], before["mean"], rtol=0.1)


def test_the_prediction_has_its_log_probability(model, counts):
    prediction = model.predict_hidden(counts)
    assert list(prediction) == ["mask", "mean", "log_prob"]
    assert all(value.shape == (96, 20) and value.dtype == np.float32 for value in prediction.values())
    theta = np.exp(np.asarray(model.head.log_theta, "float64"))
    mean = prediction["mean"].astype("float64")
    expected = stats.nbinom.logpmf(counts, theta, theta / (theta + mean))
    np.testing.assert_allclose(prediction["log_prob"], expected, rtol=1e-4, atol=1e-5)


def test_the_mask_depends_only_on_the_seed(model, counts):
    one, two, other = (model.predict_hidden(counts, seed, batch_size=7) for seed in (1, 1, 2))
    assert all(np.array_equal(one[key], two[key]) for key in one)
    assert abs(one["mask"].mean() - 0.5) < 0.06 and not np.array_equal(one["mask"], other["mask"])
    np.testing.assert_allclose(model.predict_hidden(counts, 1)["mean"], one["mean"], rtol=1e-4)


def test_it_predicts_better_than_the_genes_means():
    """The baseline knows the cell's depth: each gene's share of all molecules times the visible total."""
    rng = np.random.default_rng(0)
    kind = rng.integers(0, 2, 256)
    x = rng.poisson(np.where(np.arange(20) % 2 == kind[:, None], 8.0, 1.0)).astype("float32")
    model = trained(autoencoder(hidden=(32,), latent_dim=4), x[:192], epochs=20)
    x = x[192:]
    prediction = model.predict_hidden(x)
    hidden, visible = prediction["mask"] == 1, x * (1 - prediction["mask"])
    naive = x.sum(axis=0) / x.sum() * visible.sum(axis=1, keepdims=True) / 0.5
    error, naive_error = (np.square(x - mean)[hidden].mean() for mean in (prediction["mean"], naive))
    assert error < 0.7 * naive_error


# -- the start ---------------------------------------------------------------------------------------------------


def test_fit_starts_at_the_average_training_cell_once(counts, tmp_path):
    model = autoencoder()
    bias = model.head.dense.bias.numpy()
    model._prepare(counts)
    start = model.head.dense.bias.numpy()
    assert not np.array_equal(start, bias)
    model._prepare(counts[:, ::-1])
    np.testing.assert_array_equal(model.head.dense.bias.numpy(), start)
    model(counts)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    loaded._prepare(counts[:, ::-1])
    np.testing.assert_array_equal(loaded.head.dense.bias.numpy(), start)


def test_held_out_cells_are_scored(counts):
    history = trained(autoencoder(), counts[:64], validation_data=counts[64:]).history.history
    assert set(history) == {"loss", "val_loss"} and np.isfinite(history["val_loss"]).all()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(counts, policy):
    """Deep cells: a library size of 1e5 is beyond float16, and sums in bfloat16 keep two digits."""
    x, before = counts * 1000, keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = trained(autoencoder(), x)
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(model.history.history["loss"]).all()
    assert model.encode(x).dtype == np.float32 and np.isfinite(model.encode(x)).all()


# -- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("rate", [0, 1, -0.1, 1.5, float("nan")])
def test_a_rate_outside_0_and_1_is_refused(rate):
    refused(lambda: autoencoder(rate=rate), f"^rate must be above 0 and below 1, got {rate}$")


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        ({"n_genes": 0}, ValueError, "^n_genes must be at least 1, got 0"),
        ({"latent_dim": 0}, ValueError, "^latent_dim must be at least 1, got 0"),
        ({"latent_dim": 2.0}, TypeError, "^latent_dim must be an integer, got 2.0"),
        (
            {"hidden": 8},
            TypeError,
            r"^hidden must be a tuple of integers, got 8: \(256,\) is one layer of 256 units",
        ),
        ({"hidden": (8, 0)}, ValueError, "^hidden must be at least 1, got 0"),
        ({"dropout": 1.0}, ValueError, "^dropout must be at least 0 and less than 1, got 1.0"),
        ({"normalization": "none"}, ValueError, "^normalization='none' is unknown: choose from None"),
        ({"groups": 2}, ValueError, "^groups are for normalization='group', got groups=2 with None"),
        ({"seed": -1}, ValueError, "^seed must be at least 0, got -1"),
    ],
)
def test_a_setting_is_refused(keywords, kind, message):
    refused(lambda: autoencoder(**keywords), message, kind)


def test_data_that_are_not_counts_are_refused(model, counts):
    for call in (model.fit, model.encode, model.predict_hidden):
        refused(lambda call=call: call(np.log1p(counts)), "^x must hold counts .*: looks like log1p data")
        refused(lambda call=call: call(counts[:, 1:]), "^x has 19 genes, expected 20: select the genes")
        refused(lambda call=call: call(counts * np.nan), "^x must be finite, got nan")
        refused(lambda call=call: call(counts, batch_size=0), "^batch_size must be at least 1, got 0")


def test_batch_normalisation_refuses_a_training_batch_of_one_cell(counts):
    message = (
        "^batch_size=32 leaves a training batch of 1 of the 65 cells, .* no variance .*: take batch_size=33"
    )
    refused(lambda: trained(autoencoder(normalization="batch"), counts[:65]), message)
    trained(autoencoder(normalization="batch"), counts[:66], epochs=1)
