from functools import partial

import keras
import numpy as np
import pytest
from keras import ops

from latentcells.markers import gradient_times_input, integrated_gradients
from tests.helpers import refused

CELLS, GENES, LABELS = 11, 6, 3
RNG = np.random.default_rng(0)
X = RNG.normal(size=(CELLS, GENES)).astype(np.float32)
TARGET = RNG.integers(0, LABELS, CELLS)
WEIGHTS = RNG.normal(size=(GENES, LABELS)).astype(np.float32)
SQUARES = RNG.normal(size=(LABELS, GENES, GENES)).astype(np.float32)
BOTH = pytest.mark.parametrize(
    "attribute",
    [gradient_times_input, partial(integrated_gradients, steps=3)],
    ids=["gradient", "integrated"],
)  # tests of both methods hold for any number of steps


def linear(x):
    return ops.matmul(x, WEIGHTS) + 5.0


def quadratic(x):
    """x' A x for each label."""
    return ops.einsum("ig,cgh,ih->ic", x, SQUARES, x)


def cubic(x):
    return ops.matmul(x**3, WEIGHTS)


def network(seed=0):
    keras.utils.set_random_seed(seed)
    layers = [keras.layers.Dense(16, "gelu"), keras.layers.LayerNormalization(), keras.layers.Dense(LABELS)]
    return keras.Sequential([keras.Input((GENES,)), *layers])


def target_logits(logits):
    return ops.convert_to_numpy(logits)[np.arange(CELLS), TARGET]


# -- exact answers -----------------------------------------------------------------------------------------------


@BOTH
@pytest.mark.parametrize("batch_size", [1, 4, 64])
def test_attributions_of_a_linear_function_are_its_terms(attribute, batch_size):
    result = attribute(linear, X, TARGET, batch_size=batch_size)
    np.testing.assert_allclose(result, X * WEIGHTS.T[TARGET], rtol=1e-5, atol=1e-6)
    assert result.shape == X.shape and result.dtype == np.float32 and isinstance(result, np.ndarray)


def test_the_gradient_of_a_quadratic_function():
    gradient = np.einsum("igh,ih->ig", SQUARES[TARGET] + SQUARES[TARGET].transpose(0, 2, 1), X)
    np.testing.assert_allclose(gradient_times_input(quadratic, X, TARGET), X * gradient, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [1, 7])
