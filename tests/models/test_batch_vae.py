import inspect
import json

import keras
import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score

from latentcells import datasets
from latentcells.models import VAE, BatchVAE
from latentcells.objectives import kl_to_standard_normal
from tests.helpers import refused, run_model_test, trained

PLATES = ["plate 1", "plate 2"]
CONFIG = {"n_genes": 20, "batches": PLATES, "latent_dim": 2, "hidden": (8,)}
KEYS = {"loss", "reconstruction", "kl"}


def vae(**keywords):
    return BatchVAE(**{**CONFIG, **keywords})


def on(cells, batch):
    """The same cells, all assigned to one batch."""
    return {**cells, "batch": np.full(len(cells["x"]), batch)}


@pytest.fixture(scope="module")
def model(plates):
    return trained(vae(), plates, epochs=20)


@pytest.fixture(scope="module")
def domain(plates):
    return trained(vae(normalization="domain"), plates, epochs=5)


@pytest.mark.parametrize(
    "keywords", [{}, {"normalization": "domain", "adversary": 2.0, "dropout": 0.1, "beta": 0.5}]
)
def test_what_every_model_must_fulfil(keywords, plates, tmp_path):
    run_model_test(BatchVAE, {**CONFIG, **keywords}, plates, tmp_path)


# -- what it computes --------------------------------------------------------------------------------------------


def test_the_loss_falls(model):
    history = model.history.history
    assert set(history) == KEYS and history["loss"][-1] < history["loss"][0] - 1


def test_the_decoder_gets_the_batch(model):
    z = np.random.default_rng(0).normal(size=(50, 2))
    first, second = (model.decode(z, batch=plate) for plate in PLATES)
    assert first.shape == (50, 20) and first.dtype == np.float32
    assert np.abs(np.log(first / second)).mean() > 0.1
    mixed = model.decode(z, batch=PLATES * 25)
    np.testing.assert_allclose(mixed[::2], first[::2], rtol=1e-5)
    np.testing.assert_allclose(mixed[1::2], second[1::2], rtol=1e-5)


def test_without_a_batch_it_decodes_the_mean_over_batches(model):
    z = np.random.default_rng(0).normal(size=(50, 2))
    expected = np.mean([model.decode(z, batch=plate, library=300) for plate in PLATES], axis=0)
    result = model.decode(z, library=300)
    assert result.shape == (50, 20) and result.dtype == np.float32
    np.testing.assert_allclose(result, expected, rtol=1e-5)
    np.testing.assert_allclose(result.sum(axis=1), 300, rtol=1e-4)
    np.testing.assert_allclose(model.decode(z, library=300, batch_size=7), expected, rtol=1e-4)


def test_cells_are_drawn_as_their_batch_would_measure_them(model):
    z = np.tile(np.random.default_rng(0).normal(size=(1, 2)), (2000, 1))
    first, second = (model.sample(z, batch=plate, library=300) for plate in PLATES)
    for drawn, plate in ((first, PLATES[0]), (second, PLATES[1])):
        expected = model.decode(z[:1], batch=plate, library=300)[0]
        np.testing.assert_allclose(drawn.mean(axis=0), expected, rtol=0.1, atol=0.1)
    mixed = model.sample(z, batch=PLATES * 1000, library=300)
    np.testing.assert_allclose(mixed[1::2].mean(axis=0), second.mean(axis=0), rtol=0.15, atol=0.15)
    anywhere = model.sample(z, library=300)
    np.testing.assert_allclose(anywhere.mean(axis=0), model.decode(z[:1], library=300)[0], rtol=0.1, atol=0.1)
    within = (first.var(axis=0) + second.var(axis=0)).sum() / 2
    between = ((first.mean(axis=0) - second.mean(axis=0)) ** 2 / 4).sum()
    np.testing.assert_allclose(anywhere.var(axis=0).sum(), within + between, rtol=0.02)
    assert between > 0.04 * within
    refused(lambda: model.sample(z, "plate 3"), "^batch 'plate 3' was not among")


