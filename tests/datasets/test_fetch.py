import errno
import hashlib
import logging
import sys

import pooch
import pytest

from latentcells.datasets import _fetch
from latentcells.datasets._registry import Paper, Source

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # pooch's, see conftest
BODY = b"gene\tcount\n" * 5000
GOOD = (200, BODY, len(BODY))
SOURCE = Source(
    file="some/data.tsv",
    repo="owner/repo",
    commit="abc123",
    path="data/data.tsv",
    size=len(BODY),
    sha256=hashlib.sha256(BODY).hexdigest(),
    licence="MIT",
    paper=Paper("A paper", "10.0/0"),
)


def test_a_download_is_whole_and_leaves_no_other_file(server, cache, files, capfd):
    server.promise(GOOD)
    path = _fetch.fetch(SOURCE)
    assert path == cache / "some/data.tsv"
    assert path.read_bytes() == BODY
    assert files(cache) == ["some", "some/data.tsv"]
    assert capfd.readouterr() == ("", "")


def test_a_cached_file_is_not_fetched_again(server, cache):
    server.promise(GOOD)
    assert _fetch.fetch(SOURCE) == _fetch.fetch(SOURCE)
    assert server.requests == 1


def test_a_folder_that_holds_the_file_is_only_read(cache, monkeypatch):
    (cache / "some").mkdir(parents=True)
    (cache / SOURCE.file).write_bytes(BODY)

    def no_write(*args, **kwargs):
        raise PermissionError(errno.EACCES, "read-only")

    for target in ("os.makedirs", "os.mkdir", "tempfile.NamedTemporaryFile", "shutil.move"):
        monkeypatch.setattr(target, no_write)
    assert _fetch.fetch(SOURCE).read_bytes() == BODY


def test_a_temporary_fault_is_retried(server, cache):
    server.promise((500, b"", 0), GOOD)
    assert _fetch.fetch(SOURCE).read_bytes() == BODY
    assert server.requests == 2


def test_retries_end(server, cache, refused):
    server.promise((500, b"", 0))
    assert "HTTP 500" in refused(_fetch.fetch, SOURCE)
    assert server.requests == 1 + _fetch._RETRIES


@pytest.mark.parametrize("bad", [BODY[:-1], BODY[:-1] + b"!", b""], ids=["truncated", "altered", "empty"])
def test_a_damaged_file_is_replaced(server, cache, files, bad):
    (cache / "some").mkdir(parents=True)
    (cache / SOURCE.file).write_bytes(bad)
    server.promise(GOOD)
    assert _fetch.fetch(SOURCE).read_bytes() == BODY
    assert files(cache) == ["some", "some/data.tsv"]


@pytest.mark.parametrize("answer", [(404, b"", 0), (200, b"wrong", 5)], ids=["missing", "wrong"])
def test_a_damaged_file_stays_until_it_can_be_replaced(server, cache, files, refused, answer):
    (cache / "some").mkdir(parents=True)
    (cache / SOURCE.file).write_bytes(b"mine")
    server.promise(answer)
    assert "data.tsv is damaged in" in refused(_fetch.fetch, SOURCE)
    assert (cache / SOURCE.file).read_bytes() == b"mine"
    assert files(cache) == ["some", "some/data.tsv"]


def test_offline_refuses_at_once(server, cache, files, monkeypatch, refused):
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "1")
    assert "LATENTCELLS_OFFLINE forbids downloads" in refused(_fetch.fetch, SOURCE)
    assert server.requests == 0
    assert files(cache) == []
    monkeypatch.setenv("LATENTCELLS_OFFLINE", "0")
    server.promise(GOOD)
    assert _fetch.fetch(SOURCE).read_bytes() == BODY


def test_a_terminal_gets_a_progress_bar(server, cache, capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    server.promise(GOOD)
    _fetch.fetch(SOURCE)
    assert "100%" in capsys.readouterr().err


def test_poochs_log_level_is_restored(server, cache, refused):
    server.promise((404, b"", 0))
    before = pooch.get_logger().level
    refused(_fetch.fetch, SOURCE)
    assert pooch.get_logger().level == before != logging.WARNING


def test_the_cache_folder(cache, monkeypatch):
    assert _fetch.cache_folder() == cache
    monkeypatch.setenv("LATENTCELLS_DATA", "~/data")
    assert "~" not in str(_fetch.cache_folder())
    monkeypatch.setenv("LATENTCELLS_DATA", "")
    assert _fetch.cache_folder() == pooch.os_cache("latentcells")


def test_a_reason_for_every_fault():
    assert _fetch._reason(OSError("h5py's own words")) == "it cannot be read"
    assert _fetch._reason(KeyError("X")) == "it cannot be read"
