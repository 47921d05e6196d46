import keras
import numpy as np
import pytest

from latentcells.layers import DomainBatchNormalization
from tests.helpers import gradient, run_layer_test

RNG = np.random.default_rng(0)
DOMAIN = np.int32([0, 1, 1, 0, 2, 1, 0, 2, 2, 1])
X = np.float32(RNG.normal(3 * DOMAIN[:, None], 1 + DOMAIN[:, None], (10, 4)))


def apply(layer, *args, **kwargs):
    return keras.ops.convert_to_numpy(layer(*args, **kwargs))


@pytest.mark.backend
def test_equals_a_keras_batch_normalisation_for_each_domain():
    layer, references = (
        DomainBatchNormalization(3, momentum=0.8),
        [keras.layers.BatchNormalization(momentum=0.8) for _ in range(3)],
    )
    for x in (X, 2 * X + 1, -X):
        result = apply(layer, x, DOMAIN, training=True)
        for domain, reference in enumerate(references):
            cells = domain == DOMAIN
            np.testing.assert_allclose(result[cells], apply(reference, x[cells], training=True), atol=2e-5)
    result = apply(layer, X, DOMAIN)
    for domain, reference in enumerate(references):
        cells = domain == DOMAIN
        np.testing.assert_allclose(result[cells], apply(reference, X[cells]), atol=2e-5)


@pytest.mark.backend
def test_the_gradient_of_a_domain_comes_from_its_own_cells():
    layer = DomainBatchNormalization(3)
    layer(X, DOMAIN)
    (slope,) = gradient(lambda x: layer(x, DOMAIN, training=True)[0] ** 2, X)
    assert np.abs(slope[DOMAIN == 0]).min() > 0 and np.abs(slope[DOMAIN != 0]).max() == 0


@pytest.mark.backend
def test_a_shift_of_a_whole_domain_is_removed():
    layer, shift = DomainBatchNormalization(3), np.float32([[5], [-40], [100]])[DOMAIN]
    result = apply(layer, X + shift, DOMAIN, training=True)
    np.testing.assert_allclose(result, apply(layer, X, DOMAIN, training=True), atol=2e-4)


@pytest.mark.backend
def test_a_single_cell_of_a_domain_uses_its_averages_and_does_not_change_them():
    layer = DomainBatchNormalization(3, momentum=0.5)
    layer(X, DOMAIN, training=True)
    before = layer.moving_mean.numpy()
    cells = np.array([0, 3, 4])  # two of domain 0, one of domain 2, none of domain 1
    inference = apply(layer, X, DOMAIN)
    result = apply(layer, X[cells], DOMAIN[cells], training=True)
    np.testing.assert_allclose(result[2], inference[4], atol=1e-5)
    after = layer.moving_mean.numpy()
    np.testing.assert_allclose(after[1:], before[1:], rtol=1e-6)
    assert not np.allclose(after[0], before[0])


@pytest.mark.backend
def test_a_frozen_layer_uses_its_averages_in_training():
    layer = DomainBatchNormalization(3)
    layer(X, DOMAIN, training=True)
    layer.trainable = False
    np.testing.assert_array_equal(apply(layer, X, DOMAIN, training=True), apply(layer, X, DOMAIN))


@pytest.mark.backend
def test_fulfils_what_every_layer_must(tmp_path):
    config = {"n_domains": 3, "momentum": 0.9, "epsilon": 0.01}
    run_layer_test(DomainBatchNormalization, config, (X, DOMAIN), tmp_path)


@pytest.mark.parametrize(("n_domains", "kind"), [(0, ValueError), (2.5, TypeError)])
def test_refuses_a_number_of_domains(n_domains, kind):
    with pytest.raises(kind, match=rf"^n_domains must be .* got {n_domains}"):
        DomainBatchNormalization(n_domains)
