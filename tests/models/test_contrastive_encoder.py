import json

import keras
import numpy as np
import pytest

from latentcells.layers import CountThinning, GeneDropout, GeneMasking
from latentcells.models import ContrastiveEncoder
from latentcells.objectives import barlow_twins, embedding_spread, info_nce, vicreg
from tests.helpers import refused, run_model_test, trained

CONFIG = {"n_genes": 20, "latent_dim": 2, "hidden": (8,), "projection": 6}
OBJECTIVES = {"info_nce": lambda a, b: info_nce(a, b, 0.5), "barlow_twins": barlow_twins, "vicreg": vicreg}
KEYS = {"loss", "embedding_std", "effective_rank"}


def encoder(**keywords):
    return ContrastiveEncoder(**{**CONFIG, **keywords})


@pytest.fixture(scope="module")
def model(counts):
    return trained(encoder(), counts, epochs=10)


@pytest.mark.parametrize(
    "keywords",
    [
        {},
        {"hidden": (8, 4), "objective": "vicreg", "dropout": 0.1, "normalization": "layer"},
    ],
)
def test_what_every_model_must_fulfil(keywords, counts, tmp_path):
    run_model_test(ContrastiveEncoder, {**CONFIG, **keywords}, counts, tmp_path)


# -- what it computes --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_learns_and_logs_the_spread(objective, counts):
    held_out = counts[64:]
    model = trained(encoder(objective=objective), counts[:64], epochs=15, validation_data=held_out)
    history = model.history.history
    assert set(history) == KEYS | {f"val_{key}" for key in KEYS}
    assert np.mean(history["loss"][-3:]) < np.mean(history["loss"][:3])
    assert all(np.isfinite(values).all() for values in history.values())
    assert all(1 <= rank <= 2 for rank in history["effective_rank"]) and min(history["embedding_std"]) > 0


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_the_loss_is_the_objective_of_the_projections(objective, counts):
    model = encoder(objective=objective)
    y_pred = {key: np.asarray(value) for key, value in model(counts).items()}
    expected = np.mean(OBJECTIVES[objective](y_pred["projected_a"], y_pred["projected_b"]))
    np.testing.assert_allclose(model.compute_loss(counts, y_pred=y_pred), expected, rtol=1e-5)


def test_the_temperature_is_used(counts):
    model = encoder(temperature=0.1)
    y_pred = {key: np.asarray(value) for key, value in model(counts).items()}
    expected = np.mean(info_nce(y_pred["projected_a"], y_pred["projected_b"], 0.1))
    np.testing.assert_allclose(model.compute_loss(counts, y_pred=y_pred), expected, rtol=1e-5)


def test_the_spread_is_of_z_and_not_of_the_projection(counts):
    model = encoder()
    y_pred = model(counts)
    model.compute_loss(counts, y_pred=y_pred)
    for name, expected in embedding_spread(y_pred["z_a"]).items():
        np.testing.assert_allclose(model.trackers[name].result(), expected, rtol=1e-5)


def test_two_views_of_one_cell_are_drawn(model, counts):
    outputs = {key: np.asarray(value) for key, value in model(counts).items()}
    assert {key: value.shape for key, value in outputs.items()} == {
        "z_a": (96, 2), "z_b": (96, 2), "projected_a": (96, 6), "projected_b": (96, 6)
    }  # fmt: skip
    for key in ("z", "projected"):
        assert not np.allclose(outputs[f"{key}_a"], outputs[f"{key}_b"], atol=1e-3)
    np.testing.assert_allclose(outputs["projected_b"], model.projector(outputs["z_b"]), atol=1e-5)


def test_a_view_is_a_thinned_and_masked_cell(counts):
    x = counts + 100
    view = np.asarray(encoder()._view(x))
    assert (view <= x).all() and (view == np.rint(view)).all()
    assert abs((view == 0).mean() - 0.3) < 0.06
    kept_share = (view.sum(axis=1) / (x * (view > 0)).sum(axis=1)).round(2)
    assert kept_share.min() > 0.45 and kept_share.max() <= 1 and kept_share.std() > 0.1
    assert not np.array_equal(view, encoder(seed=1)._view(x))


def test_z_comes_before_the_projector(model, counts):
    """It is computed from the cell itself, not from a view of it."""
    total = counts.sum(axis=1, keepdims=True)
    hidden = np.maximum(model.encoder.get_layer("hidden_0")(np.log1p(1e4 * counts / total)), 0)
    z = model.encode(counts)
    assert z.shape == (96, 2)
    np.testing.assert_allclose(z, model.encoder.get_layer("z")(hidden), atol=1e-4)
    for variable in model.projector.trainable_variables:
        variable.assign(0 * variable)
    np.testing.assert_array_equal(model.encode(counts), z)


