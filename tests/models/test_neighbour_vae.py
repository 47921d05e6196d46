import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from scipy import stats
from sklearn.decomposition import PCA

from latentcells import datasets
from latentcells._neighbours import nearest
from latentcells.models import BatchVAE, NeighbourVAE
from latentcells.models._neighbour_vae import Targets
from latentcells.preprocess import mutual_neighbours, shared_space
from tests.helpers import refused, run_model_test, trained

PLATES = ["plate 1", "plate 2"]
CONFIG = {"n_genes": 20, "batches": PLATES, "latent_dim": 2, "hidden": (8,), "n_neighbors": 5}


def vae(**keywords):
    return NeighbourVAE(**{**CONFIG, **keywords})


@pytest.mark.parametrize(
    "keywords", [{"adversary": 1.0}, {"adversary": 0.0, "walk_length": 2, "partner_rate": 0.3, "n_mutual": 3}]
)
def test_what_every_model_must_fulfil(keywords, plates, tmp_path):
    run_model_test(NeighbourVAE, {**CONFIG, **keywords}, plates, tmp_path)


# -- the targets -------------------------------------------------------------------------------------------------


class StandIn:
    """A model with a known z: two lines of cells, far apart."""

    partner_rate, n_neighbors, walk_length = 0.3, 3, 4

    def __init__(self, n):
        self.n_encodings, self.z = 0, np.arange(n)[:, None] + 1000.0 * (np.arange(n) >= n // 2)[:, None]

    def _posterior(self, x):
        self.n_encodings += 1
        return {"z_mean": self.z}


def targets(epochs=4, n=400, seed=0):
    """The targets of all cells in each epoch, and the stand-in model; every other cell has partners."""
    x = {"x": np.zeros((n, 1)), "batch": np.eye(2)[np.arange(n) % 2]}
    partners = [np.array([(i + 7) % n, (i + 9) % n]) if i % 2 else np.array([], int) for i in range(n)]
    callback, model, by_epoch = Targets(x, seed, epochs, partners), StandIn(n), []
    callback.set_model(model)
    for epoch in range(epochs):
        callback.on_epoch_begin(epoch)
        order = callback.order.numpy()
        np.testing.assert_array_equal(np.sort(order), np.arange(n))
        by_epoch.append(np.empty(n, int))
        by_epoch[-1][order] = callback.targets.numpy()
    return by_epoch, model


def test_in_the_first_half_a_cell_predicts_a_partner_or_itself():
    cell = np.arange(400)
    by_epoch, _ = targets()
    for target in by_epoch[:2]:
        offset = (target - cell) % 400
        assert set(offset[::2]) == {0} and set(offset[1::2]) == {0, 7, 9}
        assert abs((offset[1::2] > 0).mean() - 0.3) < 5 * np.sqrt(0.3 * 0.7 / 200)
        assert abs((offset == 7).sum() - (offset == 9).sum()) < 5 * np.sqrt(60)
    assert not np.array_equal(*by_epoch[:2])


def test_in_the_second_half_a_cell_predicts_one_that_is_near_in_z():
    cell = np.arange(400)
    by_epoch, model = targets()
    for target in by_epoch[2:]:
        assert ((target < 200) == (cell < 200)).all(), "a walk does not leave its connected component"
        distance = np.abs(target - cell)
        assert 1 < distance.max() <= 2 * 4 and 0.5 < distance.mean() < 3
        assert ((target - cell) % 2 == 1).mean() > 0.3, "independent of the batch"
    assert not np.array_equal(*by_epoch[2:])
    assert model.n_encodings == 1, "neighbours are searched only once"


@pytest.mark.parametrize(("epochs", "first"), [(1, 1), (2, 1), (5, 3)])
def test_the_halves(epochs, first):
    by_epoch, model = targets(epochs)
    assert [set((target - np.arange(400))[::2]) == {0} for target in by_epoch] == [
        epoch < first for epoch in range(epochs)
    ]
    assert model.n_encodings == (epochs > first)


def test_targets_depend_only_on_the_seed():
    one, two, other = (targets(seed=seed)[0] for seed in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))
    assert not any(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_each_cell_comes_with_its_target(plates):
    model = vae()
    x = model._take(plates).matrix
    shuffler = model._shuffler(x, epochs=2)
    shuffler.set_model(model)
    assert isinstance(shuffler, Targets) and shuffler.first == 1
    shuffler.on_epoch_begin(0)
    order, target = shuffler.order.numpy(), shuffler.targets.numpy()
    y, weight = np.arange(96), np.arange(96) / 2
    rows = [tf.nest.map_structure(np.asarray, row) for row in model._dataset((x, y, weight), 40, shuffler)]
    cells = {key: np.concatenate([row[0][key] for row in rows]) for key in rows[0][0]}
    assert [len(row[1]) for row in rows] == [40, 40, 16]
    for key, expected in {
        "x": x["x"][order], "batch": x["batch"][order], "target": x["x"][target], "target_batch": x["batch"][target],
    }.items():  # fmt: skip
        np.testing.assert_array_equal(cells[key], expected)
    np.testing.assert_array_equal(np.concatenate([row[1] for row in rows]), order)
    np.testing.assert_array_equal(np.concatenate([row[2] for row in rows]), order / 2)
    assert (order != target).any()


def test_partners_are_mutual_neighbours_in_the_shared_space(plates):
    model = vae(n_mutual=4)
    x = model._take(plates).matrix
    result = model._shuffler(x, epochs=2).partners
    expected = mutual_neighbours(shared_space(x["x"]), plates["batch"], 4)
    assert [a.tolist() for a in result] == [b.tolist() for b in expected]
    assert sum(map(len, result)) > 20


class Watched(NeighbourVAE):
    def _shuffler(self, x, epochs):
        self.shuffler = super()._shuffler(x, epochs)
        return self.shuffler


def test_the_neighbours_of_the_second_half_are_those_of_its_start(plates):
    z_by_epoch = {}

    class RecordZ(keras.callbacks.Callback):
        def on_epoch_begin(self, epoch, logs=None):
            z_by_epoch[epoch] = self.model.encode(plates)

    model = trained(Watched(**CONFIG), plates, epochs=4, callbacks=[RecordZ()])
    assert not np.allclose(z_by_epoch[0], z_by_epoch[2], atol=1e-2)
    np.testing.assert_array_equal(model.shuffler.near, nearest(z_by_epoch[2], 5))


# -- what it computes --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pairs(plates):
    """An untrained model, checked cells with one target each, and the model's outputs for them."""
    model = vae(adversary=0.0)
    x = model._take(plates).matrix
    x = {**x, "target": x["x"][::-1].copy(), "target_batch": x["batch"][::-1].copy()}
    return model, x, {key: np.asarray(value) for key, value in model(x).items()}


def test_the_decoder_gets_the_batch_and_the_library_of_the_target(pairs):
    model, x, outputs = pairs
    library = x["target"].sum(axis=1)
    expected = model.decode(outputs["z"], np.array(PLATES)[x["target_batch"].argmax(axis=1)], library)
    np.testing.assert_allclose(outputs["mean"], expected, rtol=1e-4)
    np.testing.assert_allclose(outputs["mean"].sum(axis=1), library, rtol=1e-4)
    in_own_batch = model.decode(outputs["z"], np.array(PLATES)[x["batch"].argmax(axis=1)], library)
    assert not np.allclose(outputs["mean"], in_own_batch, rtol=1e-2)


def test_the_encoder_gets_the_cell_itself(pairs):
    model, x, outputs = pairs
    np.testing.assert_allclose(outputs["z_mean"], model.encoder(x["x"])["z_mean"], atol=1e-5)


def test_the_loss_is_that_of_the_target(pairs):
    """The reference uses NumPy and SciPy in float64."""
    model, x, outputs = pairs
    mean, log_var = (outputs[key].astype("float64") for key in ("z_mean", "z_log_var"))
    kl = 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=1)
    theta, mu = np.exp(np.asarray(model.head.log_theta, "float64")), outputs["mean"].astype("float64")
    log_prob = stats.nbinom.logpmf(x["target"], theta, theta / (theta + mu)).sum(axis=1)
    loss = model.compute_loss(x, y_pred=outputs, training=False)
    np.testing.assert_allclose(loss, np.mean(kl - log_prob), rtol=1e-5)


