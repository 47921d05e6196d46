import pytest

from latentcells.datasets import DataUnavailable, reactome


def test_reactome():
    try:
        sets = reactome()
    except DataUnavailable as error:
        pytest.skip(f"reactome.gmt: {error}")
    assert len(sets) == 674
    assert sum(map(len, sets.values())) == 37601
    name, genes = next(iter(sets.items()))
    assert name == "REACTOME_GLYCOGEN_BREAKDOWN_GLYCOGENOLYSIS"
    assert genes[:3] == ["AGL", "GYG1", "PGM1"] and len(genes) == 18


def test_a_line_is_name_address_genes(tmp_path, monkeypatch):
    path = tmp_path / "sets.gmt"
    path.write_text("A\thttp://a\tG1\tG2\nB\thttp://b\tG3\n")
    monkeypatch.setitem(reactome.__globals__, "fetch", lambda source: path)
    assert reactome() == {"A": ["G1", "G2"], "B": ["G3"]}


def test_without_the_file(cache, monkeypatch, refused):
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")
    assert "reactome.gmt is not in" in refused(reactome)