def test_the_batch_shift_is_learned(model, plates):
    """The learned shift follows each gene's relative yield on the second plate, within the error of 96 cells."""
    z = model.encode(plates)
    learned = np.log(model.decode(z, "plate 2") / model.decode(z, "plate 1")).mean(axis=0)
    profile = {p: plates["x"][plates["batch"] == p] for p in PLATES}
    profile = {p: np.mean(x / x.sum(axis=1, keepdims=True), axis=0) for p, x in profile.items()}
    observed = np.log(profile["plate 2"] / profile["plate 1"])
    assert np.corrcoef(learned, observed)[0, 1] > 0.8


def test_elbo_equals_the_equation(model, plates):
    """The reference uses NumPy and SciPy in float64, at one draw from the posterior, each cell in its own batch."""
    x = plates["x"]
    posterior = {key: np.asarray(value, "float64") for key, value in model.encoder(x).items()}
    mean, log_var = posterior["z_mean"], posterior["z_log_var"]
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    noise = np.random.default_rng(4).standard_normal(mean.shape, dtype="float32")
    expected = model.decode(mean + np.exp(log_var / 2) * noise, plates["batch"], x.sum(axis=1)).astype(
        "float64"
    )
    theta = np.exp(np.asarray(model.head.log_theta, "float64"))
    log_prob = stats.nbinom.logpmf(x, theta, theta / (theta + expected)).sum(axis=1)
    result = model.elbo(plates, seed=4)
    np.testing.assert_allclose(result["kl"], kl.mean(), rtol=1e-5)
    np.testing.assert_allclose(result["reconstruction"], log_prob.mean(), rtol=1e-5)
    assert result["elbo"] == result["reconstruction"] - result["kl"]


def test_the_right_batch_explains_the_cells_better(model, plates):
    swapped = {**plates, "batch": np.where(plates["batch"] == "plate 1", *PLATES[::-1])}
    assert model.elbo(plates)["elbo"] > model.elbo(swapped)["elbo"] + 1


def test_a_cell_is_reconstructed_in_its_batch_with_its_library(model, plates):
    result = model.reconstruct(plates)
    np.testing.assert_allclose(result.sum(axis=1), plates["x"].sum(axis=1), rtol=1e-4)
    z, library = model.encode(plates), plates["x"].sum(axis=1)
    np.testing.assert_allclose(result, model.decode(z, plates["batch"], library), rtol=1e-5)
    np.testing.assert_allclose(model.reconstruct(plates, batch_size=7), result, rtol=1e-4)


@pytest.mark.parametrize("likelihood", ["zero_inflated_negative_binomial", "gaussian", "bernoulli"])
def test_every_likelihood_learns(likelihood, plates):
    x = plates["x"]
    if likelihood == "bernoulli":
        x = x / x.max(axis=0)
    cells = {**plates, "x": np.log1p(x) if likelihood == "gaussian" else x}
    model = trained(vae(likelihood=likelihood), cells, epochs=8)
    losses = model.history.history["loss"]
    assert losses[-1] < losses[0] and np.isfinite(model.reconstruct(cells)).all()
    assert np.isfinite(model.elbo(cells)["elbo"])


# -- the encoder and the batch -----------------------------------------------------------------------------------


@pytest.mark.parametrize("normalization", ["layer", None, "batch"])
def test_the_encoder_does_not_read_the_batch(normalization, plates):
    model = trained(vae(normalization=normalization), plates)
    np.testing.assert_array_equal(*(model.encode(on(plates, plate)) for plate in PLATES))


def test_domain_normalisation_reads_the_batch(domain, plates):
    first, second = (domain.encode(on(plates, plate)) for plate in PLATES)
    assert not np.allclose(first, second, atol=1e-2)
    expected = np.where((plates["batch"] == "plate 1")[:, None], first, second)
    np.testing.assert_allclose(domain.encode(plates), expected, atol=1e-5)


