"""The book's figures: one style, colours for colour-blind readers, a white background on light and dark pages."""

from itertools import cycle, pairwise

import matplotlib as mpl
import matplotlib.colors
import numpy as np
from cycler import cycler

from latentcells import _arrays, _checks

__all__ = [
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

#: Okabe & Ito's colours, then Tol's muted scheme: the common colour blindnesses merge no two of the ten.
PALETTE = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9",
    "#D55E00", "#332288", "#999933", "#882255", "#666666",
)  # fmt: skip

#: One colour a method in every chapter; its variants differ by marker or line. Those of chapter 4 alone share theirs
#: with those of chapter 5 alone.
METHODS = {
    "PCA": "#666666",
    "VAE": "#0072B2",
    "logistic regression": "#E69F00",
    "Transformer": "#009E73",
    "masked autoencoder": "#CC79A7",
    "InfoNCE": "#56B4E9",
    "Barlow Twins": "#999933",
    "VICReg": "#332288",
    "supervised network": "#882255",
    "neighbour VAE": "#D55E00",
    "adversarial VAE": "#999933",
    "conditional VAE": "#332288",
    "domain-specific VAE": "#882255",
    "scVI": "#AA4499",
    "Harmony": "#000000",
}


def __dir__():
    return __all__


def use_style() -> None:
    """Set matplotlib's defaults for a chapter: large type, few lines, an opaque white background.

    Example:
        >>> import matplotlib.pyplot as plt
        >>> with plt.rc_context():
        ...     use_style()
        ...     plt.rcParams["savefig.facecolor"]
        'white'
    """
    mpl.rcParams.update(
        {
            "figure.dpi": 100,
            "figure.facecolor": "white",
            "savefig.facecolor": "white",
            "figure.constrained_layout.use": True,
            "font.size": 13,
            "axes.titlesize": 14,
            "axes.spines.top": False,
            "axes.spines.right": False,
            "axes.prop_cycle": cycler(color=PALETTE),
            "legend.frameon": False,
        }
    )


def colour(method) -> str:
    """The method's colour in every figure of the book.

    Args:
        method: a name of `METHODS`, or words that contain one: ``"PCA-10"``, ``"linear conditional VAE"``.

    Raises:
        ValueError: for words that contain none.

    Example:
        >>> colour("PCA-10") == colour("PCA"), colour("conditional VAE, 2 dimensions") == colour("VAE")
        (True, False)
    """
    named = [name for name in METHODS if name in method]
    if not named:
        raise ValueError(f"no colour for {method!r}: choose from {list(METHODS)}, or a colour of PALETTE")
    return METHODS[max(named, key=len)]


def embedding(ax, coordinates, label, title) -> None:
    """Draw two coordinates of each cell, coloured by label; ``ax.figure.legend`` can name the colours.

    Args:
        ax: matplotlib Axes.
        coordinates: (cells, 2).
        label: (cells,), at most ten different ones.
        title: what the coordinates are.

    Raises:
        ValueError: for other than two coordinates, different cells (by number, or by the index of two pandas
            objects), labels that are missing, and more labels than colours.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> embedding(ax, [[0.0, 1.0], [2.0, 3.0]], ["B", "T"], "z")
        >>> [points.get_label() for points in ax.collections]
        ['B', 'T']
    """
    points, codes, names = _arrays.labelled_embedding(coordinates, label, name="coordinates")
    if points.shape[1] != 2:
        raise ValueError(f"coordinates must be (cells, 2), got shape {points.shape}: draw two at a time")
    if len(names) > len(PALETTE):
        raise ValueError(
            f"{len(names)} labels and {len(PALETTE)} colours: merge labels, or draw them in two figures"
        )
    for code, (name, colour) in enumerate(zip(names, PALETTE, strict=False)):
        ax.scatter(
            *points[codes == code].T, s=6, color=colour, linewidths=0, rasterized=True, label=str(name)
        )
    ax.set(title=title, xticks=[], yticks=[])


def name_places(ax, places, colours=PALETTE) -> None:
    """Write names beside the axes, each with a line to its place: a legend that needs no colours.

    Draw the points first. The names are in the order of their places from top to bottom, and do not overlap.

    Args:
        ax: matplotlib Axes.
        places: name -> (x, y), 1 to 12 of them.
        colours: of the lines, in the order of ``places``.

    Raises:
        ValueError: for no name, and for more names than there is room for beside one panel.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> name_places(ax, {"B": (0.2, 0.9), "T": (0.7, 0.4)})
        >>> [text.get_text() for text in ax.texts]
        ['B', 'T']
    """
    if not 1 <= len(places) <= 12:
        raise ValueError(f"got {len(places)} names: there is room for 1 to 12 beside one panel")
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())  # later drawing does not move the points
    to_axes, gap = ax.transData + ax.transAxes.inverted(), 0.08
    level = to_axes.transform(list(places.values()))[:, 1]
    upwards = np.argsort(level, kind="stable")
    for below, one in pairwise(upwards):
        level[one] = max(level[one], level[below] + gap)
    level[upwards[-1]] = min(level[upwards[-1]], 1)
    for above, one in pairwise(upwards[::-1]):
        level[one] = min(level[one], level[above] - gap)
    for (name, place), y, colour in zip(places.items(), level, cycle(colours), strict=False):
        ax.annotate(
            name, place, (1.03, y), textcoords="axes fraction", va="center", fontsize=11,
            arrowprops={"arrowstyle": "-", "lw": 1, "color": colour, "shrinkA": 1, "relpos": (0, 0.5)},
        )  # fmt: skip


