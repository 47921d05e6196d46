"""The functions for the book's figures: their drawings and their refusals."""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from latentcells import course
from latentcells.course import plots
from tests.helpers import refused


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_only_public_names_are_listed():
    names = [
        "METHODS",
        "PALETTE",
        "colour",
        "confusion",
        "embedding",
        "name_places",
        "seeds",
        "ternary",
        "use_style",
    ]
    assert dir(plots) == plots.__all__ == names
    assert dir(course) == course.__all__ == ["claim", "plots", "results", "show"]


def test_the_style_draws_on_an_opaque_white_background():
    with plt.rc_context():
        plots.use_style()
        assert plt.rcParams["savefig.facecolor"] == "white"
        assert plt.rcParams["axes.prop_cycle"].by_key()["color"] == list(plots.PALETTE)


# -- colour ------------------------------------------------------------------------------------------------------


def test_a_method_has_one_colour_whatever_its_variant():
    for method in ("PCA", "PCA-10", "PCA-50, all genes"):
        assert plots.colour(method) == plots.METHODS["PCA"]
    assert plots.colour("linear conditional VAE, 10 dimensions") == plots.METHODS["conditional VAE"]
    assert plots.colour("gene Transformer, pre-trained") == plots.METHODS["Transformer"]


@pytest.mark.parametrize(
    "alone", ["Barlow Twins VICReg supervised", "adversarial conditional domain-specific"]
)
def test_no_two_methods_of_a_chapter_share_a_colour(alone):
    colours = [colour for name, colour in plots.METHODS.items() if name.split()[0] not in alone.split()]
    assert len(set(colours)) == len(colours) == len(plots.METHODS) - 3


def test_an_unknown_method_is_refused():
    refused(
        lambda: plots.colour("UMAP"),
        r"^no colour for 'UMAP': choose from \['PCA', 'VAE', .*, or a colour of PALETTE$",
    )


# -- embedding ---------------------------------------------------------------------------------------------------


def test_an_embedding_has_one_colour_and_one_name_per_label(ax):
    label = np.repeat(["B", "T", "NK"], 4)
    coordinates = np.arange(24.0).reshape(12, 2)
    plots.embedding(ax, coordinates, label, "z")
    assert [points.get_label() for points in ax.collections] == ["B", "NK", "T"]
    assert len({tuple(points.get_facecolor()[0]) for points in ax.collections}) == 3
    assert np.allclose(ax.collections[2].get_offsets(), coordinates[4:8])


def test_the_number_1_and_the_text_1_are_two_labels(ax):
    coordinates = np.arange(8.0).reshape(4, 2)
    plots.embedding(ax, coordinates, [1, "1", 1, "1"], "z")
    assert [points.get_label() for points in ax.collections] == ["1", "1"]
    for points, cells in zip(ax.collections, (coordinates[::2], coordinates[1::2]), strict=True):
        assert np.allclose(points.get_offsets(), cells)


def test_more_labels_than_colours_are_refused(ax):
    message = "^11 labels and 10 colours: merge labels, or draw them in two figures$"
    refused(lambda: plots.embedding(ax, np.zeros((11, 2)), np.arange(11), "z"), message)


def test_other_than_two_coordinates_are_refused(ax):
    message = r"^coordinates must be \(cells, 2\), got shape \(4, 3\): draw two at a time$"
    refused(lambda: plots.embedding(ax, np.zeros((4, 3)), ["B"] * 4, "z"), message)


# -- name_places -------------------------------------------------------------------------------------------------


def test_names_are_beside_the_axes_in_the_order_of_their_places_and_apart(ax):
    ax.plot([0, 1], [0, 10])
    places = {"low": (0.2, 5.0), "high": (0.4, 5.1), "top": (1, 10)}
    plots.name_places(ax, places, ["red", "green", "blue"])
    assert [text.get_text() for text in ax.texts] == list(places)
    assert [text.xy for text in ax.texts] == list(places.values())
    x, y = np.transpose([text.xyann for text in ax.texts])
    assert np.all(x > 1)
    assert np.all(np.diff(y) >= 0.08 - 1e-9)
    assert y[2] <= 1
    assert [text.arrow_patch.get_edgecolor()[:3] for text in ax.texts][2] == (0, 0, 1)


def test_names_for_places_at_the_top_are_pushed_down_and_keep_the_limits(ax):
    ax.plot([0, 1], [0, 1])
    limits = ax.get_ylim()
    plots.name_places(ax, {str(k): (1, 1 - k / 1000) for k in range(12)})
    y = [text.xyann[1] for text in ax.texts]
    assert max(y) <= 1
    assert min(y) >= 0
    assert np.allclose(np.diff(y), -0.08)
    assert ax.get_ylim() == limits


@pytest.mark.parametrize("n", [0, 13])
def test_no_name_and_more_names_than_there_is_room_for_are_refused(ax, n):
    places = {str(k): (0, k) for k in range(n)}
    refused(
        lambda: plots.name_places(ax, places), f"^got {n} names: there is room for 1 to 12 beside one panel$"
    )


