"""RNA of three cell lines mixed in known proportions: a real data set whose latent is known."""

import pandas as pd
from anndata import AnnData

from latentcells.datasets._contract import about_file, build, genes_from_ids
from latentcells.datasets._mixology import read_plates
from latentcells.datasets._registry import RNA_MIXTURE

LINES = ("H2228", "H1975", "HCC827")
_NOTE = (
    "A 'cell' is a well with RNA of three cell lines in known proportions and a known amount. Mixes 1 and 2 have "
    "the same proportions (one third each) and so share a label; obs['mix'] tells them apart."
)


def rna_mixture() -> AnnData:
    """Load 636 wells of mixed RNA from three cell lines and two protocols.

    Returns:
        636 wells × 13880 genes (those that both protocols have, without the ERCC spike-ins). X and
        ``layers["counts"]``: UMI counts. ``obs["H2228_prop"]``, ``obs["H1975_prop"]``,
        ``obs["HCC827_prop"]``: the proportions, as published, to two decimals;
        ``obs["mRNA_amount"]``: picograms, 3.75 to 30; ``obs["label"]``: the proportions as a category
        (7); ``obs["mix"]``: the mix's number, 1 to 8; ``obs["batch"]``: the protocol, "CEL-seq2" or
        "SORT-seq". ``var["gene_ids"]``: Ensembl ids; a gene without a known symbol is named by its id.

    Raises:
        DataUnavailable: if a file is not in the cache folder and cannot be downloaded.

    References:
        Tian et al. 2019, doi:10.1038/s41592-019-0425-8, GSE118767.
    """
    counts, wells, ids = read_plates(RNA_MIXTURE)
    proportions = wells[[f"{line}_prop" for line in LINES]]
    obs = proportions.assign(
        mRNA_amount=wells["mRNA_amount"],
        mix=pd.Categorical(wells["mix"]),
        label=mix_names(proportions),
        batch=wells["plate"],
    )
    source = RNA_MIXTURE["CEL-seq2"][0]
    return build(counts, obs, genes_from_ids(ids), about_file("rna_mixture", source, _NOTE))


def mix_names(proportions: pd.DataFrame) -> list[str]:
    """Name each row of proportions, e.g. "H2228 68 / H1975 16 / HCC827 16" in percent."""
    rows = 100 * proportions.to_numpy()
    return [" / ".join(f"{line} {p:.0f}" for line, p in zip(LINES, row, strict=True)) for row in rows]
