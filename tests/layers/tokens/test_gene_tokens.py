import keras
import numpy as np
import pytest

from latentcells.layers import GeneTokens
from tests.helpers import refused, run_layer_test

RNG = np.random.default_rng(0)
X = np.float32(RNG.gamma(0.5, 2.0, (7, 9)) * (RNG.uniform(size=(7, 9)) < 0.7))
X[0] = 0.0
X[1, 1:] = 0.0


def apply(layer, x):
    return {key: keras.ops.convert_to_numpy(value) for key, value in layer(x).items()}


def adapted(*args, **kwargs):
    layer = GeneTokens(*args, **kwargs)
    layer.adapt(X)
    return layer


@pytest.mark.backend
@pytest.mark.parametrize(("how", "n_tokens"), [("all", None), ("expressed", 4), ("rank", 4)])
def test_fulfils_what_every_layer_must(how, n_tokens, tmp_path):
    """Ranks have no gradient; the values of the other kinds have one."""
    run_layer_test(
        GeneTokens,
        {"how": how, "n_tokens": n_tokens},
        (X,),
        tmp_path,
        float32_output=True,
        differentiable=how != "rank",
    )


@pytest.mark.backend
def test_the_means_are_saved(tmp_path):
    layer = adapted("rank", n_tokens=4)
    assert GeneTokens.from_config(layer.get_config()).get_config() == layer.get_config()
    inputs = keras.Input((9,))
    model = keras.Model(inputs, layer(inputs))
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    result = apply(layer, X)
    for key, value in apply(loaded, X).items():
        np.testing.assert_array_equal(value, result[key])
        assert model.output[key].shape == (None, 4) and model.output[key].dtype == result[key].dtype.name
    assert not np.array_equal(apply(GeneTokens("rank", n_tokens=4), X)["gene"], result["gene"])


@pytest.mark.backend
def test_all_genes_are_tokens():
    result = apply(GeneTokens("all"), X)
    np.testing.assert_array_equal(result["gene"], np.tile(np.arange(9), (7, 1)))
    np.testing.assert_array_equal(result["value"], X)
    assert result["mask"].dtype == bool and result["mask"].all()


@pytest.mark.backend
@pytest.mark.parametrize("n_tokens", [1, 4, 9])
@pytest.mark.parametrize("how", ["expressed", "rank"])
def test_the_largest_are_tokens(how, n_tokens):
    """The reference uses NumPy's sort; the only ties are zeros, which are never tokens."""
    score = X / X.mean(axis=0) if how == "rank" else X
    order = np.argsort(-score, axis=1, kind="stable")[:, :n_tokens]
    result = apply(adapted(how, n_tokens=n_tokens), X)
    expressed = np.take_along_axis(X, order, axis=1) > 0
    np.testing.assert_array_equal(result["mask"], expressed)
    np.testing.assert_array_equal(result["gene"][expressed], order[expressed])
    if how == "expressed":
        np.testing.assert_array_equal(result["value"], np.take_along_axis(X, order, axis=1))


@pytest.mark.backend
def test_the_rank_depends_only_on_the_mean_of_the_training_cells():
    layer = GeneTokens("rank", n_tokens=3)
    layer.adapt(np.float32([[8, 2, 1, 0], [8, 4, 0, 0]]))  # means 8, 3, 0.5, 0
    result = apply(layer, np.float32([[9, 4, 1, 7], [9, 4, 0, 7]]))
    np.testing.assert_array_equal(result["gene"][:, :2], [[2, 1], [1, 0]])
    np.testing.assert_array_equal(result["mask"], [[True, True, True], [True, True, False]])
    assert not (result["gene"] == 3)[result["mask"]].any(), "a gene that no training cell has is no token"


@pytest.mark.backend
def test_the_means_are_those_of_all_blocks_of_cells():
    """They are float64 sums for any blocks."""
    whole, blocks = GeneTokens("rank", n_tokens=4), GeneTokens("rank", n_tokens=4)
    whole.adapt(X)
    blocks.adapt(X[i : i + 3] for i in range(0, len(X), 3))
    np.testing.assert_array_equal(blocks.mean.numpy(), whole.mean.numpy())
    expected = X.mean(axis=0, dtype="float64")
    np.testing.assert_allclose(whole.mean, np.where(expected > 0, expected, np.inf), rtol=1e-7)


@pytest.mark.backend
def test_tokens_of_a_cell_do_not_depend_on_other_cells():
    layer = adapted("rank", n_tokens=4)
    alone = [apply(layer, cell[None]) for cell in X]
    for key, value in apply(layer, X).items():
        np.testing.assert_array_equal(value, np.concatenate([cell[key] for cell in alone]))


@pytest.mark.backend
def test_half_precision_keeps_the_genes():
    """Their order is that of float32; bfloat16 would have ties."""
    x = np.float32([[1.0, 1.001, 1.002, 1.003]])
    for policy in ("mixed_bfloat16", "mixed_float16"):
        result = apply(GeneTokens("expressed", n_tokens=4, dtype=policy), x)
        np.testing.assert_array_equal(result["gene"], [[3, 2, 1, 0]])


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
        (lambda: adapted("rank", 4).adapt([X, X[:, 1:]]), ValueError, "^x has 8 genes, expected 9"),
        (lambda: GeneTokens("rank", 4).adapt(iter(())), ValueError, "^x has no cells: pass the log1p values"),
        (lambda: GeneTokens("rank", 4).adapt(X[:0]), ValueError, "^x has no cells: pass the log1p values"),
    ],
)
def test_is_refused(call, kind, message):
    refused(call, message, kind)
