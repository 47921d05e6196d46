"""The book's figures: one style, colours that colour-blind readers tell apart, on white in light and dark pages."""

from itertools import cycle, pairwise

import matplotlib as mpl
import numpy as np
from cycler import cycler

from latentcells import _arrays

# Okabe & Ito's colours, then Tol's muted scheme: ten types that no usual colour blindness merges pairwise.
PALETTE = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9",
    "#D55E00", "#332288", "#999933", "#882255", "#666666",
)  # fmt: skip


def use_style() -> None:
    """Set matplotlib's defaults for a chapter: large type, few lines, an opaque white ground."""
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


def embedding(ax, coordinates, label, title) -> None:
    """Draw two coordinates of each cell, coloured by label; ``ax.figure.legend`` can name the colours.

    Args:
        ax: matplotlib Axes.
        coordinates: (cells, 2).
        label: (cells,), at most ten kinds.
        title: what the coordinates are.

    Raises:
        ValueError: for other than two coordinates, labels that are missing, and more labels than colours.
    """
    coordinates = _arrays.embedding(coordinates)
    if coordinates.shape[1] != 2:
        raise ValueError(f"coordinates must be (cells, 2), got shape {coordinates.shape}: draw two at a time")
    _arrays.labels(label, len(coordinates))
    label = np.asarray(label).astype(str)
    names = np.unique(label)
    if len(names) > len(PALETTE):
        raise ValueError(
            f"{len(names)} labels and {len(PALETTE)} colours: merge labels, or draw them in two figures"
        )
    for name, colour in zip(names, PALETTE, strict=False):
        points = coordinates[label == name]
        ax.scatter(*points.T, s=6, color=colour, linewidths=0, rasterized=True, label=name)
    ax.set(title=title, xticks=[], yticks=[])


def name_places(ax, places, colours=PALETTE) -> None:
    """Write names beside the axes, each with a line to its place: a legend that is read without its colours.

    Draw the points first: the names stand in the order of their places, from top to bottom, and keep apart.

    Args:
        ax: matplotlib Axes.
        places: name -> (x, y), at most twelve.
        colours: of the lines, in the order of ``places``.

    Raises:
        ValueError: for more names than stand beside one panel.
    """
    if len(places) > 12:
        raise ValueError(f"{len(places)} names do not stand beside one panel: name at most 12")
    ax.set(xlim=ax.get_xlim(), ylim=ax.get_ylim())  # what comes later does not move the points
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


def seeds(ax, values, xlabel) -> None:
    """Draw one row a method: a dot for each seed and a bar at their mean.

    Args:
        ax: matplotlib Axes.
        values: method -> one value per seed; drawn from top to bottom.
        xlabel: the metric and its range.
    """
    for row, numbers in enumerate(values.values()):
        colour = PALETTE[row % len(PALETTE)]
        ax.scatter(numbers, [row] * len(numbers), s=36, color=colour, alpha=0.75, zorder=3)
        ax.plot([np.mean(numbers)] * 2, [row - 0.3, row + 0.3], color=colour, lw=3)
    ax.set_yticks(range(len(values)), list(values))
    ax.invert_yaxis()
    ax.grid(axis="x", alpha=0.3)
    ax.set_xlabel(xlabel)


def confusion(ax, matrix, names, title) -> None:
    """Draw the share of each true type (row) that is called each type (column).

    Args:
        ax: matplotlib Axes.
        matrix: (types, types), counts of cells.
        names: of the types.
        title: of the axes.
    """
    share = np.asarray(matrix, float) / np.sum(matrix, axis=1, keepdims=True)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    for i, j in np.argwhere(share >= 0.05):
        ax.text(
            j, i, f"{share[i, j]:.0%}".rstrip("%"), ha="center", va="center", fontsize=9,
            color="white" if share[i, j] > 0.5 else "black",
        )  # fmt: skip
    ax.set_xticks(range(len(names)), names, rotation=90, fontsize=10)
    ax.set_yticks(range(len(names)), names, fontsize=10)
    ax.set(title=title, xlabel="called", ylabel="true")


def ternary(ax, proportions, colour, names, size=14) -> None:
    """Draw three proportions of each cell in a triangle: a corner is one part alone, its opposite side none of it.

    Predicted proportions may lie outside of the triangle. The names stand clear of all points, above or below them,
    each with a line to its corner.

    Args:
        ax: matplotlib Axes.
        proportions: (cells, 3).
        colour: (cells,) or one, as matplotlib takes it.
        names: of the three corners: left, right, top.
        size: of a point, in matplotlib's unit.

    Raises:
        ValueError: for other than three proportions or names.
    """
    places = _arrays.embedding(proportions, "proportions")
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
