"""The rules for the book's sources, its built pages and the other files of the repository.

A rule takes the text that it checks and yields one line per problem; test_book_rules.py tests each on a bad text.
"""

import re
import subprocess
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
from bs4 import BeautifulSoup

ROOT = Path(__file__).parents[2]
SITE = ROOT / "_build/html"

# Written in pieces, so that this file does not contain the names that it forbids.
REGISTRIES = [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("deb", "debian", "org"),
        ("proxy", "golang", "org"),
        ("anaconda", "org"),
    )
]
FOLDERS = "|".join(("wo" + "rk", "ro" + "ot", "ho" + "me", "Us" + "ers"))
MACHINE_PATHS = re.compile(r"(?<![\w.*~})-])/(?:" + FOLDERS + r")/\w")

NO_CHROMIUM = "no Chromium here: the tests in a browser are skipped (Debian: apt-get install chromium)"


def sources() -> dict[str, str]:
    """The Markdown source of every page of the book, by path."""
    pages = {path: path.read_text(encoding="utf8") for path in sorted((ROOT / "book").rglob("*.md"))}
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        cells = nbformat.read(path, as_version=4).cells
        pages[path] = "\n\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
    return {str(path.relative_to(ROOT)): text for path, text in pages.items()}


def committed_files() -> list[Path]:
    """The files that are in the repository or would be added to it."""
    listing = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listing, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0")
    return [ROOT / name for name in names if name and (ROOT / name).is_file()]


# Sources.


def bib_entries(bib: str) -> dict[str, str]:
    """The text of each entry of a BibTeX file, by its key."""
    return {m[1]: m[2] for m in re.finditer(r"^@\w+\s*\{\s*([^,\s]+)\s*,(.*?)(?=^@|\Z)", bib, re.M | re.S)}


def citations(page: str) -> Iterator[str]:
    for keys in re.findall(r"\{(?:foot)?cite(?::\w+)?\}`([^`]+)`", page):
        yield from (key.strip() for key in keys.split(","))


def unresolved_citations(page: str, bib: str) -> Iterator[str]:
    yield from (
        f"cites {key}, which references.bib lacks" for key in citations(page) if key not in bib_entries(bib)
    )


def entries_without_address(bib: str) -> Iterator[str]:
    for key, fields in bib_entries(bib).items():
        if not re.search(r"^\s*(?:doi|url)\s*=\s*[{\"]\s*\S", fields, re.M | re.I):
            yield f"{key} has neither a DOI nor a URL"


def glossary_terms(page: str) -> set[str]:
    """The terms that a `{glossary}` directive defines: its lines that are not indented."""
    blocks = re.findall(r"^(`{3,}|:{3,})\{glossary\}.*?\n(.*?)^\1", page, re.M | re.S)
    lines = "\n".join(body for _, body in blocks).splitlines()
    return {line.strip().lower() for line in lines if line[:1].strip() and not line.startswith(":")}


def undefined_terms(page: str, terms: set[str]) -> Iterator[str]:
    for text in re.findall(r"\{term\}`([^`]+)`", page):
        named = re.fullmatch(r"(?s).*<(.+)>", text)
        term = " ".join((named[1] if named else text).split())
        if term.lower() not in terms:
            yield f"uses the term {term!r}, which the glossary lacks"


# Built pages.


class Site:
    """A built site: its parsed pages and the anchors of each page."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.pages = {
            path: BeautifulSoup(path.read_text(encoding="utf8"), "html.parser")
            for path in sorted(folder.rglob("*.html"))
            if "_static" not in path.parts
        }
        self.anchors = {
            path: {tag[key] for key in ("id", "name") for tag in page.find_all(attrs={key: True})}
            for path, page in self.pages.items()
        }

    def dead_links(self) -> Iterator[str]:
        for path, page in self.pages.items():
            for tag in page.find_all(True):
                for target in (tag.get("href"), tag.get("src")):
                    if target and not self._alive(path, target):
                        yield f"{path.relative_to(self.folder)}: <{tag.name}> leads to {target}, which is not there"

    def _alive(self, path: Path, target: str) -> bool:
        url = urlsplit(target)
        if url.scheme or url.netloc or target in ("#", "#top"):
            return True
        # the 404 page is shown at any address, and its links begin with a slash
        root = self.folder if url.path.startswith("/") else path.parent
        file = (root / unquote(url.path).lstrip("/")).resolve() if url.path else path
        if not file.is_file():
            return False
        return not url.fragment or file not in self.anchors or unquote(url.fragment) in self.anchors[file]

    def images_without_alt(self) -> Iterator[str]:
        for path, page in self.pages.items():
            for image in page.find_all("img"):
                alt = (image.get("alt") or "").strip()
                if not alt or re.search(
                    r"\.(?:png|svg|jpe?g|gif)$", alt
                ):  # Sphinx's default is the file name
                    yield f"{path.relative_to(self.folder)}: {image.get('src')} has no alt text"

    def other_hosts(self) -> Iterator[str]:
        """What a page loads from another host: scripts, styles, fonts, images and frames; links do not count."""
        for path, page in self.pages.items():
            loaded = page.select("[src], link[href]:not([rel=canonical]), object[data]")
            for target in (tag.get("src") or tag.get("href") or tag.get("data") for tag in loaded):
                if urlsplit(target).netloc:
                    yield f"{path.relative_to(self.folder)} loads {target}"
        for path in sorted(self.folder.rglob("*.css")):
            for target in re.findall(
                r"(?:url\(|@import)\s*[\"']?((?:https?:)?//[^\"')\s]+)", path.read_text("utf8")
            ):
                yield f"{path.relative_to(self.folder)} loads {target}"

    def megabytes(self) -> float:
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file()) / 1e6


# Other files of the repository.


def forbidden_addresses(text: str) -> Iterator[str]:
    text = re.sub(
        r"(?:\\u001b|\x1b)\[[\d;]*m", "", text
    )  # colour codes in a traceback hide where a path begins
    yield from (f"names the package registry {host}" for host in REGISTRIES if host in text)
    yield from (f"names a path of one machine: {path}..." for path in MACHINE_PATHS.findall(text))


def lock_problems(lock: str) -> Iterator[str]:
    if "://" in lock or re.search(r"^\s*-(?!-hash=)", lock, re.M):
        yield "names an address or an option"
    for requirement in re.split(r"\n(?=\S)", lock.strip()):
        if not re.match(r"[\w.-]+==[^\s;]+", requirement):
            yield f"not pinned: {requirement.splitlines()[0]}"
        elif "--hash=sha256:" not in requirement:
            yield f"no hash: {requirement.splitlines()[0]}"


def svg_problems(svg: str) -> Iterator[str]:
    try:
        root = ET.fromstring(svg)
    except ET.ParseError as error:
        yield f"not well-formed: {error}"
        return
    if not root.tag.endswith("svg") or "viewBox" not in root.attrib:
        yield "its root is no <svg viewBox=...>, so it does not scale"
