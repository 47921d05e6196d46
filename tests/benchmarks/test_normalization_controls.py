"""Batch normalisation taken apart: each control has the part that its name says, and not the others."""

import numpy as np
import pytest

import latentcells as lc
from benchmarks import normalization
from benchmarks.normalization_controls import QUICK, Frozen, NoiseOnly, TwoMomenta, vae_with


@pytest.fixture
def steps():
    """Three mini-batches of 64 cells and five units, of another mean and spread in each unit."""
    rng = np.random.default_rng(0)
    return [rng.normal(np.arange(5), 1 + np.arange(5), (64, 5)).astype("float32") for _ in range(3)]


def test_frozen_statistics_do_not_move_after_the_warm_up_and_serve_in_training(steps):
    layer = Frozen(warm_up=2)
    for x in steps[:2]:
        assert np.allclose(
            layer(x, training=True), lc.layers.BatchNormalization()(x, training=True), atol=1e-5
        )
    before = np.asarray(layer.moving_mean).copy()
    assert np.abs(before).max() > 0.1
    trained = layer(steps[2], training=True)
    assert np.array_equal(before, layer.moving_mean)
    assert np.allclose(trained, layer(steps[2]), atol=1e-6)


def test_noise_alone_normalises_nothing_and_is_absent_in_inference(steps):
    layer, x = NoiseOnly(seed=1), steps[0]
    assert np.array_equal(layer(x), x)
    noisy = np.stack([layer(x, training=True) for _ in range(400)])
    assert np.allclose(noisy.mean(axis=(0, 1)), x.mean(axis=0), atol=0.1)
    assert np.allclose(noisy.std(axis=1).mean(axis=0), x.std(axis=0), rtol=0.05)


def test_noise_alone_is_as_large_as_that_of_mini_batches():
    """A cell's value after batch normalisation varies over mini-batches, in units of its spread, as it does here."""
    rng, m, cell = np.random.default_rng(0), 64, 1.5
    by_batch, layer, by_layer = [], NoiseOnly(seed=1), []
    for _ in range(2000):
        others = rng.normal(size=m)
        by_batch.append((cell - others.mean()) / others.std())
    x = np.append(rng.normal(size=m - 1), cell).astype("float32")[:, None]
    for _ in range(2000):
        by_layer.append(np.asarray(layer(x, training=True))[-1, 0] / x.std())
    assert np.std(by_layer) == pytest.approx(np.std(by_batch), rel=0.15)


def test_the_second_momentum_is_that_of_a_layer_of_its_own(steps):
    layer, other = TwoMomenta(), lc.layers.BatchNormalization(momentum=QUICK)
    for x in steps:
        assert np.array_equal(layer(x, training=True), other(x, training=True))
    assert not np.allclose(layer(steps[0]), other(steps[0]))
    layer.use_quick()
    assert np.allclose(layer(steps[0]), other(steps[0]), atol=1e-6)


def test_a_vae_has_the_layer_in_its_encoder():
    model = vae_with(NoiseOnly)(n_genes=6, latent_dim=2, hidden=(4, 4), seed=0)
    layers = [layer for layer in model.encoder.layers if isinstance(layer, NoiseOnly)]
    assert [layer.name for layer in layers] == ["normalization_0", "normalization_1"]


def test_the_cells_that_train_choose_and_report_are_three_parts():
    masks = normalization.divide_cells(100)
    assert np.array_equal(sum(mask.astype(int) for mask in masks.values()), np.ones(100))
    assert [int(masks[name].sum()) for name in ("report", "choose", "train")] == [10, 9, 81]
