"""All arguments of a function must describe the same cells in the same order."""

import inspect
from itertools import permutations

import anndata as ad
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from keras import ops
from scipy import sparse

import latentcells as lc
from latentcells._arrays import embedding, labels, same_cells, same_names
from tests.helpers import refused

CELLS = [f"cell {i}" for i in range(120)]
RNG = np.random.default_rng(0)
SPACE = pd.DataFrame(RNG.normal(size=(120, 2)), CELLS)
PARTS = pd.DataFrame(RNG.dirichlet([1, 1, 1], 120), CELLS)
LABEL = pd.Series(np.resize(["B", "NK", "T"], 120), CELLS)
PLATE = pd.Series(np.repeat(["plate 1", "plate 2"], 60), CELLS)
TEST = pd.Series(np.arange(120) % 4 == 0, CELLS)
CODES = pd.Series(np.arange(120) % 2, CELLS)


def linear(x):
    return ops.matmul(x, ops.ones((2, 2)))


def axes():
    return matplotlib.figure.Figure().subplots()


# each public function with two or more arguments per cell: those arguments, and the others
FUNCTIONS = {
    "evaluate.across_batches": ({"z": SPACE, "target": PARTS, "batch": PLATE}, {}),
    "evaluate.annotation": ({"z": SPACE, "label": LABEL}, {}),
    "evaluate.calibration": ({"probability": PARTS, "label": LABEL}, {"names": ["B", "NK", "T"]}),
    "evaluate.canonical_correlations": ({"z": SPACE, "truth": PARTS}, {}),
    "evaluate.clustering": ({"z": SPACE, "label": LABEL}, {"n_clusters": 3}),
    "evaluate.draw_labels": ({"label": LABEL, "test": TEST}, {}),
    "evaluate.few_labels": ({"z": SPACE, "label": LABEL, "test": TEST}, {}),
    "evaluate.integration": ({"z": SPACE, "batch": PLATE, "label": LABEL, "before": PARTS}, {}),
    "evaluate.neighbourhood_preservation": ({"z": SPACE, "reference": PARTS}, {}),
    "evaluate.overcorrection": ({"z": SPACE, "label": LABEL}, {"of": "B"}),
    "evaluate.proportions": ({"z": SPACE, "proportions": PARTS, "batch": PLATE}, {}),
    "markers.ablation": ({"x": SPACE, "target": CODES}, {"function": linear, "genes": [0]}),
    "markers.gradient_times_input": ({"x": SPACE, "target": CODES}, {"function": linear}),
    "markers.integrated_gradients": ({"x": SPACE, "target": CODES}, {"function": linear, "steps": 1}),
    "markers.rank": ({"scores": SPACE, "label": LABEL}, {"genes": ["CD19", "CD3D"]}),
    "preprocess.mutual_neighbours": ({"z": SPACE, "batch": PLATE}, {}),
    "course.plots.embedding": ({"coordinates": SPACE, "label": LABEL}, {"title": "z"}),
    "course.plots.ternary": ({"proportions": PARTS, "colour": CODES}, {"names": ["B", "NK", "T"]}),
}
OF_CELLS = {name for cells, _ in FUNCTIONS.values() for name in cells}
SCORES = dict.fromkeys(
    ("isolated_labels", "kmeans_nmi", "kmeans_ari", "silhouette_label", "clisi", "bras", "ilisi", "kbet",
     "graph_connectivity", "pcr"), 0.5,
)  # fmt: skip


def call(name, **cells):
    function = lc
    for part in name.split("."):
        function = getattr(function, part)
    drawing = {"ax": axes()} if name.startswith("course.plots") else {}
    return function(**drawing, **cells, **FUNCTIONS[name][1])


@pytest.fixture(autouse=True)
def unscored(monkeypatch):
    """Replaces the scores of `integration`, which JAX would compile, by constants."""
    from latentcells.evaluate import _integration

    monkeypatch.setattr(_integration, "_scores", lambda *arrays: SCORES)


