import anndata as ad
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import sparse

from latentcells import _checks
from tests.helpers import refused

FORMATS = [np.asarray, sparse.csr_matrix, sparse.csc_matrix, sparse.csr_array, sparse.csc_array]
EXAMPLES = {
    "counts": [[0.0, 3.0], [250.0, 1.0]],
    "unit": [[0.0, 0.25], [1.0, 0.5]],
    "log1p": [[0.0, 2.5], [0.0, 6.25]],
    "normalised": [[0.0, 12.5], [1.0, 3000.25]],
    "z-scores": [[-0.5, 2.0], [0.0, 10.0]],
}
COUNTS = np.array(EXAMPLES["counts"])


@pytest.fixture(params=FORMATS, ids=lambda make: make.__name__)
def form(request):
    return request.param


def refusal(error, check, *args, **kwargs) -> str:
    with pytest.raises(error) as caught:
        check(*args, **kwargs)
    message = str(caught.value)
    assert "\n" not in message
    return message


@pytest.mark.parametrize("state", EXAMPLES)
def test_state_distinguishes_five_kinds(form, state):
    assert _checks.state(form(np.array(EXAMPLES[state]))) == state


def test_state_of_integers_booleans_and_an_empty_matrix(form):
    assert _checks.state(form(COUNTS.astype(np.int32))) == "counts"
    assert _checks.state(form(COUNTS > 0)) == "counts"
    assert _checks.state(form(np.zeros((2, 3)))) == "counts"
    assert _checks.state(np.zeros((0, 3))) == "counts"


@pytest.mark.parametrize(
    ("high", "state"), [(1.0, "unit"), (1.001, "log1p"), (19.9, "log1p"), (20.0, "normalised")]
)
def test_state_changes_at_its_bounds(high, state):
    assert _checks.state([[0.5, high]]) == state


@given(hnp.arrays(np.int64, hnp.array_shapes(min_dims=2, max_dims=2), elements=st.integers(0, 10**6)))
def test_counts_pass_in_every_form_and_dtype(x):
    for make in FORMATS:
        for dtype in (np.int32, np.float32, np.float64):
            _checks.counts(make(x.astype(dtype)))


@given(
    hnp.arrays(np.float64, (3, 4), elements=st.integers(0, 50)),
    st.tuples(st.integers(0, 2), st.integers(0, 3)),
    st.sampled_from([-1.0, -0.5, 0.5, 7.25, np.nan, np.inf, -np.inf]),
)
def test_one_bad_value_is_enough_to_refuse_counts(x, position, bad):
    x[position] = bad
    for make in FORMATS:
        assert f"{bad:g}" in refusal(ValueError, _checks.counts, make(x))


def test_a_sparse_matrix_is_never_made_dense(monkeypatch):
    huge = sparse.csr_matrix(([3], ([0], [0])), shape=(10**6, 10**6))
    assert _checks.state(huge) == "counts"
    _checks.finite(huge)
    _checks.unit(huge * 0.25)


def test_views_of_anndata_are_checked_too(form):
    adata = ad.AnnData(form(COUNTS), layers={"z": form(COUNTS - 1)})
    _checks.counts(adata[:1, ::-1].X)
    assert "-1" in refusal(ValueError, _checks.counts, adata[:, :1].layers["z"])


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("z-scores", "got -0.5: looks like z-scores"),
        ("log1p", "got 2.5: looks like log1p data"),
        ("unit", "got 0.25: looks like unit-scaled data"),
        ("normalised", "got 12.5: looks like normalised data"),
    ],
)
def test_counts_says_value_state_and_remedy(form, state, words):
    message = refusal(ValueError, _checks.counts, form(np.array(EXAMPLES[state])), "layers")
    assert message.startswith("layers must hold counts")
    assert words in message
    assert 'adata.layers["counts"]' in message


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_finite_says_value_number_and_remedy(form, bad):
    x = COUNTS.copy()
    x[0, 1] = bad
    message = refusal(ValueError, _checks.finite, form(x), "x")
    assert message.startswith(f"x must be finite, got {bad}")
    assert "(1 of " in message and "filter_genes" in message
    for check in (_checks.counts, _checks.log1p, _checks.unit):
        assert refusal(ValueError, check, form(x)).startswith("X must be finite")
    assert refusal(ValueError, _checks.state, form(x)).startswith("X must be finite")


@pytest.mark.parametrize("state", ["log1p", "unit"])
def test_log1p_passes(form, state):
    _checks.log1p(form(np.array(EXAMPLES[state])))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("counts", "got 250: looks like counts"),
        ("normalised", "got 3000.25: looks like normalised data"),
        ("z-scores", "got -0.5: looks like z-scores"),
    ],
)
def test_log1p_says_value_state_and_remedy(form, state, words):
    message = refusal(ValueError, _checks.log1p, form(np.array(EXAMPLES[state])))
    assert message.startswith("X must hold log1p data")
    assert words in message and "LibrarySize" in message


