import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import sparse, stats

from latentcells.layers.normalization._normalization import Normalization
from latentcells.models import VAE
from latentcells.objectives import kl_to_standard_normal

LIKELIHOODS = ("bernoulli", "gaussian", "negative_binomial", "poisson", "zero_inflated_negative_binomial")
KEYS = {"loss", "reconstruction", "kl"}


def vae(**kwargs):
    model = VAE(**{"n_genes": 20, "latent_dim": 2, "hidden": (8,), "seed": 0, **kwargs})
    model.compile(optimizer=keras.optimizers.Adam(0.01), steps_per_execution=1)  # halves the time of tracing
    return model


def fitted(x, epochs=2, model=None, **kwargs):
    model = model or vae()
    model.fit(x, **{"epochs": epochs, "batch_size": 32, "verbose": 0, **kwargs})
    return model


def weights(model):
    return [v.numpy() for v in model.trainable_variables]


def optimizer(model):
    return [v.numpy() for v in model.optimizer.variables]


def same(a, b):
    return all(np.array_equal(x, y) for x, y in zip(a, b, strict=True))


def data_for(likelihood, counts):
    """Counts converted to the unit that the likelihood expects."""
    if likelihood == "bernoulli":
        return counts / counts.max(axis=0)
    return np.log1p(counts) if likelihood == "gaussian" else counts


@pytest.fixture(scope="module")
def model(counts):
    return fitted(counts, epochs=30)


# -- what it computes --------------------------------------------------------------------------------------------


def test_shapes_and_types(model, counts):
    z = model.encode(counts)
    assert z.shape == (96, 2) and z.dtype == np.float32
    for x in (model.decode(z), model.reconstruct(counts)):
        assert x.shape == (96, 20) and x.dtype == np.float32
    assert set(model.elbo(counts)) == {"elbo", "reconstruction", "kl"}
    assert all(type(value) is float for value in model.elbo(counts).values())


def test_elbo_equals_the_equation(model, counts):
    """The reference uses NumPy and SciPy in float64, at one draw from the posterior."""
    posterior = {key: np.asarray(value, "float64") for key, value in model.encoder(counts).items()}
    mean, log_var = posterior["z_mean"], posterior["z_log_var"]
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    noise = np.random.default_rng(4).standard_normal(mean.shape, dtype="float32")
    z, library = mean + np.exp(log_var / 2) * noise, counts.sum(axis=1)
    expected, theta = (
        model.decode(z, library).astype("float64"),
        np.exp(model.head.log_theta.numpy().astype("float64")),
    )
    log_prob = stats.nbinom.logpmf(counts, theta, theta / (theta + expected)).sum(axis=1)
    result = model.elbo(counts, seed=4)
    np.testing.assert_allclose(result["kl"], kl.mean(), rtol=1e-5)
    np.testing.assert_allclose(result["reconstruction"], log_prob.mean(), rtol=1e-5)
    assert result["elbo"] == result["reconstruction"] - result["kl"]


def test_elbo_depends_on_its_seed_and_not_on_the_batch_size(model, counts):
    assert model.elbo(counts, seed=1) == model.elbo(counts, seed=1)
    assert model.elbo(counts, seed=1)["reconstruction"] != model.elbo(counts, seed=2)["reconstruction"]
    small, large = model.elbo(counts, batch_size=7), model.elbo(counts)
    np.testing.assert_allclose(list(small.values()), list(large.values()), rtol=1e-5)


def test_more_draws_average_over_z(model, counts):
    single = [model.elbo(counts, seed=seed)["reconstruction"] for seed in range(30)]
    averaged = model.elbo(counts, draws=30, seed=99)["reconstruction"]
    assert abs(averaged - np.mean(single)) < 5 * np.std(single) * np.sqrt(2 / 30)


def test_the_loss_is_the_negative_elbo(model, counts):
    losses = [model.evaluate(counts, verbose=0, return_dict=True)["loss"] for _ in range(10)]
    elbos = [-model.elbo(counts, seed=seed)["elbo"] for seed in range(10)]
    assert abs(np.mean(losses) - np.mean(elbos)) < 5 * np.hypot(np.std(losses), np.std(elbos)) / np.sqrt(10)


