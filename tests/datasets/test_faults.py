"""External faults: after each one the cache is whole or empty, the error says what to do, and the next call works.

The server is on the loopback. Faults that need another process start one that loads only the two modules that download,
which is much faster than importing the whole library.
"""

import errno
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

import latentcells
from latentcells.datasets import _fetch, _registry
from tests.datasets.conftest import serving
from tests.datasets.test_fetch import BODY, GOOD, SOURCE

pytestmark = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")  # pooch's, see conftest
WRONG = (200, BODY[:-1] + b"!", len(BODY))
REMEDIES = "LATENTCELLS_DATA", "offline_ok=True"
pause = (
    threading.Event().wait
)  # not time.sleep, which conftest replaces to skip pooch's waits between retries


def a_refused_connection(server, cache, patch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        patch.setattr(_registry, "HOST", f"http://127.0.0.1:{free.getsockname()[1]}")


def an_answer(*answer):
    return lambda server, cache, patch: server.promise(answer)


def a_server_that_says_nothing(server, cache, patch):
    patch.setattr(_fetch, "_TIMEOUT", (1, 0.1))
    patch.setattr(_fetch, "_RETRIES", 0)
    server.promise(lambda handler: pause(0.5))


def a_server_that_does_not_speak_http(server, cache, patch):
    server.promise(lambda handler: handler.wfile.write(b"SSH-2.0-OpenSSH_9.6\r\n"))


def a_drip(server, cache, patch):
    def drip(handler):
        handler.respond(200, b"", len(BODY))
        for start in range(0, len(BODY), 1024):
            handler.wfile.write(BODY[start : start + 1024])
            pause(0.01)

    patch.setattr(_fetch, "_TIMEOUT", (0.1, 0.1))
    patch.setattr(_fetch, "_SLOWEST", 1e9)
    server.promise(drip)


def a_redirect_in_a_circle(server, cache, patch):
    server.promise(lambda handler: handler.respond(302, b"", 0, Location=handler.path))


def a_full_disk(server, cache, patch):
    def fill(self, piece):
        self.file.write(piece)
        raise OSError(errno.ENOSPC, "No space left on device")

    server.promise(GOOD)
    patch.setattr(_fetch._Bounded, "write", fill)


def a_cache_folder_that_is_a_file(server, cache, patch):
    cache.write_text("mine")


REFUSED = {  # fault -> (function that causes it, reason in the message)
    "a refused connection": (a_refused_connection, "no connection"),
    "HTTP 403": (an_answer(403, b"", 0), "HTTP 403"),
    "HTTP 404": (an_answer(404, b"", 0), "HTTP 404"),
    "HTTP 500, again and again": (an_answer(500, b"", 0), "HTTP 500"),
    "a body that is cut off": (an_answer(200, BODY[:100], len(BODY)), "the download broke off"),
    "an empty body": (an_answer(200, b"", 0), "what came has another SHA-256"),
    "a body with another hash": (an_answer(*WRONG), "what came has another SHA-256"),
    "a body that is too long": (
        an_answer(200, 2 * BODY, 10**12),
        f"more came than the {len(BODY)} bytes of the file",
    ),
    "a server that says nothing": (a_server_that_says_nothing, "no answer in time"),
    "a server that does not speak HTTP": (a_server_that_does_not_speak_http, "no connection"),
    "a drip": (a_drip, "no answer in time"),
    "a redirect in a circle": (a_redirect_in_a_circle, "HTTP 302"),
    "a full disk": (a_full_disk, "No space left on device"),
    "a cache folder that is a file": (a_cache_folder_that_is_a_file, "Not a directory"),
}


@pytest.mark.parametrize("fault", REFUSED)
def test_a_fault_leaves_nothing_and_says_why(server, cache, files, refused, publish, fault):
    bring_about, reason = REFUSED[fault]
    with pytest.MonkeyPatch.context() as patch:
        bring_about(server, cache, patch)
        message = refused(_fetch.fetch, SOURCE)
        assert message.startswith(f"data.tsv is not in {cache / 'some'} and could not be fetched from")
        assert f"({reason})" in message
    assert not [name for name in files(cache) if name != "some"]
    if cache.is_file():  # not the library's to remove
        assert cache.read_text() == "mine"
        cache.unlink()
    check_that_it_works(server, cache, files)
    publish("faults", fault=fault, cache="empty", told=reason)


def check_that_it_works(server, cache, files):
    server.promise(GOOD)
    assert _fetch.fetch(SOURCE).read_bytes() == BODY
    assert files(cache) == ["some", "some/data.tsv"]


@pytest.mark.parametrize("body", [GOOD, WRONG], ids=["right", "wrong"])
def test_a_redirect_to_another_host_is_judged_by_the_hash(server, cache, files, refused, publish, body):
    with serving() as other:
        other.promise(body)
        server.promise(lambda handler: handler.respond(302, b"", 0, Location=f"{other.address}/elsewhere"))
        if body is GOOD:
            assert _fetch.fetch(SOURCE).read_bytes() == BODY
            reason, holds = "nothing: the hash is right", "whole"
        else:
            reason, holds = "what came has another SHA-256", "empty"
            assert f"({reason})" in refused(_fetch.fetch, SOURCE)
            assert files(cache) == ["some"]
        assert other.requests
    check_that_it_works(server, cache, files)
    body_name = "the same bytes" if body is GOOD else "other bytes"
    publish("faults", fault=f"a redirect to another host that has {body_name}", cache=holds, told=reason)


def test_a_temporary_fault_is_not_noticed(server, cache, files, publish):
    server.promise((500, b"", 0), GOOD)
    assert _fetch.fetch(SOURCE).read_bytes() == BODY
    assert server.requests == 2 and files(cache) == ["some", "some/data.tsv"]
    publish("faults", fault="HTTP 500, then success", cache="whole", told="nothing: it is tried again")


def test_another_process_makes_the_folder_meanwhile(server, cache, files, monkeypatch):
    """pooch checks whether the folder exists, then creates it; another process may create it in between."""
    makedirs = os.makedirs

    def too_late(path, *args, **kwargs):
        makedirs(path, exist_ok=True)
        makedirs(path, *args, **kwargs)

    monkeypatch.setattr("pooch.core.os.makedirs", too_late)
    check_that_it_works(server, cache, files)


# -- faults that need another process ---------------------------------------------------------------------------------

CHILD = """
import os, resource, signal, sys, types
signal.signal(signal.SIGINT, signal.default_int_handler)  # which a job in the background ignores
lib, host, before = sys.argv[1:]
for name in ("latentcells", "latentcells.datasets"):
    package = sys.modules[name] = types.ModuleType(name)
    package.__path__ = [os.path.join(lib, *name.split("."))]
from latentcells.datasets import _fetch, _registry
from latentcells.datasets._registry import Paper, Source
import requests, tqdm, urllib3
_registry.HOST = host
exec(before)
try:
    print(_fetch.fetch({source!r}))
except _fetch.DataUnavailable as error:
    sys.exit(str(error))
"""


def fetching(server, before=""):
    """Start a separate process that fetches the file."""
    lib = Path(latentcells.__file__).parents[1]
    command = [sys.executable, "-c", CHILD.format(source=SOURCE), lib, server.address, before]
    return subprocess.Popen(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd="/")


def message_of(child):
    out, err = child.communicate(timeout=120)
    assert child.returncode == 1 and not out, err
    assert err.count("\n") == 1 and all(remedy in err for remedy in REMEDIES), err
    return err


def test_a_file_size_limit(server, cache, files, publish):
    server.promise(GOOD)
    message = message_of(fetching(server, "resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"))
    assert "(File too large)" in message
    assert files(cache) == ["some"]
    check_that_it_works(server, cache, files)
    publish("faults", fault="a quota", cache="empty", told="File too large")


@pytest.fixture
def open_folder(monkeypatch):
    """A cache folder that any user may access, unlike pytest's own temporary folders."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        monkeypatch.setenv("LATENTCELLS_DATA", f"{folder}/cache")
        yield Path(folder, "cache")


def test_a_read_only_cache(server, open_folder, files, publish):
    open_folder.mkdir(mode=0o755)
    open_folder.chmod(0o555)
    server.promise(GOOD)
    # the superuser may write anywhere: run as nobody
    message = message_of(fetching(server, "os.geteuid() or os.seteuid(65534)"))
    assert "(permission denied)" in message
    assert files(open_folder) == [] and server.requests == 0
    open_folder.chmod(0o755)
    check_that_it_works(server, open_folder, files)
    publish("faults", fault="a read-only cache without the file", cache="empty", told="permission denied")
    (open_folder / "some").chmod(0o555)
    child = fetching(server, "os.geteuid() or os.seteuid(65534)")
    assert child.communicate(timeout=120) == (f"{open_folder / SOURCE.file}\n", "")
    (open_folder / "some").chmod(0o755)
    publish("faults", fault="a read-only cache with the file", cache="whole", told="nothing: it is only read")


def test_two_processes_at_once(server, cache, files, publish):
    barrier = threading.Barrier(2, timeout=120)

    def answer_together(handler):
        barrier.wait()
        handler.respond(*GOOD)

    server.promise(answer_together)
    for child in [fetching(server), fetching(server)]:
        assert child.communicate(timeout=120) == (f"{cache / SOURCE.file}\n", "")
    assert server.requests == 2
    assert (cache / SOURCE.file).read_bytes() == BODY
    assert files(cache) == ["some", "some/data.tsv"]
    publish("faults", fault="two processes that fetch at once", cache="whole", told="nothing: both have it")


@pytest.mark.parametrize("kill", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_kill_in_the_middle_of_a_write(server, cache, files, publish, kill):
    half, killed = threading.Event(), threading.Event()

    def stop_halfway(handler):
        handler.respond(200, BODY[: len(BODY) // 2], len(BODY))
        half.set()
        killed.wait(120)

    server.promise(stop_halfway)
    child = fetching(server)
    assert half.wait(120)
    while not any(path.is_file() and path.stat().st_size for path in cache.rglob("*")):
        pause(0.01)  # until part of the file is written; the server holds back the rest
        assert child.poll() is None
    child.send_signal(kill)
    child.communicate(timeout=120)
    killed.set()
    assert child.returncode
    assert not (cache / SOURCE.file).exists()
    leftovers = [name for name in files(cache) if name != "some"]
    assert len(leftovers) <= (kill != signal.SIGINT)
    server.promise(GOOD)
    assert _fetch.fetch(SOURCE).read_bytes() == BODY
    assert files(cache) == sorted([*leftovers, "some", "some/data.tsv"])
    cache_state = "empty" + (
        ", but for a piece under a temporary name, which nothing reads" if leftovers else ""
    )
    publish(
        "faults",
        fault=f"{kill.name} in the middle of a write",
        cache=cache_state,
        told="nothing: the process is gone",
    )
