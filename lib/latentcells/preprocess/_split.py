"""Training and test cells."""

from math import ceil
from numbers import Real

from sklearn.model_selection import GroupShuffleSplit, train_test_split

from latentcells import _checks
from latentcells._arrays import column


def split(adata, test_size=0.2, by=None, seed=0):
    """Split the cells once, before anything is fitted.

    Each label keeps its share in both parts. With ``by``, whole groups (donors, batches) go to one
    side instead, since cells of one donor resemble each other: then ``test_size`` is the share of
    groups, not of cells, and labels may be spread unevenly.

    Args:
        adata: AnnData with ``obs["label"]`` (or with the column ``by``).
        test_size: the test part's share, between 0 and 1.
        by: a column of ``obs`` whose groups stay whole; ``None`` stratifies by label.
        seed: the same seed gives the same split.

    Returns:
        ``(train, test)``: two AnnData, copies, no cell in both.

    Raises:
        ValueError: for a share outside (0, 1), an unknown column or one with missing values, a label
            with one cell, or parts too small to hold every label or one group each.

    Example:
        >>> import anndata, numpy as np
        >>> adata = anndata.AnnData(np.ones((10, 2)), obs={"label": ["B"] * 5 + ["T"] * 5})
        >>> train, test = split(adata)
        >>> sorted(test.obs["label"])
        ['B', 'T']
    """
    if not (isinstance(test_size, Real) and 0 < test_size < 1):
        raise ValueError(f"test_size must lie between 0 and 1, got {test_size!r}: 0.2 is usual")
    _checks.in_memory(adata)
    _checks.at_least(seed, 0, "seed")
    parts = _by_label(adata, test_size, seed) if by is None else _by_group(adata, by, test_size, seed)
    train, test = (adata[cells].copy() for cells in parts)
    return train, test


def _by_label(adata, test_size, seed):
    label = column(adata, "label", "label").astype(str)
    cells = label.value_counts()
    if cells.min() < 2:
        alone = cells.idxmin()
        raise ValueError(
            f"label {alone!r} has 1 cell, a stratified split needs 2 of each label: "
            f'drop it, adata[adata.obs["label"] != {alone!r}]'
        )
    n_test = ceil(test_size * adata.n_obs)
    if min(n_test, adata.n_obs - n_test) < len(cells):
        raise ValueError(
            f"test_size={test_size} makes {adata.n_obs - n_test} training and {n_test} test cells, "
            f"too few for {len(cells)} labels: move it towards 0.5 or take more cells"
        )
    return train_test_split(range(adata.n_obs), test_size=test_size, stratify=label, random_state=seed)


def _by_group(adata, by, test_size, seed):
    groups = column(adata, by, "by").astype(str)
    n_groups = groups.nunique()
    if ceil(test_size * n_groups) == n_groups:
        raise ValueError(
            f"test_size={test_size} of {n_groups} groups in obs[{by!r}] leaves none to train on: "
            "lower it, or choose a column with more groups"
        )
    splitter = GroupShuffleSplit(n_splits=1, test_size=test_size, random_state=seed)
    return next(splitter.split(groups, groups=groups))
