"""The API pages: no public name is missing, and each entry shows the name's docstring."""

import inspect
import re
from types import ModuleType
from urllib.parse import urljoin

import keras
import pytest

import latentcells as lc


def walk(module):
    """(page, full name, object) of every public name that is not a module."""
    package = module.__name__.split(".")[1:2]
    for name in module.__all__:
        value = getattr(module, name)
        if isinstance(value, ModuleType):
            yield from walk(value)
        else:
            yield (package or ["index"])[0], f"{module.__name__}.{name}", value


NAMES = {name: (page, value) for page, name, value in walk(lc)}
INHERITED = {"compile", "evaluate", "export", "fit", "predict", "summary", "test_on_batch", "train_on_batch"}
CLASSES = {name: value for name, (_, value) in NAMES.items() if inspect.isclass(value)}


def letters(text):
    """The letters and digits of a text, or of reStructuredText without its markup."""
    return re.sub(r":\w+:(?=`)|[\W_]", "", text).lower()


@pytest.fixture(scope="module")
def entries(site):
    """The entry of each name on the API pages: its signature and its text."""
    pages = site.folder / "book/api"
    return {
        (path.stem, term["id"]): (term, term.find_next_sibling("dd"))
        for path in pages.glob("*.html")
        for term in site.pages[path].select("dl.py > dt[id]")
    }


def test_every_public_name_has_one_entry_and_no_other_name_has(entries):
    shown = [name for _, name in entries]
    assert len(shown) == len(set(shown))
    assert {(page, name) for name, (page, _) in NAMES.items()} == {
        (page, name) for page, name in entries if name in NAMES
    }
    members = {name for name in shown if name not in NAMES}
    assert {name.rpartition(".")[0] for name in members} <= set(CLASSES)


def test_an_entry_has_the_signature(entries):
    for name, (page, value) in NAMES.items():
        if callable(value) and not (inspect.isclass(value) and issubclass(value, Exception)):
            term, _ = entries[page, name]
            parameters = inspect.signature(value).parameters.values()
            shown = [tag.text for tag in term.select(".sig-param > .n:first-child, .sig-param > .o + .n")]
            assert shown == [p.name for p in parameters], name


def test_an_entry_begins_with_the_summary(entries):
    for name, (page, value) in NAMES.items():
        if callable(value):
            summary = inspect.getdoc(value).splitlines()[0]
            assert letters(entries[page, name][1].text).startswith(letters(summary)), name


def test_every_table_lists_its_names(site):
    linked = {
        urljoin(path.name, tag["href"])
        for path, page in site.pages.items()
        if path.parent.name == "api"
        for tag in page.select("table a")
    }
    names = {f"{page}.html#{name}" for name, (page, _) in NAMES.items()}
    packages = {
        f"{name}.html#module-latentcells.{name}"
        for name in lc.__all__
        if isinstance(getattr(lc, name), ModuleType)
    }
    assert linked >= names | packages


def test_public_methods_have_entries_and_those_of_keras_do_not(entries):
    for name, value in CLASSES.items():
        methods = inspect.getmembers(value, inspect.isfunction)
        own_methods = {
            method
            for method, function in methods
            if not method.startswith("_")
            and function.__module__.startswith("latentcells")
            and function.__doc__
        }
        page = NAMES[name][0]
        shown = {
            entry.removeprefix(f"{name}.")
            for entry_page, entry in entries
            if entry_page == page and entry.startswith(f"{name}.")
        }
        inherited = {method for method in shown if method in dir(keras.Model)}
        assert own_methods - set(dir(keras.Model)) <= shown, name
        assert inherited <= own_methods & INHERITED


@pytest.mark.parametrize(
    ("name", "chapter"),
    [
        ("models.VAE", "01_vae"),  # its code uses it
        ("datasets.kang", "05_batch_correction"),  # its data set
        ("likelihoods.Gaussian", "01_vae"),  # chosen by its name
        ("layers.CellToken", "06_transformer"),  # part of a model that it uses
        ("markers.stability", "08_transformer_markers"),  # the chapter of its package
    ],
)
def test_the_chapter_is_the_one_that_uses_the_name_first(entries, name, chapter):
    name = f"latentcells.{name}"
    _, text = entries[NAMES[name][0], name]
    link = next(p for p in text("p", recursive=False) if p.text.startswith("Explained in")).a["href"]
    assert link == f"../../chapters/{chapter}.html"


def test_every_entry_names_a_page_that_explains_it(entries):
    for name, (page, _) in NAMES.items():
        links = [p for p in entries[page, name][1]("p", recursive=False) if p.text.startswith("Explained in")]
        assert len(links) == 1 and links[0].a["href"].startswith("../"), name


def test_no_page_names_a_private_module(site):
    for path, page in site.pages.items():
        if path.parent.name == "api":
            assert not re.findall(r"\blatentcells\.(?:\w+\.)*_\w+", page.text), path.name
