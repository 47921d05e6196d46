"""The schema of stored runs: rows are made, written, validated, read and put into tables."""

import json
import math

import pytest

from benchmarks.records import FOLDER, ROOT
from latentcells.course import results
from tests.helpers import refused


def rows():
    return [
        results.row("pbmc_facs", "VAE", "knn_macro_f1", [0.7, 0.8]),
        results.row("pbmc_facs", "PCA", "knn_macro_f1", [0.7], baseline=True),
        results.row("kang", "VAE", "seconds", [1.0, 2.0, 4.0], "s"),
        results.row("pbmc_facs", "VAE", "leiden_ari", [0.9, 0.9]),
    ]


def write(path, stored_rows=None):
    return results.write(
        path, "make results", "0.1.0+abc", {"python": "3.12"}, {"cores": 2}, stored_rows or rows()
    )


@pytest.fixture
def path(tmp_path):
    return tmp_path / "01_test.json"


def test_only_public_names_are_listed():
    names = ["load", "read", "row", "table", "validate", "values", "write"]
    assert dir(results) == results.__all__ == names


# -- a row -------------------------------------------------------------------------------------------------------


def test_a_row_summarises_its_values():
    row = results.row("kang", "VAE", "seconds", [1.0, 2.0, 4.0], "s")
    assert row["mean"] == pytest.approx(7 / 3, rel=1e-5)
    assert row["sd"] == pytest.approx(math.sqrt(7 / 3), rel=1e-5)  # n - 1
    assert row["baseline"] is False and row["unit"] == "s"


def test_a_row_keeps_six_significant_digits():
    row = results.row("kang", "VAE", "seconds", [12345.678, 0.000123456789])
    assert row["values"] == [12345.7, 0.000123457]


def test_a_single_value_has_no_spread():
    assert results.row("kang", "PCA", "seconds", [2])["sd"] is None


@pytest.mark.parametrize("metric", ["knn_macro_f1", "probe_macro_f1[10 per type]"])
def test_valid_metric_names_are_accepted(metric):
    assert results.row("kang", "PCA", metric, [1])["metric"] == metric


@pytest.mark.parametrize("metric", ["kNN", "macro f1", "", "f1[", "f1[]"])
def test_another_metric_name_is_refused(metric):
    refused(lambda: results.row("kang", "PCA", metric, [1]), "^metric must be like 'knn_macro_f1' or ")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_value_that_is_not_finite_is_refused(value):
    message = "^a value for seconds of 'PCA' on 'kang' is not finite: "
    refused(lambda: results.row("kang", "PCA", "seconds", [1, value]), message)


def test_a_row_without_values_is_refused():
    refused(lambda: results.row("kang", "PCA", "seconds", []), "^no value for seconds of 'PCA' on 'kang'$")


# -- a file ------------------------------------------------------------------------------------------------------


def test_a_stored_run_has_the_expected_structure(path):
    run = write(path)
    assert json.loads(path.read_text(encoding="utf8")) == run == results.load(path)
    assert list(run) == ["made_by", "library", "versions", "machine", "rows"]
    assert list(path.parent.iterdir()) == [path]


def test_a_missing_folder_is_created(tmp_path):
    write(tmp_path / "results" / "01_test.json")
    assert [path.name for path in (tmp_path / "results").iterdir()] == ["01_test.json"]


def test_rows_are_sorted_with_the_baseline_first(path):
    run = write(path)
    assert [(row["dataset"], row["method"], row["metric"]) for row in run["rows"]] == [
        ("kang", "VAE", "seconds"),
        ("pbmc_facs", "PCA", "knn_macro_f1"),
        ("pbmc_facs", "VAE", "knn_macro_f1"),
        ("pbmc_facs", "VAE", "leiden_ari"),
    ]