def test_training_reaches_the_projector(counts):
    model = encoder()
    before = [v.numpy() for v in model.projector.trainable_variables]
    trained(model, counts, epochs=1)
    after = [v.numpy() for v in model.projector.trainable_variables]
    assert len(before) == 4 and not any(np.array_equal(a, b) for a, b in zip(before, after, strict=True))


class Attracting(ContrastiveEncoder):
    """Views attract each other, and nothing pushes the cells apart."""

    def compare(self, a, b):
        return keras.ops.sum(keras.ops.square(a - b), axis=-1)


def test_the_spread_shows_a_collapse(counts):
    spread = {}
    for kind in (Attracting, ContrastiveEncoder):
        history = trained(kind(**CONFIG), counts, epochs=40).history.history
        spread[kind] = history["embedding_std"][-1] / history["embedding_std"][0]
    assert spread[Attracting] < 0.5 < 1 < spread[ContrastiveEncoder]


# -- augmentations -----------------------------------------------------------------------------------------------


def test_custom_augmentations_are_applied_and_saved(counts, tmp_path):
    layers = [GeneDropout(counts.mean(axis=0), half=2.0, seed=5), CountThinning(0.9, seed=6)]
    model = trained(encoder(augmentations=layers), counts)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    assert [type(layer) for layer in loaded.augmentations] == [GeneDropout, CountThinning]
    assert json.dumps(loaded.get_config()) == json.dumps(model.get_config())
    assert loaded.augmentations[0].half == 2.0 and loaded.augmentations[1].low == 0.9
    np.testing.assert_array_equal(loaded.encode(counts), model.encode(counts))


def test_augmentations_are_applied_in_order():
    class Add(keras.layers.Layer):
        def call(self, x, training=False):
            return x + 1 if training else x

    class Double(keras.layers.Layer):
        def call(self, x, training=False):
            return 2 * x if training else x

    np.testing.assert_array_equal(
        encoder(augmentations=[Add(), Double()])._view(np.ones((2, 20))), np.full((2, 20), 4)
    )


def test_without_augmentations_the_views_are_the_same(counts):
    outputs = encoder(augmentations=[])(counts)
    np.testing.assert_allclose(outputs["z_a"], outputs["z_b"], atol=1e-6)
    outputs = encoder(augmentations=(GeneMasking(0.5),))(counts)
    assert not np.allclose(outputs["z_a"], outputs["z_b"], atol=1e-3)


# -- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        ({"temperature": 0}, ValueError, "^temperature must be positive, got 0: 0.1 to 1 is usual$"),
        ({"temperature": -0.5}, ValueError, "^temperature must be positive, got -0.5"),
        ({"temperature": float("nan")}, ValueError, "^temperature must be positive, got nan"),
        (
            {"objective": "simclr"},
            ValueError,
            "^objective='simclr' is unknown: choose from 'info_nce', 'barlow_twins', 'vicreg'$",
        ),
        ({"projection": 0}, ValueError, "^projection must be at least 1, got 0"),
        ({"projection": 6.0}, TypeError, "^projection must be an integer, got 6.0"),
        ({"latent_dim": 0}, ValueError, "^latent_dim must be at least 1, got 0"),
    ],
)
def test_a_setting_is_refused(keywords, kind, message):
    refused(lambda: encoder(**keywords), message, kind)


@pytest.mark.parametrize(
    ("n", "batch_size", "remedy"),
    [(65, 32, "take batch_size=33"), (96, 1, "take batch_size=2"), (1, 32, "take more cells")],
)
@pytest.mark.parametrize("normalization", [None, "batch"])
def test_a_training_batch_of_one_cell_is_refused(n, batch_size, remedy, normalization, counts):
    message = f"^batch_size={batch_size} leaves a training batch of 1 of the {n} cells, .* no other cell .*: {remedy}$"
    model, x = encoder(normalization=normalization), counts[:n] + 1
    refused(lambda: trained(model, x, batch_size=batch_size), message)


def test_the_batch_size_that_the_message_names_works(counts):
    trained(encoder(), counts[:65], batch_size=33, epochs=1)


def test_a_held_out_batch_of_one_cell_is_refused(counts):
    message = "^validation_batch_size=32 leaves a held-out batch of 1 of the 33 cells, .* no other cell .*: "
    for keywords in (
        {"validation_data": counts[:33]},
        {"validation_data": (counts[:33], None)},
        {"validation_split": 33 / 96},
    ):
        refused(
            lambda keywords=keywords: trained(encoder(), counts, **keywords),
            message + "take validation_batch_size=33$",
        )
    trained(encoder(), counts, epochs=1, validation_data=counts[:33], validation_batch_size=33)


def test_data_that_are_not_counts_are_refused(model, counts):
    for call in (model.fit, model.encode):
        refused(lambda call=call: call(np.log1p(counts)), "^x must hold counts .*: looks like log1p data")
        refused(lambda call=call: call(counts[:, 1:]), "^x has 19 genes, expected 20: select the genes")
    refused(lambda: model.fit(counts, validation_data=-counts), "^x must hold counts .*: looks like z-scores")
