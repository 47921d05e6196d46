"""From AnnData to what Keras takes, and the check that all steps share."""

import numpy as np
import pandas as pd
from scipy import sparse

from latentcells import checks

NOT_FITTED = "%(name)s is not fitted: call fit(train) with the training cells first"


def inputs(adata, layer=None) -> np.ndarray:
    """The expression matrix as a model's input.

    Args:
        adata: AnnData, (cells, genes), dense or sparse.
        layer: a layer's name, for instance ``"counts"``; ``X`` by default.

    Returns:
        (cells, genes) dense float32, a copy, in the unit of what was read.

    Raises:
        ValueError: for a layer that is not there (lists the layers).

    Example:
        >>> import anndata, numpy as np
        >>> inputs(anndata.AnnData(np.array([[0, 3], [1, 0]])))
        array([[0., 3.],
               [1., 0.]], dtype=float32)
    """
    checks.in_memory(adata)
    if layer is not None and layer not in adata.layers:
        raise ValueError(f"no layer {layer!r}: choose from {layer_names(adata)}, or None for X")
    x = adata.X if layer is None else adata.layers[layer]
    return np.array(x.toarray() if sparse.issparse(x) else x, dtype=np.float32)


def layer_names(adata) -> list[str]:
    """The names of the layers; from 0.13 on anndata counts ``X`` among them, as ``None``."""
    return [name for name in adata.layers if name is not None]


def column(adata, name, argument) -> pd.Series:
    """One column of ``adata.obs`` without missing values, (cells,).

    Raises:
        ValueError: if the column is not there (lists the columns) or lacks values.
    """
    if name not in adata.obs:
        raise ValueError(f"{argument}={name!r} is no column of obs: choose from {list(adata.obs.columns)}")
    if missing := int(adata.obs[name].isna().sum()):
        raise ValueError(f"obs[{name!r}] lacks a value for {missing} of {adata.n_obs} cells: drop them")
    return adata.obs[name]
