"""Convert the MyST Markdown of the chapters to Markdown and HTML that every notebook program shows.

Titles, addresses, figure numbers and references come from the built book. If the book's address is known, a reference
becomes a link to its page, otherwise plain text. An unknown directive or role is an error, so that no raw MyST reaches
a reader.
"""

import posixpath
import re
import textwrap
from base64 import b64encode
from pathlib import Path

from pybtex.database import parse_file
from pybtex.plugin import find_plugin
from pybtex.richtext import Text
from sphinx.util.inventory import InventoryFile

BLOCK = re.compile(r"^(?P<fence>`{3,}|:{3,})(?P<info>.*)\n(?P<body>(?:.*\n)*?)(?P=fence)[ \t]*$", re.M)
DIRECTIVE = re.compile(r"\{([\w:-]+)\}\s*(.*)")
OPTION = re.compile(r":([\w-]+):[ \t]*(.*)\n")
INLINE = re.compile(
    r"^\([\w-]+\)=\n"  # a target, which names what follows it
    r"|(?:\{(?P<role>[\w:-]+)\})?(?P<ticks>`+)(?P<content>.+?)(?P=ticks)"
    r"|\[(?P<text>[^\]]+)\]\((?P<target>[^)\s]+)\)",
    re.M | re.S,
)
FIGURE = re.compile(
    r'<figure[^>]* id="([^"]+)"(?:(?!<figure).)*?class="caption-number">(.*?)\s*</span>', re.S
)
PROTECTED = re.compile(r'<span class="bibtex-protected">(.*?)</span>')


def directive(block: re.Match) -> tuple[str, str, dict[str, str], str]:
    """Name, argument, options and body of a directive that `BLOCK` matched; a code listing has an empty name."""
    name, argument = match.groups() if (match := DIRECTIVE.fullmatch(block["info"])) else ("", "")
    body, options = block["body"], {}
    while name and (option := OPTION.match(body)):
        options[option[1]], body = option[2], body[option.end() :]
    return name, argument, options, body.strip()


class Book:
    """The targets, figure numbers and references of the built book.

    Args:
        site: the folder of the built site.
        sources: the folder that holds its sources.
        bibliography: the BibTeX file.
        address: where the site is published, or "".
    """

    def __init__(self, site: Path, sources: Path, bibliography: Path, address: str):
        self.sources, self.address = sources, address
        with open(site / "objects.inv", "rb") as file:
            inventory = InventoryFile.load(file, address, posixpath.join)
        # the names that a role or a link may use -> (address, title)
        self.targets = {
            kind: {name.lower(): entry[2:] for name, entry in inventory[f"std:{kind}"].items()}
            for kind in ("doc", "label", "term")
        }
        pages = (page.read_text(encoding="utf8") for page in sorted(site.glob("*/*.html")))
        self.figures = {name: number for page in pages for name, number in FIGURE.findall(page)}
        self.bibliography = parse_file(bibliography)

    def find(self, kind: str, name: str) -> tuple[str, str]:
        """Address and title of a page ("doc"), a target ("label") or a glossary term ("term")."""
        try:
            return self.targets[kind][name.lower()]
        except KeyError:
            raise ValueError(f"the book has no {kind} {name!r}; build it again, or fix the name") from None

    def number(self, figure: str) -> str:
        """A figure's number in the book, for instance "Fig. 2"."""
        if figure not in self.figures:
            raise ValueError(f"the book has no figure {figure!r}; build it again, or fix the name")
        return self.figures[figure]

    def link(self, text: str, address: str) -> str:
        """A link if the book's address is known, else the text alone."""
        return f"[{text}]({address})" if self.address else text


