"""The book's figures: what they draw, and what they refuse."""

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.text import Text

from latentcells.course import plots


@pytest.fixture
def ax():
    figure, ax = plt.subplots()
    yield ax
    plt.close(figure)


def test_the_style_draws_on_an_opaque_white_ground():
    with plt.rc_context():
        plots.use_style()
        assert plt.rcParams["savefig.facecolor"] == "white"
        assert plt.rcParams["axes.prop_cycle"].by_key()["color"] == list(plots.PALETTE)


def test_an_embedding_has_one_colour_and_one_name_per_label(ax):
    label = np.repeat(["B", "T", "NK"], 4)
    coordinates = np.arange(24.0).reshape(12, 2)
    plots.embedding(ax, coordinates, label, "z")
    assert [points.get_label() for points in ax.collections] == ["B", "NK", "T"]
    assert len({tuple(points.get_facecolor()[0]) for points in ax.collections}) == 3
    assert np.allclose(ax.collections[2].get_offsets(), coordinates[4:8])


def test_more_labels_than_colours_are_refused(ax):
    with pytest.raises(ValueError, match="11 labels and 10 colours"):
        plots.embedding(ax, np.zeros((11, 2)), np.arange(11), "z")


def test_names_stand_beside_the_axes_in_the_order_of_their_places_and_apart(ax):
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


def test_more_names_than_have_room_are_refused(ax):
    with pytest.raises(ValueError, match="13 names do not stand beside one panel"):
        plots.name_places(ax, {str(k): (0, k) for k in range(13)})


def test_seeds_has_a_row_per_method_with_all_dots_and_the_mean(ax):
    plots.seeds(ax, {"PCA": [0.5, 0.7], "VAE": [0.8, 0.8]}, "score")
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["PCA", "VAE"]
    assert np.allclose(ax.collections[0].get_offsets(), [[0.5, 0], [0.7, 0]])
    assert np.allclose(ax.lines[0].get_xdata(), 0.6)
    low, high = ax.get_ylim()
    assert low > high  # the first method stands on top


def test_a_confusion_is_in_shares_of_the_true_type(ax):
    plots.confusion(ax, [[3, 1], [0, 5]], ["B", "T"], "kNN")
    assert np.allclose(ax.images[0].get_array(), [[0.75, 0.25], [0, 1]])
    assert [text.get_text() for text in ax.texts] == ["75", "25", "100"]


def test_a_ternary_has_a_corner_for_each_part(ax):
    plots.ternary(ax, np.vstack([np.eye(3), [[1 / 3] * 3]]), "black", ("A", "B", "C"))
    height = np.sqrt(3) / 2
    places = [[0, 0], [1, 0], [0.5, height], [0.5, height / 3]]
    assert np.allclose(ax.collections[0].get_offsets(), places)
    assert [(text.get_text(), text.xy) for text in ax.texts] == [
        (name, tuple(place)) for name, place in zip("ABC", np.array(places), strict=False)
    ]


def test_the_names_of_a_ternary_lie_under_no_point(ax):
    spread = np.random.default_rng(0).normal(np.eye(3).repeat(200, axis=0), 0.2)
    plots.ternary(ax, spread, "black", ("H2228", "H1975", "HCC827"))
    ax.figure.canvas.draw()
    points = ax.transData.transform(ax.collections[0].get_offsets())
    for name in ax.texts:
        assert name.arrow_patch is not None
        assert not Text.get_window_extent(name).padded(5).count_contains(points)


def test_other_than_three_parts_are_refused(ax):
    with pytest.raises(ValueError, match=r"3 corners, got proportions of shape \(4, 2\) and 3 names: pass"):
        plots.ternary(ax, np.full((4, 2), 0.5), "black", ("A", "B", "C"))
    with pytest.raises(ValueError, match="and 2 names"):
        plots.ternary(ax, np.full((4, 3), 0.3), "black", ("A", "B"))
