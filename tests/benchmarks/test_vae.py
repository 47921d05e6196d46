"""Chapter 1's comparison: what each network reads and predicts, and where generated cells come from."""

from functools import partial

import numpy as np
import pytest
from scipy import sparse

import latentcells as lc
from benchmarks import baselines, vae


@pytest.fixture(scope="module")
def counts():
    """Simulated counts, float32."""
    cells = lc.datasets.simulate(200, 60, 3, 1, library=600.0)
    return np.asarray(cells.layers["counts"].todense(), "float32")


@pytest.fixture(scope="module")
def molecules(counts):
    return baselines.split_molecules(sparse.csr_matrix(counts))


@pytest.mark.parametrize("read", [vae.read_counts, vae.read_roots, vae.read_scaled_z_scores])
def test_what_a_network_reads_leads_back_to_shares(read, counts):
    values, expected = read(counts)
    shares = expected(values(counts))
    np.testing.assert_allclose(
        shares / shares.sum(axis=1, keepdims=True), counts / counts.sum(axis=1, keepdims=True), atol=1e-4
    )


def test_the_chance_of_detection_leads_back_to_a_poisson_mean(counts):
    values, expected = vae.read_detection(counts)
    assert set(np.unique(values(counts))) == {0, 1}
    np.testing.assert_allclose(expected(1 - np.exp(-np.array([0.1, 1.0, 5.0]))), [0.1, 1, 5], rtol=1e-5)


def test_the_scaled_z_scores_of_training_cells_fill_the_unit_interval(counts):
    unit = vae.read_scaled_z_scores(counts)[0](counts)
    assert unit.min(axis=0) == pytest.approx(0) and unit.max(axis=0) == pytest.approx(1)


class Oracle:
    """A network that decodes a cell to given shares; z is the number of the cell."""

    def __init__(self, shares):
        self.shares = shares

    def fit(self, x, **_):
        self.cells = len(x)

    def encode(self, x):
        return np.arange(len(x))[:, None]

    def decode(self, z, library):
        return self.shares[z[:, 0]]


def measured(monkeypatch, molecules, shares):
    monkeypatch.setattr(vae, "build", lambda *_: Oracle(shares))
    monkeypatch.setattr(vae, "EPOCHS", (1,))
    (gains,) = vae.measure(vae.NB, molecules, vae.Setting(genes=baselines.ALL)).values()
    return baselines.per_molecule(gains, molecules)


def test_a_network_is_measured_by_its_own_decoder(monkeypatch, molecules, counts):
    truth = np.asarray(molecules.seen.todense()) + 0.01
    wrong = np.random.default_rng(0).permutation(truth)
    average = np.tile(truth.mean(axis=0), (len(truth), 1))
    right, nothing, noise = (measured(monkeypatch, molecules, s) for s in (truth, average, wrong))
    assert right > 0.05 and abs(nothing) < 0.01 > noise


def test_genes_that_a_network_does_not_read_keep_the_average_share(monkeypatch, molecules):
    monkeypatch.setattr(baselines, "choose_genes", lambda *_: np.arange(10))
    asked = []

    def keep(predict, molecules):
        asked.append(predict(slice(0, 5)))
        return np.zeros(5)

    monkeypatch.setattr(baselines, "gains_of", keep)
    monkeypatch.setattr(vae, "build", lambda *_: Oracle(np.random.default_rng(0).random((200, 10))))
    monkeypatch.setattr(vae, "EPOCHS", (1,))
    vae.measure(vae.NB, molecules, vae.Setting())
    average = np.asarray(molecules.seen.sum(axis=0)).ravel()
    average = average / average.sum()
    np.testing.assert_allclose(asked[0].sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(asked[0][:, 10:], np.tile(average[10:], (5, 1)))


def test_a_training_is_measured_after_each_number_of_epochs(monkeypatch, molecules):
    passes = []
    oracle = Oracle(np.ones((200, molecules.seen.shape[1])))
    monkeypatch.setattr(oracle, "fit", lambda x, epochs, **_: passes.append(epochs))
    monkeypatch.setattr(vae, "build", lambda *_: oracle)
    monkeypatch.setattr(vae, "EPOCHS", (2, 5, 9))
    found = vae.measure(vae.NB, molecules, vae.Setting(genes=baselines.ALL))
    assert passes == [2, 3, 4] and [setting.epochs for setting in found] == [2, 5, 9]


def test_a_network_without_noise_has_one_place_for_a_cell(counts):
    models = {noise: lc.models.VAE(counts.shape[1], 2, noise=noise, seed=0) for noise in (True, False)}
    places = {noise: partial(vae.posterior, model, counts) for noise, model in models.items()}
    np.testing.assert_allclose(places[False](0), models[False].encode(counts), atol=1e-5)
    assert not np.allclose(places[True](0), places[True](1))


def test_cells_come_from_the_prior_or_from_a_mixture_fitted_to_z():
    rng = np.random.default_rng(0)
    z = np.concatenate([rng.normal(size, 0.1, (150, 2)) for size in (-6, 6)])
    asked = {}

    def draw(z, library, seed):
        asked[len(asked)] = z
        return rng.poisson(np.exp(np.repeat(z[:, :1] / 6, 20, axis=1)) + 1)

    real = draw(z, None, 0)
    found = vae.generate(draw, z, real, 0, sd=np.array([1.0, 3.0]))
    _, prior, mixture = asked.values()
    assert prior.std(axis=0) == pytest.approx([1, 3], rel=0.15)
    assert np.abs(np.abs(mixture) - 6).max() < 1
    assert found["generated_auc[mixture]"] < 0.6 < found["generated_auc[prior]"]