def test_training_raises_the_elbo(model, counts):
    assert model.elbo(counts)["elbo"] > vae().elbo(counts)["elbo"] + 1


def test_encode_does_not_depend_on_the_batch_size(model, counts):
    np.testing.assert_allclose(model.encode(counts, batch_size=7), model.encode(counts), atol=1e-5)


def test_encode_gives_the_mean_and_no_draw(model, counts):
    np.testing.assert_array_equal(model.encode(counts), model.encode(counts))
    np.testing.assert_allclose(model.encode(counts), model.encoder(counts)["z_mean"], atol=1e-5)


def test_reconstruction_has_the_cells_own_library(model, counts):
    np.testing.assert_allclose(model.reconstruct(counts).sum(axis=1), counts.sum(axis=1), rtol=1e-4)


def test_decode_has_the_requested_library(model):
    z = np.zeros((3, 2))
    np.testing.assert_allclose(model.decode(z).sum(axis=1), 1e4, rtol=1e-4)
    np.testing.assert_allclose(model.decode(z, [10, 20, 30]).sum(axis=1), [10, 20, 30], rtol=1e-4)


@pytest.mark.parametrize("likelihood", LIKELIHOODS)
def test_every_likelihood_learns(likelihood, counts):
    x = data_for(likelihood, counts)
    model = vae(likelihood=likelihood)
    history = model.fit(x, epochs=15, batch_size=32, verbose=0, validation_data=x).history
    assert set(history) == KEYS | {f"val_{key}" for key in KEYS}
    assert history["loss"][-1] < history["loss"][0] and np.isfinite(history["val_loss"]).all()
    assert np.isfinite(model.reconstruct(x)).all()


def test_hidden_layers_may_be_several_or_none(counts):
    for hidden in ((), [8, 4]):
        assert np.isfinite(fitted(counts, model=vae(hidden=hidden)).elbo(counts)["elbo"])


def test_the_decoder_may_be_linear_up_to_the_softmax(counts):
    model = fitted(counts, model=vae(decoder_hidden=()))
    a, b = np.random.default_rng(0).normal(size=(2, 5, 2)).astype("float32")
    logits = [np.log(model.decode(z)) for z in (a, b, (a + b) / 2)]
    centred = [values - values.mean(axis=1, keepdims=True) for values in logits]
    np.testing.assert_allclose(centred[2], (centred[0] + centred[1]) / 2, atol=1e-4)
    assert model.decoder.count_params() == 20 * 3 + 20  # kernel and bias of the head, and theta


def test_without_noise_and_kl_it_is_an_autoencoder(counts):
    """What it decodes is the mean, and the loss is that of the reconstruction."""
    model = fitted(counts, model=vae(noise=False, beta=0))
    found = model(counts)
    np.testing.assert_array_equal(found["z"], found["z_mean"])
    np.testing.assert_allclose(found["mean"], model.reconstruct(counts), rtol=1e-5)
    lost = model.evaluate(counts, batch_size=96, verbose=0, return_dict=True)
    assert lost["loss"] == pytest.approx(lost["reconstruction"], rel=1e-6)
    refused(lambda: model.elbo(counts), "^noise=False leaves no posterior .*: evaluate")
    assert not np.array_equal(*[np.asarray(vae()(counts)[key]) for key in ("z", "z_mean")])


def test_cells_are_drawn_at_their_library(model):
    z = np.random.default_rng(0).normal(size=(400, 2))
    library = np.where(np.arange(400) % 2, 50.0, 5000.0)
    drawn = model.sample(z, library)
    assert drawn.shape == (400, 20) and (drawn == drawn.round()).all()
    expected = model.decode(z, library)
    for depth in (50.0, 5000.0):
        cells = library == depth
        np.testing.assert_allclose(
            drawn[cells].mean(axis=0), expected[cells].mean(axis=0), rtol=0.3, atol=0.3
        )
    np.testing.assert_array_equal(model.sample(z, library), drawn)
    assert not np.array_equal(model.sample(z, library, seed=1), drawn)


