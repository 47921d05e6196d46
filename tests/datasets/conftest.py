"""Real data sets, or a skip that names the missing one; and a server on the loopback that misbehaves on demand."""

import gc
import threading
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pytest

import latentcells.datasets as datasets
from latentcells import _checks
from latentcells.datasets import _fetch, _registry


@pytest.fixture(scope="session")
def real():
    """real("kang"): the data set, or a skip that names the missing file; the network is tried once and quickly."""
    loaded = {}

    def get(name):
        if name not in loaded:
            with pytest.MonkeyPatch.context() as patch:
                patch.setattr(_fetch, "_RETRIES", 0)
                patch.setattr(_fetch, "_TIMEOUT", (3, 10))
                try:
                    loaded[name] = datasets.load(name)
                except datasets.DataUnavailable as error:
                    loaded[name] = error
        if isinstance(loaded[name], OSError):
            pytest.skip(f"{name}: {loaded[name]}")
        return loaded[name].copy()

    return get


@pytest.fixture
def contract():
    """contract(adata, name): assert what every data set guarantees."""

    def check(adata, name, x="counts"):
        counts = adata.layers["counts"]
        _checks.counts(counts)
        _checks.unique_genes(adata)
        assert counts.format == "csr" and counts.dtype == np.int32 and counts.has_sorted_indices
        assert adata.obs_names.is_unique
        assert _checks.state(adata.X) == x
        if x == "counts":
            assert adata.X.format == "csr" and adata.X.dtype == np.int32 and (counts != adata.X).nnz == 0
            assert not np.shares_memory(adata.X.data, counts.data)
        for column in ("label", "batch"):
            assert isinstance(adata.obs[column].dtype, pd.CategoricalDtype)
            assert set(adata.obs[column].cat.categories) == set(adata.obs[column])
        source = adata.uns["source"]
        assert list(source) == ["name", "citation", "doi", "licence", "url", "note"]
        assert source["name"] == name
        assert all(isinstance(value, str) for value in source.values())
        assert source["citation"] and source["licence"] and source["note"]

    return check


class Server(ThreadingHTTPServer):
    """Gives ``answers`` in turn and repeats the last: (status, body, promised length), or a function of the handler."""

    daemon_threads = False
    answers = ()
    requests = 0
    lock = threading.Lock()

    def promise(self, *answers):
        self.answers = answers

    def next(self):
        with self.lock:
            answer = self.answers[min(self.requests, len(self.answers) - 1)]
            self.requests += 1
        return answer

    @property
    def address(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        answer = self.server.next()
        with suppress(ConnectionError):  # the client may have given up
            answer(self) if callable(answer) else self.respond(*answer)

    def respond(self, status, body, length, **headers):
        self.send_response(status)
        for name, value in {"Content-Length": str(length), **headers}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args):
        pass


@contextmanager
def serving():
    """A server on a free port of the loopback, shut down at the end."""
    with Server(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def server(monkeypatch):
    """A server that stands in for raw.githubusercontent.com."""
    monkeypatch.delenv("LATENTCELLS_OFFLINE", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr("pooch.core.time.sleep", lambda seconds: None)
    with serving() as server:
        monkeypatch.setattr(_registry, "HOST", server.address)
        yield server
    gc.collect(1)  # pooch leaves an interrupted response to the garbage collector: collect it here


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """The path of a cache folder that does not exist yet."""
    folder = tmp_path / "cache"
    monkeypatch.setenv("LATENTCELLS_DATA", str(folder))
    return folder


@pytest.fixture
def files():
    """files(folder): the relative paths of everything in it."""

    def list_files(folder):
        return sorted(str(path.relative_to(folder)) for path in folder.rglob("*")) if folder.exists() else []

    return list_files


@pytest.fixture
def refused():
    """refused(call): the one-line message of DataUnavailable, which must have no chained traceback."""

    def check(call, *args):
        with pytest.raises(datasets.DataUnavailable) as caught:
            call(*args)
        error = caught.value
        assert error.__cause__ is None and error.__suppress_context__
        message = str(error)
        assert "\n" not in message
        assert "LATENTCELLS_DATA" in message and "offline_ok=True" in message
        return message

    return check