@pytest.mark.parametrize("stored", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_the_stored_files_of_the_book_are_reproduced_byte_for_byte(stored, path):
    results.write(path, **results.load(stored))
    assert path.read_bytes() == stored.read_bytes()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda stored_rows: stored_rows.append(stored_rows[-1]),
            "two rows for leiden_ari of 'VAE' on 'pbmc_facs'$",
        ),
        (
            lambda stored_rows: stored_rows[0].update(mean=float("nan")),
            "row 3 is not valid: mean is nan, where the values",
        ),
        (
            lambda stored_rows: stored_rows[0].update(note="best"),
            "row 3 is not valid: 'note' is no field of a row$",
        ),
    ],
)
def test_a_run_that_cannot_be_stored_leaves_the_old_one(path, change, message):
    write(path)
    before, stored_rows = path.read_bytes(), rows()
    change(stored_rows)
    refused(lambda: write(path, stored_rows), f"^01_test.json.* {message}")
    assert path.read_bytes() == before
    assert list(path.parent.iterdir()) == [path]


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
        (lambda run: run["rows"].append(run["rows"][1]), "is not valid: two rows for knn_macro_f1 of 'PCA'"),
        (lambda run: run.pop("library"), "^01_test.json is not valid: 'library' is missing"),
        (lambda run: run.pop("rows"), "'rows' is missing"),
    ],
)
def test_a_changed_run_is_refused(path, change, message):
    run = write(path)
    change(run)
    path.write_text(json.dumps(run))
    refused(lambda: results.load(path), f"{message}.*; make results or make bench writes it again$")


@pytest.mark.parametrize("text", ["", "{", "[]", '{"rows": [1]}'])
def test_a_file_that_holds_something_else_is_refused(path, text):
    path.write_text(text)
    refused(
        lambda: results.load(path), r"^01_test\.json is not .*; make results or make bench writes it again$"
    )


# -- what the book reads -----------------------------------------------------------------------------------------


@pytest.fixture
def clone(tmp_path, monkeypatch):
    """A folder with one stored run; the working directory is a folder below it."""
    write(tmp_path / "book" / "results" / "01_test.json")
    (tmp_path / "chapters").mkdir()
    monkeypatch.chdir(tmp_path / "chapters")
    return tmp_path


def test_a_run_is_read_from_a_folder_below(clone):
    table = results.read("01_test")
    assert len(table) == 4
    assert set(table) == {"dataset", "method", "baseline", "metric", "values", "mean", "sd", "unit"}


def test_a_missing_run_lists_those_that_exist(clone):
    message = "^no stored run '02': choose from 01_test; make results writes them$"
    refused(lambda: results.read("02"), message, FileNotFoundError)


def test_a_run_that_was_edited_is_not_read(clone):
    path = clone / "book" / "results" / "01_test.json"
    path.write_text(path.read_text().replace('"mean": 0.75', '"mean": 0.95'))
    refused(
        lambda: results.values("01_test", "kang", "seconds"), "row 3 is not valid: mean is 0.95, where the"
    )


def test_values_are_one_list_per_method(clone):
    assert results.values("01_test", "pbmc_facs", "knn_macro_f1") == {"PCA": [0.7], "VAE": [0.7, 0.8]}


def test_an_unknown_metric_or_data_set_is_refused(clone):
    message = r"^01_test has no 'nmi' on 'kang': see lc.course.results.read\('01_test'\)$"
    refused(lambda: results.values("01_test", "kang", "nmi"), message)
    refused(lambda: results.table("01_test", "kang", ["seconds", "nmi"]), message)
    refused(lambda: results.values("01_test", "pbmc3k", "seconds"), "^01_test has no 'seconds' on 'pbmc3k'")


def test_a_table_has_mean_and_spread_and_a_dash_where_nothing_is_stored(clone):
    table = results.table("01_test", "pbmc_facs", ["leiden_ari", "knn_macro_f1"])
    assert list(table.columns) == ["leiden_ari", "knn_macro_f1"]
    assert list(table.loc["PCA"]) == ["–", "0.700"]
    assert list(table.loc["VAE"]) == ["0.900 ± 0.000", "0.750 ± 0.071"]


def test_outside_a_clone_the_message_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    message = "^no folder book/results in or above the working directory: work in a clone of the course$"
    refused(lambda: results.read("01_vae"), message, FileNotFoundError)


def test_outside_a_clone_the_runs_inside_the_library_are_read(tmp_path, monkeypatch):
    """The wheel of the Colab edition has them in latentcells/book/results."""
    library = tmp_path / "site-packages" / "latentcells"
    module = library / ROOT.joinpath(results.__file__).relative_to(ROOT / "lib" / "latentcells")
    monkeypatch.setattr(results, "__file__", str(module))
    write(library / "book" / "results" / "01_test.json")
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path / "empty")
    assert len(results.read("01_test")) == 4