def test_dropout_acts_only_in_training(counts):
    model = fitted(counts, model=vae(dropout=0.3))
    np.testing.assert_array_equal(model.encode(counts), model.encode(counts))
    draws = [np.asarray(model.encoder(counts, training=True)["z_mean"]) for _ in range(2)]
    assert not np.array_equal(*draws)


# -- normalisation -----------------------------------------------------------------------------------------------

NORMALIZATIONS = (
    {"normalization": "batch"},
    {"normalization": "layer"},
    {"normalization": "group", "groups": 2},
    {"normalization": "rms"},
    {"normalization": "batch", "normalization_of": "both"},
    {"normalization": "batch", "normalization_of": "genes"},
    {"normalization": "group", "groups": [0, 1] * 10, "normalization_of": "genes"},
)


def normalizers(network):
    return [layer for layer in network.layers if isinstance(layer, Normalization)]


@pytest.mark.parametrize("keywords", NORMALIZATIONS)
def test_every_normalisation_learns_and_is_saved(keywords, counts, tmp_path):
    model = fitted(counts, epochs=15, model=vae(**keywords))
    assert model.elbo(counts)["elbo"] > vae(**keywords).elbo(counts)["elbo"] + 1
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert loaded.get_config() == model.get_config()
    np.testing.assert_array_equal(loaded.encode(counts), model.encode(counts))


def test_normalisation_is_placed_as_requested():
    places = {
        "hidden": ([(8,), (4,)], []),
        "both": ([(8,), (4,)], [(4,), (8,)]),
        "genes": ([(20,)], []),
    }
    for where, shapes in places.items():
        model = vae(normalization="layer", hidden=(8, 4), normalization_of=where)
        found = [[layer.gamma.shape for layer in normalizers(n)] for n in (model.encoder, model.decoder)]
        assert tuple(found) == shapes
    assert not normalizers(vae().encoder)


def test_hidden_units_are_normalised_before_their_relu(counts):
    model = vae(normalization="layer")
    dense, norm = model.encoder.get_layer("hidden_0"), model.encoder.get_layer("normalization_0")
    hidden = np.maximum(norm(dense(np.log1p(counts))), 0)
    expected = model.encoder.get_layer("z_mean")(hidden)
    np.testing.assert_allclose(model.encode(counts), expected, atol=1e-5)


def test_layer_normalisation_of_the_genes_hides_the_depth_of_a_cell(counts):
    """Counts are made large, because log1p turns a factor into a shift only then."""
    deep = counts * 1000
    of_genes, plain = vae(normalization="layer", normalization_of="genes"), vae()
    shift = [np.abs(m.encode(2 * deep) - m.encode(deep)).mean() for m in (of_genes, plain)]
    assert shift[0] < shift[1] / 3


def test_batch_normalisation_infers_with_its_averages(counts):
    model = fitted(counts, model=vae(normalization="batch"))
    np.testing.assert_allclose(model.encode(counts[:1]), model.encode(counts)[:1], atol=1e-6)
    training = model.encoder(counts, training=True)["z_mean"]
    assert not np.allclose(training, model.encode(counts), atol=1e-3)


@pytest.mark.parametrize(
    ("n", "batch_size", "remedy"), [(65, 32, "take batch_size=33"), (9, 1, "take batch_size=3")]
)
def test_batch_normalisation_refuses_a_training_batch_of_one_cell(n, batch_size, remedy, counts):
    model = vae(normalization="batch")
    before = weights(model)
    message = (
        f"^batch_size={batch_size} leaves a training batch of 1 of the {n} cells, .*: {remedy}, or layer norm"
    )
    refused(lambda: fitted(counts[:n], model=model, batch_size=batch_size), message)
    assert same(before, weights(model))
    fitted(counts[:n], epochs=1, model=vae(normalization="layer"), batch_size=batch_size)


def test_batch_normalisation_refuses_a_single_cell(counts):
    message = "^batch_size=32 leaves a training batch of 1 of the 1 cells, .*: take more cells"
    refused(lambda: fitted(counts[20:21] + 1, model=vae(normalization="batch")), message)


# -- the KL term's weight ----------------------------------------------------------------------------------------