# -- seeds -------------------------------------------------------------------------------------------------------


def test_seeds_has_a_row_per_method_with_all_dots_and_the_mean(ax):
    plots.seeds(ax, {"PCA": [0.5, 0.7, 0.9], "VAE": [0.1, 0.8, 0.9]}, "score")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["PCA", "VAE"]
    assert np.allclose(ax.collections[0].get_offsets(), [[0.5, 0], [0.7, 0], [0.9, 0]])
    assert np.allclose(
        [line.get_xdata() for line in ax.lines], [[0.7, 0.7], [0.6, 0.6]]
    )  # the medians: 0.7, 0.8
    low, high = ax.get_ylim()
    assert low > high  # the first method is on top


# -- confusion ---------------------------------------------------------------------------------------------------


def test_a_confusion_is_in_shares_of_the_true_type(ax):
    plots.confusion(ax, [[3, 1], [0, 5]], ["B", "T"], "kNN")
    assert np.allclose(ax.images[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert [text.get_text() for text in ax.texts] == ["75", "25", "100"]


def test_the_row_of_a_type_without_cells_stays_empty(ax):
    plots.confusion(ax, [[0, 0], [1, 4]], ["B", "T"], "kNN")
    assert np.allclose(ax.images[0].get_array(), [[0, 0], [0.2, 0.8]])
    assert [text.get_text() for text in ax.texts] == ["20", "80"]


def test_a_table_with_the_names_is_a_confusion(ax):
    plots.confusion(ax, pd.DataFrame([[3, 1], [0, 5]], ["B", "T"], ["B", "T"]), ["B", "T"], "kNN")
    assert np.allclose(ax.images[0].get_array(), [[0.75, 0.25], [0, 1]])


@pytest.mark.parametrize(
    ("matrix", "message"),
    [
        (
            np.eye(3),
            r"^matrix has shape \(3, 3\) and there are 2 names: pass one row, one column and one name for",
        ),
        (np.ones((2, 3)), r"^matrix has shape \(2, 3\) and there are 2 names: "),
        ([[1, -2], [0, 1]], "^matrix must hold counts of cells, got -2: pass 0 or more$"),
        ([[1, np.nan], [0, 1]], "^matrix must be finite, got nan "),
        (
            pd.DataFrame(np.eye(2), ["T", "B"], ["B", "T"]),
            "^index 0 of matrix is 'T', but the names say 'B': pass the names in the order of the index$",
        ),
        (
            pd.DataFrame(np.eye(2), ["B", "T"], ["T", "B"]),
            "^column 0 of matrix is 'T', but the names say 'B': pass the names in the order of the columns$",
        ),
    ],
)
def test_a_matrix_that_does_not_fit_the_names_is_refused(ax, matrix, message):
    refused(lambda: plots.confusion(ax, matrix, ["B", "T"], "kNN"), message)
    assert not ax.images


# -- ternary -----------------------------------------------------------------------------------------------------


def test_a_ternary_has_a_corner_for_each_part(ax):
    plots.ternary(ax, np.vstack([np.eye(3), [[1 / 3] * 3]]), "black", ("A", "B", "C"))
    height = np.sqrt(3) / 2
    places = [[0, 0], [1, 0], [0.5, height], [0.5, height / 3]]
    assert np.allclose(ax.collections[0].get_offsets(), places)
    assert [(text.get_text(), text.xy) for text in ax.texts] == [
        (name, tuple(place)) for name, place in zip("ABC", np.array(places), strict=False)
    ]


def test_a_ternary_has_a_colour_for_each_cell(ax):
    plots.ternary(ax, np.eye(3), ["red", "lime", "blue"], ("A", "B", "C"))
    assert np.allclose(ax.collections[0].get_facecolor()[:, :3], np.eye(3))
    message = "^colour has 2 cells, proportions has 3: pass the same cells in the same order$"
    refused(lambda: plots.ternary(ax, np.eye(3), ["red", "lime"], ("A", "B", "C")), message)


def test_the_names_of_a_ternary_lie_under_no_point(ax):
    spread = np.random.default_rng(0).normal(np.eye(3).repeat(200, axis=0), 0.2)
    plots.ternary(ax, spread, "black", ("H2228", "H1975", "HCC827"))
    ax.figure.canvas.draw()
    points = ax.transData.transform(ax.collections[0].get_offsets())
    for name in ax.texts:
        assert name.arrow_patch is not None
        assert not Text.get_window_extent(name).padded(5).count_contains(points)


def test_other_than_three_parts_are_refused(ax):
    message = r"^a triangle has 3 corners, got proportions of shape \(4, 2\) and 3 names: pass three$"
    refused(lambda: plots.ternary(ax, np.full((4, 2), 0.5), "black", ("A", "B", "C")), message)
    refused(lambda: plots.ternary(ax, np.full((4, 3), 0.3), "black", ("A", "B")), "and 2 names: pass three$")
