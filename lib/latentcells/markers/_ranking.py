"""Genes ranked by how far a type's mean score is above that of the others."""

import numpy as np
import pandas as pd

from latentcells._arrays import dense_matrix, ranked_labels, same_cells, same_names


def rank(scores, label, genes) -> dict[str, pd.Series]:
    r"""Rank the genes of each label by how far its score is above that of the other labels.

    The genes of label c come in the order of

    .. math:: d_{cg} = \bar{s}_{cg} - \frac{1}{C - 1} \sum_{c' \neq c} \bar{s}_{c'g}

    where :math:`\bar{s}_{cg}` is the mean score of gene g over the cells of label c, and C is the number of labels.
    Each other label weighs the same, however many cells it has: in the mean over all other cells, frequent labels
    would dominate. Genes with the same difference keep the order of ``genes``.

    Args:
        scores: (cells, genes), dense, any score of a gene in a cell: attention, gradient times input, log1p expression.
        label: (cells,), at least 2 labels of at least 2 cells.
        genes: (genes,), their names, each once.

    Returns:
        label -> Series of the difference, in the unit of the scores, indexed by gene, the best first.

    Raises:
        ValueError: for NaN in the scores, another shape than one row a label and one column a gene, different cells
            (by the index of two pandas objects), a table whose columns are other genes or in another order, repeated
            gene names, missing labels, one label only, a label with one cell.

    Example:
        >>> rank([[2, 0], [2, 0], [0, 1], [0, 1]], ["B", "B", "T", "T"], ["CD19", "CD3D"])["T"].to_dict()
        {'CD3D': 1.0, 'CD19': -2.0}
    """
    table, scores, genes = scores, dense_matrix(scores, "scores"), pd.Index(genes, name="gene")
    if scores.shape != (len(label), len(genes)):
        raise ValueError(
            f"scores has shape {scores.shape}, expected {(len(label), len(genes))}: "
            "pass one row per label and one column per gene"
        )
    if genes.has_duplicates:
        repeated = genes[genes.duplicated()][0]
        raise ValueError(f"genes has {repeated!r} more than once: make the names unique")
    same_cells(scores=table, label=label)
    same_names(table, genes, "scores")
    codes, names = ranked_labels(label, len(scores))
    means = np.stack([scores[codes == code].mean(axis=0, dtype=np.float64) for code in range(len(names))])
    others = (means.sum(axis=0) - means) / (len(names) - 1)
    return {name: ordered(row, genes, name) for name, row in zip(names, means - others, strict=True)}


def ordered(scores, genes, label) -> pd.Series:
    """The scores of one label, (genes,), the best gene first; ties keep their order."""
    scores = pd.Series(np.asarray(scores, np.float64), pd.Index(genes, name="gene"), name=label)
    return scores.sort_values(ascending=False, kind="stable")