def test_no_public_function_with_two_arguments_per_cell_is_missing():
    public = {
        f"{package}.{name}": getattr(lc.course.plots if "." in package else getattr(lc, package), name)
        for package in ("evaluate", "markers", "preprocess", "course.plots")
        for name in (lc.course.plots if "." in package else getattr(lc, package)).__all__
    }
    tested = {
        name
        for name, function in public.items()
        if inspect.isfunction(function) and len(OF_CELLS & inspect.signature(function).parameters.keys()) > 1
    }
    assert tested - {"markers.differential_expression"} == FUNCTIONS.keys()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_another_order_of_cells_is_refused_in_each_pair_of_arguments(name):
    cells, _ = FUNCTIONS[name]
    arrays = {argument: value.to_numpy() for argument, value in cells.items()}
    for one, other in permutations(cells, 2):
        pair = {one: cells[one], other: cells[other][::-1]}
        orders = (
            rf"'cell 119' in {other} and 'cell 0' in {one}",
            rf"'cell 0' in {one} and 'cell 119' in {other}",
        )
        remedies = rf"{other}.loc\[{one}.index\]", rf"{one}.loc\[{other}.index\]"
        message = "|".join(
            f"^row 0 is cell {order}: pass the same cells in the same order, {remedy}$"
            for order, remedy in zip(orders, remedies, strict=True)
        )
        refused(lambda pair=pair: call(name, **arrays | pair), message)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_an_equal_index_and_no_index_are_accepted(name):
    cells, _ = FUNCTIONS[name]
    call(name, **cells)
    for argument in cells:
        call(name, **cells | {argument: cells[argument].to_numpy()})
    call(name, **{argument: value.to_numpy() for argument, value in cells.items()})


# -- the check itself --------------------------------------------------------------------------------------------


def test_for_other_cells_the_remedy_names_no_index():
    other = pd.Series(LABEL.to_numpy(), [f"well {i}" for i in range(120)])
    message = (
        "^row 0 is cell 'well 0' in label and 'cell 0' in z: .* same order, or arrays, which have no index$"
    )
    refused(lambda: same_cells(z=SPACE, label=other), message)
    repeated = LABEL.set_axis(["cell 0", *CELLS[:-1]])
    refused(
        lambda: same_cells(z=SPACE, label=repeated),
        "^row 1 is cell 'cell 0' in label .* which have no index$",
    )


def test_numbers_of_cells_are_compared_for_every_container():
    for five_cells in (
        sparse.csr_matrix((5, 2)),
        np.zeros((5, 2)),
        [[0, 0]] * 5,
        pd.Series([1] * 5),
        pd.Categorical([1] * 5),
    ):
        refused(
            lambda five_cells=five_cells: same_cells(z=SPACE, other=five_cells),
            "^other has 5 cells, z has 120: pass the same cells",
        )
    same_cells(z=SPACE, before=None, colour="red")


def test_column_names_are_compared_if_there_are_any():
    table = pd.DataFrame(np.eye(2), columns=["CD19", "CD3D"])
    message = (
        "^column 0 of scores is 'CD19', but the names say 'CD3D': pass the names in the order of the columns$"
    )
    refused(lambda: same_names(table, ["CD3D", "CD19"], "scores"), message)
    for accepted in (table, np.eye(2), pd.DataFrame(np.eye(2))):
        same_names(accepted, ["CD19", "CD3D"], "scores")


@pytest.mark.parametrize(
    ("z", "kind", "message"),
    [
        (ad.AnnData(np.eye(3)), TypeError, r"^z is an AnnData: pass a dense array, such as obsm\['X_pca'\]$"),
        (
            sparse.csr_matrix(np.eye(3)),
            ValueError,
            r"^z must have the shape .* got sparse \(3, 3\): pass a dense 2-D",
        ),
        (
            np.zeros((0, 2)),
            ValueError,
            r"^z must have the shape \(cells, dimensions\), got \(0, 2\): pass a dense 2-D",
        ),
        (
            np.zeros(3),
            ValueError,
            r"^z must have the shape \(cells, dimensions\), got \(3,\): pass a dense 2-D array$",
        ),
        ([["a", "b"]], TypeError, "^z must hold numbers, got values of dtype <U1"),
        (np.array([[np.nan, 0]]), ValueError, "^z must be finite, got nan"),
    ],
)
def test_anything_but_an_embedding_is_refused(z, kind, message):
    refused(lambda: embedding(z), message, kind)


def test_the_number_1_and_the_text_1_are_two_labels():
    codes, names = labels([1, "1", 1], 3)
    assert codes.tolist() == [0, 1, 0] and names.tolist() == [1, "1"]
