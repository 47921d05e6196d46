import csv
import re
from pathlib import Path

import pytest

from latentcells import datasets
from latentcells.markers import canonical, precision_at, rank

# The rows of Azimuth's human PBMC tables celltype.l1 and celltype.l2 that correspond to the types of the data, as
# in the website's source: satijalab/azimuth_website, static/csv/pbmc1.csv at 66a9d961549f and pbmc2.csv at
# 2a11a6d14333.
with open(Path(__file__).with_name("azimuth_human_pbmc.csv"), encoding="utf8", newline="") as file:
    AZIMUTH = {row["label"]: row["markers"].split(", ") for row in csv.DictReader(file)}
AZIMUTH_TYPE = {
    "CD19+ B": "B",
    "CD34+": "HSPC",
    "CD56+ NK": "NK",
    "CD8+ Cytotoxic T": "CD8 TEM",
    "CD4+ T Helper2": "CD4 T",
    "CD4+/CD45RO+ Memory": "CD4 TCM",
    "CD8+/CD45RA+ Naive Cytotoxic": "CD8 Naive",
    "CD4+/CD25 T Reg": "Treg",
    "CD4+/CD45RA+/CD25- Naive T": "CD4 Naive",
    "CD14+ Monocyte": "CD14 Mono",
}
ABSENT = {
    "AC133644.2",
    "IGHM",
    "TRAC",
    "TRGC2",
    "LINC02446",
}  # genes that the data lack, as the docstring of `canonical` says
RENAMED = {"SMIM24": "C19orf77"}
ANTIGENS = {  # by which Zheng et al. sorted the cells; the types are named after them
    "CD19+ B": {"CD19"},
    "CD34+": {"CD34"},
    "CD56+ NK": {"NCAM1"},
    "CD8+ Cytotoxic T": {"CD8A"},
    "CD4+ T Helper2": {"CD4"},
    "CD4+/CD45RO+ Memory": {"CD4"},
    "CD8+/CD45RA+ Naive Cytotoxic": {"CD8A"},
    "CD4+/CD25 T Reg": {"CD4", "IL2RA"},
    "CD4+/CD45RA+/CD25- Naive T": {"CD4"},
    "CD14+ Monocyte": {"CD14"},
}
HAO, FRANZEN, ZHENG = "10.1016/j.cell.2021.04.048", "10.1093/database/baz046", "10.1038/ncomms14049"


def listed_by(doi):
    """label -> the genes that a paper lists, in order."""
    return {
        label: [gene for gene, papers in genes.items() if doi in {paper.doi for paper in papers}]
        for label, genes in canonical().items()
    }


def test_azimuths_genes_are_those_of_its_table_in_its_order():
    expected = {
        label: [RENAMED.get(gene, gene) for gene in AZIMUTH[name] if gene not in ABSENT]
        for label, name in AZIMUTH_TYPE.items()
    }
    assert listed_by(HAO) == expected


def test_the_genes_that_are_left_out_and_renamed_are_in_the_table():
    of_table = {gene for genes in AZIMUTH.values() for gene in genes}
    assert ABSENT | RENAMED.keys() <= of_table and not of_table & set(RENAMED.values())


def test_the_antigens_are_those_that_the_cells_were_sorted_by():
    assert {label: set(genes) for label, genes in listed_by(ZHENG).items()} == ANTIGENS


def test_panglaodb_adds_no_gene():
    for label, genes in listed_by(FRANZEN).items():
        assert genes and set(genes) <= set(listed_by(HAO)[label]) | ANTIGENS[label]


@pytest.fixture(scope="module")
def adata():
    try:
        return datasets.pbmc_facs()
    except datasets.DataUnavailable as error:
        pytest.skip(str(error))


def test_every_type_of_the_data_has_genes_and_no_other(adata):
    assert set(canonical()) == set(adata.obs["label"].unique())


def test_the_data_have_every_gene_and_none_of_those_left_out(adata):
    genes = {gene for of_type in canonical().values() for gene in of_type}
    assert genes <= set(adata.var_names)
    assert not (ABSENT | RENAMED.keys()) & set(adata.var_names)


def test_every_gene_has_a_source_with_a_doi():
    for genes in canonical().values():
        assert 8 <= len(genes) <= 11
        for papers in genes.values():
            assert papers and len(set(papers)) == len(papers)
            assert all(paper.citation and re.fullmatch(r"10\.\d{4,}/\S+", paper.doi) for paper in papers)


def test_it_is_a_valid_reference_for_precision_at():
    """Scores that are 1 for exactly a type's genes have precision 1."""
    types = canonical()
    genes = sorted({gene for listed in types.values() for gene in listed})
    scores = [[gene in types[name] for gene in genes] for name in types for _ in range(2)]
    ranking = rank(scores, [name for name in types for _ in range(2)], genes)
    assert precision_at(ranking, types, k=8)["mean"] == 1


def test_changing_the_result_has_no_lasting_effect():
    canonical()["CD19+ B"].clear()
    assert "CD19" in canonical()["CD19+ B"]