def seeds(ax, values, xlabel, colours=None) -> None:
    """Draw a row for each method: a dot for each seed and a bar at their mean.

    Args:
        ax: matplotlib Axes.
        values: method -> one value per seed; drawn from top to bottom.
        xlabel: the metric and its range.
        colours: of the rows, from top to bottom. By default each method's own (`colour`), or, where a row names no
            method of the book, those of the palette in turn.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> seeds(ax, {"PCA": [0.5, 0.6, 0.7], "VAE": [0.8, 0.8, 0.9]}, "macro-F1 (1 is perfect)")
        >>> [tick.get_text() for tick in ax.get_yticklabels()]
        ['PCA', 'VAE']
    """
    if colours is None:
        methods = all(any(name in row for name in METHODS) for row in values)
        colours = [colour(row) for row in values] if methods else PALETTE
    for row, (numbers, shade) in enumerate(zip(values.values(), cycle(colours), strict=False)):
        ax.scatter(numbers, [row] * len(numbers), s=36, color=shade, alpha=0.75, zorder=3)
        ax.plot([np.mean(numbers)] * 2, [row - 0.3, row + 0.3], color=shade, lw=3)
    ax.set_yticks(range(len(values)), list(values))
    ax.invert_yaxis()
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel(xlabel)


def confusion(ax, matrix, names, title) -> None:
    """Draw the share of each true type (row) that is called each type (column).

    Args:
        ax: matplotlib Axes.
        matrix: (types, types), counts of cells. The row of a type without cells stays empty.
        names: (types,), of the rows and of the columns.
        title: of the axes.

    Raises:
        ValueError: for a matrix that is not square, values that are negative or not finite, and names that are not
            those of the matrix, by their number or by the index or columns of a table.

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> confusion(ax, [[3, 1], [0, 5]], ["B", "T"], "nearest neighbours")
        >>> [text.get_text() for text in ax.texts]
        ['75', '25', '100']
    """
    share = _shares(matrix, names)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.argwhere(share >= 0.05):
        ax.text(
            j, i, f"{share[i, j]:.0%}".rstrip("%"), ha="center", va="center", fontsize=9,
            color="white" if share[i, j] > 0.5 else "black",
        )  # fmt: skip
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=10)
    ax.set_yticks(range(len(names)), names, fontsize=10)
    ax.set(title=title, xlabel="called", ylabel="true")


def _shares(matrix, names):
    """The rows of a confusion matrix, each divided by its sum; 0 where there is none."""
    counts = np.asarray(matrix, float)
    if counts.shape != (len(names), len(names)):
        raise ValueError(
            f"matrix has shape {counts.shape} and there are {len(names)} names: pass one row, one column and one name "
            "for each type"
        )
    _checks.finite(counts, "matrix")
    if (counts < 0).any():
        raise ValueError(f"matrix must hold counts of cells, got {counts.min():g}: pass 0 or more")
    for axis in ("index", "columns"):
        _arrays.same_names(matrix, names, "matrix", axis)
    return counts / np.maximum(counts.sum(axis=1, keepdims=True), 1e-12)


def ternary(ax, proportions, colour, names, size=14) -> None:
    """Draw three proportions of each cell in a triangle: a corner is one part alone, the opposite side none of it.

    Predicted proportions may lie outside the triangle. The names are clear of all points, above or below them, each
    with a line to its corner.

    Args:
        ax: matplotlib Axes.
        proportions: (cells, 3).
        colour: (cells,) or a single one, as matplotlib takes it.
        names: of the three corners: left, right, top.
        size: of a point, in matplotlib's unit.

    Raises:
        ValueError: for other than three proportions or names, and for different cells (by number, or by the index of
            two pandas objects).

    Example:
        >>> from matplotlib.figure import Figure
        >>> ax = Figure().subplots()
        >>> ternary(ax, [[1.0, 0.0, 0.0], [0.2, 0.3, 0.5]], "black", ["H2228", "H1975", "HCC827"])
        >>> [text.get_text() for text in ax.texts]
        ['H2228', 'H1975', 'HCC827']
    """
    places = _arrays.embedding(proportions, "proportions")
    if not mpl.colors.is_color_like(colour):
        _arrays.same_cells(proportions=proportions, colour=colour)
    if places.shape[1] != 3 or len(names) != 3:
        raise ValueError(
            f"a triangle has 3 corners, got proportions of shape {places.shape} and {len(names)} names: pass three"
        )
    corners = np.array([[0, 0], [1, 0], [0.5, np.sqrt(0.75)]])
    ax.plot(*corners[[0, 1, 2, 0]].T, color="#999999", lw=1, zorder=1)
    points = places @ corners
    ax.scatter(*points.T, s=size, c=colour, linewidths=0, alpha=0.8, rasterized=True)
    low, high = (pick(np.append(points[:, 1], corners[:, 1])) for pick in (np.min, np.max))
    for corner, name, y, side in zip(corners, names, (low, low, high), (-1, -1, 1), strict=True):
        ax.annotate(
            name, corner, (corner[0], y + 0.08 * side), ha="center", va="top" if side < 0 else "bottom", zorder=0,
            arrowprops={"arrowstyle": "-", "lw": 1, "color": "#999999", "shrinkA": 1, "shrinkB": 0},
        )  # fmt: skip
        ax.update_datalim([(corner[0], y + 0.2 * side)])
    ax.autoscale_view()
    ax.set_aspect("equal")
    ax.axis("off")
