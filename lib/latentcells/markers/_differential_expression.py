"""Genes ranked by differential expression: the baseline of every other ranking."""

import numpy as np
import pandas as pd
import scanpy as sc
from anndata import AnnData
from scipy import sparse

from latentcells import _checks
from latentcells._arrays import column, ranked_labels
from latentcells.markers._ranking import ordered


def differential_expression(adata, label="label") -> dict[str, pd.Series]:
    """Rank the genes of each label by a Wilcoxon rank-sum test of its cells against all other cells.

    The test is scanpy's, corrected for ties, since most values of a gene are ties. Its z-score orders the genes: those
    that the label expresses more come first, and a gene that never varies has 0. No p-values are returned: labels
    from a clustering of the same values would make them meaningless (double dipping).

    Args:
        adata: log1p in ``X``, dense or sparse; it is not changed.
        label: a column of ``obs`` with at least 2 labels of at least 2 cells.

    Returns:
        label -> Series of the z-score, indexed by gene, the best first, as `rank` returns it.

    Raises:
        ValueError: for other values than log1p, repeated gene names, a column that is not there, missing labels, one
            label only, a label with one cell.

    References:
        Wilcoxon 1945, https://doi.org/10.2307/3001968; Wolf et al. 2018, scanpy,
        https://doi.org/10.1186/s13059-017-1382-0

    Example:
        >>> import anndata, numpy as np, pandas as pd
        >>> adata = anndata.AnnData(np.float32([[2.5, 0], [2, 0.5], [0, 1], [0, 1.5]]))
        >>> adata.var_names, adata.obs["label"] = ["CD19", "CD3D"], ["B", "B", "T", "T"]
        >>> differential_expression(adata)["T"].index.tolist()
        ['CD3D', 'CD19']
    """
    _checks.in_memory(adata)
    _checks.has_x(adata)
    _checks.log1p(adata.X)
    _checks.unique_genes(adata)
    codes, names = ranked_labels(column(adata, label, "label").to_numpy(), adata.n_obs)
    groups = pd.Categorical(codes.astype(str), [str(code) for code in range(len(names))])
    # scanpy takes neither half precision nor another byte order,
    x = adata.X.astype(np.promote_types(adata.X.dtype, np.float32))
    x = sparse.csr_matrix(x) if sparse.issparse(x) else x  # and no sparse array
    tested = AnnData(x, pd.DataFrame({"label": groups}, adata.obs_names), adata.var[[]])
    # scanpy scores a gene that never varies, 0 / 0, as 0
    with np.errstate(invalid="ignore"):
        sc.tl.rank_genes_groups(tested, "label", method="wilcoxon", tie_correct=True, use_raw=False)
    tables = [sc.get.rank_genes_groups_df(tested, str(code)).set_index("names") for code in range(len(names))]
    return {
        name: ordered(table["scores"][adata.var_names], adata.var_names, name)
        for name, table in zip(names, tables, strict=True)
    }