def test_without_a_target_a_cell_predicts_itself(plates):
    """In evaluation and in the ELBO, as a `BatchVAE` with the same weights does."""
    model, plain = vae(adversary=0.0), BatchVAE(20, PLATES, latent_dim=2, hidden=(8,))
    plain.set_weights(model.get_weights())
    assert model.elbo(plates) == plain.elbo(plates)
    np.testing.assert_array_equal(model.reconstruct(plates), plain.reconstruct(plates))


def test_the_loss_falls_and_held_out_cells_are_scored(plates):
    train, held_out = (
        {key: value[part] for key, value in plates.items()} for part in (slice(72), slice(72, 96))
    )
    history = trained(vae(adversary=1.0), train, epochs=8, validation_data=held_out).history.history
    assert np.mean(history["loss"][-2:]) < history["loss"][0] and np.isfinite(history["val_loss"]).all()
    assert {"kl", "reconstruction", "batch_cross_entropy", "val_kl"} <= set(history)
    share = trained(vae(), plates, epochs=2, validation_split=0.25).history.history
    assert np.isfinite(share["val_loss"]).all()


def test_it_recovers_what_was_simulated():
    """Neighbours in z are of one type and of both batches; those in principal components are of one batch."""
    adata = datasets.simulate(n_cells=300, n_genes=60, n_types=3, markers_per_type=5, batch_shift=0.4, seed=0)
    x, types = adata.X.toarray().astype("float32"), adata.obs["label"].astype(str).to_numpy()
    cells = {"x": x, "batch": adata.obs["batch"].astype(str).to_numpy()}

    def scores(z):
        neighbours = nearest(z, 16)[:, 1:]
        same_type = types[neighbours] == types[:, None]
        other_batch = cells["batch"][neighbours] != cells["batch"][:, None]
        return same_type.mean(), other_batch.mean()

    model = NeighbourVAE(60, ["batch 0", "batch 1"], latent_dim=5, hidden=(32,), adversary=0.0)
    latent = scores(trained(model, cells, epochs=20, batch_size=50).encode(cells))
    log_cp10k = np.log1p(1e4 * x / x.sum(axis=1, keepdims=True))
    components = scores(PCA(5, random_state=0).fit_transform(log_cp10k))
    assert latent[0] > 0.95 and latent[1] > components[1] + 0.2