def test_domain_normalisation_gives_the_batches_one_mean(plates):
    """For every hidden unit, in training, before the ReLU."""
    model = vae(normalization="domain")
    x = model._take(plates).matrix
    hidden = model.encoder.get_layer("hidden_0")(model.head._encoder_input(x["x"]))
    layer = model.encoder.get_layer("normalization_0")
    out = np.asarray(layer(hidden, x["batch"].argmax(axis=1), training=True))
    for plate in PLATES:
        np.testing.assert_allclose(out[plates["batch"] == plate].mean(axis=0), 0, atol=1e-5)


def test_batches_may_be_names_of_any_kind(model, plates):
    z = model.encode(plates)
    for kind in (list, pd.Series, pd.Categorical):
        np.testing.assert_array_equal(model.encode({**plates, "batch": kind(plates["batch"])}), z)
    numbers = np.where(plates["batch"] == "plate 1", 1, 2)
    numbered = trained(vae(batches=[1, 2]), {**plates, "batch": numbers}, epochs=1)
    assert numbered.batches == ["1", "2"]
    numbered.decode(z, batch="2")


# -- batches that it does not know -------------------------------------------------------------------------------


UNKNOWN = (
    r"^batch 'plate 3' was not among the model's batches \['plate 1', 'plate 2'\] \(96 of 96 cells\): "
    r"pass cells of these batches"
)
AVERAGED = ", or unseen='average' to treat them as the mean of the batches$"


def test_domain_normalisation_is_not_of_genes():
    with pytest.raises(ValueError, match=r"^normalization='domain' with normalization_of='genes': .* leave"):
        vae(normalization="domain", normalization_of="genes")


def test_an_unknown_batch_is_refused(model, domain, plates):
    unknown = on(plates, "plate 3")
    for call in (model.encode, domain.encode, model.fit, model.elbo, model.reconstruct):
        offers = "unseen" in inspect.signature(call).parameters
        refused(lambda call=call: call(unknown), UNKNOWN + (AVERAGED if offers else "$"))
    refused(lambda: model.fit(plates, validation_data=unknown, verbose=0), UNKNOWN)
    refused(lambda: model.decode(np.zeros((96, 2)), batch="plate 3"), UNKNOWN)


def test_labels_in_place_of_batches_are_refused(model, plates):
    labels = np.where(np.arange(96) % 4 == 0, "T cell", plates["batch"])
    message = r"^batch 'T cell' was not among the model's batches \['plate 1', 'plate 2'\] \(24 of 96 cells\)"
    refused(lambda: model.fit({**plates, "batch": labels}), message)


def test_an_unknown_batch_is_averaged_over_the_known_ones(domain, plates):
    expected = np.mean([domain.encode(on(plates, plate)) for plate in PLATES], axis=0)
    result = domain.encode(on(plates, "plate 3"), unseen="average")
    np.testing.assert_allclose(result, expected, atol=1e-6)
    assert result.dtype == np.float32
    some = {**plates, "batch": np.where(np.arange(96) % 3 == 0, "plate 3", plates["batch"])}
    mixed = np.where((np.arange(96) % 3 == 0)[:, None], expected, domain.encode(plates))
    np.testing.assert_allclose(domain.encode(some, unseen="average", batch_size=7), mixed, atol=1e-5)


def test_an_unknown_batch_has_no_effect_on_an_encoder_without_batches(model, plates):
    result = model.encode(on(plates, "plate 3"), unseen="average")
    np.testing.assert_array_equal(result, model.encode(plates))
    np.testing.assert_array_equal(model.encode(plates, unseen="average"), result)


def test_another_value_of_unseen_is_refused(model, plates):
    refused(
        lambda: model.encode(plates, unseen="nearest"),
        "^unseen='nearest' is unknown: choose from 'error', 'average'$",
    )


