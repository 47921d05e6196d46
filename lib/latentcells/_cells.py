"""The one door for cells."""

import numpy as np
from scipy import sparse

from latentcells import _checks
from latentcells._arrays import layer_names


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
    _checks.in_memory(adata)
    if layer is not None and layer not in adata.layers:
        raise ValueError(f"no layer {layer!r}: choose from {layer_names(adata)}, or None for X")
    x = adata.X if layer is None else adata.layers[layer]
    return np.array(x.toarray() if sparse.issparse(x) else x, dtype=np.float32)
