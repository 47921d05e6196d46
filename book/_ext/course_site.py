"""The book's own Sphinx extension.

What follows from the published address, the numbers of the chapters, the letters of the glossary, lists that hold
items, images with a size, a way to report what is wrong, a lean site.
"""

import re
from html import escape, unescape
from itertools import groupby
from pathlib import Path
from urllib.parse import quote, urlencode, urlsplit

from docutils import nodes
from sphinx import addnodes
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import docname_join
from sphinx.util.images import get_image_size

# Files of _static that no page asks for: source maps, MathJax's other bundles and languages, the parts that its bundle
# tex-chtml.js holds already, fonts for old browsers.
UNUSED = (
    "**/*.map", "mathjax/*.js", "mathjax/sre/mathmaps/*.json", "mathjax/output/svg.js", "mathjax/output/svg/**/*.js",
    "mathjax/input/tex*.js", "mathjax/input/asciimath.js", "mathjax/input/tex/extensions/all-packages.js",
    "mathjax/output/chtml.js", "mathjax/output/chtml/fonts/tex.js", "mathjax/ui/menu.js",
    "vendor/**/*.ttf", "locales/**/*.*o",
)  # fmt: skip
USED = {"tex-chtml.js", "base.json", "en.json"}


# "chapter 6", "Chapters 1, 2 and 5": the first place is linked with its word, the others are numbers.
MENTION = re.compile(r"\b[Cc]hapter(?:\s+\d+|s\s+\d+(?:(?:,|,?\s+(?:and|or|to))\s+\d+)*)\b")
PLACE = re.compile(r"(?:[Cc]hapters?\s+)?(\d+)")
NO_MENTION = (nodes.reference, nodes.title, nodes.literal, nodes.FixedTextElement, nodes.raw, addnodes.pending_xref,
              addnodes.desc)  # fmt: skip


def follow_address(app, config):
    """Fill in what depends on the site's address and on the repository, where _config.yml names them."""
    if config.html_baseurl:
        config.html_baseurl = config.html_baseurl.rstrip("/") + "/"
        config.ogp_site_url = config.html_baseurl
    config.notfound_urls_prefix = urlsplit(config.html_baseurl).path or "/"
    known = bool(config.html_theme_options.get("repository_url"))
    for button in ("repository", "edit_page", "issues"):
        config.html_theme_options[f"use_{button}_button"] = known
    if known:
        app.tags.add("published")  # what `only` asks for


def chapters(env) -> dict[int, str]:
    """The page of each chapter, by the number that _toc.yml gives it."""
    return {numbers[""][0]: page for page, numbers in env.toc_secnumbers.items() if numbers.get("")}


def number_titles(app, env):
    """Put the number into the titles of chapters; Sphinx has it in headings and in the sidebar alone."""
    for number, page in chapters(env).items():
        for titles in (env.titles, env.longtitles):
            title = titles[page].astext().removeprefix(f"{number}. ")  # of an earlier build
            titles[page] = nodes.title("", f"{number}. {title}")


def find_teaching(app, env):
    """Note for each chapter the terms of the glossary that it links before the others do, with their sections."""
    glossary = next(env.get_doctree("book/glossary").findall(addnodes.glossary))
    names = {}  # all names of an entry, by each of them
    for item in glossary[0]:
        same = [term.astext() for term in item.findall(nodes.term)]
        names |= {name.lower(): same for name in same}
    env.taught = {}
    for _, page in sorted(chapters(env).items()):
        for link in env.get_doctree(page).findall(addnodes.pending_xref):
            if link["reftype"] == "term" and (same := names.get(link["reftarget"].lower())):
                section = next(above for above in ancestors(link) if isinstance(above, nodes.section))
                env.taught.setdefault(page, []).extend((name, section["ids"][0]) for name in same)
                names = {name: others for name, others in names.items() if others is not same}


class IndexTerms(SphinxPostTransform):
    """Let the search lead to the chapter that teaches a term: it reads the index entries of a page."""

    default_priority = 5

    def run(self, **_):
        """Add the entries of one page."""
        for name, section in self.env.taught.get(self.env.docname, ()):
            self.document += addnodes.index(entries=[("single", name, section, "main", None)])