def test_unit_includes_its_bounds(form):
    _checks.unit(form(np.array(EXAMPLES["unit"])))
    _checks.unit(form(COUNTS > 0))
    _checks.unit(form(np.zeros((2, 2))))


@pytest.mark.parametrize(
    ("state", "words"),
    [
        ("z-scores", "got -0.5: looks like z-scores"),
        ("log1p", "got 6.25"),
        ("counts", "got 250: looks like counts"),
    ],
)
def test_unit_says_value_state_and_remedy(form, state, words):
    message = refusal(ValueError, _checks.unit, form(np.array(EXAMPLES[state])))
    assert message.startswith("X must hold values within [0, 1]")
    assert words in message and "MinMax" in message


def test_anything_but_a_numeric_matrix_is_a_type_error():
    assert "adata.X" in refusal(TypeError, _checks.counts, ad.AnnData(COUNTS))
    assert "dtype <U1" in refusal(TypeError, _checks.finite, [["a", "b"]])


def test_not_empty_counts_cells_and_genes(form):
    _checks.not_empty(form(COUNTS))
    x = np.array([[0, 1, 0, 2], [0, 0, 0, 0], [0, 3, 0, 0], [0, 0, 0, 0]])
    cells = refusal(ValueError, _checks.not_empty, form(x), "x")
    assert cells.startswith("x has 2 cells with a total of 0 (the first has index 1)")
    assert "sc.pp.filter_cells" in cells
    genes = refusal(ValueError, _checks.not_empty, form(x), cells=False)
    assert genes.startswith("X has 2 genes with a total of 0 (the first has index 0)")
    assert "sc.pp.filter_genes" in genes
    _checks.not_empty(form(x), cells=False, genes=False)


def test_not_empty_ignores_stored_zeros():
    x = sparse.csr_matrix(COUNTS)
    x.data[:2] = 0
    assert "1 cells" in refusal(ValueError, _checks.not_empty, x)


def test_unique_genes_lists_the_first_repeats():
    adata = ad.AnnData(np.zeros((2, 9)))
    adata.var_names = list("ABCDEFGHI")
    _checks.unique_genes(adata)
    adata.var_names = list("AABBCCDDE")
    message = refusal(ValueError, _checks.unique_genes, adata)
    assert message == "4 gene names repeat (A, B, C, …): call adata.var_names_make_unique()"
    assert "(A)" in refusal(ValueError, _checks.unique_genes, adata[:, :3])


def test_choice_lists_the_choices():
    assert _checks.choice("a", ("a", "b"), "mode") == "a"
    assert _checks.choice(None, (None, "layer"), "mode") is None
    assert refusal(ValueError, _checks.choice, "c", ("a", "b"), "mode") == (
        "mode='c' is unknown: choose from 'a', 'b'"
    )
    assert "[1]" in refusal(ValueError, _checks.choice, [1], {"a": 1}, "mode")


@pytest.mark.parametrize("values", [(), ("B",), ("B", "T", "B"), (1, "1")])
def test_names_requires_two_that_differ(values):
    message = f"labels must be two different names or more, got {[str(value) for value in values]}"
    assert refusal(ValueError, _checks.names, values, "labels") == message
    assert refusal(ValueError, _checks.names, values, "labels", "take PCA") == f"{message}: take PCA"


def test_names_keeps_the_order_and_returns_strings():
    assert _checks.names(np.array([2, 10]), "batches") == ["2", "10"]


@given(st.integers(-100, 100), st.integers(-100, 100))
def test_at_least_returns_or_refuses(value, minimum):
    if value >= minimum:
        assert _checks.at_least(value, minimum, "n") == value
    else:
        assert (
            refusal(ValueError, _checks.at_least, value, minimum, "n")
            == f"n must be at least {minimum}, got {value}"
        )


def test_at_least_returns_a_plain_int():
    assert type(_checks.at_least(np.int32(3), 1, "n")) is int


@pytest.mark.parametrize("value", [True, 2.0, "2", None, np.float32(2)])
def test_at_least_requires_an_integer(value):
    message = refusal(TypeError, _checks.at_least, value, 1, "latent_dim")
    assert message.startswith("latent_dim must be an integer, got")
    assert repr(value) in message


def test_truth_returns_a_plain_bool():
    assert _checks.truth(np.False_, "noise") is False
    assert _checks.truth(True, "noise") is True


@pytest.mark.parametrize("value", ["no", 1, None, np.ones(2, bool)])
def test_truth_refuses_what_only_counts_as_true_or_false(value):
    message = refusal(TypeError, _checks.truth, value, "noise")
    assert message == f"noise={value!r} is no truth value: pass True or False"


@given(st.floats(-1, 2))
def test_share_returns_or_refuses(value):
    if 0 < value < 1:
        assert _checks.share(value, "rate") == value
    else:
        message = refusal(ValueError, _checks.share, value, "rate")
        assert message == f"rate must be above 0 and below 1, got {value!r}"


