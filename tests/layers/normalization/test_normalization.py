import keras
import numpy as np
import pytest

from latentcells.layers import BatchNormalization, GroupNormalization, LayerNormalization
from tests.helpers import gradient, run_layer_test

CELLS, GENES = 9, 12
MODULES = [2, 0, 1, 1, 0, 2, 2, 0, 1, 0, 2, 0]
CONFIGS = (
    (BatchNormalization, {"momentum": 0.9, "epsilon": 0.01}),
    (LayerNormalization, {"epsilon": 0.01}),
    (GroupNormalization, {"groups": 3, "epsilon": 0.01}),
    (GroupNormalization, {"groups": MODULES, "epsilon": 0.01}),
)
PAIRS = {  # (our layer, Keras's layer), built anew for each test
    "batch": lambda: (BatchNormalization(momentum=0.9), keras.layers.BatchNormalization(momentum=0.9)),
    "layer": lambda: (LayerNormalization(), keras.layers.LayerNormalization()),
    "group": lambda: (GroupNormalization(3), keras.layers.GroupNormalization(3)),
    "one group": lambda: (GroupNormalization(1), keras.layers.GroupNormalization(1)),
}


@pytest.fixture
def x():
    """Cells that differ in size and genes that differ in mean."""
    rng = np.random.default_rng(0)
    return (rng.normal(size=(CELLS, GENES)) * rng.gamma(2, 1, (CELLS, 1)) + np.arange(GENES)).astype(
        "float32"
    )


def give_weights(*layers):
    """Give all layers the same scales and offsets, which differ between features."""
    rng = np.random.default_rng(1)
    gamma, beta = rng.normal(1, 0.3, GENES), rng.normal(0, 0.3, GENES)
    for layer in layers:
        layer.build((None, GENES))
        layer.gamma.assign(gamma)
        layer.beta.assign(beta)


def standardised(x, axis, epsilon=1e-3):
    """The equation in float64, with epsilon under the root."""
    x = np.asarray(x, "float64")
    centred = x - x.mean(axis=axis, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=axis, keepdims=True) + epsilon)


@pytest.mark.backend
@pytest.mark.parametrize(("kind", "config"), CONFIGS)
def test_fulfils_what_every_layer_must(kind, config, x, tmp_path):
    run_layer_test(kind, config, (x,), tmp_path)


@pytest.mark.backend
@pytest.mark.parametrize("pair", PAIRS)
@pytest.mark.parametrize("training", [True, False])
def test_equals_keras(pair, training, x):
    layer, reference = PAIRS[pair]()
    give_weights(layer, reference)
    keywords = {"training": training} if isinstance(layer, BatchNormalization) else {}
    for _ in range(2):  # the second call uses the averages that the first one updated
        np.testing.assert_allclose(layer(x, **keywords), reference(x, **keywords), rtol=1e-6, atol=2e-6)
    for average, expected in zip(
        layer.non_trainable_variables, reference.non_trainable_variables, strict=True
    ):
        np.testing.assert_allclose(average, expected, rtol=1e-6, atol=1e-6)


@pytest.mark.backend
@pytest.mark.parametrize("pair", PAIRS)
def test_gradient_equals_keras(pair, x):
    layer, reference = PAIRS[pair]()
    give_weights(layer, reference)
    keywords = {"training": True} if isinstance(layer, BatchNormalization) else {}
    weights = np.random.default_rng(2).normal(size=x.shape).astype("float32")
    gradients = [gradient(lambda a, f=f: weights * f(a, **keywords), x)[0] for f in (layer, reference)]
    np.testing.assert_allclose(*gradients, rtol=1e-5, atol=2e-6)


@pytest.mark.backend
def test_batch_takes_the_moments_of_a_gene_over_the_cells(x):
    np.testing.assert_allclose(BatchNormalization()(x, training=True), standardised(x, axis=0), atol=1e-5)


@pytest.mark.backend
def test_layer_takes_the_moments_of_a_cell_over_the_genes(x):
    np.testing.assert_allclose(LayerNormalization()(x), standardised(x, axis=1), atol=1e-5)


@pytest.mark.backend
def test_group_takes_the_moments_of_a_cell_over_the_genes_of_a_group(x):
    result = np.asarray(GroupNormalization(MODULES)(x))
    for module in range(3):
        genes = np.array(MODULES) == module
        np.testing.assert_allclose(result[:, genes], standardised(x[:, genes], axis=1), atol=1e-5)


@pytest.mark.backend
def test_modules_are_contiguous_groups_of_permuted_genes(x):
    label = np.repeat([0, 1, 2], 4)
    order = np.random.default_rng(3).permutation(GENES)
    result = GroupNormalization(label[order])(x[:, order])
    np.testing.assert_allclose(result, np.asarray(GroupNormalization(3)(x))[:, order], atol=1e-6)


@pytest.mark.backend
def test_one_group_is_layer_normalisation(x):
    np.testing.assert_allclose(GroupNormalization(1)(x), LayerNormalization()(x), atol=2e-6)
    np.testing.assert_allclose(GroupNormalization([0] * GENES)(x), LayerNormalization()(x), atol=2e-6)