def loss_and_terms(model, x, training):
    y_pred = model(x)
    kl = float(np.mean(kl_to_standard_normal(y_pred["z_mean"], y_pred["z_log_var"])))
    reconstruction = -float(np.sum(model.head.log_prob(x, y_pred)) / len(x))
    return float(model.compute_loss(x, y_pred=y_pred, training=training)), reconstruction, kl


@pytest.mark.parametrize("beta", [0.0, 1.0, 4.0])
def test_beta_weighs_the_kl_term(counts, beta):
    for training in (True, False):
        loss, reconstruction, kl = loss_and_terms(vae(beta=beta), counts, training)
        np.testing.assert_allclose(loss, reconstruction + beta * kl, rtol=1e-5)


def test_a_larger_beta_shrinks_the_kl_term(counts):
    free, bound = (fitted(counts, 20, vae(beta=beta)).elbo(counts)["kl"] for beta in (0.1, 20.0))
    assert bound < free / 2


def test_warmup_raises_the_weight_step_by_step(counts):
    model = vae(beta=2.0, warmup=4)
    for share in (0.25, 0.5, 0.75, 1.0, 1.0):
        loss, reconstruction, kl = loss_and_terms(model, counts, training=True)
        np.testing.assert_allclose(loss, reconstruction + 2.0 * share * kl, rtol=1e-5)


def test_warmup_leaves_evaluation_alone(counts):
    model = vae(beta=2.0, warmup=1000)
    for _ in range(2):
        loss, reconstruction, kl = loss_and_terms(model, counts, training=False)
        np.testing.assert_allclose(loss, reconstruction + 2.0 * kl, rtol=1e-5)
    assert float(model._trained_steps.numpy()) == 0


def test_warmup_counts_the_steps_of_fit(counts):
    assert float(fitted(counts, epochs=2, model=vae(warmup=5))._trained_steps.numpy()) == 6


def test_validation_uses_the_whole_beta(counts):
    history = (
        vae(beta=3.0, warmup=1000)
        .fit(counts, epochs=1, batch_size=32, verbose=0, validation_data=counts)
        .history
    )
    expected = history["val_reconstruction"][0] + 3.0 * history["val_kl"][0]
    np.testing.assert_allclose(history["val_loss"][0], expected, rtol=1e-5)


# -- seeds -------------------------------------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_model_to_the_bit(counts):
    keras.utils.set_random_seed(1)
    one = fitted(counts, model=vae(dropout=0.1))
    keras.utils.set_random_seed(2)
    two = fitted(counts, model=vae(dropout=0.1))
    assert same(weights(one), weights(two))
    np.testing.assert_array_equal(one.encode(counts), two.encode(counts))


def test_another_seed_gives_another_model():
    kernels = [[w for w in weights(vae(seed=seed)) if w.ndim == 2] for seed in (0, 1)]
    assert len(kernels[0]) == 5 and not any(np.array_equal(a, b) for a, b in zip(*kernels, strict=True))


PROGRAM = """
import sys
import latentcells as lc, keras, numpy as np
x = np.load(sys.argv[1])
model = lc.models.VAE(n_genes=20, latent_dim=2, hidden=(8,), seed=0)
model.compile(optimizer=keras.optimizers.Adam(0.01))
model.fit(x, epochs=2, batch_size=32, verbose=0)
np.save(sys.argv[2], model.encode(x))
"""


@pytest.mark.slow
def test_the_same_seed_gives_the_same_z_in_another_process(counts, tmp_path):
    np.save(tmp_path / "x.npy", counts)
    command = [sys.executable, "-c", PROGRAM, str(tmp_path / "x.npy"), str(tmp_path / "z.npy")]
    process = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert (process.returncode, process.stdout, process.stderr) == (0, "", "")
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), fitted(counts).encode(counts))


def test_fit_leaves_the_global_random_state_alone(counts):
    def after(action):
        keras.utils.set_random_seed(0)
        action()
        numpy_state = np.random.get_state()[1]  # noqa: NPY002  the global state, which is read and not used
        return numpy_state, np.asarray(keras.random.normal((3,))), np.asarray(tf.random.normal((3,)))

    untouched = after(lambda: None)
    touched = after(lambda: fitted(counts, epochs=1).elbo(counts))
    assert same(untouched, touched)


# -- saving ------------------------------------------------------------------------------------------------------


