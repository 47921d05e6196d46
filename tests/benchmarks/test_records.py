import json
import math
import platform

import pytest

from benchmarks import records
from latentcells.course import results


def rows():
    return [
        records.row("pbmc_facs", "VAE", "knn_macro_f1", [0.7, 0.8]),
        records.row("pbmc_facs", "PCA", "knn_macro_f1", [0.7], baseline=True),
        records.row("kang", "VAE", "seconds", [1.0, 2.0, 4.0], "s"),
    ]


def test_a_row_summarises_its_values():
    row = records.row("kang", "VAE", "seconds", [1.0, 2.0, 4.0], "s")
    assert row["mean"] == pytest.approx(7 / 3, rel=1e-5)
    assert row["sd"] == pytest.approx(math.sqrt(7 / 3), rel=1e-5)  # n - 1
    assert row["baseline"] is False and row["unit"] == "s"


def test_a_row_keeps_six_significant_digits():
    row = records.row("kang", "VAE", "seconds", [12345.678, 0.000123456789])
    assert row["values"] == [12345.7, 0.000123457]


def test_a_single_value_has_no_spread():
    assert records.row("kang", "PCA", "seconds", [2])["sd"] is None


@pytest.mark.parametrize("metric", ["knn_macro_f1", "probe_macro_f1[10 per type]"])
def test_metrics_are_named_as_the_design_says(metric):
    assert records.row("kang", "PCA", metric, [1])["metric"] == metric


@pytest.mark.parametrize("metric", ["kNN", "macro f1", "", "f1[", "f1[]"])
def test_another_metric_name_is_refused(metric):
    with pytest.raises(ValueError, match="metric must be like"):
        records.row("kang", "PCA", metric, [1])


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused(value):
    with pytest.raises(ValueError, match="a value for seconds of 'PCA' on 'kang' is not finite"):
        records.row("kang", "PCA", "seconds", [1, value])


def test_a_row_without_values_is_refused():
    with pytest.raises(ValueError, match="no value for seconds of 'PCA' on 'kang'"):
        records.row("kang", "PCA", "seconds", [])


def test_a_stored_run_has_the_one_shape(tmp_path):
    path = tmp_path / "results" / "01_test.json"
    stored = records.record(path, "make results", rows())
    assert json.loads(path.read_text(encoding="utf8")) == stored
    assert list(stored) == ["made_by", "library", "versions", "machine", "rows"]
    assert list(path.parent.iterdir()) == [path]


def test_rows_are_sorted_with_the_baseline_first(tmp_path):
    stored = records.record(tmp_path / "01_test.json", "make results", rows())
    assert [row["method"] for row in stored["rows"]] == ["VAE", "PCA", "VAE"]
    assert stored["rows"][0]["dataset"] == "kang"


def test_a_stored_run_names_no_computer_and_no_folder(tmp_path):
    path = tmp_path / "01_test.json"
    stored = records.record(path, "make results", rows())
    assert set(stored["machine"]) == {"cores", "memory_gib", "cpu", "os"}
    assert platform.node() not in stored["machine"].values()
    text = path.read_text(encoding="utf8")
    assert not any(str(folder) in text for folder in (records.ROOT, tmp_path))


def test_two_rows_of_the_same_thing_are_refused(tmp_path):
    path = tmp_path / "01_test.json"
    with pytest.raises(ValueError, match="two rows for seconds of 'VAE' on 'kang'"):
        records.record(path, "make results", rows() + rows()[-1:])
    assert not path.exists()


def test_a_run_that_cannot_be_stored_leaves_the_old_one(tmp_path):
    path = tmp_path / "01_test.json"
    records.record(path, "make results", rows())
    before = path.read_bytes()
    with pytest.raises(ValueError, match="Out of range float"):
        records.record(path, "make results", [{**rows()[0], "mean": float("nan")}])
    assert path.read_bytes() == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_bare_name_means_the_books_results(tmp_path, monkeypatch):
    monkeypatch.setattr(records, "FOLDER", tmp_path / "book" / "results")
    records.record("01_test", "make results", rows())
    monkeypatch.chdir(tmp_path)
    assert results.values("01_test", "kang", "seconds") == {"VAE": [1.0, 2.0, 4.0]}


def test_the_librarys_hash_changes_with_content_and_name_only(tmp_path):
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


def test_what_was_recorded_is_read(tmp_path):
    path = tmp_path / "01_test.json"
    assert records.record(path, "make results", rows()) == records.stored(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda run: run["rows"][0].update(mean=0.9), "row 1 is .* mean is 0.9, where the values give"),
        (lambda run: run["rows"][0].update(sd=None), "row 1 is .* sd is None, where the values give 1.5"),
        (lambda run: run["rows"][1].update(sd=0.1), "row 2 is .* sd is 0.1, where the values give None"),
        (lambda run: run["rows"][2].update(values=[]), "row 3 is .* no value for knn_macro_f1 of 'VAE'"),
        (lambda run: run["rows"][2].update(values=[0.7, None]), "row 3 is .* not 'NoneType'"),
        (lambda run: run["rows"][2].update(metric="kNN"), "row 3 is .* metric must be like"),
        (lambda run: run["rows"][1].pop("unit"), "row 2 is .* 'unit' is missing"),
        (
            lambda run: run.pop("library"),
            "01_test.json is not as it was recorded: 'library' is missing .make results",
        ),
        (lambda run: run.pop("rows"), "'rows' is missing"),
    ],
)
def test_what_was_not_recorded_so_is_refused(tmp_path, change, message):
    path = tmp_path / "01_test.json"
    run = records.record(path, "make results", rows())
    change(run)
    path.write_text(json.dumps(run))
    with pytest.raises(ValueError, match=message):
        records.stored(path)


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rows": [1]}'])
def test_a_file_that_holds_something_else_is_refused(tmp_path, text):
    (tmp_path / "01_test.json").write_text(text)
    with pytest.raises(ValueError, match=r"01_test\.json"):
        records.stored(tmp_path / "01_test.json")
