import numpy as np
import pytest
from keras import ops

from latentcells.markers import ablation, gradient_times_input
from tests.helpers import refused

CELLS, GENES, LABELS = 9, 5, 3
RNG = np.random.default_rng(0)
X = (RNG.random((CELLS, GENES)) * (RNG.random((CELLS, GENES)) < 0.7)).astype(np.float32)
TARGET = RNG.integers(0, LABELS, CELLS)
WEIGHTS = RNG.normal(size=(GENES, LABELS)).astype(np.float32)


def linear(x):
    return ops.matmul(x, WEIGHTS) + 5.0


def curved(x):
    return ops.tanh(ops.matmul(x, WEIGHTS)) + ops.matmul(ops.square(x), WEIGHTS)


def test_for_a_linear_function_ablation_equals_gradient_times_input():
    result = ablation(linear, X, TARGET, range(GENES))
    np.testing.assert_allclose(result, gradient_times_input(linear, X, TARGET), atol=1e-5)


@pytest.mark.parametrize("batch_size", [1, 4, 64])
@pytest.mark.parametrize("genes", [[0, 1, 2, 3, 4], [3], [4, 0]])
def test_equals_the_same_gene_by_gene(genes, batch_size):
    def logit(x):
        return ops.convert_to_numpy(curved(x))[np.arange(CELLS), TARGET]

    expected = [logit(X) - logit(np.where(np.arange(GENES) == gene, np.float32(0), X)) for gene in genes]
    result = ablation(curved, X, TARGET, genes, batch_size)
    np.testing.assert_allclose(result, np.transpose(expected), atol=1e-5)
    assert result.shape == (CELLS, len(genes)) and result.dtype == np.float32


def test_a_gene_that_a_cell_does_not_express_is_not_evaluated():
    assert (X == 0).any()
    sizes = []
    result = ablation(lambda x: sizes.append(x.shape[0]) or curved(x), X, TARGET, [2], batch_size=1)
    np.testing.assert_array_equal(result[X[:, 2] == 0], 0)
    assert len(sizes) == 1 + CELLS + np.count_nonzero(X[:, 2])


def test_a_gene_that_no_cell_expresses():
    x = X.copy()
    x[:, 1] = 0
    np.testing.assert_array_equal(ablation(curved, x, TARGET, [1]), 0)


def test_no_gene():
    assert ablation(curved, X, TARGET, np.arange(0)).shape == (CELLS, 0)


def test_the_arguments_are_unchanged():
    before = X.copy()
    ablation(curved, X, TARGET, [0, 1])
    np.testing.assert_array_equal(X, before)


# -- bad input ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changed", "kind", "message"),
    [
        ({"genes": [0, 5]}, ValueError, "^genes holds 5, the function has 5 genes: pass codes from 0 to 4"),
        ({"genes": [-1]}, ValueError, "^genes holds -1, the function has 5 genes: pass codes from 0 to 4"),
        (
            {"genes": ["CD19"]},
            TypeError,
            "^genes must hold integers, got values of dtype <U4: pass codes, not names",
        ),
        ({"target": TARGET + 3}, ValueError, "^target holds [345], the function has 3 labels"),
        ({"x": np.full_like(X, np.nan)}, ValueError, "^x must be finite, got nan"),
        ({"batch_size": 0}, ValueError, "^batch_size must be at least 1, got 0"),
    ],
)
def test_refuses(changed, kind, message):
    arguments = {"function": linear, "x": X, "target": TARGET, "genes": [0], **changed}
    refused(lambda: ablation(**arguments), message, kind)
