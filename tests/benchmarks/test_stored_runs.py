"""The stored runs of the book: a chapter trains the setting that `make results` chose."""

import nbformat
import pytest

from benchmarks import vae
from benchmarks.records import FOLDER, ROOT
from latentcells.course import results


@pytest.fixture
def stored(monkeypatch):
    monkeypatch.chdir(ROOT)
    return results.read("01_vae")


def test_chapter_1_trains_the_network_that_the_rule_chose(stored):
    chosen = stored.query(f"method == '{vae.NB}'").set_index("metric")["mean"]
    chapter = nbformat.read(ROOT / "chapters" / "01_vae.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in chapter.cells if cell.cell_type == "code")
    assert f'"latent_dim": {chosen["latent_dim"]:.0f}, "dropout": {chosen["dropout"]}' in code


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_stored_run_is_valid_and_has_a_baseline(path):
    run = results.load(path)
    assert any(row["baseline"] for row in run["rows"])
    assert run["made_by"] in ("make results", "make bench")
