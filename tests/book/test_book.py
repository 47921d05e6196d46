"""The book's sources, its built pages and the repository's files follow the rules of tests/book/book_rules.py."""

import re
import subprocess
import tomllib

import pytest
from packaging.requirements import Requirement

from tests.book import book_rules as rules
from tests.notebooks.chapter_rules import typed_numbers

ROOT = rules.ROOT
PAGES = rules.sources()
BIB = ROOT / "book/references.bib"


@pytest.mark.parametrize("page", PAGES)
def test_citations_resolve(page):
    assert not list(rules.unresolved_citations(PAGES[page], BIB.read_text(encoding="utf8")))


def test_every_reference_has_an_address():
    bib = BIB.read_text(encoding="utf8")
    assert rules.bib_entries(bib)
    assert not list(rules.entries_without_address(bib))


@pytest.mark.parametrize("page", PAGES)
def test_glossary_terms_resolve(page):
    terms = rules.glossary_terms(PAGES["book/glossary.md"])
    assert terms
    assert not list(rules.undefined_terms(PAGES[page], terms))


@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith(".md")])
def test_no_result_is_typed_by_hand(page):
    assert not typed_numbers(PAGES[page])


def test_every_chapter_and_page_is_built(site):
    built = {str(path.relative_to(rules.SITE).with_suffix("")) for path in site.pages}
    assert {re.sub(r"\.(md|ipynb)$", "", page) for page in PAGES} <= built


def test_no_internal_link_is_dead(site):
    assert not list(site.dead_links())


def test_images_have_alt_text(site):
    assert not list(site.images_without_alt())


def test_no_page_loads_from_another_host(site):
    assert not list(site.other_hosts())


def test_the_site_is_small(site):
    assert site.megabytes() < 25


def test_every_page_has_a_description_and_a_social_card(site):
    for name in PAGES:
        path = (rules.SITE / name).with_suffix(".html")
        metadata = {
            tag.get("property", tag.get("name")): tag["content"]
            for tag in site.pages[path]("meta", content=True)
        }
        assert len(metadata["description"]) > 40 and metadata["og:title"], name
        assert (rules.SITE / metadata["og:image"]).is_file(), name


def test_every_committed_page_shows_when_it_was_last_changed(site):
    history = ["git", "log", "--format=", "--name-only", "--", "book", "chapters"]
    committed = subprocess.run(history, cwd=ROOT, capture_output=True, text=True).stdout.split()
    for name in set(PAGES) & set(committed):
        assert "Last updated on" in site.pages[(rules.SITE / name).with_suffix(".html")].text, name


def test_no_button_without_a_repository(site):
    for path, page in site.pages.items():
        assert not page.select(".btn[href*='://'], .lc-editions"), path


def test_no_file_names_a_registry_or_a_machine():
    problems = {
        str(path.relative_to(ROOT)): list(
            rules.forbidden_addresses(path.read_text(encoding="utf8", errors="ignore"))
        )
        for path in rules.committed_files()
    }
    assert len(problems) > 10
    assert not {path: lines for path, lines in problems.items() if lines}


def test_lock_has_hashes_and_no_addresses():
    assert not list(rules.lock_problems((ROOT / "requirements.lock").read_text(encoding="utf8")))


def test_lock_satisfies_pyproject():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    extras = project["optional-dependencies"]
    locked = dict(
        re.findall(r"^([\w.-]+)==([^\s;]+)", (ROOT / "requirements.lock").read_text(encoding="utf8"), re.M)
    )
    locked_extras = (line for extra in ("book", "test", "classroom", "lab") for line in extras[extra])
    for requirement in map(Requirement, [*project["dependencies"], *locked_extras]):
        assert locked.get(requirement.name) in requirement.specifier, (
            f"{requirement} is not what requirements.lock pins: make lock"
        )


@pytest.mark.parametrize("path", sorted((ROOT / "book").rglob("*.svg")), ids=lambda path: path.name)
def test_drawings_are_well_formed(path):
    assert not list(rules.svg_problems(path.read_text(encoding="utf8")))


def test_no_directive_is_left_as_text(site):
    """A fence whose first line holds a backtick is none, and what follows it is taken for code."""
    for path, page in site.pages.items():
        shown = page.select_one("article")
        assert shown is None or not re.search(r"[`:]{3}\{[\w-]+\}", shown.text), path


def test_the_first_page_counts_the_chapters_and_questions_that_there_are(site):
    quizzes = [
        page.select("#quiz details") for path, page in site.pages.items() if path.parent.name == "chapters"
    ]
    place = site.pages[rules.SITE / "book/index.html"].select_one("#progress")
    assert int(place["data-chapters"]) == len(quizzes)
    assert int(place["data-questions"]) == sum(map(len, quizzes))


def test_each_surprising_result_of_the_first_page_leads_to_claims(site):
    heading = site.pages[rules.SITE / "book/index.html"].find("strong", string="Three results that surprise")
    links = [item.a["href"].partition("#") for item in heading.find_next("ul").select("li")]
    assert len(links) == 3
    for path, _, anchor in links:
        section = site.pages[(rules.SITE / "book" / path).resolve()].find(id=anchor).find_parent("section")
        assert "✓" in section.get_text()
