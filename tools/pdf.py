"""`make pdf`: the whole book as one tagged PDF, printed by Chromium.

The built pages are joined to one page in the order of _toc.yml, and links between them become links within it. Folded
code is open; hints, solutions and answers are moved from under their questions to an appendix.
"""

import argparse
import re
import shutil
import sys
from pathlib import Path
from posixpath import dirname, join, normpath
from urllib.parse import urldefrag, urlsplit

import yaml
from bs4 import BeautifulSoup, Tag
from playwright.sync_api import sync_playwright

ROOT = Path(__file__).parents[1]
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
FOLDED = "details.sd-dropdown, .tag_solution"  # what answers a question
ON_SCREEN = (
    "script, .headerlink, .lc-report, .lc-progress, .lc-letters, .lc-filter, .lc-editions, #explorer, "
    ".cell > details > summary"
)
PLAIN = ".highlight :is(.n, .nn, .p, .w)"  # code in the colour of all code: most of the tags without any use
NAMES = ("id", "aria-labelledby", "aria-describedby")
APPENDIX = "Appendix: hints, solutions and answers"
MARGIN = {"top": "16mm", "bottom": "18mm", "left": "18mm", "right": "18mm"}
FOOTER = '<p style="font: 8pt sans-serif; margin: auto"><span class="pageNumber"></span></p>'


def chromium() -> str | None:
    """The path of a Chromium, or None."""
    return next(filter(None, map(shutil.which, ("chromium", "google-chrome", "chromium-browser"))), None)


def parts(toc: Path) -> dict[str, list[str]]:
    """The pages of each part of the book, by its caption; the first page has no part."""
    contents = yaml.safe_load(toc.read_text(encoding="utf8"))
    listed = {part["caption"]: [page["file"] for page in part["chapters"]] for part in contents["parts"]}
    return {"": [contents["root"]], **listed}


def words(tag: Tag) -> str:
    """The text of an element, on one line."""
    return " ".join(tag.get_text().split())


def element(name: str, *children, **attributes) -> Tag:
    """A new element."""
    made = BeautifulSoup("", "html.parser").new_tag(name, attrs=attributes)
    made.extend(children)
    return made


def place(page: str, anchor: str) -> str:
    """The name that a place of a page has in the joined one."""
    return f"{page}:{anchor}"


def built(site: Path, page: str) -> BeautifulSoup:
    """A built page, with the addresses of the files that it loads."""
    soup = BeautifulSoup((site / f"{page}.html").read_text(encoding="utf8"), "html.parser")
    for tag in soup.select("[src], link[rel=stylesheet]"):
        key = "src" if "src" in tag.attrs else "href"
        tag[key] = (site / normpath(join(dirname(page), urlsplit(tag[key]).path))).as_uri()
    return soup


def article(soup: BeautifulSoup, page: str, pages: list[str]) -> Tag:
    """The article of a built page, with names and links that hold in the joined one."""
    found = soup.select_one("article.bd-article")
    for tag in found.select(ON_SCREEN):
        tag.decompose()
    for image in found("img"):
        image["loading"] = "eager"
    for tag in found.select(PLAIN):
        tag.unwrap()
    found.smooth()
    for tag in found.find_all(True):
        for key in tag.attrs.keys() & NAMES:
            tag[key] = " ".join(place(page, name) for name in tag[key].split())
        if "href" in tag.attrs and not urlsplit(tag["href"]).scheme:
            path, anchor = urldefrag(tag["href"])
            target = normpath(join(dirname(page), path)).removesuffix(".html") if path else page
            if target in pages:
                tag["href"] = "#" + place(target, anchor)
            else:
                del tag["href"]  # a page that only the site has
    found["id"] = place(page, "")
    return found


