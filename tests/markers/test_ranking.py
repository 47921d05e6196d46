import numpy as np
import pandas as pd
import pytest

from latentcells.markers import rank
from tests.helpers import refused

GENES = ["CD19", "CD3D", "GNLY", "LYZ", "ACTB"]
LABEL = np.repeat(["T", "B", "NK"], [40, 25, 5])


def scores(seed=0):
    return np.random.default_rng(seed).normal(size=(len(LABEL), len(GENES)))


def test_equals_the_same_by_pandas():
    frame = pd.DataFrame(scores(), columns=GENES)
    means = frame.groupby(LABEL).mean()
    ranking = rank(frame, LABEL, GENES)
    assert list(ranking) == ["B", "NK", "T"]
    for name, result in ranking.items():
        expected = (means.loc[name] - means.drop(name).mean()).sort_values(ascending=False)
        pd.testing.assert_series_equal(result, expected, check_names=False, rtol=1e-12)
        assert result.name == name and result.index.name == "gene"


def test_the_best_gene_comes_first():
    x = np.zeros((len(LABEL), len(GENES)))
    x[LABEL == "B", 0] = 3
    x[LABEL != "B", 3] = 1
    ranking = rank(x, LABEL, GENES)["B"]
    assert ranking.index[0] == "CD19" and ranking.index[-1] == "LYZ"
    assert ranking["CD19"] == 3 and ranking["LYZ"] == -1


def test_all_other_labels_have_the_same_weight():
    """NK cells are few, but have half of the weight in the comparison with B cells."""
    x = np.zeros((len(LABEL), len(GENES)))
    x[LABEL == "NK", 1] = 1
    ranking = rank(x, LABEL, GENES)["B"]
    assert ranking["CD3D"] == pytest.approx(-0.5) != pytest.approx(-5 / 45)


def test_genes_with_the_same_difference_keep_their_order():
    """There are so many genes that NumPy's default sort would not keep the order of equal ones."""
    x = np.zeros((len(LABEL), 200))
    x[LABEL == "T", 1::2] = 1
    order = [*range(1, 200, 2), *range(0, 200, 2)]
    assert rank(x, LABEL, range(200))["T"].index.tolist() == order


def test_an_offset_of_a_gene_does_not_matter():
    one, other = (rank(scores() + offset, LABEL, GENES) for offset in (0, np.arange(5) * 10.0))
    for name in one:
        pd.testing.assert_series_equal(one[name], other[name], rtol=1e-9)


def test_float32_scores_are_averaged_in_double_precision():
    """The float32 sum of 30,000 values of about a million would lose digits."""
    x = np.float32(1e6) + np.random.default_rng(0).integers(0, 9, (60_000, 1)).astype(np.float32)
    label = np.repeat(["B", "T"], 30_000)
    expected = x[:30_000].mean(dtype=np.longdouble) - x[30_000:].mean(dtype=np.longdouble)
    assert rank(x, label, ["CD19"])["B"]["CD19"] == pytest.approx(float(expected), abs=1e-8)


@pytest.mark.parametrize("kind", [list, pd.Series, pd.Categorical])
def test_labels_of_any_kind(kind):
    for name, expected in rank(scores(), LABEL, GENES).items():
        pd.testing.assert_series_equal(rank(scores(), kind(LABEL), pd.Index(GENES))[name], expected)


# -- bad input ---------------------------------------------------------------------------------------------------


def test_refuses_nan():
    x = scores()
    x[2, 3] = np.nan
    refused(lambda: rank(x, LABEL, GENES), "^scores must be finite, got nan")


@pytest.mark.parametrize(
    ("label", "genes"),
    [(LABEL[1:], GENES), (LABEL, GENES[1:]), (GENES, LABEL)],
    ids=["label", "genes", "transposed"],
)
def test_refuses_scores_of_another_shape(label, genes):
    expected = rf"\({len(label)}, {len(genes)}\): pass one row per label and one column per gene"
    refused(lambda: rank(scores(), label, genes), rf"^scores has shape \(70, 5\), expected {expected}")


def test_refuses_a_table_whose_columns_are_in_another_order():
    table = pd.DataFrame(scores(), columns=GENES[::-1])
    message = (
        "^column 0 of scores is 'ACTB', but the names say 'CD19': pass the names in the order of the columns$"
    )
    refused(lambda: rank(table, LABEL, GENES), message)


def test_refuses_repeated_genes():
    genes = ["CD19", "CD3D", "GNLY", "CD3D", "LYZ"]
    refused(lambda: rank(scores(), LABEL, genes), "^genes has 'CD3D' more than once: make the names unique")


def test_refuses_one_label():
    refused(lambda: rank(scores(), ["B"] * 70, GENES), "^label is 'B' for all cells: .* at least 2 labels")


def test_refuses_a_label_with_one_cell():
    label = ["B"] * 69 + ["T"]
    refused(
        lambda: rank(scores(), label, GENES), "^label 'T' has 1 cell, at least 2 are needed: drop it or merge"
    )


def test_refuses_missing_labels():
    refused(
        lambda: rank(scores(), [None, *LABEL[1:]], GENES),
        "^label lacks a value for 1 of 70 cells: drop those cells",
    )