class Page:
    """A page of the book to convert; it collects the keys that it cites.

    Args:
        book: the `Book`.
        name: the page's name, for instance ``"chapters/01_vae"``.
    """

    def __init__(self, book: Book, name: str):
        self.book, self.folder, self.cited = book, posixpath.dirname(name), []

    def convert(self, text: str) -> str:
        """The text of a cell converted to plain Markdown.

        Raises:
            ValueError: for an unknown directive, role or target.
        """
        parts, end = [], 0
        for block in BLOCK.finditer(text):
            parts += [INLINE.sub(self._inline, text[end : block.start()]), self._block(block)]
            end = block.end()
        return "".join(parts) + INLINE.sub(self._inline, text[end:])

    def path(self, target: str) -> str:
        """A path written on this page, relative to the folder of the sources."""
        return posixpath.normpath(posixpath.join(self.folder, target))

    def _block(self, block: re.Match) -> str:
        name, argument, options, body = directive(block)
        if not name:
            return block[0]  # a listing
        if name not in DIRECTIVES:
            raise ValueError(f"no rule for the directive {{{name}}}: add one to tools/myst.py")
        return DIRECTIVES[name](self, self.convert(argument), options, self.convert(body))

    def _inline(self, match: re.Match) -> str:
        if match["target"]:
            return self._link(match["text"], match["target"])
        if match["role"] is None:
            return match[0] if match["ticks"] else ""
        if match["role"] not in ROLES:
            raise ValueError(f"no rule for the role {{{match['role']}}}: add one to tools/myst.py")
        return ROLES[match["role"]](self, " ".join(match["content"].split()))

    def _link(self, text: str, target: str) -> str:
        if "://" in target:
            return f"[{text}]({target})"
        return self.book.link(text, self.book.find("label", target)[0])


# Directives: (page, argument, options, converted body) -> Markdown.


def admonition(page, title, options, body):
    """A quotation under a bold title."""
    return textwrap.indent(f"**{title}**\n\n{body}", "> ", lambda line: True).replace("> \n", ">\n")


def dropdown(page, title, options, body):
    """A block that opens with a click."""
    return f"<details>\n<summary>{title}</summary>\n\n{body}\n\n</details>"


def figure(page, path, options, body):
    """The image and its caption. Without an address the image is embedded, which works everywhere but in Colab."""
    source = page.book.sources / page.path(path)
    if page.book.address:
        address = posixpath.join(page.book.address, "_images", source.name)
    else:
        address = f"data:image/svg+xml;base64,{b64encode(source.read_bytes()).decode()}"
    return f"![{options['alt']}]({address})\n\n{caption(page, options['name'], body)}"


def caption(page, name, text):
    """A figure's caption with its number in the book."""
    return f"**{page.book.number(name)}.** {text}"


def references(page, argument, options, body):
    """The works that the page has cited, in the order of their first citation."""
    style = find_plugin("pybtex.style.formatting", "unsrt")()
    entries = [page.book.bibliography.entries[key] for key in dict.fromkeys(page.cited)]
    html = (" ".join(entry.text.render_as("html").split()) for entry in style.format_entries(entries))
    lines = (PROTECTED.sub(r"\1", line) for line in html)
    return "\n".join(f"{i}. {line}" for i, line in enumerate(lines, 1))


DIRECTIVES = {
    "admonition": admonition,
    "dropdown": dropdown,
    "figure": figure,
    "footbibliography": references,
}

# Roles: (page, content) -> Markdown.


def _text_and_target(content):
    """(text, target) of ``text <target>``; for a target alone the text is None."""
    named = re.fullmatch(r"(.+?)\s*<(.+)>", content)
    return named.groups() if named else (None, content)


def doc(page, content):
    """A page of the book, by its title."""
    text, target = _text_and_target(content)
    address, title = page.book.find("doc", page.path(target))
    return page.book.link(text or title, address) if page.book.address else f"*{text or title}*"


def term(page, content):
    """A glossary term."""
    text, name = _text_and_target(content)
    return page.book.link(text or name, page.book.find("term", name)[0])


def numref(page, name):
    """A figure, by its number in the book."""
    return page.book.link(page.book.number(name), page.book.find("label", name)[0])


def cite_in_brackets(page, keys):
    """(Authors year; authors year)."""
    return "(" + "; ".join(_cite(page, key.strip(), "{} {}") for key in keys.split(",")) + ")"


def cite_in_text(page, keys):
    """Authors (year)."""
    return ", ".join(_cite(page, key.strip(), "{} ({})") for key in keys.split(","))


def _cite(page, key, form):
    page.cited.append(key)
    entry = page.book.bibliography.entries[key]
    names = [str(Text.from_latex(" ".join(p.prelast_names + p.last_names))) for p in entry.persons["author"]]
    authors = names[0] + " et al." if len(names) > 2 else " and ".join(names)
    doi = entry.fields.get("doi")
    address = f"https://doi.org/{doi}" if doi else entry.fields["url"]
    return f"[{form.format(authors, entry.fields['year'])}]({address})"


ROLES = {
    "doc": doc,
    "footcite:p": cite_in_brackets,
    "footcite:t": cite_in_text,
    "numref": numref,
    "term": term,
}
