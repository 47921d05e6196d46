"""What each chapter is, as JSON-LD for search engines and registries of training material, read from its card."""

import json
import re
from pathlib import Path

import yaml
from docutils import nodes

PROFILE = "https://bioschemas.org/profiles/TrainingMaterial/1.0-RELEASE"
LICENCE = "https://creativecommons.org/licenses/by/4.0/"
TIME = re.compile(r"about (an hour|\d+ minutes) to read, and (\d+) minutes for all")


def card(doctree) -> dict[str, str]:
    """The paragraphs of a chapter's card by the bold words that they begin with; empty on a page without a card."""
    boxes = (box for box in doctree.findall(nodes.admonition) if any(i.endswith("-card") for i in box["ids"]))
    bold = [strong for box in boxes for strong in box.findall(nodes.strong)]
    return {b.astext(): " ".join(b.parent.astext().removeprefix(b.astext()).split()) for b in bold}


def minutes(time: str) -> int:
    """How long a chapter takes to read and to work through.

    Raises:
        ValueError: for a card that does not say it.
    """
    if not (said := TIME.search(time)):
        raise ValueError(
            f"the card's time has no 'about ... minutes to read, and ... minutes for all': {time}"
        )
    return (60 if said[1] == "an hour" else int(said[1].split()[0])) + int(said[2])


def resource(doctree, citation: dict, address: str) -> dict | None:
    """The JSON-LD of a chapter; None on another page.

    Args:
        doctree: the page.
        citation: what CITATION.cff says.
        address: of the page, or "".
    """
    if not (says := card(doctree)):
        return None
    title, able = next(iter(doctree.findall(nodes.title))).astext(), says["You will be able to"]
    return {
        "@context": {"@vocab": "https://schema.org/", "dct": "http://purl.org/dc/terms/"},
        "@type": "LearningResource",
        "dct:conformsTo": {"@id": PROFILE},
        "name": title,
        "description": f"{title}: you will be able to {able}",
        "keywords": citation["keywords"],
        "teaches": able.rstrip(".").split("; "),
        "competencyRequired": says["You need"],
        "timeRequired": f"PT{minutes(says['Time'])}M",
        "learningResourceType": "tutorial",
        "license": LICENCE,
        "inLanguage": "en",
        "version": citation["version"],
        "author": [{"@type": "Organization", "name": author["name"]} for author in citation["authors"]],
        "isPartOf": {"@type": "Course", "name": citation["title"]},
        **({"@id": address, "url": address} if address else {}),
    }


def read_citation(app):
    """Read CITATION.cff, once a build."""
    app.citation = yaml.safe_load(Path(app.srcdir, "CITATION.cff").read_text(encoding="utf8"))


def add(app, pagename, templatename, context, doctree):
    """Put the JSON-LD of a chapter into the head of its page."""
    address = f"{app.config.html_baseurl}{pagename}.html" if app.config.html_baseurl else ""
    if doctree and (data := resource(doctree, app.citation, address)):
        said = json.dumps(data, ensure_ascii=False).replace("<", "\\u003c")
        context["metatags"] += f'<script type="application/ld+json">{said}</script>\n'


def setup(app):
    """Connect after the extension that starts a page's metadata."""
    app.connect("builder-inited", read_citation)
    app.connect("html-page-context", add, priority=900)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
