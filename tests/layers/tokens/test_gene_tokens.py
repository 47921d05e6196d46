import keras
import numpy as np
import pytest

from latentcells.layers import GeneTokens
from tests.helpers import refused, run_layer_test

RNG = np.random.default_rng(0)
X = np.float32(RNG.gamma(0.5, 2.0, (7, 9)) * (RNG.uniform(size=(7, 9)) < 0.7))
X[0] = 0.0
X[1, 1:] = 0.0


def of(layer, x):
    return {key: keras.ops.convert_to_numpy(value) for key, value in layer(x).items()}


def adapted(*args, **kwargs):
    layer = GeneTokens(*args, **kwargs)
    layer.adapt(X)
    return layer


@pytest.mark.parametrize("config", [{"how": "all", "n_tokens": None}, {"how": "expressed", "n_tokens": 4}])
def test_bears_what_every_layer_must(config, tmp_path):
    """The rank of a gene has no slope, so it cannot learn anything before it; its test is the next one."""
    run_layer_test(GeneTokens, config, (X,), tmp_path, float32_output=True)


def test_the_means_are_saved(tmp_path):
    layer = adapted("rank", n_tokens=4)
    assert GeneTokens.from_config(layer.get_config()).get_config() == layer.get_config()
    inputs = keras.Input((9,))
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    got = of(layer, X)
    for key, value in of(loaded, X).items():
        np.testing.assert_array_equal(value, got[key])
        assert model.output[key].shape == (None, 4) and model.output[key].dtype == got[key].dtype.name
    assert not np.array_equal(of(GeneTokens("rank", n_tokens=4), X)["gene"], got["gene"])


def test_all_genes_are_tokens():
    got = of(GeneTokens("all"), X)
    np.testing.assert_array_equal(got["gene"], np.tile(np.arange(9), (7, 1)))
    np.testing.assert_array_equal(got["value"], X)
    assert got["mask"].dtype == bool and got["mask"].all()


@pytest.mark.parametrize("n_tokens", [1, 4, 9])
@pytest.mark.parametrize("how", ["expressed", "rank"])
def test_the_largest_are_tokens(how, n_tokens):
    """By NumPy's sort; of equal values, which are zeros here, none is a token."""
    score = X / X.mean(axis=0) if how == "rank" else X
    order = np.argsort(-score, axis=1, kind="stable")[:, :n_tokens]
    got = of(adapted(how, n_tokens=n_tokens), X)
    there = np.take_along_axis(X, order, axis=1) > 0
    np.testing.assert_array_equal(got["mask"], there)
    np.testing.assert_array_equal(got["gene"][there], order[there])
    if how == "expressed":
        np.testing.assert_array_equal(got["value"], np.take_along_axis(X, order, axis=1))


def test_the_rank_heeds_the_mean_of_the_training_cells_alone():
    layer = GeneTokens("rank", n_tokens=3)
    layer.adapt(np.float32([[8, 2, 1, 0], [8, 4, 0, 0]]))  # means 8, 3, 0.5, 0
    got = of(layer, np.float32([[9, 4, 1, 7], [9, 4, 0, 7]]))
    np.testing.assert_array_equal(got["gene"][:, :2], [[2, 1], [1, 0]])
    np.testing.assert_array_equal(got["mask"], [[True, True, True], [True, True, False]])
    assert not (got["gene"] == 3)[got["mask"]].any(), "a gene that no training cell has is no token"


def test_a_cell_is_chosen_for_alone():
    layer = adapted("rank", n_tokens=4)
    alone = [of(layer, cell[None]) for cell in X]
    for key, value in of(layer, X).items():
        np.testing.assert_array_equal(value, np.concatenate([cell[key] for cell in alone]))


def test_half_precision_keeps_the_genes():
    """Their order is that of float32, where bfloat16 would see ties."""
    x = np.float32([[1.0, 1.001, 1.002, 1.003]])
    for policy in ("mixed_bfloat16", "mixed_float16"):
        got = of(GeneTokens("expressed", n_tokens=4, dtype=policy), x)
        np.testing.assert_array_equal(got["gene"], [[3, 2, 1, 0]])


@pytest.mark.parametrize(
    ("call", "kind", "message"),
    [
        (
            lambda: GeneTokens("top", 3),
            ValueError,
            "^how='top' is unknown: choose from 'all', 'expressed', 'rank'",
        ),
        (lambda: GeneTokens("all", 3), ValueError, "^how='all' with n_tokens=3: 'all' takes every gene"),
        (
            lambda: GeneTokens("rank"),
            ValueError,
            "^how='rank' with n_tokens=None: .* the others need a number",
        ),
        (lambda: GeneTokens("rank", 0), ValueError, "^n_tokens must be at least 1, got 0"),
        (lambda: GeneTokens("rank", 2.0), TypeError, "^n_tokens must be an integer, got 2.0"),
        (lambda: GeneTokens("rank", 10)(X), ValueError, "^n_tokens=10 is more than the 9 genes: lower it"),
        (lambda: adapted("rank", 4).adapt(X[:, 1:]), ValueError, "^x has 8 genes, expected 9"),
    ],
)
def test_is_refused(call, kind, message):
    refused(call, message, kind)
