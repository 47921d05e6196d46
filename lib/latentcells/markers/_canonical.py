"""Marker genes of blood cells from the literature, each with the sources that list it."""

from latentcells.datasets._registry import ZHENG, Paper

AZIMUTH = Paper(
    "Hao Y, Hao S, Andersen-Nissen E, et al. Integrated analysis of multimodal single-cell data. "
    "Cell 184, 3573–3587 (2021)",
    "10.1016/j.cell.2021.04.048",
)
PANGLAODB = Paper(
    "Franzén O, Gan L-M, Björkegren JLM. PanglaoDB: a web server for exploration of mouse and human single-cell "
    "RNA sequencing data. Database 2019, baz046 (2019)",
    "10.1093/database/baz046",
)

# In the order of the sources: all genes of Azimuth's table, those among them that PanglaoDB has for the type (after
# its file of 27 March 2020), and the antigen that the cells were sorted by. The comment names Azimuth's type and
# PanglaoDB's, and the genes of Azimuth's that the data do not have by any name.
_TABLE = {
    # B; B cells. Not in the data: IGHM
    "CD19+ B": {
        AZIMUTH: "CD79A RALGPS2 CD79B MS4A1 BANK1 CD74 TNFRSF13C HLA-DQA1 MEF2C",
        PANGLAODB: "CD79A RALGPS2 CD79B MS4A1 BANK1 CD74 TNFRSF13C HLA-DQA1 CD19",
        ZHENG: "CD19",
    },
    # HSPC; Hematopoietic stem cells. The data know SMIM24 by its former name, C19orf77
    "CD34+": {
        AZIMUTH: "SPINK2 PRSS57 CYTL1 EGFL7 GATA2 CD34 C19orf77 AVP MYB LAPTM4B",
        PANGLAODB: "GATA2 CD34",
        ZHENG: "CD34",
    },
    # NK; NK cells
    "CD56+ NK": {
        AZIMUTH: "NKG7 KLRD1 TYROBP GNLY FCER1G PRF1 CD247 KLRF1 CST7 GZMB",
        PANGLAODB: "NKG7 KLRD1 GNLY PRF1 CD247 KLRF1 CST7 GZMB",
        ZHENG: "NCAM1",  # CD56
    },
    # CD8 TEM; T cytotoxic cells. Not in the data: TRAC TRGC2
    "CD8+ Cytotoxic T": {
        AZIMUTH: "CCL5 GZMH CD8A KLRD1 NKG7 GZMK CST7 CD8B",
        PANGLAODB: "CD8A",
        ZHENG: "CD8A",
    },
    # CD4 T; T helper cells. Not in the data: TRAC
    "CD4+ T Helper2": {
        AZIMUTH: "IL7R MAL LTB CD4 LDHB TPT1 TMSB10 CD3D CD3G",
        PANGLAODB: "CD4 CD3D CD3G",
        ZHENG: "CD4",
    },
    # CD4 TCM; T memory cells. Not in the data: TRAC
    "CD4+/CD45RO+ Memory": {
        AZIMUTH: "IL7R TMSB10 CD4 ITGB1 LTB AQP3 LDHB IL32 MAL",
        PANGLAODB: "IL7R CD4 LTB",
        ZHENG: "CD4",
    },
    # CD8 Naive; T cells naive. Left out: LINC02446, which the data may have by its clone's name
    "CD8+/CD45RA+ Naive Cytotoxic": {
        AZIMUTH: "CD8B S100B CCR7 RGS10 NOSIP LEF1 CRTAM CD8A OXNAD1",
        PANGLAODB: "CCR7",
        ZHENG: "CD8A",
    },
    # Treg; T regulatory cells. Not in the data: AC133644.2
    "CD4+/CD25 T Reg": {
        AZIMUTH: "RTKN2 FOXP3 CD4 IL2RA TIGIT CTLA4 FCRL3 LAIR2 IKZF2",
        PANGLAODB: "FOXP3 CD4 IL2RA CTLA4 IKZF2",
        ZHENG: "CD4 IL2RA",  # IL2RA is CD25
    },
    # CD4 Naive; T cells naive
    "CD4+/CD45RA+/CD25- Naive T": {
        AZIMUTH: "TCF7 CD4 CCR7 IL7R FHIT LEF1 MAL NOSIP LDHB PIK3IP1",
        PANGLAODB: "CD4 CCR7",
        ZHENG: "CD4",
    },
    # CD14 Mono; Monocytes
    "CD14+ Monocyte": {
        AZIMUTH: "S100A9 CTSS S100A8 LYZ VCAN S100A12 IL1B CD14 G0S2 FCN1",
        PANGLAODB: "S100A9 S100A8 LYZ VCAN S100A12 IL1B FCN1",
        ZHENG: "CD14",
    },
}


def canonical() -> dict[str, dict[str, tuple[Paper, ...]]]:
    """The marker genes of the ten types of `lc.datasets.pbmc_facs`, by three sources and no choice of ours.

    A type has all the genes that the table of Azimuth's human PBMC reference gives for the nearest of its types, and
    the antigen that Zheng et al. sorted the cells by, so far as a gene stands for it (CD45RA and CD45RO are two forms
    of one gene's protein). PanglaoDB, curated by hand from the literature, is named where it has the gene, too.
    The nearest type was chosen by its name, before any ranking was looked at.

    What the list cannot do: Azimuth's genes come from differential expression, in other cells than these; "CD4+ T
    Helper2" is read as helper T cells of any kind, so that its genes are those of all CD4 T cells; T-cell types share
    genes, and a gene of two types is a poor one to tell them apart by. Left out since the data lack them: AC133644.2,
    IGHM, TRAC and TRGC2; and LINC02446, not found by that name. SMIM24 goes by its former name, C19orf77.

    Returns:
        label -> gene, as the data name it -> the papers that list it; the 9 to 11 genes of a label in the order of
        the table. As a reference of `precision_at` it may be passed as it is.

    References:
        Hao et al. 2021, https://doi.org/10.1016/j.cell.2021.04.048, the tables celltype.l1 and celltype.l2 of
        https://azimuth.hubmapconsortium.org/references/human_pbmc/; Franzén et al. 2019, PanglaoDB,
        https://doi.org/10.1093/database/baz046; Zheng et al. 2017, https://doi.org/10.1038/ncomms14049

    Example:
        >>> [paper.doi for paper in canonical()["CD19+ B"]["CD19"]]
        ['10.1093/database/baz046', '10.1038/ncomms14049']
    """
    return {label: _papers(sources) for label, sources in _TABLE.items()}


def _papers(sources) -> dict[str, tuple[Paper, ...]]:
    """Gene -> the papers that list it, from paper -> its genes."""
    listed = {paper: genes.split() for paper, genes in sources.items()}
    genes = dict.fromkeys(gene for genes in listed.values() for gene in genes)
    return {gene: tuple(paper for paper in listed if gene in listed[paper]) for gene in genes}
