"""The stored runs of the book: a chapter trains the setting that `make results` chose."""

import nbformat
import pytest

from benchmarks.records import FOLDER, ROOT
from latentcells.course import results


@pytest.fixture
def candidates(monkeypatch):
    monkeypatch.chdir(ROOT)
    return results.read("01_vae").query("method.str.startswith('candidate')")


def test_chapter_1_trains_the_candidate_with_the_best_held_out_elbo(candidates):
    elbo = candidates.query("metric == 'heldout_elbo'").set_index("method")["mean"]
    epochs = candidates.query("metric == 'epochs'").set_index("method")["mean"]
    dimensions, dropout = elbo.idxmax().removeprefix("candidate: ").split(" dimensions, dropout ")
    chapter = nbformat.read(ROOT / "chapters" / "01_vae.ipynb", as_version=4)
    code = "\n".join(cell.source for cell in chapter.cells if cell.cell_type == "code")
    assert f"latent_dim={dimensions}, dropout={dropout}" in code
    assert f"epochs={epochs[elbo.idxmax()]:.0f}," in code


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_stored_run_is_valid_and_has_a_baseline(path):
    run = results.load(path)
    assert any(row["baseline"] for row in run["rows"])
    assert run["made_by"] in ("make results", "make bench")
