"""Integration: are the batches mixed, and is the biology still there?"""

import logging
import warnings

import numpy as np
import pandas as pd
from sklearn.decomposition import PCA

from latentcells import _checks
from latentcells._arrays import column, embedding
from latentcells._cells import inputs
from latentcells._neighbours import ExactNeighbours

BIO = "isolated_labels", "kmeans_nmi", "kmeans_ari", "silhouette_label", "clisi"
BATCH = "bras", "ilisi", "kbet", "graph_connectivity", "pcr"
NEIGHBOURS = 90  # of LISI; kBET takes 50 of them, the graph's connectivity 15


def integration(adata, embedding_key, batch="batch", label="label", unintegrated=None) -> dict:
    """Ten scores of scib-metrics, raw, on the settings of its ``Benchmarker``, from exact neighbours.

    Biology: isolated labels, NMI and ARI of k-means, silhouette of the labels, cLISI. Mixing: BRAS, iLISI,
    kBET within each label, graph connectivity, principal component regression. Each is in [0, 1], larger is
    better; only ARI can fall a little below 0, by chance. They are not min-max scaled over the methods
    compared: a score is the same whoever else runs.

    Args:
        adata: AnnData with the embedding in ``obsm``; log1p in ``X`` if ``unintegrated`` is None.
        embedding_key: of ``obsm``, (cells, dimensions).
        batch: a column of ``obs``.
        label: a column of ``obs``, the true types.
        unintegrated: a key of ``obsm``, the embedding before correction that principal component regression
            compares with; None takes 50 principal components of ``X``.

    Returns:
        the ten scores; ``scib_bio`` and ``scib_batch``, the means of five; ``scib_total`` = 0.6 bio + 0.4 batch.

    Raises:
        ValueError: for a missing key or column, NaN, one batch only, a batch of one cell, the same column for
            batch and label, labels of which none is in two batches, fewer than 91 cells.

    Warns:
        UserWarning: naming the types that one batch only has: nothing can be said of their mixing.

    References:
        Luecken et al. 2022, https://doi.org/10.1038/s41592-021-01336-8; BRAS: Rautenstrauch and Ohler 2025,
        https://doi.org/10.1038/s41587-025-02743-4
    """
    _checks.in_memory(adata)
    z, before = _read(adata, embedding_key), None if unintegrated is None else _read(adata, unintegrated)
    columns = ("batch", batch), ("label", label)
    batches, types = (column(adata, name, argument).astype(str).to_numpy() for argument, name in columns)
    _check_design(batches, types, batch, label)
    if before is None:
        x = inputs(adata)
        _checks.log1p(x)
        before = PCA(min(50, *x.shape), random_state=0).fit_transform(x)
    scores = {name: float(value) for name, value in _scores(z, before, batches, types).items()}
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
        "kbet": scib_metrics.kbet_per_label(near.subset_neighbors(n=50), batch, label),
        "graph_connectivity": scib_metrics.graph_connectivity(near.subset_neighbors(n=15), label),
        "pcr": scib_metrics.pcr_comparison(before, z, batch, categorical=True),
    }


def _read(adata, key):
    if key not in adata.obsm:
        raise ValueError(f"no embedding {key!r} in obsm: choose from {list(adata.obsm)}")
    return embedding(adata.obsm[key]).astype(np.float32)


def _check_design(batch, label, batch_name, label_name):
    if batch_name == label_name:
        raise ValueError(
            f"batch and label are both {batch_name!r}: a batch is a plate, a donor or a run, a label a type"
        )
    cells = pd.Series(batch).value_counts()
    if len(cells) < 2:
        raise ValueError(
            f"obs[{batch_name!r}] is {cells.index[0]!r} for all cells: one batch needs no integration"
        )
    if cells.min() < 2:
        raise ValueError(f"batch {cells.idxmin()!r} has 1 cell, too few to be mixed: drop it, or merge it")
    if len(batch) <= NEIGHBOURS:
        raise ValueError(
            f"there are {len(batch)} cells, the scores need more than {NEIGHBOURS}: take more cells"
        )
    spread = pd.crosstab(label, batch).astype(bool).sum(axis=1)
    alone = list(spread.index[spread == 1])
    if len(alone) == len(spread):
        raise ValueError(
            f"every label in obs[{label_name!r}] is in one batch only: batch and label are confounded, "
            "and no score can tell a batch effect from biology"
        )
    if alone:
        warnings.warn(
            f"in one batch only: {', '.join(alone)}; nothing can be said of the mixing of these types",
            stacklevel=3,
        )