def test_a_loaded_model_is_the_same_to_the_bit(model, counts, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.encode(counts), model.encode(counts))
    np.testing.assert_array_equal(loaded.reconstruct(counts), model.reconstruct(counts))
    assert loaded.elbo(counts) == model.elbo(counts)


def test_a_loaded_model_keeps_its_settings_and_can_be_trained(counts, tmp_path):
    settings = {
        "n_genes": 20,
        "latent_dim": 3,
        "hidden": (8, 4),
        "likelihood": "zero_inflated_negative_binomial",
        "normalization": "group",
        "groups": [0, 1] * 10,
        "normalization_of": "genes",
        "beta": 2.0,
        "warmup": 5,
        "seed": 3,
        "dropout": 0.1,
    }
    model = vae(**settings)
    model.compile(optimizer="adam")
    fitted(counts, model=model).save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    for one in (model, loaded, VAE.from_config(model.get_config())):
        assert {key: getattr(one, key) for key in settings} == settings
    assert float(loaded._trained_steps.numpy()) == float(model._trained_steps.numpy()) == 6
    assert loaded.steps_per_execution == 8 and same(optimizer(model), optimizer(loaded))
    before = weights(loaded)
    assert not same(before, weights(fitted(counts, model=loaded)))


def test_a_loaded_model_refuses_another_number_of_genes(model, counts, tmp_path):
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    with pytest.raises(ValueError, match=r"^x has 19 genes, expected 20"):
        loaded.encode(counts[:, 1:])


# -- what fit takes ----------------------------------------------------------------------------------------------


def test_cells_of_weight_zero_have_no_effect(counts):
    other, weight = counts.copy(), np.ones(96, "float32")
    weight[40:] = 0.0
    other[40:] = other[40:][:, ::-1] + 3.0
    one, two = (fitted(x, epochs=1, sample_weight=weight, shuffle=False) for x in (counts, other))
    assert same(weights(one), weights(two))
    assert not same(weights(one), weights(fitted(counts, epochs=1, shuffle=False)))


def test_fit_starts_at_the_average_training_cell_once(counts):
    model = vae()
    model._prepare(counts)
    at_average = weights(model)
    assert not same(at_average, weights(vae()))
    fitted(counts, model=model, epochs=1)
    trained = weights(model)
    model._prepare(counts)
    assert same(trained, weights(model))


def test_weights_scale_the_loss(counts):
    model = vae()
    y_pred = model(counts)
    plain = model.compute_loss(counts, y_pred=y_pred)
    double = model.compute_loss(counts, y_pred=y_pred, sample_weight=np.full(96, 2.0))
    np.testing.assert_allclose(double, 2 * float(plain), rtol=1e-6)


def test_held_out_cells_may_be_an_array_a_tuple_or_a_share(counts):
    train, held_out = counts[:72], counts[72:]
    histories = [
        vae().fit(train, epochs=1, batch_size=24, verbose=0, validation_data=held_out),
        vae().fit(train, epochs=1, batch_size=24, verbose=0, validation_data=(held_out, held_out)),
        vae().fit(counts, epochs=1, batch_size=24, verbose=0, validation_split=0.25),
    ]
    values = np.array([[h.history[key][0] for key in ("loss", "val_loss", "val_kl")] for h in histories])
    np.testing.assert_allclose(values, np.tile(values[0], (3, 1)), rtol=1e-6)


def test_an_unneeded_target_is_ignored(counts):
    assert same(weights(fitted(counts)), weights(fitted(counts, y=counts)))


def test_sparse_counts_train_to_the_same_bits(counts):
    dense, sparse_ones = (weights(fitted(x)) for x in (counts, sparse.csr_matrix(counts)))
    assert same(dense, sparse_ones)


def test_a_dataset_of_mini_batches_trains_and_prepares_the_model(counts):
    stream = tf.data.Dataset.from_tensor_slices(counts[:40]).batch(20)
    history = vae().fit(stream, epochs=2, verbose=0).history
    assert set(history) == KEYS and history["loss"][-1] < history["loss"][0]
    keywords = {"epochs": 1, "batch_size": 20, "shuffle": False, "verbose": 0}
    assert history["loss"][0] == pytest.approx(
        vae().fit(counts[:40], **keywords).history["loss"][0], rel=1e-6
    )


