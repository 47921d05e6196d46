"""Five lung cancer cell lines on five plates: batches with labels from the genotype."""

import pandas as pd
from anndata import AnnData

from latentcells.datasets._contract import about_file, build, genes_from_ids
from latentcells.datasets._mixology import read_plates
from latentcells.datasets._registry import CELL_MIXTURE

_NOTE = (
    "The lines are told apart by their genotypes (demuxlet), not by expression. H838 and A549 are on the three "
    "5cl plates only; celseq2 and dropseq hold H1975, H2228 and HCC827."
)


def cell_mixture() -> AnnData:
    """Load 1,021 single cells of five cell lines from five plates and two protocols.

    Returns:
        1021 cells × 11533 genes (those that all plates have), singlets only. X and
        ``layers["counts"]``: UMI counts. ``obs["label"]``: the cell line by genotype;
        ``obs["batch"]``: the plate; ``obs["protocol"]``: "CEL-seq2" or "Drop-seq".
        ``var["gene_ids"]``: Ensembl ids; a gene without a known symbol is named by its id.

    Raises:
        DataUnavailable: if a file is not in the cache folder and cannot be downloaded.

    References:
        Tian et al. 2019, doi:10.1038/s41592-019-0425-8, GSE118767.
    """
    counts, cells, ids = read_plates(CELL_MIXTURE)
    single = (cells["demuxlet_cls"] == "SNG").to_numpy()
    cells = cells[single]
    protocol = cells["plate"].map(lambda plate: "Drop-seq" if plate == "dropseq" else "CEL-seq2")
    obs = pd.DataFrame(
        {"label": cells["cell_line_demuxlet"], "batch": cells["plate"], "protocol": pd.Categorical(protocol)}
    )
    source = CELL_MIXTURE["celseq2"][0]
    return build(counts[single], obs, genes_from_ids(ids), about_file("cell_mixture", source, _NOTE))