# -- settings and bad input --------------------------------------------------------------------------------------


def test_settings_survive_a_config_round_trip():
    settings = {
        **CONFIG,
        "adversary": 2.0,
        "partner_rate": 0.2,
        "n_mutual": 3,
        "n_neighbors": 7,
        "walk_length": 2,
        "beta": 0.5,
    }
    config = vae(**settings).get_config()
    restored = NeighbourVAE.from_config(json.loads(json.dumps(config))).get_config()
    assert restored == config
    assert {key: restored[key] for key in settings} == settings
    assert vae(walk_length=2).walk_length == 2


@pytest.mark.parametrize(
    ("keywords", "kind", "message"),
    [
        ({"partner_rate": 0}, ValueError, "^partner_rate must be above 0 and below 1, got 0$"),
        ({"partner_rate": 1.0}, ValueError, "^partner_rate must be above 0 and below 1, got 1.0$"),
        ({"n_mutual": 0}, ValueError, "^n_mutual must be at least 1, got 0"),
        ({"n_neighbors": 1}, ValueError, "^n_neighbors must be at least 2, got 1"),
        ({"walk_length": 0}, ValueError, "^walk_length must be at least 1, got 0"),
        ({"walk_length": 2.5}, TypeError, "^walk_length must be an integer, got 2.5"),
        ({"adversary": -1}, ValueError, "^adversary must be 0 or more, got -1"),
        ({"batches": ["plate 1"]}, ValueError, "^batches must be two different names or more, got"),
    ],
)
def test_a_setting_is_refused(keywords, kind, message):
    refused(lambda: vae(**keywords), message, kind)


def test_cells_that_keep_their_order_are_refused(plates):
    message = "^got shuffle=False: the neighbours are drawn with the order, leave it True$"
    refused(lambda: vae().fit(plates, shuffle=False), message)


def test_data_that_are_not_a_dictionary_are_refused(plates):
    for x in (plates["x"], None):
        message = r'^cells must come as \{"x": counts, "batch": names\}'
        refused(lambda x=x: vae().fit(x), message, TypeError)
    stream = tf.data.Dataset.from_tensors(plates)
    refused(
        lambda: vae().fit(stream), "^x is a .*Dataset: neighbours are looked for among cells in", TypeError
    )


def test_data_of_another_kind_are_refused(plates):
    model = vae()
    model.compile()
    for call in (model.fit, model.encode):
        refused(lambda call=call: call({**plates, "x": np.log1p(plates["x"])}), "^x must hold counts")
        refused(lambda call=call: call({**plates, "x": plates["x"][:, 1:]}), "^x has 19 genes, expected 20")
        refused(
            lambda call=call: call({**plates, "batch": ["B"] * 96}),
            "^batch 'B' was not among the model's batches",
        )
