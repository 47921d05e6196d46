"""Stored runs are found, read and put into tables; what is missing is named."""

import json

import pytest

from latentcells.course import results

ROWS = [
    {
        "dataset": "pbmc3k",
        "method": "PCA",
        "metric": "ari",
        "values": [0.5, 0.7],
        "mean": 0.6,
        "sd": 0.141421,
    },
    {"dataset": "pbmc3k", "method": "VAE", "metric": "ari", "values": [0.8], "mean": 0.8, "sd": None},
    {"dataset": "pbmc3k", "method": "VAE", "metric": "f1", "values": [0.9, 0.9], "mean": 0.9, "sd": 0.0},
    {"dataset": "kang", "method": "VAE", "metric": "ari", "values": [0.1], "mean": 0.1, "sd": None},
]


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with one stored run, seen from a folder below it."""
    stored = tmp_path / "book" / "results"
    stored.mkdir(parents=True)
    (stored / "01_vae.json").write_text(json.dumps({"rows": ROWS}))
    (tmp_path / "chapters").mkdir()
    monkeypatch.chdir(tmp_path / "chapters")


@pytest.mark.usefixtures("clone")
class TestInAClone:
    """With a folder book/results above the working directory."""

    def test_a_run_is_found_from_a_folder_below(self):
        assert len(results.read("01_vae")) == len(ROWS)

    def test_a_missing_run_names_those_that_are_there(self):
        with pytest.raises(FileNotFoundError, match="no stored run '02': there are 01_vae; make results"):
            results.read("02")

    def test_values_are_one_list_per_method(self):
        assert results.values("01_vae", "pbmc3k", "ari") == {"PCA": [0.5, 0.7], "VAE": [0.8]}

    def test_an_unknown_metric_or_data_set_is_refused(self):
        with pytest.raises(ValueError, match="01_vae stores no 'nmi' on 'pbmc3k'"):
            results.values("01_vae", "pbmc3k", "nmi")

    def test_a_table_has_mean_and_spread_and_a_dash_where_nothing_is_stored(self):
        table = results.table("01_vae", "pbmc3k", ["f1", "ari"])
        assert list(table.columns) == ["f1", "ari"]
        assert list(table.loc["PCA"]) == ["–", "0.600 ± 0.141"]
        assert list(table.loc["VAE"]) == ["0.900 ± 0.000", "0.800"]


def test_outside_a_clone_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(FileNotFoundError, match="work in a clone of the course"):
        results.read("01_vae")


def test_outside_a_clone_the_runs_inside_the_library_are_read(tmp_path, monkeypatch):
    """As in the wheel of the Colab edition."""
    library = tmp_path / "latentcells"
    (library / "book" / "results").mkdir(parents=True)
    (library / "book" / "results" / "01_vae.json").write_text(json.dumps({"rows": ROWS}))
    monkeypatch.setattr(results, "__file__", str(library / "results.py"))
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert len(results.read("01_vae")) == len(ROWS)
