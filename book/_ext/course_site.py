"""What the book's own Sphinx extension adds: what follows from the published address, and a lean site."""

from pathlib import Path
from urllib.parse import urlsplit

from docutils import nodes

# Files of _static that no page asks for: source maps, MathJax's other bundles and languages, fonts for old browsers.
UNUSED = ("**/*.map", "mathjax/*.js", "mathjax/sre/mathmaps/*.json", "vendor/**/*.ttf", "locales/**/*.*o")
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


def math_where_needed(app, pagename, templatename, context, doctree):
    """Load MathJax (1.1 MB) on pages with mathematics only; Sphinx loads it on a page whose contents have some."""
    if not (doctree and any(doctree.findall(lambda n: isinstance(n, nodes.math | nodes.math_block)))):
        context["script_files"] = [s for s in context["script_files"] if "mathjax" not in str(s.filename)]


def lists_of_references(app, pagename, templatename, context, doctree):
    """A list of references is no ARIA list: docutils gives its entries a role that is no list item."""
    if "body" in context:
        context["body"] = context["body"].replace(
            '<div role="list" class="citation-list">', '<div class="citation-list">'
        )


def prune(app, exception):
    """Delete what no page asks for."""
    static = Path(app.outdir, "_static")
    for pattern in UNUSED if exception is None else ():
        for file in static.glob(pattern):
            if file.name not in USED:
                file.unlink()


def setup(app):
    """Connect them to Sphinx; they come after the extensions whose work they change."""
    app.connect("config-inited", follow_address)
    app.connect("html-page-context", math_where_needed, priority=900)
    app.connect("html-page-context", lists_of_references)
    app.connect("build-finished", prune, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