def test_fit_takes_callbacks(counts):
    stop = keras.callbacks.EarlyStopping(monitor="val_loss", min_delta=1e9, patience=1)
    history = vae().fit(counts, epochs=20, verbose=0, validation_data=counts, callbacks=[stop])
    assert len(history.epoch) == 2


def test_fit_takes_a_partial_last_batch(counts):
    history = vae().fit(counts[:50], epochs=2, batch_size=32, verbose=0).history
    assert np.isfinite(history["loss"]).all()


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_half_precision(counts, policy):
    """Deep cells: a library size of 1e5 is beyond float16, and sums in bfloat16 keep two digits."""
    x, before = counts * 1000, keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = vae()
        history = model.fit(x, epochs=2, batch_size=32, verbose=0).history
        output = model(x)
    finally:
        keras.config.set_dtype_policy(before)
    assert all(np.isfinite(values).all() for values in history.values())
    assert all(keras.backend.standardize_dtype(value.dtype) == "float32" for value in output.values())
    np.testing.assert_allclose(np.sum(output["mean"], axis=1), x.sum(axis=1), rtol=1e-4)
    assert np.isfinite(list(model.elbo(x).values())).all() and np.isfinite(model.reconstruct(x)).all()


# -- bad input ---------------------------------------------------------------------------------------------------


def refused(call, message, kind=ValueError):
    with pytest.raises(kind, match=message) as refusal:
        call()
    assert "\n" not in str(refusal.value)
    assert refusal.value.__cause__ is None and refusal.value.__context__ is None
    assert "latentcells" in str(refusal.traceback[-1].path)


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        ({"n_genes": 0}, ValueError, "^n_genes must be at least 1, got 0"),
        ({"latent_dim": 0}, ValueError, "^latent_dim must be at least 1, got 0"),
        ({"latent_dim": 2.0}, TypeError, r"^latent_dim must be an integer, got 2.0 \(float\)"),
        ({"latent_dim": True}, TypeError, r"^latent_dim must be an integer, got True \(bool\)"),
        ({"hidden": (8, 0)}, ValueError, "^hidden must be at least 1, got 0"),
        ({"hidden": 8}, TypeError, "^hidden must be a tuple of integers, got 8"),
        ({"decoder_hidden": 8}, TypeError, "^decoder_hidden must be a tuple of integers, got 8"),
        ({"decoder_hidden": (0,)}, ValueError, "^decoder_hidden must be at least 1, got 0"),
        (
            {"likelihood": "binomial"},
            ValueError,
            "^likelihood='binomial' is unknown: choose from 'bernoulli', 'gaussian'",
        ),
        (
            {"normalization": "batch norm"},
            ValueError,
            "^normalization='batch norm' is unknown: choose from None",
        ),
        (
            {"normalization": "layer", "groups": 4},
            ValueError,
            "^groups are for normalization='group', got groups=4 with 'layer'",
        ),
        ({"normalization": "group", "groups": 3}, ValueError, "^groups must divide the 256 features, got 3"),
        (
            {"normalization": "group", "groups": [0, 1] * 9, "normalization_of": "genes"},
            ValueError,
            "^groups must name a group for each of the 20 features, got 18",
        ),
        (
            {"normalization_of": "decoder"},
            ValueError,
            "^normalization_of='decoder' is unknown: choose from 'hidden', 'both', 'genes'",
        ),
        ({"beta": -1}, ValueError, "^beta must be 0 or more, got -1: 1 gives the ELBO"),
        ({"beta": float("nan")}, ValueError, "^beta must be 0 or more, got nan"),
        ({"beta": float("inf")}, ValueError, "^beta must be 0 or more, got inf"),
        ({"warmup": -1}, ValueError, "^warmup must be at least 0, got -1"),
        ({"noise": "no"}, TypeError, "^noise='no' is no truth value: pass True or False"),
        ({"dropout": 1.0}, ValueError, "^dropout must be at least 0 and less than 1, got 1.0"),
        ({"seed": -1}, ValueError, "^seed must be at least 0, got -1"),
    ],
)
def test_a_setting_is_refused(keywords, kind, message):
    refused(lambda: VAE(**{"n_genes": 20, **keywords}), message, kind)


