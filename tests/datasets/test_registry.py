import re

import pytest

from latentcells.datasets import _registry
from latentcells.datasets._registry import (
    CELL_MIXTURE,
    IFNB,
    PBMC3K_PROCESSED,
    PBMC3K_RAW,
    PBMC_FACS,
    REACTOME,
    RNA_MIXTURE,
)

SOURCES = [
    PBMC3K_RAW,
    PBMC3K_PROCESSED,
    PBMC_FACS,
    IFNB,
    REACTOME,
    *(s for plates in (CELL_MIXTURE, RNA_MIXTURE) for p in plates.values() for s in p),
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.file)
def test_every_source_is_pinned_and_credited(source):
    if source is PBMC3K_RAW:  # not on GitHub
        assert source.url == "https://exampledata.scverse.org/scanpy/pbmc3k_raw.h5ad"
    else:
        assert re.fullmatch("[0-9a-f]{40}", source.commit)
        assert source.url == f"https://raw.githubusercontent.com/{source.repo}/{source.commit}/{source.path}"
    for sha256 in (source.sha256, *source.rebuilt):
        assert re.fullmatch("[0-9a-f]{64}", sha256)
    assert source.path.endswith((source.file.split("/")[-1], "pbmc3k.h5ad"))
    assert source.licence in ("MIT", "BSD-2-Clause", "CC BY 4.0 (10x Genomics)")
    assert re.fullmatch(r"10\.\d{4,}/\S+", source.paper.doi)
    assert re.search(r"\(20\d\d\)$", source.paper.citation)


def test_no_two_sources_are_the_same_file():
    assert len({source.sha256 for source in SOURCES}) == len({source.file for source in SOURCES}) == 19


def test_the_host_is_read_when_it_is_needed(monkeypatch):
    monkeypatch.setattr(_registry, "HOST", "http://127.0.0.1:1")
    assert PBMC_FACS.url.startswith("http://127.0.0.1:1/stephenslab/")