@given(st.floats(-1, 2))
def test_share_returns_0_where_it_is_allowed(value):
    if 0 <= value < 1:
        assert _checks.share(value, "rate", zero=True) == value
    else:
        message = refusal(ValueError, _checks.share, value, "rate", zero=True)
        assert message == f"rate must be at least 0 and less than 1, got {value!r}"


def test_share_at_its_ends():
    assert _checks.share(0, "rate", zero=True) == 0.0 and type(_checks.share(0, "rate", zero=True)) is float
    for value, zero in ((0, False), (1, False), (1, True), (float("nan"), True)):
        assert refusal(ValueError, _checks.share, value, "rate", zero=zero).endswith(f", got {value!r}")


@given(st.floats(-10, 10))
def test_not_negative_and_positive_differ_at_0(value):
    for check, requirement, holds in (
        (_checks.not_negative, "0 or more", value >= 0),
        (_checks.positive, "positive", value > 0),
    ):
        if holds:
            assert check(value, "beta") == value
        else:
            assert refusal(ValueError, check, value, "beta") == f"beta must be {requirement}, got {value!r}"


@pytest.mark.parametrize("check", [_checks.share, _checks.not_negative, _checks.positive])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf"), -1])
def test_a_number_must_be_finite_and_large_enough(check, value):
    assert refusal(ValueError, check, value, "beta").endswith(f", got {value}")


@pytest.mark.parametrize("check", [_checks.not_negative, _checks.positive])
def test_a_remedy_ends_the_message(check):
    message = refusal(ValueError, check, -2, "beta", "1 gives the ELBO")
    assert message.startswith("beta must be ") and message.endswith(", got -2: 1 gives the ELBO")


@pytest.mark.parametrize("check", [_checks.not_negative, _checks.positive])
@pytest.mark.parametrize("value", [2, np.float32(2), np.int64(2)])
def test_a_number_is_returned_as_a_plain_float(check, value):
    assert type(check(value, "beta")) is float and check(value, "beta") == 2.0
    assert type(_checks.share(np.float32(0.5), "rate")) is float


def test_same_genes_compares_numbers_and_names():
    _checks.same_genes(3, 3)
    _checks.same_genes(["a", "b"], np.array(["a", "b"]))
    _checks.same_genes(2, ["a", "b"])
    assert refusal(ValueError, _checks.same_genes, 3, 4, "x").startswith("x has 3 genes, expected 4")
    assert "expected 1" in refusal(ValueError, _checks.same_genes, ["a", "b"], 1)
    message = refusal(ValueError, _checks.same_genes, ["a", "c"], ["a", "b"])
    assert message == "X has gene 'c' at position 1, expected 'b': reorder by adata[:, genes]"


def test_proportions_sum_to_1_within_the_tolerance():
    _checks.proportions([[0.33, 0.33, 0.33], [1, 0, 0]])
    with pytest.raises(ValueError, match=r"row 1 is \[0.5, 0.4, 0.2\] with the sum 1.1: divide each row by"):
        _checks.proportions([[1, 0, 0], [0.5, 0.4, 0.2]])
    _checks.proportions([[1, 0, 0], [0.5, 0.4, 0.2]], slack=0.2)
    with pytest.raises(ValueError, match=r"^parts must have the shape \(cells, parts\), got \(3, 1\)"):
        _checks.proportions(np.ones((3, 1)), "parts")


@pytest.mark.parametrize("form", [np.asarray, np.asfortranarray, sparse.csr_matrix])
@pytest.mark.parametrize("value", [-1, 0.5, np.nan, np.inf, -np.inf, 1e-40])
def test_counted_cells_refuses_what_counts_refuses(form, value):
    x = np.random.default_rng(0).poisson(0.5, (300, 400)).astype("float32")
    x[:, 0] = 1
    assert _checks._are_counted(form(x))  # told quickly
    x[299, 399] = value
    refused(lambda: _checks.counted_cells(form(x)), "^X must ")


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix, sparse.csc_matrix])
def test_counted_cells_refuses_an_empty_cell(form):
    x = np.eye(300, 400, dtype="float32")
    _checks.counted_cells(form(x))
    x[299, 299] = 0
    refused(
        lambda: _checks.counted_cells(form(x)),
        r"^X has 1 cells with a total of 0 \(the first has index 299\)",
    )


def test_counted_cells_takes_a_stored_zero_and_refuses_a_cell_that_has_no_other():
    x = sparse.csr_matrix(np.eye(3, 4, dtype="float32") + np.eye(3, 4, 1, dtype="float32"))
    x.data[0] = 0
    _checks.counted_cells(x)
    x.data[1] = 0
    refused(lambda: _checks.counted_cells(x), r"^X has 1 cells with a total of 0 \(the first has index 0\)")
