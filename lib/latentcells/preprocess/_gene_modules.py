"""Groups of genes for group normalisation: genes that are expressed together, or known sets."""

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA

from latentcells import _checks
from latentcells._cells import inputs


class GeneModules(BaseEstimator):
    """Divide the genes into ``n`` modules of genes that rise and fall together over the training cells.

    Each gene is z-scored over the cells and described by its loadings on the leading principal
    components, scaled to length 1; the distance of two genes then falls with their correlation.
    k-means divides them; a gene that is left alone joins the nearest module, so that there can be
    fewer than ``n``. scikit-learn does the arithmetic.

    Args:
        n: how many modules.
        components: principal components that describe a gene.
        seed: whole number; of k-means.

    Attributes:
        genes_: the names of the training data's genes, after ``fit``.
        labels_: (genes,) int, the number of each gene's module: the ``groups`` of a model.

    Raises:
        ValueError: in ``fit`` for data that are not log1p, for an absent ``X``, for genes that are constant over the
            training cells, and for more modules than half the genes.

    Example:
        >>> import anndata, numpy as np
        >>> t = np.linspace(0, 1, 20)
        >>> log1p = anndata.AnnData(np.stack([t, 1 - t, 2 * t, 2 - 2 * t], axis=1))
        >>> GeneModules(2, components=1).fit(log1p).labels_.tolist()
        [0, 1, 0, 1]
    """

    def __init__(self, n, components=10, seed=0):
        self.n = _checks.at_least(n, 1, "n")
        self.components = _checks.at_least(components, 1, "components")
        self.seed = _checks.at_least(seed, 0, "seed")

    def fit(self, train):
        """Divide the genes of ``X``, log1p data of the training cells."""
        _checks.in_memory(train)
        _checks.unique_genes(train)
        _checks.has_x(train)
        _checks.log1p(train.X)
        x = inputs(train)
        self._check_genes(x, train.var_names)
        loadings = self._loadings((x - x.mean(axis=0)) / x.std(axis=0))
        modules = KMeans(self.n, n_init=3, random_state=self.seed).fit(loadings)
        self.genes_ = train.var_names.copy()
        self.labels_ = _none_alone(modules.labels_, modules.transform(loadings))
        return self

    def _check_genes(self, x, names):
        constant = np.flatnonzero(x.std(axis=0) == 0)
        if constant.size:
            raise ValueError(
                f"{constant.size} genes are constant over these cells (the first is {names[constant[0]]!r}) "
                "and correlate with none: drop them, HighlyVariableGenes does"
            )
        if self.n > x.shape[1] // 2:
            raise ValueError(
                f"n={self.n} modules of {x.shape[1]} genes would leave genes alone: lower n to "
                f"{x.shape[1] // 2} at most"
            )

    def _loadings(self, z):
        """(genes, components), each row of length 1."""
        pca = PCA(min(self.components, *z.shape), random_state=self.seed).fit(z)
        loadings = (pca.components_ * np.sqrt(pca.explained_variance_)[:, None]).T
        return loadings / np.maximum(np.linalg.norm(loadings, axis=1, keepdims=True), 1e-12)


class GeneSets(BaseEstimator):
    """Give each gene to one of some known sets, for instance the pathways of `lc.datasets.reactome`.

    A gene of several sets goes to the smallest of them, the most specific. A set counts if the smaller
    ones leave it ``min_size`` genes of the data; genes without a set are one more group, "the rest".

    Args:
        sets: name -> gene symbols.
        min_size: genes of the data that a group needs.

    Attributes:
        genes_: the names of the data's genes, after ``fit``.
        labels_: (genes,) int, the number of each gene's set: the ``groups`` of a model.
        names_: the name of each group.

    Raises:
        ValueError: in ``fit`` where no set has ``min_size`` genes of the data.

    Example:
        >>> import anndata, numpy as np
        >>> adata = anndata.AnnData(np.ones((2, 6)))
        >>> adata.var_names = list("abcdef")
        >>> sets = GeneSets({"big": ["a", "b", "c", "e"], "small": ["a", "b"]}, min_size=2).fit(adata)
        >>> sets.names_[sets.labels_].tolist()
        ['small', 'small', 'big', 'the rest', 'big', 'the rest']
    """

    def __init__(self, sets, min_size=10):
        self.sets = sets
        self.min_size = _checks.at_least(min_size, 2, "min_size")

    def fit(self, train):
        """Divide the genes by their names alone; no cell is looked at."""
        _checks.in_memory(train)
        _checks.unique_genes(train)
        genes = set(train.var_names)
        present = {name: genes.intersection(members) for name, members in self.sets.items()}
        large = {name: members for name, members in present.items() if len(members) >= self.min_size}
        if not large:
            raise ValueError(
                f"none of the {len(self.sets)} sets has min_size={self.min_size} of the {len(genes)} genes: "
                "lower min_size, or give both the same kind of names (symbols)"
            )
        first = {}
        for name in sorted(large, key=lambda name: len(large[name])):
            left = large[name] - first.keys()
            if len(left) >= self.min_size:
                first |= dict.fromkeys(left, name)
        rest = list(genes - first.keys())
        if len(rest) == 1:  # alone it would be normalised to 0
            first[rest[0]] = name
        self.genes_ = train.var_names.copy()
        names = [first.get(gene, "the rest") for gene in self.genes_]
        self.names_, self.labels_ = np.unique(names, return_inverse=True)
        return self


def _none_alone(label, distance):
    """Move each gene that is alone to the next module; number the modules anew without gaps."""
    label = label.copy()
    while (alone := np.flatnonzero(np.bincount(label)[label] == 1)).size:
        others = np.bincount(label, minlength=distance.shape[1]) > 0
        others[label[alone[0]]] = False
        label[alone[0]] = np.where(others, distance[alone[0]], np.inf).argmin()
    return np.unique(label, return_inverse=True)[1]