# -- the adversary -----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_adversary_removes_the_batch_from_z():
    """With a small beta, since the KL term would by itself remove what the decoder gets anyway."""
    adata = datasets.simulate(n_cells=300, n_genes=60, n_types=3, markers_per_type=5, batch_shift=0.4, seed=0)
    cells = {"x": adata.X.toarray().astype("float32"), "batch": adata.obs["batch"].astype(str).to_numpy()}

    def predict_batch(seed, **keywords):
        model = BatchVAE(
            60, ["batch 0", "batch 1"], latent_dim=5, hidden=(32,), beta=0.01, seed=seed, **keywords
        )
        model.compile(optimizer=keras.optimizers.Adam(0.003))
        model.fit(cells, epochs=40, batch_size=30, verbose=0)
        z = model.encode(cells)
        return cross_val_score(LogisticRegression(max_iter=1000), z / z.std(axis=0), cells["batch"]).mean()

    free, pushed = (np.mean([predict_batch(seed, adversary=a) for seed in (0, 1)]) for a in (0.0, 3.0))
    assert pushed < free - 0.15


def test_the_adversary_adds_its_cross_entropy_to_the_loss(plates):
    model = vae(adversary=3.0)
    x = model._take(plates).matrix
    y_pred = {key: np.asarray(value) for key, value in model(x).items()}
    logits = y_pred["batch_logits"].astype("float64")
    log_share = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    missed = -(log_share * x["batch"]).sum(axis=1)
    kl = np.asarray(kl_to_standard_normal(y_pred["z_mean"], y_pred["z_log_var"]))
    elbo = np.asarray(model.head.log_prob(x["x"], y_pred)).sum(axis=1) - kl
    evaluated = float(model.compute_loss(x, y_pred=y_pred, training=False))
    np.testing.assert_allclose(evaluated, -elbo.mean(), rtol=1e-5)
    assert float(model.trackers["batch_cross_entropy"].result()) == 0
    loss = float(model.compute_loss(x, y_pred=y_pred, training=True))
    np.testing.assert_allclose(loss, missed.mean() - elbo.mean(), rtol=1e-5)
    np.testing.assert_allclose(model.trackers["batch_cross_entropy"].result(), missed.mean(), rtol=1e-5)
    weight = np.linspace(0, 2, 96, dtype="float32")
    weighted = model.compute_loss(x, y_pred=y_pred, sample_weight=weight, training=True)
    np.testing.assert_allclose(weighted, (weight * (missed - elbo)).mean(), rtol=1e-4)


def test_the_adversary_guesses_from_the_mean_of_z_and_is_logged(plates):
    model = trained(vae(adversary=1.0), plates, validation_data=plates)
    assert set(model.history.history) >= KEYS | {"batch_cross_entropy"} | {f"val_{key}" for key in KEYS}
    assert 0.3 < model.history.history["batch_cross_entropy"][0] < 1.5
    outputs = model(model._take(plates).matrix)
    np.testing.assert_allclose(outputs["batch_logits"], model.classifier(outputs["z_mean"]), atol=1e-5)
    assert not hasattr(vae(), "classifier") and "batch_logits" not in vae()(model._take(plates).matrix)


# -- what fit takes ----------------------------------------------------------------------------------------------


def test_held_out_cells_may_be_a_dictionary_a_tuple_or_a_share(plates):
    train, held_out = (
        {key: value[part] for key, value in plates.items()} for part in (slice(72), slice(72, 96))
    )
    values = []
    for x, keywords in (
        (train, {"validation_data": held_out}),
        (train, {"validation_data": (held_out, None)}),
        (plates, {"validation_split": 0.25}),
    ):
        history = trained(vae(), x, epochs=1, batch_size=24, **keywords).history.history
        values.append([history[key][0] for key in ("loss", "val_loss", "val_kl")])
    np.testing.assert_allclose(values, np.tile(values[0], (3, 1)), rtol=1e-6)


def test_cells_of_weight_zero_have_no_effect(plates):
    other, weight = {**plates, "x": plates["x"].copy()}, np.ones(96, "float32")
    weight[40:] = 0.0
    other["x"][40:] = other["x"][40:][:, ::-1] + 3.0
    one, two, whole = (
        trained(vae(adversary=1.0), x, epochs=1, shuffle=False, sample_weight=w).get_weights()
        for x, w in ((plates, weight), (other, weight), (plates, None))
    )
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, whole, strict=True))


