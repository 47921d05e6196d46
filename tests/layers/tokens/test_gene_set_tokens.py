import keras
import numpy as np
import pytest

from latentcells.layers import GeneSetTokens
from tests.helpers import gradient, refused, run_layer_test

MEMBERS = [[0, 2, 5], [4], [5, 1]]
X = np.float32(np.random.default_rng(0).normal(size=(8, 6)))


def apply(layer, x):
    return keras.ops.convert_to_numpy(layer(x))


def built(members=MEMBERS, dim=4, **kwargs):
    layer = GeneSetTokens(members, dim, **kwargs)
    layer.build((None, 6))
    layer.bias.assign(np.random.default_rng(1).normal(size=layer.bias.shape))
    return layer


@pytest.mark.backend
def test_fulfils_what_every_layer_must(tmp_path):
    run_layer_test(GeneSetTokens, {"members": MEMBERS, "dim": 4, "seed": 3}, (X,), tmp_path)


@pytest.mark.backend
def test_is_a_dense_layer_with_a_masked_kernel():
    layer, dense = built(), keras.layers.Dense(12)
    kernel, stored = np.zeros((6, 3, 4), "float32"), layer.kernel.numpy()
    for s, genes in enumerate(MEMBERS):
        kernel[genes, s] = stored[s, : len(genes)]
    dense.build((None, 6))
    dense.set_weights([kernel.reshape(6, 12), layer.bias.numpy().ravel()])
    np.testing.assert_allclose(apply(layer, X), apply(dense, X).reshape(8, 3, 4), atol=1e-6)


@pytest.mark.backend
def test_a_set_depends_only_on_its_own_genes():
    layer = built()
    for s, genes in enumerate(MEMBERS):
        (slope,) = gradient(lambda x, s=s: layer(x)[:, s] ** 2, X)
        read = np.isin(np.arange(6), genes)
        assert (slope[:, read] != 0).all() and (slope[:, ~read] == 0).all()


def test_members_may_be_numbers_of_numpy():
    layer = built([np.array(genes) for genes in MEMBERS])
    assert layer.get_config()["members"] == MEMBERS
    np.testing.assert_array_equal(apply(layer, X), apply(built(), X))


@pytest.mark.backend
def test_initial_weights_are_small_for_sets_of_every_size():
    members = [list(range(200)), [0], list(range(60))]
    layer = GeneSetTokens(members, 100, seed=0)
    layer.build((None, 200))
    for weights, genes in zip(layer.kernel.numpy(), members, strict=True):
        assert abs(weights[: len(genes)].std() - 0.02) < 0.004


@pytest.mark.backend
def test_the_seed_gives_the_weights():
    kernels = [built(seed=seed).kernel.numpy() for seed in (1, 1, 2)]
    np.testing.assert_array_equal(kernels[0], kernels[1])
    assert not np.isclose(kernels[0], kernels[2]).any()


@pytest.mark.parametrize(
    ("members", "kind", "message"),
    [
        ([], ValueError, "^members must be sets with a gene each, got 0 sets, 0 of them empty"),
        ([[1], [], [2], []], ValueError, "got 4 sets, 2 of them empty: drop the empty ones"),
        ([[1], [2, 6]], ValueError, "^members has gene 6, the data have 6: number them from 0"),
        ([[1], [-1]], ValueError, "^members must be at least 0, got -1"),
        ([[1], [2.5]], TypeError, "^members must be an integer, got 2.5"),
        ([[1], ["CD3E"]], TypeError, "^members must be an integer, got 'CD3E'"),
    ],
)
def test_members_are_refused(members, kind, message):
    refused(lambda: built(members), message, kind)


def test_a_dim_is_refused():
    refused(lambda: built(dim=0), "^dim must be at least 1, got 0")
