"""The book as the Pages workflow publishes it: with the address and the repository filled in, from a copy."""

import re
import shutil
import subprocess
import sys
from urllib.parse import urlsplit

import pytest

from tests.book import rules

REPOSITORY, ADDRESS = "https://github.com/someone/cells", "https://someone.github.io/cells"
FILLED_IN = {
    "github.server_url": "https://github.com",
    "github.repository": "someone/cells",
    "github.ref_name": "main",
    "steps.pages.outputs.base_url": ADDRESS,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    copy = tmp_path_factory.mktemp("published")
    for name in ("book", "chapters"):
        shutil.copytree(rules.ROOT / name, copy / name)
    for name in ("_config.yml", "_toc.yml"):
        shutil.copy(rules.ROOT / name, copy)
    workflow = (rules.ROOT / ".github/workflows/pages.yml").read_text(encoding="utf8")
    edits = re.findall(r"-e '(s\|.*\|)'", workflow)
    edits = [re.sub(r"\$\{\{ (.*?) \}\}", lambda m: FILLED_IN[m[1]], edit) for edit in edits]
    arguments = [argument for edit in edits for argument in ("-e", edit)]
    subprocess.run(["sed", "-i", *arguments, copy / "_config.yml"], check=True)
    book = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        copy,
        "-W",
        "-n",
        "-q",
    ]
    built = subprocess.run(book, capture_output=True, text=True)
    assert not built.returncode, built.stdout + built.stderr
    return rules.Site(copy / "_build/html")


def page(site, name):
    return site.pages[site.folder / name]


def test_sitemap(site):
    listed = set(re.findall("<loc>(.*?)</loc>", (site.folder / "sitemap.xml").read_text(encoding="utf8")))
    pages = {re.sub(r"\.(md|ipynb)$", ".html", name) for name in rules.sources()}
    assert listed == {f"{ADDRESS}/{name}" for name in pages}


def test_card(site):
    about = {
        tag["property"]: tag["content"] for tag in page(site, "chapters/01_vae.html")("meta", property=True)
    }
    assert about["og:url"] == f"{ADDRESS}/chapters/01_vae.html"
    assert about["og:image"].startswith(ADDRESS + "/")
    assert (site.folder / about["og:image"].removeprefix(ADDRESS + "/")).is_file()


def test_canonical_address(site):
    (canonical,) = page(site, "book/data.html").select("link[rel=canonical]")
    assert canonical["href"] == f"{ADDRESS}/book/data.html"


def test_buttons(site):
    buttons = [
        tag["href"].partition("?")[0]
        for tag in page(site, "chapters/01_vae.html").select(".btn[href*='://']")
    ]
    assert buttons == [
        "https://colab.research.google.com/github/someone/cells/blob/main/chapters/01_vae.ipynb",
        REPOSITORY,
        f"{REPOSITORY}/edit/main/chapters/01_vae.ipynb",
        f"{REPOSITORY}/issues/new",
    ]


def test_the_404_page_works_at_any_address(site):
    targets = [tag.get("href") or tag.get("src") for tag in page(site, "404.html").select("[href], [src]")]
    local = [target for target in targets if not urlsplit(target).netloc and not target.startswith("#")]
    assert len(local) > 10
    for target in local:
        path = urlsplit(target).path
        assert path.startswith("/cells/") and (site.folder / path.removeprefix("/cells/")).is_file(), target
