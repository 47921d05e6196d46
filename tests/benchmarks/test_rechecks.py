"""A stored run still holds: it was made by this version of the library, or the library reproduces a row of it."""

import pytest

from benchmarks import rechecks
from benchmarks.records import FOLDER, library_hash
from latentcells import datasets
from latentcells.course.results import load, row
from latentcells.datasets import _fetch

LIBRARY = library_hash()


def check(name, run):
    """Fail if a row of a stored run by another version of the library is not reproduced."""
    if run["library"] == LIBRARY:
        pytest.skip("made by this very library")
    if name in rechecks.UNCHECKED:
        pytest.skip(rechecks.UNCHECKED[name])
    assert name in rechecks.RECHECKS, f"{name}: give it a recheck in benchmarks/rechecks.py"
    recheck = rechecks.RECHECKS[name]
    try:
        value = recheck.recompute()[recheck.metric]
    except datasets.DataUnavailable as error:
        pytest.skip(str(error))
    except ModuleNotFoundError as error:
        pytest.skip(f"{error}: make bench installs it")
    contradiction = rechecks.contradiction(recheck.row(run), value)
    assert not contradiction, f"{name}: {contradiction}"


@pytest.mark.slow
@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.json")), ids=lambda path: path.stem)
def test_a_stored_run_still_holds(path, monkeypatch):
    monkeypatch.setattr(_fetch, "_RETRIES", 0)  # one quick attempt to download
    monkeypatch.setattr(_fetch, "_TIMEOUT", (3, 10))
    check(path.stem, load(path))


# The check itself.


@pytest.mark.parametrize("name", rechecks.RECHECKS)
def test_a_recheck_has_a_stored_row_and_finds_a_doctored_one(name):
    stored = rechecks.RECHECKS[name].row(load(FOLDER / f"{name}.json"))
    assert not rechecks.contradiction(stored, stored["values"][0])
    doctored = stored | {"mean": stored["values"][0] + 4 * max(stored["sd"] or 0, rechecks.FLOOR)}
    assert rechecks.contradiction(doctored, stored["values"][0])


@pytest.fixture
def run(monkeypatch):
    """run(recompute): a stored run by another library, mean 0.52 and sd 0.02, whose recheck calls ``recompute``."""
    stored = row("kang", "PCA", "ari", [0.5, 0.54, 0.52], baseline=True)

    def run(recompute):
        monkeypatch.setitem(rechecks.RECHECKS, "run", rechecks.Recheck("kang", "PCA", "ari", recompute))
        return {"library": "another", "rows": [stored]}

    return run


def test_a_value_within_three_standard_deviations_holds(run):
    check("run", run(lambda: {"ari": 0.579}))
    check("run", run(lambda: {"ari": 0.461}))


@pytest.mark.parametrize("value", [0.581, 0.459])
def test_a_value_beyond_three_standard_deviations_fails_with_a_remedy(run, value):
    with pytest.raises(AssertionError, match=rf"run: ari of 'PCA' on 'kang' is {value} now, .*make results"):
        check("run", run(lambda: {"ari": value}))


def test_without_a_spread_a_small_change_is_tolerated():
    stored = row("kang", "PCA", "ari", [0.5])
    assert not rechecks.contradiction(stored, 0.519)
    assert rechecks.contradiction(stored, 0.521)


def test_the_same_library_is_not_rechecked(run):
    with pytest.raises(pytest.skip.Exception, match="this very library"):
        check("run", run(lambda: 1 / 0) | {"library": LIBRARY})


def test_a_run_without_a_recheck_fails(run):
    with pytest.raises(AssertionError, match="other: give it a recheck"):
        check("other", run(lambda: {"ari": 0.5}))


@pytest.mark.parametrize("error", [datasets.DataUnavailable, ModuleNotFoundError])
def test_a_recheck_skips_and_names_what_is_not_installed_or_available(run, error):
    def recompute():
        raise error("harmony is missing")

    with pytest.raises(pytest.skip.Exception, match="harmony is missing"):
        check("run", run(recompute))