@pytest.mark.backend
def test_layer_removes_the_size_of_a_cell_and_batch_does_not(x):
    size = np.random.default_rng(4).gamma(5, 1, (CELLS, 1)).astype("float32")
    layer, batch = LayerNormalization(epsilon=1e-9), BatchNormalization(epsilon=1e-9)
    np.testing.assert_allclose(layer(size * x), layer(x), atol=1e-4)
    assert (
        np.abs(np.asarray(batch(size * x, training=True)) - np.asarray(batch(x, training=True))).max() > 0.5
    )


@pytest.mark.backend
@pytest.mark.parametrize("kind", [BatchNormalization, LayerNormalization, lambda: GroupNormalization(3)])
def test_a_constant_input_stays_finite(kind):
    layer = kind()
    keywords = {"training": True} if isinstance(layer, BatchNormalization) else {}
    np.testing.assert_array_equal(layer(np.full((CELLS, GENES), 7, "float32"), **keywords), 0)


# -- batch normalisation alone -----------------------------------------------------------------------------------


@pytest.mark.backend
def test_moving_averages_follow_the_batches(x):
    layer = BatchNormalization(momentum=0.9)
    layer(x, training=True)
    np.testing.assert_allclose(layer.moving_mean, 0.1 * x.mean(axis=0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * x.var(axis=0), rtol=1e-5)


@pytest.mark.backend
def test_inference_uses_the_averages_and_does_not_change_them(x):
    layer = BatchNormalization(momentum=0.0)
    layer(x, training=True)
    np.testing.assert_allclose(layer(x[:1]), np.asarray(layer(x, training=True))[:1], atol=1e-5)
    before = keras.ops.convert_to_numpy(layer.moving_mean).copy()
    layer(10 * x, training=False)
    np.testing.assert_array_equal(layer.moving_mean, before)


@pytest.mark.backend
def test_a_frozen_layer_uses_its_averages_in_training(x):
    layer = BatchNormalization()
    layer.build(x.shape)
    layer.trainable = False
    np.testing.assert_allclose(layer(x, training=True), layer(x, training=False), atol=1e-6)
    np.testing.assert_array_equal(layer.moving_mean, 0)


@pytest.mark.backend
def test_masked_cells_do_not_count(x):
    mask = np.arange(CELLS) < 6
    layer, reference, unmasked = BatchNormalization(), keras.layers.BatchNormalization(), BatchNormalization()
    result = np.asarray(layer(x, training=True, mask=mask))
    np.testing.assert_allclose(result, reference(x, training=True, mask=mask), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(result[mask], unmasked(x[mask], training=True), atol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, unmasked.moving_variance, atol=1e-6)


@pytest.mark.backend
def test_a_batch_whose_cells_are_all_masked_is_finite(x):
    assert np.isfinite(BatchNormalization()(x, training=True, mask=np.zeros(CELLS, bool))).all()


# -- refusals ----------------------------------------------------------------------------------------------------


def test_a_training_batch_of_one_cell_is_refused(x):
    with pytest.raises(
        ValueError, match="a training mini-batch of 1 cell has no variance: take batch_size=2 or more"
    ):
        BatchNormalization()(x[:1], training=True)
    assert np.isfinite(BatchNormalization()(x[:1], training=False)).all()


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        (5, r"groups must divide the 12 features, got 5: choose from \[1, 2, 3, 4, 6\]$"),
        (12, "12 groups of 12 features hold one each: minus its own mean a feature is 0"),
        (13, r"groups must divide the 12 features, got 13: choose from \[1, 2, 3, 4, 6\]$"),
        ([0] * 11, "groups must name a group for each of the 12 features, got 11"),
        ([0] * 11 + [3], "group 3 holds one feature: minus its own mean it is 0 in every cell"),
    ],
)
def test_groups_are_refused(groups, message, x):
    with pytest.raises(ValueError, match=message):
        GroupNormalization(groups)(x)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: GroupNormalization(0), ValueError, "groups must be at least 1, got 0"),
        (lambda: GroupNormalization([0, -1]), ValueError, "groups must be at least 0, got -1"),
        (lambda: GroupNormalization(2.5), TypeError, "groups must be an integer, got 2.5"),
        (lambda: LayerNormalization(0.0), ValueError, "epsilon must be positive, got 0.0"),
        (
            lambda: BatchNormalization(momentum=1.0),
            ValueError,
            "momentum must be at least 0 and less than 1, got 1",
        ),
    ],
)
def test_settings_are_refused(make, kind, message):
    with pytest.raises(kind, match=message):
        make()


@pytest.mark.parametrize(("kind", "config"), CONFIGS)
def test_another_rank_is_refused(kind, config):
    with pytest.raises(ValueError, match=r"x must be \(cells, features\), got shape \(2, 12, 3\)"):
        kind(**config)(np.zeros((2, GENES, 3), "float32"))