def answers(chapter: Tag) -> Tag | None:
    """What answers the questions of a chapter, taken out of it; where it stood, a link leads there."""
    taken = element("section")
    for number, folded in enumerate(chapter.select(FOLDED)):
        section = words(folded.find_parent("section").find(re.compile("h[1-6]")))
        if not taken.contents or words(taken.find_all("h3")[-1]) != section:
            taken.append(element("h3", section))
        summary = folded.find("summary", recursive=False)
        label = words(summary) if summary else "Solution"
        if label == "Answer":
            label += f" {1 + len(taken.find_all('h3')[-1].find_next_siblings('div'))}"
        name = f"{chapter['id']}answer-{number}"
        there = element("a", f"{label}: in the appendix", href=f"#{name}")
        folded.replace_with(element("p", there, id=f"{name}-asked", **{"class": "lc-asked"}))
        back = element("strong", element("a", label, href=f"#{name}-asked"))
        taken.append(element("div", element("p", back, **{"class": "lc-label"}), folded, id=name))
        if summary:
            summary.decompose()
    return element("section", element("h2", words(chapter.h1)), *taken.contents) if taken.contents else None


def contents(parts: dict[str, list[str]], titles: dict[str, str]):
    """The list of the pages, with links."""
    for caption, pages in parts.items():
        links = (element("a", titles[page], href="#" + place(page, "")) for page in pages)
        yield element(
            "section", element("strong", caption), element("ul", *(element("li", link) for link in links))
        )
    yield element("p", element("a", APPENDIX, href="#appendix"))


def head(soup: BeautifulSoup) -> Tag:
    """The head of a built page with nothing but its title, its styles and its formulas."""
    for tag in soup.head.find_all(["meta", "link", "script", "style"]):
        if (
            "stylesheet" not in tag.get("rel", ())
            and "mathjax" not in str(tag).lower()
            and "charset" not in tag.attrs
        ):
            tag.decompose()
    soup.title.string = soup.title.get_text().partition(" — ")[2]
    return soup.head


def joined(site: Path, parts: dict[str, list[str]]) -> str:
    """The pages of a built book as one page of HTML.

    Args:
        site: the folder of the built book.
        parts: the pages of each part, by its caption.
    """
    pages = [page for listed in parts.values() for page in listed]
    soups = {page: built(site, page) for page in pages}
    articles = {page: article(soup, page, pages) for page, soup in soups.items()}
    titles = {page: words(found.h1) for page, found in articles.items()}
    appendix = element(
        "article", element("h1", APPENDIX), *filter(None, map(answers, articles.values())), id="appendix"
    )
    top = head(next(soup for soup in soups.values() if soup.select("script[src*=mathjax]")))
    toc = element("nav", *contents(parts, titles), **{"class": "lc-contents"})
    front = element("article", element("h1", words(top.title)), toc)
    book = element("main", front, *articles.values(), appendix, **{"class": "bd-content lc-book"})
    for details in book("details"):
        details.name = "div"
        if details.summary:
            details.summary.name = "p"
    whole = element("html", top, element("body", book), **{"lang": "en", "data-theme": "light"})
    return f"<!DOCTYPE html>\n{whole}"


def write(site: Path, parts: dict[str, list[str]], pdf: Path) -> None:
    """Print a built book, by way of a page beside the PDF.

    Raises:
        SystemExit: where there is no Chromium.
    """
    if (executable := chromium()) is None:
        sys.exit("make pdf needs Chromium or Chrome (Debian: apt-get install chromium)")
    page_file = pdf.with_suffix(".html")
    page_file.write_text(joined(site, parts), encoding="utf8")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        page = browser.new_page()
        page.set_default_timeout(0)
        page.goto(page_file.as_uri(), wait_until="load")
        page.evaluate("MathJax.startup.promise")
        page.pdf(
            path=pdf,
            format="A4",
            margin=MARGIN,
            display_header_footer=True,
            header_template="<span></span>",
            footer_template=FOOTER,
            print_background=True,
            scale=0.75,
            tagged=True,
            outline=True,
        )
        browser.close()


def main() -> None:
    """Write _build/latent-cells.pdf."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    pdf = ROOT / "_build/latent-cells.pdf"
    write(ROOT / "_build/html", parts(ROOT / "_toc.yml"), pdf)
    print(f"The PDF: {pdf.as_uri()}")


if __name__ == "__main__":
    main()
