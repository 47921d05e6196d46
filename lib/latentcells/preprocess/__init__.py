"""From counts to what a model takes: split, scale, select genes.

Every step is fitted on training cells and then transforms any cells: a gene list, a maximum or a
median taken from the test cells would be leakage. No step changes what it is given. ``split`` divides cells,
``split_counts`` the molecules of each.
"""

from latentcells.preprocess.arrays import inputs
from latentcells.preprocess.gene_modules import GeneModules, GeneSets
from latentcells.preprocess.highly_variable_genes import HighlyVariableGenes
from latentcells.preprocess.library_size import LibrarySize
from latentcells.preprocess.min_max import MinMax
from latentcells.preprocess.split_counts import split_counts
from latentcells.preprocess.splitting import split

__all__ = [
    "GeneModules",
    "GeneSets",
    "HighlyVariableGenes",
    "LibrarySize",
    "MinMax",
    "inputs",
    "split",
    "split_counts",
]
