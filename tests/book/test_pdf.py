"""The PDF of the whole book: nothing that is folded on the site is lost on paper, and answers stand in the appendix."""

import re
import subprocess
import sys
import unicodedata
from collections import Counter

import pytest
from bs4 import BeautifulSoup
from bs4.element import NavigableString

from tests.book import book_rules as rules
from tests.book.pdf_reader import Pdf
from tools import pdf

PARTS = pdf.parts(rules.ROOT / "_toc.yml")
FOLDED = "details.sd-dropdown, .tag_solution"


@pytest.fixture(scope="module")
def joined(built):
    return BeautifulSoup(pdf.joined(built, PARTS), "html.parser")


@pytest.fixture(scope="module")
def printed(built):
    """The PDF as `make pdf` writes it; in a process of its own, for the tests' Chromium runs in this one."""
    if pdf.chromium() is None:
        pytest.skip(rules.NO_CHROMIUM)
    subprocess.run([sys.executable, "-m", "tools.pdf"], cwd=rules.ROOT, check=True, capture_output=True)
    return Pdf((built.parent / "latent-cells.pdf").read_bytes())


def squeezed(text):
    """A text without spaces and ligatures."""
    return "".join(unicodedata.normalize("NFKC", text).split())


def texts(element):
    """The texts of an element, without formulas and without what only unfolds it."""
    for text in element.find_all(string=True):
        is_read = type(text) is NavigableString and not text.find_parent(["summary", "svg"])
        if is_read and not text.find_parent(class_="math") and len(squeezed(text)) > 2:
            yield squeezed(text)


def folded(site):
    """The folded texts of each chapter."""
    for path, page in site.pages.items():
        if path.parent.name == "chapters":
            yield path.stem, [text for found in page.select(FOLDED) for text in texts(found)]


def test_every_page_is_in_the_order_of_the_contents(joined):
    toc = (rules.ROOT / "_toc.yml").read_text(encoding="utf8")
    pages = re.findall(r"(?:root|file): (\S+)", toc)
    articles = joined.select("main > article")
    assert [article["id"] for article in articles[1:]] == [*(f"{page}:" for page in pages), "appendix"]
    assert {name.rpartition(".")[0] for name in rules.sources()} == set(pages)


def test_links_lead_into_the_pdf_or_to_the_network(joined):
    names = Counter(tag["id"] for tag in joined.find_all(id=True))
    assert max(names.values()) == 1
    links = [tag["href"] for tag in joined.select("main [href]")]
    assert sum(link.startswith("#") for link in links) > 500
    for link in links:
        assert link.removeprefix("#") in names if link.startswith("#") else re.match(r"https?://", link), link


def test_the_explorer_is_a_picture_and_the_page_is_light(joined):
    (explorer,) = joined.find_all(id="book/explorer:")
    assert explorer.select_one("figure img[src$='picture.png']") and not explorer.select(".lc-explorer")
    assert joined.html["data-theme"] == "light"
    assert not joined.select("main :is(script, iframe, button, input)")


def test_answers_stand_in_the_appendix_and_nowhere_else(joined, site):
    *pages, appendix = joined.select("main > article")
    said = squeezed(appendix.get_text())
    for chapter, found in folded(site):
        assert len(found) > 50 and all(text in said for text in found), chapter
    assert not [page["id"] for page in pages if page.select(FOLDED)]
    assert not joined.select("details")


@pytest.mark.slow
def test_the_pdf_has_every_folded_text_in_its_appendix(printed, site):
    pages = [squeezed(page) for page in printed.pages()]
    assert all(page.endswith(str(number)) for number, page in enumerate(pages, 1)), "no page numbers"
    pages = [page.removesuffix(str(number)) for number, page in enumerate(pages, 1)]
    title = squeezed(pdf.APPENDIX)
    (start,) = (i for i, page in enumerate(pages) if page.startswith(title))
    before, appendix = "".join(pages[:start]), "".join(pages[start:])
    for chapter, found in folded(site):
        assert not [text for text in found if text not in appendix], chapter
        assert not [text for text in found if len(text) > 80 and text in before], chapter
    code = [
        text
        for page in site.pages.values()
        for cell in page.select(".tag_hide-input pre")
        for text in texts(cell)
    ]
    assert len(code) > 1000 and not [text for text in code if text not in before]


@pytest.mark.slow
def test_the_pdf_is_tagged_and_every_heading_is_a_bookmark(printed, joined):
    headings = [squeezed(tag.get_text()) for tag in joined.select("main :is(h1, h2)")]
    bookmarks = Counter(map(squeezed, printed.bookmarks()))
    assert printed.is_tagged
    assert not Counter(headings) - bookmarks


@pytest.mark.slow
def test_the_pdf_names_no_file_of_this_machine(printed):
    assert not [text for text in printed.objects.values() if b"file:" in text or bytes(rules.ROOT) in text]
    links = Counter(link.partition(":")[0] if link[0] != "#" else "#" for link in printed.links())
    assert links.keys() <= {"#", "http", "https"} and links["#"] > 1000 and links["https"] > 100