def test_midpoints_are_exact_for_a_quadratic_function(steps):
    """The gradient grows linearly along the path, so its mean is half of the final gradient."""
    gradient = np.einsum("igh,ih->ig", SQUARES[TARGET] + SQUARES[TARGET].transpose(0, 2, 1), X)
    result = integrated_gradients(quadratic, X, TARGET, steps=steps)
    np.testing.assert_allclose(result, X * gradient / 2, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("steps", [2, 5, 20])
def test_the_error_falls_with_the_square_of_the_steps(steps):
    """The integral of 3 a² over [0, 1] is 1, its midpoint sum 1 - 1 / (4 S²)."""
    expected = X**3 * WEIGHTS.T[TARGET] * (1 - 1 / (4 * steps**2))
    np.testing.assert_allclose(
        integrated_gradients(cubic, X, TARGET, steps=steps), expected, rtol=1e-4, atol=1e-6
    )


# -- what must hold ----------------------------------------------------------------------------------------------


def test_integrated_gradients_are_complete():
    function = network()
    sums = integrated_gradients(function, X, TARGET, steps=64).sum(axis=1)
    expected = target_logits(function(X)) - target_logits(function(np.zeros_like(X)))
    np.testing.assert_allclose(sums, expected, atol=5e-3)
    assert np.abs(expected).max() > 0.5  # otherwise the test would prove nothing


def test_a_saturated_gene_has_no_gradient_but_an_attribution():
    """Shrikumar et al.'s example: 1 - relu(1 - x) is flat from 1 on."""

    def saturated(x):
        return 1.0 - ops.relu(1.0 - x)

    x = np.float32([[2.0]])
    assert gradient_times_input(saturated, x, [0]) == 0
    assert integrated_gradients(saturated, x, [0], steps=64) == pytest.approx(1.0)


def test_a_function_that_divides_by_the_sum_has_attributions_that_sum_to_zero():
    def composition(counts):
        return ops.matmul(counts / ops.sum(counts, axis=1, keepdims=True), WEIGHTS)

    result = gradient_times_input(composition, np.abs(X) + 0.1, TARGET)
    np.testing.assert_allclose(result.sum(axis=1), 0, atol=1e-5)
    assert np.abs(result).max() > 0.01


@BOTH
def test_batches_do_not_matter(attribute):
    function = network()
    one, other = (attribute(function, X, TARGET, batch_size=size) for size in (3, 64))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


@BOTH
def test_the_function_gets_no_more_cells_than_a_mini_batch(attribute):
    sizes = []
    attribute(lambda x: sizes.append(x.shape[0]) or linear(x), X, TARGET, batch_size=4)
    assert set(sizes[1:]) == {4, 3} and sizes[0] == 1


@BOTH
def test_a_gene_that_the_function_does_not_read_has_no_attribution(attribute):
    np.testing.assert_array_equal(attribute(lambda x: x[:, :3], X, TARGET)[:, 3:], 0)
    np.testing.assert_array_equal(attribute(lambda x: ops.ones_like(x[:, :3]), X, TARGET), 0)


@BOTH
def test_only_the_target_counts(attribute):
    """Each label depends on one gene, and only the target's gene has an attribution."""
    result = attribute(lambda x: 2 * x[:, :LABELS], X, TARGET)
    expected = np.zeros_like(X)
    expected[np.arange(CELLS), TARGET] = 2 * X[np.arange(CELLS), TARGET]
    np.testing.assert_allclose(result, expected, rtol=1e-6)


@BOTH
def test_double_precision_and_lists_are_accepted_and_unchanged(attribute):
    before = X.copy(), TARGET.copy()
    result = attribute(linear, X.astype(float).tolist(), TARGET.tolist())
    np.testing.assert_array_equal(result, attribute(linear, X, TARGET))
    np.testing.assert_array_equal(X, before[0])
    np.testing.assert_array_equal(TARGET, before[1])


# -- bad input ---------------------------------------------------------------------------------------------------

NAN = np.where(np.arange(GENES) == 2, np.nan, X)
COLUMN = r"^function returned the shape \(1,\) for 1 cell: it must return \(cells, labels\)"


@BOTH
@pytest.mark.parametrize(
    ("changed", "kind", "message"),
    [
        ({"x": NAN}, ValueError, "^x must be finite, got nan"),
        (
            {"x": X[0]},
            ValueError,
            r"^x must have the shape \(cells, genes\), got \(6,\): pass a dense 2-D array",
        ),
        ({"x": X[:0]}, ValueError, r"^x must have the shape \(cells, genes\), got \(0, 6\)"),
        (
            {"target": TARGET[1:]},
            ValueError,
            r"^target has shape \(10,\), x has 11 cells: pass one code per cell",
        ),
        (
            {"target": TARGET + 1},
            ValueError,
            "^target holds 3, the function has 3 labels: pass codes from 0 to 2",
        ),
        (
            {"target": TARGET - 1},
            ValueError,
            "^target holds -1, the function has 3 labels: pass codes from 0 to 2",
        ),
        (
            {"target": ["B"] * CELLS},
            TypeError,
            "^target must hold integers, got values of dtype <U1: pass codes",
        ),
        ({"target": TARGET + 0.5}, TypeError, "^target must hold integers, got values of dtype float64"),
        ({"batch_size": 0}, ValueError, "^batch_size must be at least 1, got 0"),
        ({"function": lambda x: x[:, 0]}, ValueError, COLUMN),
    ],
)
def test_refuses(attribute, changed, kind, message):
    refused(lambda: attribute(**{"function": linear, "x": X, "target": TARGET, **changed}), message, kind)


@pytest.mark.parametrize(
    ("steps", "kind", "message"),
    [(0, ValueError, "at least 1, got 0"), (2.5, TypeError, "an integer, got 2.5")],
)
def test_refuses_steps(steps, kind, message):
    refused(lambda: integrated_gradients(linear, X, TARGET, steps), f"^steps must be {message}", kind)


def test_refuses_a_backend_without_gradients(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "numpy")
    message = "^keras.backend.backend..='numpy' is unknown: choose from 'tensorflow', 'jax', 'torch'"
    refused(lambda: gradient_times_input(linear, X, TARGET), message)
