import keras
import numpy as np
import pytest

from latentcells.layers import CellToken
from tests.helpers import gradient, run_layer_test

pytestmark = pytest.mark.backend

RNG = np.random.default_rng(0)
T = np.float32(RNG.normal(size=(4, 5, 3)))
MASK = RNG.uniform(size=(4, 5)) < 0.5
MASK[1] = False


def test_fulfils_what_every_layer_must(tmp_path):
    run_layer_test(CellToken, {"seed": 3}, (T, MASK), tmp_path)


def test_the_cell_token_comes_first_and_is_the_same_for_every_cell():
    layer = CellToken(seed=1)
    t, mask = map(keras.ops.convert_to_numpy, layer(T, MASK))
    np.testing.assert_array_equal(t, np.concatenate([np.tile(layer.token.numpy(), (4, 1, 1)), T], axis=1))
    np.testing.assert_array_equal(mask, np.concatenate([np.ones((4, 1), bool), MASK], axis=1))
    assert mask.dtype == bool and np.abs(layer.token.numpy()).min() > 0


def test_the_tokens_pass_unchanged():
    layer = CellToken()
    layer(T, MASK)
    (slope,) = gradient(lambda t: layer(t, MASK)[0] ** 2, T)
    np.testing.assert_allclose(slope, 2 * T, rtol=1e-6)


def test_the_seed_gives_the_token():
    one, two, other = (np.asarray(CellToken(seed)(T, MASK)[0])[0, 0] for seed in (1, 1, 2))
    np.testing.assert_array_equal(one, two)
    assert not np.isclose(one, other).any()
