"""What the course says of itself to programs agrees: CITATION.cff, the page on citing, the package, the metadata."""

import json
import re
import tomllib

import pytest
import yaml

import latentcells as lc
from tests.book import book_rules as rules

CITATION = yaml.safe_load((rules.ROOT / "CITATION.cff").read_text(encoding="utf8"))
COURSE = CITATION["preferred-citation"]
CONFIG = yaml.safe_load((rules.ROOT / "_config.yml").read_text(encoding="utf8"))
PAGE = (rules.ROOT / "book/cite.md").read_text(encoding="utf8")
CHAPTERS = sorted(path.stem for path in (rules.ROOT / "chapters").glob("*.ipynb"))


def test_the_file_is_one_of_cff_1_2():
    assert CITATION["cff-version"] == "1.2.0" and CITATION["type"] in ("software", "dataset")
    assert {"authors", "message", "title"} <= CITATION.keys()
    assert {"authors", "title", "type"} <= COURSE.keys()


def test_version_title_authors_and_year_are_the_same_everywhere():
    project = tomllib.loads((rules.ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    assert {CITATION["version"], COURSE["version"], project["version"]} == {lc.__version__}
    assert {CITATION["title"], COURSE["title"]} == {CONFIG["title"]}
    assert CITATION["authors"] == COURSE["authors"] == project["authors"] == [{"name": CONFIG["author"]}]
    assert CONFIG["copyright"].startswith(str(COURSE["year"]))


def test_the_page_says_what_the_file_says():
    (bibtex,) = re.findall(r"```bibtex\n(.*?)```", PAGE, re.S)
    fields = {
        key: value.replace("{", "").replace("}", "")
        for key, value in re.findall(r"^  (\w+) += \{(.*)\},$", bibtex, re.M)
    }
    assert fields == {
        "author": CONFIG["author"],
        "title": COURSE["title"],
        "year": str(COURSE["year"]),
        "version": COURSE["version"],
        "note": COURSE["notes"],
    }
    plain = "> {author} ({year}). *{title}*, version `{version}`. {notes}."
    assert plain.format(**COURSE | {"author": CONFIG["author"]}) in PAGE


def metadata(page):
    return [json.loads(script.string) for script in page.select("script[type='application/ld+json']")]


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_a_chapter_is_a_learning_resource(site, chapter):
    page = site.pages[site.folder / f"chapters/{chapter}.html"]
    (data,) = metadata(page)
    box = page.select_one(".admonition[id$='-card']")
    said = {p.strong.text: " ".join(p.text.split()) for p in box.select("p:has(> strong)")}
    assert data["@type"] == "LearningResource"
    assert data["dct:conformsTo"]["@id"].endswith("TrainingMaterial/1.0-RELEASE")
    assert page.title.text.startswith(f"{int(chapter[:2])}. {data['name']}")
    assert len(data["description"]) > 80 and data["keywords"] == CITATION["keywords"]
    able = said["You will be able to"].removeprefix("You will be able to ").rstrip(".")
    assert "; ".join(data["teaches"]) == re.sub(r"\\\((.*?)\\\)", r"\1", able)  # formulas in plain text
    assert data["competencyRequired"] == said["You need"].removeprefix("You need ")
    read, exercises = re.search(
        r"about (an hour|\d+) (?:minutes )?to read, and (\d+) minutes", said["Time"]
    ).groups()
    assert data["timeRequired"] == f"PT{(60 if read == 'an hour' else int(read)) + int(exercises)}M"
    assert (data["version"], data["inLanguage"]) == (lc.__version__, "en")
    assert data["license"] == "https://creativecommons.org/licenses/by/4.0/"
    assert data["author"][0]["name"] == CONFIG["author"] and data["isPartOf"]["name"] == CONFIG["title"]
    assert "url" not in data, "the address is not known here"


def test_other_pages_are_none(site):
    assert not [path for path, page in site.pages.items() if path.stem not in CHAPTERS and metadata(page)]
