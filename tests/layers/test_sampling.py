import keras
import numpy as np
import pytest

from latentcells.layers import Sampling
from tests.helpers import gradient, run_layer_test

pytestmark = pytest.mark.backend

DRAWS = 200_000


def draw(layer, mean=0.0, log_var=0.0, shape=(6, 3)):
    return np.asarray(layer(np.full(shape, mean, "float32"), np.full(shape, log_var, "float32")))


def test_fulfils_what_every_layer_must(tmp_path):
    rng = np.random.default_rng(0)
    arrays = (rng.normal(size=(5, 3)).astype("float32"), rng.normal(size=(5, 3)).astype("float32"))
    run_layer_test(Sampling, {"seed": 3}, arrays, tmp_path)


def test_moments_are_those_of_the_parameters():
    z = draw(Sampling(seed=0), mean=-2.0, log_var=np.log(4.0), shape=(DRAWS, 1))
    standard_error = 2.0 / np.sqrt(DRAWS)
    assert abs(z.mean() + 2.0) < 5 * standard_error
    np.testing.assert_allclose(z.var(), 4.0, atol=5 * 4.0 * np.sqrt(2.0 / DRAWS))


def test_no_variance_gives_the_mean():
    np.testing.assert_array_equal(draw(Sampling(), mean=7.0, log_var=-80.0), np.full((6, 3), 7.0))


def test_the_seed_gives_the_noise():
    np.testing.assert_array_equal(draw(Sampling(seed=1)), draw(Sampling(seed=1)))
    assert not np.array_equal(draw(Sampling(seed=1)), draw(Sampling(seed=2)))


def test_each_call_draws_new_noise():
    layer = Sampling(seed=1)
    assert not np.isin(draw(layer), draw(layer)).any()


def test_draws_in_inference_and_in_training():
    zeros = np.zeros((4, 2), "float32")
    outputs = keras.Model(x := [keras.Input((2,)), keras.Input((2,))], Sampling()(*x))
    for training in (True, False):
        assert np.asarray(outputs([zeros, zeros], training=training)).std() > 0.1


def test_the_gradient_reaches_both_parameters():
    mean, log_var = np.zeros((6, 3), "float32"), np.full((6, 3), np.log(4.0), "float32")
    to_mean, to_log_var = gradient(Sampling(seed=5), mean, log_var)
    np.testing.assert_array_equal(to_mean, 1.0)
    np.testing.assert_allclose(to_log_var, draw(Sampling(seed=5), log_var=np.log(4.0)) / 2, rtol=1e-6)


def test_the_global_random_state_is_left_alone():
    keras.utils.set_random_seed(0)
    expected = np.asarray(keras.random.normal((3,))), np.random.get_state()[1]  # noqa: NPY002
    keras.utils.set_random_seed(0)
    draw(Sampling(seed=4))
    np.testing.assert_array_equal(np.asarray(keras.random.normal((3,))), expected[0])
    np.testing.assert_array_equal(np.random.get_state()[1], expected[1])  # noqa: NPY002
