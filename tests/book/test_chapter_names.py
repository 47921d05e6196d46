"""What a chapter is called, and how it is found by its number."""

import re

import nbformat
import pytest
from bs4 import BeautifulSoup

from tests.book.book_rules import ROOT

TITLES = {
    int(path.stem[:2]): (
        f"chapters/{path.stem}.html",
        nbformat.read(path, as_version=4).cells[0].source.splitlines()[0].removeprefix("# "),
    )
    for path in sorted((ROOT / "chapters").glob("*.ipynb"))
}
MENTION = re.compile(r"\bchapters?\s+(\d+)((?:(?:,|,?\s+(?:and|or|to))\s+\d+)*)", re.I)
NO_MENTION = ["a", "code", "pre", "h1", "h2", "h3", "h4", "h5", "h6", "script", "style"]


def address(path, link):
    """Where a link of a page leads, from the site's root."""
    return (path.parent / link["href"].partition("#")[0]).resolve()


@pytest.mark.parametrize("number", TITLES)
def test_a_chapter_has_one_name_and_its_number(site, number):
    file, title = TITLES[number]
    page, name = site.pages[site.folder / file], f"{number}. {title}"
    assert page.h1.find(string=True, recursive=False) and page.h1.text.removesuffix("#") == name
    assert page.title.text.startswith(name)
    assert page.find("meta", property="og:title")["content"] == name
    first = site.pages[site.folder / "book/index.html"]
    menu = first.select(f".bd-sidebar-primary a[href$='{file}']")
    assert [link.text.strip() for link in menu] == [name]
    (card,) = (card for card in first.select(".lc-chapter") if card.select(f"a[href$='{file}']"))
    assert card.select_one(".sd-card-title").text.strip() == name
    if number > 1:
        before = site.pages[site.folder / TITLES[number - 1][0]]
        assert name in before.select_one(".right-next").text


def test_the_map_has_the_names_of_the_chapters():
    drawing = BeautifulSoup((ROOT / "book/_static/map.svg").read_text(encoding="utf8"), "html.parser")
    labels = " ".join(text.get_text() for text in drawing.find_all("text"))
    assert labels == " ".join(f"{number} {title}" for number, (_, title) in TITLES.items())


@pytest.mark.parametrize("number", TITLES)
def test_figures_count_within_a_chapter(site, number):
    page = site.pages[site.folder / TITLES[number][0]]
    figures = [tag.text.strip() for tag in page.select("figcaption .caption-number")]
    assert figures == [f"Fig. {number}.{place + 1}" for place in range(len(figures))] and figures


def test_a_link_with_the_title_of_a_chapter_says_its_number(site):
    names = {f"{title} (chapter {number})" for number, (_, title) in TITLES.items()}
    links = [
        (path, link)
        for path, page in site.pages.items()
        for link in page.select(".bd-article a:has(> .doc)")
        if address(path, link).parent.name == "chapters"
    ]
    assert len(links) > 50
    spoken = [
        link.text for path, link in links if link.text.split(" (")[0] in {t for _, t in TITLES.values()}
    ]
    assert set(spoken) <= names and len(set(spoken)) == len(names)


def test_a_chapter_mentioned_by_its_number_is_linked(site):
    linked = 0
    for path, page in site.pages.items():
        for link in page.select(".bd-article a[href]"):
            if (said := re.match(r"chapters? (\d+)$", link.text, re.I)) and not link["href"].startswith("#"):
                linked += 1
                assert address(path, link) == site.folder / TITLES[int(said[1])][0]
        for text in (
            page.select_one(".bd-article").find_all(string=MENTION) if page.select(".bd-article") else ()
        ):
            if text.find_parent(NO_MENTION) or text.find_parent("dl", class_="py"):
                continue
            for said in MENTION.finditer(text):
                numbers = map(int, re.findall(r"\d+", said[0]))
                others = [n for n in numbers if n in TITLES and site.folder / TITLES[n][0] != path]
                assert not others, f"{path}: {said[0]} is no link"
    assert linked > 40


def test_several_chapters_in_one_mention_are_each_linked(site):
    path = site.folder / "book/corrections.html"
    links = site.pages[path].select("li a.reference.internal")
    assert {link.text: address(path, link).name for link in links if link.text in ("chapters 3", "10")} == {
        "chapters 3": "03_hvg.html",
        "10": "10_x_versus_z.html",
    }