def test_settings_survive_a_config_round_trip():
    settings = {
        **CONFIG,
        "adversary": 2.0,
        "normalization": "domain",
        "likelihood": "gaussian",
        "warmup": 3,
        "seed": 5,
    }
    config = vae(**settings).get_config()
    restored = BatchVAE.from_config(json.loads(json.dumps(config))).get_config()
    assert restored == config
    assert {key: restored[key] for key in settings} == settings
    assert vae().get_config()["normalization"] == "layer" and isinstance(vae(), VAE)


def test_a_loaded_model_knows_its_batches(model, plates, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.batches == PLATES
    np.testing.assert_array_equal(loaded.reconstruct(plates), model.reconstruct(plates))
    assert loaded.elbo(plates) == model.elbo(plates)
    refused(lambda: loaded.encode(on(plates, "plate 3")), UNKNOWN)


# -- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("batches", [[], ["plate 1"], ["plate 1", "plate 1"], [1, "1"]])
def test_fewer_than_two_batches_are_refused(batches):
    message = r"^batches must be two different names or more, got \[.*\]: a single batch needs no correction, take VAE$"
    refused(lambda: vae(batches=batches), message)


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        (
            {"adversary": -1},
            ValueError,
            "^adversary must be 0 or more, got -1: 1 to 100 is usual, 0 is none$",
        ),
        ({"adversary": float("nan")}, ValueError, "^adversary must be 0 or more, got nan"),
        ({"normalization": "domains"}, ValueError, "^normalization='domains' is unknown: choose from None"),
        ({"latent_dim": 0}, ValueError, "^latent_dim must be at least 1, got 0"),
        ({"likelihood": "binomial"}, ValueError, "^likelihood='binomial' is unknown: choose from"),
    ],
)
def test_a_setting_is_refused(keywords, kind, message):
    refused(lambda: vae(**keywords), message, kind)


def test_cells_without_batches_are_refused(model, plates):
    message = r'^cells must come as \{"x": counts, "batch": names\}: one name of a batch for each cell$'
    for call in (model.fit, model.encode, model.elbo, model.reconstruct):
        for x in (plates["x"], {"x": plates["x"]}, {**plates, "label": plates["batch"]}):
            refused(lambda call=call, x=x: call(x), message, TypeError)


def test_another_number_of_batches_is_refused(model, plates):
    message = r"^batch has shape \(95,\), there are 96 cells: pass one name a cell$"
    for call in (model.fit, model.encode):
        refused(lambda call=call: call({**plates, "batch": plates["batch"][1:]}), message)
    refused(lambda: model.decode(np.zeros((96, 2)), batch=plates["batch"][1:]), message)
    one_hot = np.eye(2)[np.zeros(96, int)]
    refused(
        lambda: model.encode({**plates, "batch": one_hot}), r"^batch has shape \(96, 2\), there are 96 cells"
    )


def test_a_batch_of_one_cell_is_refused_in_training_alone(model, plates):
    lone = {**plates, "batch": np.array(["plate 2"] + ["plate 1"] * 95)}
    message = "^batch 'plate 2' has 1 cell, too few to tell a batch effect from a cell: drop it, or merge it"
    refused(lambda: model.fit(lone), message)
    assert model.encode(lone).shape == (96, 2)


def test_expression_of_another_kind_is_refused(model, plates):
    for call in (model.fit, model.encode, model.elbo, model.reconstruct):
        for x, message in (
            (np.log1p(plates["x"]), "^x must hold counts .*: looks like log1p data"),
            (plates["x"][:, 1:], "^x has 19 genes, expected 20: select the genes"),
            (plates["x"] * np.nan, "^x must be finite, got nan"),
        ):
            refused(lambda call=call, x=x: call({**plates, "x": x}), message)


def test_decode_refuses_another_latent_space(model):
    refused(lambda: model.decode(np.zeros((4, 3))), r"^z must be \(cells, 2\), got shape \(4, 3\)")
    refused(
        lambda: model.decode(np.zeros((4, 2)), "plate 1", [1.0]),
        "^library must be a number or one a cell, got 1",
    )
