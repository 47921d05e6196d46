"""From counts to what a model takes: split, scale, select genes.

Every step is fitted on training cells and then transforms any cells: a gene list, a maximum or a
median taken from the test cells would be leakage. No step changes what it is given. ``split`` divides cells,
``split_counts`` the molecules of each.
"""

from latentcells.preprocess._gene_modules import GeneModules, GeneSets
from latentcells.preprocess._highly_variable_genes import HighlyVariableGenes
from latentcells.preprocess._library_size import LibrarySize
from latentcells.preprocess._min_max import MinMax
from latentcells.preprocess._mutual_neighbours import mutual_neighbours, shared_space
from latentcells.preprocess._split import split
from latentcells.preprocess._split_counts import split_counts

__all__ = [
    "GeneModules",
    "GeneSets",
    "HighlyVariableGenes",
    "LibrarySize",
    "MinMax",
    "mutual_neighbours",
    "shared_space",
    "split",
    "split_counts",
]


def __dir__():
    return __all__
