import keras
import numpy as np
import pytest

from latentcells.layers import DomainBatchNormalization
from tests.helpers import gradient

RNG = np.random.default_rng(0)
DOMAIN = np.array([0, 1, 1, 0, 2, 1, 0, 2, 2, 1])
X = np.float32(RNG.normal(3 * DOMAIN[:, None], 1 + DOMAIN[:, None], (10, 4)))


def of(layer, *args, **kwargs):
    return keras.ops.convert_to_numpy(layer(*args, **kwargs))


def test_is_a_batch_normalisation_of_keras_for_each_domain():
    layer, theirs = (
        DomainBatchNormalization(3, momentum=0.8),
        [keras.layers.BatchNormalization(momentum=0.8) for _ in range(3)],
    )
    for x in (X, 2 * X + 1, -X):
        got = of(layer, x, DOMAIN, training=True)
        for domain, single in enumerate(theirs):
            cells = domain == DOMAIN
            np.testing.assert_allclose(got[cells], of(single, x[cells], training=True), atol=2e-5)
    got = of(layer, X, DOMAIN)
    for domain, single in enumerate(theirs):
        cells = domain == DOMAIN
        np.testing.assert_allclose(got[cells], of(single, X[cells]), atol=2e-5)


def test_the_gradient_of_a_domain_comes_from_its_own_cells():
    layer = DomainBatchNormalization(3)
    layer(X, DOMAIN)
    (slope,) = gradient(lambda x: layer(x, DOMAIN, training=True)[0] ** 2, X)
    assert np.abs(slope[DOMAIN == 0]).min() > 0 and np.abs(slope[DOMAIN != 0]).max() == 0


def test_a_shift_of_a_whole_domain_is_gone():
    layer, shift = DomainBatchNormalization(3), np.float32([[5], [-40], [100]])[DOMAIN]
    got = of(layer, X + shift, DOMAIN, training=True)
    np.testing.assert_allclose(got, of(layer, X, DOMAIN, training=True), atol=2e-4)


def test_one_cell_of_a_domain_is_normalised_by_its_averages_and_does_not_move_them():
    layer = DomainBatchNormalization(3, momentum=0.5)
    layer(X, DOMAIN, training=True)
    before = layer.moving_mean.numpy()
    cells = np.array([0, 3, 4])  # two of domain 0, one of domain 2, none of domain 1
    in_use = of(layer, X, DOMAIN)
    got = of(layer, X[cells], DOMAIN[cells], training=True)
    np.testing.assert_allclose(got[2], in_use[4], atol=1e-5)
    after = layer.moving_mean.numpy()
    np.testing.assert_allclose(after[1:], before[1:], rtol=1e-6)
    assert not np.allclose(after[0], before[0])


def test_a_frozen_layer_uses_its_averages_in_training():
    layer = DomainBatchNormalization(3)
    layer(X, DOMAIN, training=True)
    layer.trainable = False
    np.testing.assert_array_equal(of(layer, X, DOMAIN, training=True), of(layer, X, DOMAIN))


def test_is_saved_and_has_its_own_type(tmp_path):
    config = {"n_domains": 3, "momentum": 0.9, "epsilon": 0.01}
    stored = DomainBatchNormalization(**config).get_config()
    assert {key: stored[key] for key in config} == config
    inputs = [keras.Input((4,)), keras.Input((), dtype="int32")]
    model = keras.Model(inputs, DomainBatchNormalization(**config)(*inputs))
    assert model.output.shape == (None, 4)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(of(model, [X, DOMAIN]), of(loaded, [X, DOMAIN]))
    half = DomainBatchNormalization(**config, dtype="mixed_float16")(X, DOMAIN, training=True)
    assert keras.backend.standardize_dtype(half.dtype) == "float16"


@pytest.mark.parametrize(("n_domains", "kind"), [(0, ValueError), (2.5, TypeError)])
def test_refuses_a_number_of_domains(n_domains, kind):
    with pytest.raises(kind, match=rf"^n_domains must be .* got {n_domains}"):
        DomainBatchNormalization(n_domains)
