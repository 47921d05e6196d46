"""Training and test cells."""

from math import ceil

from sklearn.model_selection import GroupShuffleSplit, train_test_split

from latentcells import _checks
from latentcells._arrays import column


def split(adata, test_size=0.2, by=None, seed=0, stratify="label"):
    """Split the cells once, before anything is fitted.

    Each label keeps its share in both parts. With ``by``, whole groups (donors, batches) go to one
    side instead, since cells of one donor resemble each other: then ``test_size`` is the share of
    groups, not of cells, and labels may be spread unevenly.

    Args:
        adata: AnnData with ``obs["label"]`` (or with the column ``by`` or ``stratify``).
        test_size: the test part's share, between 0 and 1.
        by: a column of ``obs`` whose groups stay whole; ``None`` splits cell by cell.
        seed: the same seed gives the same split.
        stratify: a column of ``obs`` whose values keep their shares in both parts; ``None`` splits at
            random. Not used with ``by``.

    Returns:
        ``(train, test)``: two AnnData, copies, no cell in both.

    Raises:
        TypeError: for a share that is not a number.
        ValueError: for a share outside (0, 1), an unknown column or one with missing values, both ``by``
            and another ``stratify``, a label with one cell, or parts too small to hold every label, one
            group or one cell each.

    Example:
        >>> import anndata, numpy as np
        >>> adata = anndata.AnnData(np.ones((10, 2)), obs={"label": ["B"] * 5 + ["T"] * 5})
        >>> train, test = split(adata)
        >>> sorted(test.obs["label"])
        ['B', 'T']
    """
    test_size = _checks.share(test_size, "test_size")
    _checks.in_memory(adata)
    _checks.at_least(seed, 0, "seed")
    if by is not None and stratify not in ("label", None):
        raise ValueError(
            f"by={by!r} keeps groups whole and cannot keep the shares of stratify={stratify!r}: pass one"
        )
    by_group = by is not None
    parts = _by_group(adata, by, test_size, seed) if by_group else _by_cell(adata, stratify, test_size, seed)
    train, test = (adata[cells].copy() for cells in parts)
    return train, test


def _by_cell(adata, stratify, test_size, seed):
    label = None if stratify is None else _label(adata, stratify)
    n_labels = 1 if label is None else label.nunique()
    n_test = ceil(test_size * adata.n_obs)
    if min(n_test, adata.n_obs - n_test) < n_labels:
        labels = f" for {n_labels} labels" if n_labels > 1 else ""
        raise ValueError(
            f"test_size={test_size} makes {adata.n_obs - n_test} training and {n_test} test cells, "
            f"too few{labels}: move it towards 0.5 or take more cells"
        )
    return train_test_split(range(adata.n_obs), test_size=test_size, stratify=label, random_state=seed)


def _label(adata, stratify):
    label = column(adata, stratify, "stratify", "pass stratify=None to split at random").astype(str)
    cells = label.value_counts()
    if cells.min() < 2:
        alone = cells.idxmin()
        raise ValueError(
            f"{stratify} {alone!r} has 1 cell, a stratified split needs 2 of each {stratify}: "
            f"drop it, adata[adata.obs[{stratify!r}] != {alone!r}]"
        )
    return label


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
