import platform

import pytest

from benchmarks import records
from latentcells.course import results


def rows():
    return records.rows_of("kang", "VAE", [{"seconds": 1.0}, {"seconds": 2.0}, {"seconds": 4.0}])


def test_a_row_for_each_metric_with_its_unit():
    runs = [
        {"heldout_elbo[rate 0.1]": -40.0, "knn_macro_f1": 0.7},
        {"heldout_elbo[rate 0.1]": -42, "knn_macro_f1": 0.9},
    ]
    elbo, f1 = records.rows_of("kang", "VAE", runs, baseline=True)
    assert (elbo["metric"], elbo["values"], elbo["unit"]) == (
        "heldout_elbo[rate 0.1]",
        [-40, -42],
        "nats per cell",
    )
    assert (f1["metric"], f1["values"], f1["unit"]) == ("knn_macro_f1", [0.7, 0.9], "1")
    assert elbo["baseline"] and f1["baseline"] and (f1["dataset"], f1["method"]) == ("kang", "VAE")


def test_a_score_is_computed_once_for_each_seed():
    (row,) = records.over_seeds("kang", "VAE", lambda seed: {"r2": seed / 10})
    assert row["values"] == [0, 0.1, 0.2, 0.3, 0.4] and not row["baseline"]
    (row,) = records.over_seeds("kang", "PCA", lambda seed: {"r2": seed / 10}, baseline=True, seeds=range(1))
    assert row["values"] == [0] and row["baseline"]


def test_a_stored_run_names_no_computer_and_no_folder(tmp_path):
    path = tmp_path / "01_test.json"
    run = records.record(path, "make results", rows())
    assert results.load(path) == run
    assert set(run["machine"]) == {"cores", "memory_gib", "cpu", "os"}
    assert platform.node() not in run["machine"].values()
    text = path.read_text(encoding="utf8")
    assert not any(str(folder) in text for folder in (records.ROOT, tmp_path))


def test_a_stored_run_names_the_library_and_its_packages(tmp_path):
    run = records.record(tmp_path / "01_test.json", "make bench", rows())
    assert run["made_by"] == "make bench" and run["library"] == records.library_hash()
    assert {"python", "keras", "numpy"} <= run["versions"].keys()


def test_duplicate_rows_are_refused(tmp_path):
    path = tmp_path / "01_test.json"
    with pytest.raises(ValueError, match="two rows for seconds of 'VAE' on 'kang'"):
        records.record(path, "make results", rows() + rows())
    assert not path.exists()


def test_a_bare_name_means_the_books_results(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path / "book" / "results")
    records.record("01_test", "make results", rows())
    monkeypatch.chdir(tmp_path)
    assert results.values("01_test", "kang", "seconds") == {"VAE": [1.0, 2.0, 4.0]}


def test_the_library_hash_changes_only_with_content_and_name(tmp_path):
    module = tmp_path / "module.py"
    module.write_text("a = 1\n")
    first = records.library_hash(tmp_path)
    (tmp_path / "module.cpython-311.pyc").write_text("compiled")
    assert records.library_hash(tmp_path) == first
    module.write_text("a = 2\n")
    changed = records.library_hash(tmp_path)
    module.rename(tmp_path / "other.py")
    assert len({first, changed, records.library_hash(tmp_path)}) == 3
    assert first.startswith("0.")
