"""The book's own Sphinx extension.

What follows from the published address, the letters of the glossary, lists that hold
items, a lean site.
"""

from itertools import groupby
from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes
from sphinx import addnodes

# Files of _static that no page asks for: source maps, MathJax's other bundles and languages, the parts that its bundle
# tex-chtml.js holds already, fonts for old browsers.
UNUSED = (
    "**/*.map", "mathjax/*.js", "mathjax/sre/mathmaps/*.json", "mathjax/output/svg.js", "mathjax/output/svg/**/*.js",
    "mathjax/input/tex*.js", "mathjax/input/asciimath.js", "mathjax/input/tex/extensions/all-packages.js",
    "mathjax/output/chtml.js", "mathjax/output/chtml/fonts/tex.js", "mathjax/ui/menu.js",
    "vendor/**/*.ttf", "locales/**/*.*o",
)  # fmt: skip
USED = {"tex-chtml.js", "base.json", "en.json"}


def follow_address(app, config):
    """Fill in what depends on the site's address and on the repository, where _config.yml names them."""
    if config.html_baseurl:
        config.html_baseurl = config.html_baseurl.rstrip("/") + "/"
        config.ogp_site_url = config.html_baseurl
    config.notfound_urls_prefix = urlsplit(config.html_baseurl).path or "/"
    known = bool(config.html_theme_options.get("repository_url"))
    for button in ("repository", "edit_page", "issues"):
        config.html_theme_options[f"use_{button}_button"] = known


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
    app.connect("html-page-context", math_where_needed, priority=900)
    app.connect("html-page-context", references_as_items)
    app.connect("build-finished", prune, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
