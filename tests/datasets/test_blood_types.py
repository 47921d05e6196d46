"""The common type names, compared with the Cell Ontology terms of the studies' labels.

``blood_types.csv`` gives for each label its term, identifier and the ancestor term that defines the lineage. Cell
Ontology: Diehl et al. 2016, doi:10.1186/s13326-016-0088-7 (CC BY 4.0). The labels of the FACS-sorted cells are the
surface proteins by which they were sorted: Zheng et al. 2017, doi:10.1038/ncomms14049.
"""

import csv
import re
from pathlib import Path

import pytest

from latentcells.datasets import BLOOD_TYPES

WORDS = {
    "B cell": "B",
    "monocyte": "monocyte",
    "hematopoietic precursor cell": "progenitor",
    "natural killer cell": "NK",
    "CD8-positive, alpha-beta T cell": "CD8 T",
    "CD4-positive, alpha-beta T cell": "CD4 T",
    "T cell": "T, CD4 or CD8",
    "dendritic cell": "dendritic",
    "megakaryocyte": "megakaryocyte",
    "erythrocyte": "erythrocyte",
}


@pytest.fixture(scope="module")
def terms():
    with open(Path(__file__).with_name("blood_types.csv"), encoding="utf8", newline="") as file:
        return list(csv.DictReader(file))


def test_the_words_are_those_of_the_cell_ontology(terms):
    expected = {}
    for row in terms:
        expected.setdefault(row["study"], {})[row["label"]] = WORDS[row["lineage"]]
    assert expected == BLOOD_TYPES


def test_a_term_has_one_name_and_one_lineage(terms):
    kinds = {(row["term"], row["name"], row["lineage"]) for row in terms}
    assert len({term for term, _, _ in kinds}) == len({name for _, name, _ in kinds}) == len(kinds)
    assert all(re.fullmatch(r"CL:\d{7}", term) for term, _, _ in kinds)
    for row in terms:
        coreceptor = re.search("CD[48](?=[-+ ])", row["label"])
        if coreceptor:
            assert row["name"].count(f"{coreceptor[0]}-positive") and row["lineage"].startswith(coreceptor[0])


@pytest.mark.parametrize("name", BLOOD_TYPES)
def test_every_label_has_a_common_word(name, real):
    assert set(real(name).obs["label"].cat.categories) == BLOOD_TYPES[name].keys()


def test_five_types_are_in_all_studies():
    shared = set.intersection(*(set(types.values()) for types in BLOOD_TYPES.values()))
    assert shared == {"B", "CD4 T", "CD8 T", "NK", "monocyte"}
