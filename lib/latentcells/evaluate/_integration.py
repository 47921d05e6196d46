"""Integration: are the batches mixed, and is the biology still there?"""

import logging
import warnings
from unittest import mock

import numpy as np
import pandas as pd
import scipy.sparse.linalg

from latentcells._arrays import embedding, labelled_embedding, labels, same_cells
from latentcells._neighbours import ExactNeighbours

BIO = "isolated_labels", "kmeans_nmi", "kmeans_ari", "silhouette_label", "clisi"
BATCH = "bras", "ilisi", "kbet", "graph_connectivity", "pcr"
NEIGHBOURS = 90  # for LISI; kBET takes 50 of them, graph connectivity 15


def integration(z, batch, label, before=None) -> dict:
    """Ten scores of scib-metrics, unscaled, with the settings of its ``Benchmarker``, from exact neighbours.

    Biology: isolated labels, NMI and ARI of k-means, silhouette of the labels, cLISI. Mixing: BRAS, iLISI, kBET
    within each label, graph connectivity, principal component regression. Each is in [0, 1], larger is better; only
    ARI can fall a little below 0, by chance. They are not min-max scaled over the methods in a comparison: a method's
    score does not depend on the others. kBET's eigenvectors start from a fixed vector: the same input has the same
    scores.

    Args:
        z: (cells, dimensions), the corrected embedding.
        batch: (cells,), the experimental batches, at least two.
        label: (cells,), the true types.
        before: (cells, dimensions), the uncorrected embedding that principal component regression compares ``z``
            with, for instance 50 principal components of log1p expression. There is no default.

    Returns:
        the ten scores; ``scib_bio`` and ``scib_batch``, the means of five each; ``scib_total`` = 0.6 bio + 0.4 batch.

    Raises:
        ValueError: for NaN, missing names, different cells (by number, or by the index of two pandas objects), no
            ``before``, one batch only, a batch of one cell, labels of which none is in two batches, fewer than 91
            cells.
        TypeError: for an AnnData in place of an embedding.

    Warns:
        UserWarning: naming the types that only one batch has, whose mixing cannot be scored.

    References:
        Luecken et al. 2022, https://doi.org/10.1038/s41592-021-01336-8; BRAS: Rautenstrauch and Ohler 2025,
        https://doi.org/10.1038/s41587-025-02743-4

    Example:
        >>> import numpy as np
        >>> pca = np.random.default_rng(0).normal(size=(120, 3))
        >>> label = np.repeat(["B", "T"], 60)
        >>> integration(pca, batch=label, label=label, before=pca)
        Traceback (most recent call last):
        ValueError: every label is in one batch only: batch and label are confounded, no score can separate them
    """
    points, types, type_names = labelled_embedding(z, label)
    batches, batch_names = labels(batch, len(points), name="batch")
    if before is None:
        raise ValueError(
            "before is None: pass the uncorrected embedding of the same cells, such as 50 principal components of log1p"
        )
    uncorrected = embedding(before, "before")
    same_cells(z=z, batch=batch, label=label, before=before)
    _check_design(batches, batch_names, types, type_names)
    scores = _scores(*(space.astype(np.float32) for space in (points, uncorrected)), batches, types)
    scores = {name: float(value) for name, value in scores.items()}
    bio, mixing = (float(np.mean([scores[name] for name in names])) for names in (BIO, BATCH))
    return {**scores, "scib_bio": bio, "scib_batch": mixing, "scib_total": 0.6 * bio + 0.4 * mixing}


def _scores(z, before, batch, label):
    import scib_metrics  # here, since it starts JAX
    from scib_metrics.nearest_neighbors import NeighborsResults

    logging.getLogger("scib_metrics").setLevel(logging.WARNING)  # it reports the types that it leaves out
    graph = ExactNeighbours(NEIGHBOURS - 1).fit_transform(z)  # and each cell itself
    indices, distances = (part.reshape(len(z), NEIGHBOURS) for part in (graph.indices, graph.data))
    near = NeighborsResults(indices=indices, distances=distances)
    clusters = scib_metrics.nmi_ari_cluster_labels_kmeans(z, label)
    return {
        "isolated_labels": scib_metrics.isolated_labels(z, label, batch),
        "kmeans_nmi": clusters["nmi"],
        "kmeans_ari": clusters["ari"],
        "silhouette_label": scib_metrics.silhouette_label(z, label),
        "clisi": scib_metrics.clisi_knn(near, label),
        "bras": scib_metrics.bras(z, label, batch),
        "ilisi": scib_metrics.ilisi_knn(near, batch),
        "kbet": _kbet(near.subset_neighbors(n=50), batch, label),
        "graph_connectivity": scib_metrics.graph_connectivity(near.subset_neighbors(n=15), label),
        "pcr": scib_metrics.pcr_comparison(before, z, batch, categorical=True),
    }


def _kbet(near, batch, label):
    """kBET within each label. Its eigenvectors start from a random vector; here from the same one each time."""
    import scib_metrics

    eigsh = scipy.sparse.linalg.eigsh

    def seeded_eigsh(matrix, **keywords):
        return eigsh(matrix, v0=np.random.default_rng(0).uniform(-1.0, 1.0, matrix.shape[0]), **keywords)

    with mock.patch.object(scipy.sparse.linalg, "eigsh", seeded_eigsh):
        return scib_metrics.kbet_per_label(near, batch, label)


def _check_design(batches, batch_names, types, type_names):
    cells = np.bincount(batches)
    if len(cells) < 2:
        raise ValueError(f"batch is {batch_names[0]!r} for all cells: one batch needs no integration")
    if cells.min() < 2:
        raise ValueError(
            f"batch {batch_names[cells.argmin()]!r} has 1 cell, too few to be mixed: drop it, or merge it"
        )
    if len(batches) <= NEIGHBOURS:
        raise ValueError(
            f"there are {len(batches)} cells, the scores need more than {NEIGHBOURS}: take more cells"
        )
    in_one = pd.crosstab(types, batches).astype(bool).sum(axis=1).to_numpy() == 1
    if in_one.all():
        raise ValueError(
            "every label is in one batch only: batch and label are confounded, no score can separate them"
        )
    if in_one.any():
        warnings.warn(
            f"in one batch only: {', '.join(map(str, type_names[in_one]))}; the mixing of these types cannot be scored",
            stacklevel=3,
        )