class LinkChapters(SphinxPostTransform):
    """Link "chapter 6" to that chapter, and let a link that shows a chapter's title say its number."""

    default_priority = 5  # before Sphinx resolves references

    def run(self, **_):
        """Change the links and the text of one page."""
        pages = chapters(self.env)
        numbers = {page: number for number, page in pages.items()}
        for link in list(self.document.findall(addnodes.pending_xref)):
            page = docname_join(link.get("refdoc", self.env.docname), link.get("reftarget", ""))
            if link.get("reftype") == "doc" and not link["refexplicit"] and page in numbers:
                title = self.env.titles[page].astext().removeprefix(f"{numbers[page]}. ")
                link["refexplicit"], link[:] = True, [nodes.Text(f"{title} (chapter {numbers[page]})")]
        for text in list(self.document.findall(nodes.Text)):
            if MENTION.search(text) and not any(isinstance(above, NO_MENTION) for above in ancestors(text)):
                text.parent.replace(text, list(self.linked(text, pages)))

    def linked(self, text, pages):
        """The nodes of a text in which mentions are links."""
        done = 0
        for mention in MENTION.finditer(text):
            for place in PLACE.finditer(text, *mention.span()):
                page = pages.get(int(place[1]), self.env.docname)
                if page != self.env.docname:
                    address = self.app.builder.get_relative_uri(self.env.docname, page)
                    yield nodes.Text(text[done : place.start()])
                    yield nodes.reference("", place[0], internal=True, refuri=address)
                    done = place.end()
        yield nodes.Text(text[done:])


def ancestors(node):
    """The nodes around a node, from the inside out."""
    while node := node.parent:
        yield node


def letters(app, doctree):
    """Put a row of letters on top of a glossary: each leads to its first term."""
    for glossary in list(doctree.findall(addnodes.glossary)):
        terms = [next(iter(item.findall(nodes.term))) for item in glossary[0]]
        links = " ".join(
            f'<a href="#{next(same)["ids"][0]}">{letter}</a>'
            for letter, same in groupby(terms, lambda term: term.astext()[0].upper())
        )
        row = f'<nav class="lc-letters" aria-label="Terms by their first letter">{links}</nav>'
        glossary.parent.insert(glossary.parent.index(glossary), nodes.raw("", row, format="html"))


def math_where_needed(app, pagename, templatename, context, doctree):
    """Load MathJax (1.1 MB) on pages with mathematics only; Sphinx loads it on a page whose contents have some."""
    if not (doctree and any(doctree.findall(lambda n: isinstance(n, nodes.math | nodes.math_block)))):
        context["script_files"] = [s for s in context["script_files"] if "mathjax" not in str(s.filename)]


def references_as_items(app, pagename, templatename, context, doctree):
    """Call each reference an item of its list; docutils gives it a role that ARIA has withdrawn."""
    if doctree:
        context["body"] = context["body"].replace('role="doc-biblioentry"', 'role="listitem"')


def place_images(app, pagename, templatename, context, doctree):
    """Give each image its size, so that the text does not move when it comes, and load it when it is near."""
    if doctree:
        sources = {quote(name): source for source, name in app.builder.images.items()}

        def place(tag):
            name = re.search(r'src="(?:\.\./)*(?:_images/|(_static/))([^"]+)"', tag[0])
            source = f"book/_static/{name[2]}" if name[1] else sources[name[2]]
            width, height = get_image_size(Path(app.srcdir, source))
            if chosen := re.search(r' style="width: ([\d.]+)px;[^"]*"', tag[0]):
                width, height = float(chosen[1]), height * float(chosen[1]) / width
            rest = tag[1].replace(chosen[0], "") if chosen else tag[1]
            return f'<img width="{width:.0f}" height="{height:.0f}" loading="lazy"{rest}>'

        context["body"] = re.sub(r"<img(\s[^>]*)>", place, context["body"])


HEADING = re.compile(r'<h[1-6]>(.*?)<a class="headerlink" href="(#[^"]+)".*?</a>')


def report_links(app, pagename, templatename, context, doctree):
    """Where the repository is known, give each heading a link to an issue that names the page and the section."""
    repository = app.config.html_theme_options.get("repository_url")
    if not (doctree and repository):
        return

    def with_link(heading):
        section = unescape(re.sub("<.*?>", "", heading[1]))
        where = f"{app.config.html_baseurl}{pagename}.html{heading[2]}"
        about = {"title": f"{pagename}: {section}", "body": f"Where: {where}\n\nWhat is wrong here:\n"}
        link = escape(f"{repository}/issues/new?{urlencode(about)}")
        label = escape(f"Something is wrong here: report “{section}”")
        return f'{heading[0]}<a class="lc-report" href="{link}" aria-label="{label}" title="{label}">⚑</a>'

    context["body"] = HEADING.sub(with_link, context["body"])


def prune(app, exception):
    """Delete what no page asks for."""
    static = Path(app.outdir, "_static")
    for pattern in UNUSED if exception is None else ():
        for file in static.glob(pattern):
            if file.name not in USED:
                file.unlink()


def setup(app):
    """Connect these to Sphinx; they come after the extensions whose work they change."""
    app.connect("config-inited", follow_address)
    app.connect("doctree-read", letters)
    app.connect("env-check-consistency", number_titles)
    app.connect("env-check-consistency", find_teaching)
    app.add_post_transform(IndexTerms)
    app.add_post_transform(LinkChapters)
    app.connect("html-page-context", math_where_needed, priority=900)
    app.connect("html-page-context", references_as_items)
    app.connect("html-page-context", place_images)
    app.connect("html-page-context", report_links)
    app.connect("build-finished", prune, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