def with_value(x, value):
    x = x.astype("float32").copy()
    x[3, 4] = value
    return x


@pytest.mark.parametrize(
    ("likelihood", "change", "message"),
    [
        (
            "negative_binomial",
            lambda x: with_value(x, -2),
            "^x must hold counts .*, got -2: looks like z-scores",
        ),
        ("negative_binomial", lambda x: with_value(x, 0.5), "^x must hold counts .*, got 0.5: looks like"),
        ("negative_binomial", lambda x: with_value(x, np.nan), "^x must be finite, got nan"),
        ("negative_binomial", lambda x: with_value(x, np.inf), "^x must be finite, got inf"),
        ("negative_binomial", lambda x: stats.zscore(x), "^x must hold counts .*: looks like z-scores"),
        ("negative_binomial", np.log1p, "^x must hold counts .*: looks like log1p data"),
        (
            "negative_binomial",
            lambda x: x * (np.arange(96) != 5)[:, None],
            "1 cells with a total of 0 .* index 5",
        ),
        ("zero_inflated_negative_binomial", lambda x: stats.zscore(x), "looks like z-scores"),
        ("zero_inflated_negative_binomial", np.log1p, "looks like log1p data"),
        ("gaussian", lambda x: stats.zscore(x), "^x must hold log1p data .*: looks like z-scores"),
        ("gaussian", lambda x: x, "^x must hold log1p data .*: looks like counts"),
        (
            "bernoulli",
            lambda x: stats.zscore(x),
            r"^x must hold values within \[0, 1\].*: looks like z-scores",
        ),
        ("bernoulli", lambda x: x, r"^x must hold values within \[0, 1\].*: looks like counts"),
        ("bernoulli", np.log1p, r"^x must hold values within \[0, 1\].*: looks like log1p data"),
    ],
)
def test_data_are_refused(likelihood, change, message, counts):
    model, x = vae(likelihood=likelihood), change(counts)
    refused(lambda: model.fit(x, verbose=0), message)
    good = data_for(likelihood, counts)
    for call in (
        lambda: model.encode(x),
        lambda: model.reconstruct(x),
        lambda: model.elbo(x),
        lambda: model.fit(good, verbose=0, validation_data=x),
        lambda: model.fit(good, verbose=0, validation_data=(x, x)),
    ):
        refused(call, message)


def test_another_number_of_genes_is_refused(model, counts):
    for call in (model.fit, model.encode, model.reconstruct, model.elbo):
        refused(lambda call=call: call(counts[:, 1:]), "^x has 19 genes, expected 20: select the genes")


def test_another_shape_is_refused(model, counts):
    for call in (model.fit, model.encode, model.reconstruct, model.elbo):
        refused(lambda call=call: call(counts[0]), r"^x must be \(cells, genes\), got shape \(20,\)")


def test_decode_refuses_another_latent_space(model):
    for call in (model.decode, model.sample):
        refused(lambda call=call: call(np.zeros((4, 3))), r"^z must be \(cells, 2\), got shape \(4, 3\)")
    refused(lambda: model.decode(np.zeros(2)), r"^z must have the shape \(cells, dimensions\), got \(2,\)")


def test_decode_refuses_another_number_of_libraries(model):
    refused(
        lambda: model.decode(np.zeros((4, 2)), [1.0, 2.0]),
        "^library must be a number or one a cell, got 2 for 4",
    )


def test_invalid_draws_and_batch_sizes_are_refused(model, counts):
    refused(lambda: model.elbo(counts, draws=0), "^draws must be at least 1, got 0")
    for call in (model.fit, model.encode, model.reconstruct, model.elbo):
        refused(lambda call=call: call(counts, batch_size=0), "^batch_size must be at least 1, got 0")
    refused(lambda: model.sample(np.zeros((4, 2)), seed=-1), "^seed must be at least 0, got -1")
    for call in (model.decode, model.sample):
        refused(
            lambda call=call: call(np.zeros((4, 2)), batch_size=0), "^batch_size must be at least 1, got 0"
        )
