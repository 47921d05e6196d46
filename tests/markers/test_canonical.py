import re

import pytest

from latentcells import datasets
from latentcells.markers import canonical, precision_at, rank


@pytest.fixture(scope="module")
def adata():
    try:
        return datasets.pbmc_facs()
    except datasets.DataUnavailable as error:
        pytest.skip(str(error))


def test_every_type_of_the_data_has_genes_and_no_other(adata):
    assert set(canonical()) == set(adata.obs["label"].unique())


def test_the_data_have_every_gene(adata):
    absent = {gene for genes in canonical().values() for gene in genes} - set(adata.var_names)
    assert not absent


def test_every_gene_has_a_source_with_a_doi():
    for genes in canonical().values():
        assert 8 <= len(genes) <= 11
        for papers in genes.values():
            assert papers and len(set(papers)) == len(papers)
            assert all(paper.citation and re.fullmatch(r"10\.\d{4,}/\S+", paper.doi) for paper in papers)


def test_the_antigens_that_the_cells_were_sorted_by_are_there():
    antigen = {"CD19+ B": "CD19", "CD34+": "CD34", "CD56+ NK": "NCAM1", "CD14+ Monocyte": "CD14"}
    antigen |= {"CD4+/CD25 T Reg": "IL2RA", "CD8+ Cytotoxic T": "CD8A", "CD4+/CD45RA+/CD25- Naive T": "CD4"}
    for label, gene in antigen.items():
        assert "10.1038/ncomms14049" in {paper.doi for paper in canonical()[label][gene]}


def test_it_is_a_reference():
    """Scores that are 1 for a type's genes find all of them."""
    types = canonical()
    genes = sorted({gene for listed in types.values() for gene in listed})
    scores = [[gene in types[name] for gene in genes] for name in types for _ in range(2)]
    ranking = rank(scores, [name for name in types for _ in range(2)], genes)
    assert precision_at(ranking, types, k=8)["mean"] == 1


def test_a_change_of_what_is_returned_does_not_last():
    canonical()["CD19+ B"].clear()
    assert "CD19" in canonical()["CD19+ B"]
