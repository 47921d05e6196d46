import re

import pytest

from latentcells.datasets import _registry
from latentcells.datasets._registry import CELL_MIXTURE, IFNB, PBMC_FACS, REACTOME, RNA_MIXTURE

SOURCES = [
    PBMC_FACS,
    IFNB,
    REACTOME,
    *(s for plates in (CELL_MIXTURE, RNA_MIXTURE) for p in plates.values() for s in p),
]


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.file)
def test_every_source_is_pinned_and_credited(source):
    assert source.url == f"https://raw.githubusercontent.com/{source.repo}/{source.commit}/{source.path}"
    assert re.fullmatch(r"[0-9a-f]{8}|[0-9a-f]{40}", source.commit)
    assert re.fullmatch(r"[0-9a-f]{64}", source.sha256)
    assert source.path.endswith(source.file.split("/")[-1])
    assert source.licence in ("MIT", "BSD-2-Clause")
    assert re.fullmatch(r"10\.\d{4,}/\S+", source.paper.doi)
    assert re.search(r"\(20\d\d\)$", source.paper.citation)


def test_no_two_sources_are_the_same_file():
    assert len({source.sha256 for source in SOURCES}) == len({source.file for source in SOURCES}) == 17


def test_the_host_is_read_when_it_is_needed(monkeypatch):
    monkeypatch.setattr(_registry, "HOST", "http://127.0.0.1:1")
    assert PBMC_FACS.url.startswith("http://127.0.0.1:1/stephenslab/")
