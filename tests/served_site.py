"""The built book, and the same book in a browser."""

import functools
import subprocess
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import pytest
from playwright.sync_api import sync_playwright

from tests.book import book_rules as rules
from tools import pdf


@pytest.fixture(scope="session")
def built():
    """The folder of the built site; make itself says whether it is newer than every source."""
    if subprocess.run(
        ["make", "--question", "_build/.built"], cwd=rules.ROOT, capture_output=True
    ).returncode:
        pytest.fail("_build/html is missing or older than its sources: make book")
    return rules.SITE


@pytest.fixture(scope="session")
def site(built):
    return rules.Site(built)


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture(scope="session")
def address(built):
    """Where the site is served, on this computer only."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=built))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture(scope="session")
def chromium():
    path = pdf.chromium()
    if path is None:
        pytest.skip(rules.NO_CHROMIUM)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=pdf.FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def visit(chromium, address):
    """``visit(path, theme, width, **context)`` opens a page; its ``trouble`` lists what went wrong on the way."""
    contexts = []

    def visit(path, theme="light", width=1280, **options):
        context = chromium.new_context(viewport={"width": width, "height": 800}, **options)
        contexts.append(context)
        for key in ("mode", "theme"):
            context.add_init_script(f"localStorage.{key} ??= '{theme}'")
        page = context.new_page()
        page.trouble = trouble = []
        page.on("console", lambda said: said.type == "error" and trouble.append(said.text))
        page.on("pageerror", lambda error: trouble.append(str(error)))
        page.on(
            "response", lambda got: got.ok or got.status == 304 or trouble.append(f"{got.status} {got.url}")
        )
        page.on("request", lambda asked: asked.url.startswith(address) or trouble.append(f"asks {asked.url}"))
        page.goto(address + path, wait_until="networkidle")
        return page

    yield visit
    for context in contexts:
        context.close()
