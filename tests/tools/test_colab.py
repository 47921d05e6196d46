"""The Colab edition without a published address: plain Markdown, nothing lost, a first cell that installs."""

import importlib.metadata
import re
import tomllib
import zipfile

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_output
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.book import book_rules as rules
from tests.notebooks.chapter_rules import parsed
from tools import colab, myst

CHAPTERS = sorted((rules.ROOT / "chapters").glob("*.ipynb"))
LEFT_OVER = re.compile(r"^\s*(?:`{3,}|:{3,})\{.*|^\([\w-]+\)=$|\{[\w:.-]+\}`[^`]+`|^:[\w-]+: .*", re.M)
BIB = "@article{a, author={Ada A}, title={T}, year={2001}, journal={J}, doi={10.1/x}}\n"


@pytest.fixture(scope="session")
def edition(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("colab") / "edition"
    colab.build(rules.ROOT, built, folder)
    return folder


def chapter(path):
    return nbformat.read(path, as_version=4)


def pairs(edition):
    """Each chapter with its plain copy."""
    for path in CHAPTERS:
        yield chapter(path), chapter(edition / path.name)


def texts(notebook):
    return [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]


def test_every_chapter_has_a_valid_notebook(edition):
    assert {path.name for path in edition.glob("*.ipynb")} == {path.name for path in CHAPTERS} != set()
    for _, plain in pairs(edition):
        nbformat.validate(plain)
        assert plain.metadata.kernelspec.name == "python3"


def test_every_directive_and_role_of_the_chapters_is_known():
    text = "\n".join(source for path in CHAPTERS for source in texts(chapter(path)))
    directives = set(re.findall(r"^\s*[`:]{3,}\{([^}]+)\}", text, re.M))
    roles = set(re.findall(r"\{([\w:.-]+)\}`", text))
    assert directives <= set(myst.DIRECTIVES) and directives
    assert roles <= set(myst.ROLES) and roles


def test_no_myst_is_left(edition):
    for path in edition.glob("*.ipynb"):
        text = "\n".join(texts(chapter(path)))
        assert not [match[0] for match in LEFT_OVER.finditer(text)], path.name


def test_nothing_is_lost(edition):
    """Code, outputs and text are the chapter's; only the first cell and the captions are added."""
    for source, plain in pairs(edition):
        copies = {cell.id: cell for cell in plain.cells}
        figure_cells = [cell for cell in source.cells if "figure" in cell.metadata.get("mystnb", {})]
        added = {"install", *(f"{cell.id}-caption" for cell in figure_cells)}
        assert set(copies) - {cell.id for cell in source.cells} == added and plain.cells[0].id == "install"
        for cell in source.cells:
            if cell.cell_type == "code":
                parsed(copies[cell.id].source)
                tags = set(cell.metadata.get("tags", []))
                assert copies[cell.id].outputs == cell.outputs or "raises-exception" in tags
                assert copies[cell.id].source == cell.source or tags & {*colab.HIDDEN, "raises-exception"}
            headings = re.findall(r"^#+ .*", cell.source, re.M) if cell.cell_type == "markdown" else []
            assert all(heading in copies[cell.id].source for heading in headings)


def test_figures_dropdowns_and_references_are_shown(edition):
    for path, (source, plain) in zip(CHAPTERS, pairs(edition), strict=True):
        before, after = "\n".join(texts(source)), "\n".join(texts(plain))
        assert after.count("![") == before.count("{figure}") == after.count("](data:image/svg+xml;base64,")
        assert after.count("<details>") == after.count("</details>") == before.count("{dropdown}") > 5
        cited = {key for keys in re.findall(r"\{footcite:.\}`([^`]+)`", before) for key in keys.split(",")}
        listed = after.partition("## References")[2].strip().splitlines()
        assert len(listed) == len(cited) and all(re.match(r"\d+\. .*<a href=", line) for line in listed)
        numbers = re.findall(r"^\*\*Fig\. (\d+)\.(\d+)\.\*\* \w", after, re.M)
        figures = [(str(int(path.name[:2])), str(n)) for n in range(1, len(numbers) + 1)]
        assert numbers and sorted(numbers, key=lambda number: int(number[1])) == figures


def test_solutions_are_folded_away(edition):
    for source, plain in pairs(edition):
        solutions = {c.id for c in source.cells if "solution" in c.metadata.get("tags", [])}
        assert solutions
        for cell in plain.cells:
            if cell.id in solutions:
                assert cell.metadata.cellView == "form" and cell.metadata.jupyter.source_hidden
                assert cell.source.startswith("# @title Solution\n") and cell.metadata.collapsed


def test_an_expected_error_does_not_stop_colab(capsys):
    error = new_output("error", ename="ValueError", evalue="no", traceback=["in a file of this machine"])
    cell = new_code_cell("print(1)\nraise ValueError('no')", outputs=[error])
    colab.catch(cell)
    exec(compile(cell.source, "cell", "exec"), {})
    assert capsys.readouterr().out == "1\nValueError: no\n"
    assert [output.text for output in cell.outputs] == ["ValueError: no\n"]


def test_no_cell_stores_an_error(edition):
    caught = 0
    for source, plain in pairs(edition):
        assert "error" not in {out.output_type for cell in plain.cells for out in cell.get("outputs", [])}
        caught += sum("raises-exception" in cell.metadata.get("tags", []) for cell in source.cells)
    assert caught


def test_the_first_cell_installs_the_wheel_and_what_colab_lacks(edition):
    (wheel,) = edition.glob("*.whl")
    adds = colab.requirements("colab_adds.txt")
    for _, plain in pairs(edition):
        first = plain.cells[0]
        assert first.cell_type == "code" and "no published address" in first.source
        assert 'environ.get("LATENTCELLS_SITE", ".")' in first.source
        options, install = first.source.split("%pip install ")[1].split("--no-deps ")
        library, *packages = install.replace("\\\n", "").split()
        assert library == f"{{site}}/{wheel.name}" and options == "--quiet "
        assert packages == [f"{name}=={version}" for name, version in adds.items()] != []


def test_colab_has_or_gets_what_the_library_needs():
    pins, adds = (
        {canonicalize_name(name): version for name, version in colab.requirements(file).items()}
        for file in ("colab_pins.txt", "colab_adds.txt")
    )
    assert not set(pins) & set(adds), "the first cell must not install what Colab has"
    project = tomllib.loads((rules.ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    for dependency in map(Requirement, project["dependencies"]):
        version = (pins | adds)[canonicalize_name(dependency.name)]
        assert dependency.specifier.contains(version), f"{dependency}, but Colab gets {version}"
        # the packages of its extras too, which `pip check` ignores
        for part in map(Requirement, importlib.metadata.requires(dependency.name) or []):
            if part.marker and any(part.marker.evaluate({"extra": extra}) for extra in dependency.extras):
                version = (pins | adds)[canonicalize_name(part.name)]
                assert part.specifier.contains(version), f"{dependency}: {part}"


def test_the_wheel_holds_the_library_and_the_stored_runs(edition):
    (wheel,) = edition.glob("*.whl")
    names = set(zipfile.ZipFile(wheel).namelist())
    lib = rules.ROOT / "lib"
    library = [path for path in (lib / "latentcells").rglob("*") if path.suffix in (".py", ".gz")]
    assert names >= {str(path.relative_to(lib)) for path in library}
    runs = [path.name for path in (rules.ROOT / "book/results").glob("*.json")]
    assert names >= {f"latentcells/book/results/{name}" for name in runs}
    python = {name for name in names if name.endswith(".py")}
    assert python == {str(path.relative_to(lib)) for path in library if path.suffix == ".py"}


def test_the_index_links_to_the_files_of_the_edition_only(edition):
    index = rules.Site(edition)
    assert not list(index.dead_links())
    links = {tag["href"] for tag in index.pages[edition / "index.html"].select("a")}
    assert links == {path.name for path in edition.iterdir()} - {"index.html"}


def test_a_chapter_that_cannot_be_converted_is_named(built, tmp_path, monkeypatch):
    monkeypatch.setattr(colab, "build_wheel", lambda *_: "none.whl")
    monkeypatch.delitem(myst.DIRECTIVES, "dropdown")
    with pytest.raises(ValueError, match=r"^01_vae\.ipynb: no rule for the directive {dropdown}"):
        colab.build(rules.ROOT, built, tmp_path / "edition")


class TestConversion:
    """What `myst.Page` converts single pieces of MyST to, and what it refuses."""

    @pytest.fixture(params=["", "https://a.example"])
    def page(self, request, built, tmp_path):
        (tmp_path / "a.bib").write_text(BIB)
        book = myst.Book(built, rules.ROOT, tmp_path / "a.bib", request.param)
        return myst.Page(book, "chapters/01_vae")

    @staticmethod
    def link(page, text, target, bare=None):
        return f"[{text}](https://a.example/{target})" if page.book.address else bare or text

    def test_roles(self, page):
        glossary = "book/glossary.html#term-"
        assert page.convert("a {term}`count`") == "a " + self.link(page, "count", glossary + "count")
        z_scores = self.link(page, "z-scores", glossary + "z-score")
        assert page.convert("{term}`z-scores\n<z-score>`") == z_scores
        data = self.link(page, "Data", "book/data.html", "*Data*")
        assert page.convert("{doc}`../book/data`") == data
        assert re.fullmatch(r"\[?Fig\. \d+\b.*", page.convert("{numref}`vae-schematic`"))
        cited = "[A 2001](https://doi.org/10.1/x)"
        assert page.convert("{footcite:p}`a`") == f"({cited})"
        assert page.convert("{footcite:t}`a`") == "[A (2001)](https://doi.org/10.1/x)"

    def test_links(self, page):
        assert page.convert("[there](vae-quiz)") == self.link(page, "there", "chapters/01_vae.html#vae-quiz")
        assert page.convert("[a](https://b.example)") == "[a](https://b.example)"

    def test_text_that_is_not_myst_is_unchanged(self, page):
        for text in ("`{x}` and `y`", "``{term}`a` ``", "$f(x)_{i}$ [0, 1] (a)", "```python\n{term}`x`\n```"):
            assert page.convert(text) == text

    def test_directives(self, page):
        assert page.convert("```{admonition} A\n:class: tip\n\nb\n\nc\n```") == "> **A**\n>\n> b\n>\n> c"
        assert page.convert(":::{dropdown} A\nb\n:::") == "<details>\n<summary>A</summary>\n\nb\n\n</details>"
        nested = page.convert("````{admonition} A\n```{dropdown} B\n{term}`count`\n```\n````")
        assert "> <details>" in nested and "{" not in nested

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("```{hidden} A\nb\n```", r"no rule for the directive {hidden}: add one to tools/myst\.py"),
            ("{strange}`x`", r"no rule for the role {strange}: add one"),
            ("{term}`no such word`", "the book has no term 'no such word'; build it again"),
            ("{doc}`nowhere`", "the book has no doc 'chapters/nowhere'"),
            ("[a](nowhere)", "the book has no label 'nowhere'"),
            ("{numref}`nothing`", "the book has no figure 'nothing'"),
        ],
    )
    def test_unknown_names_are_refused(self, page, text, message):
        with pytest.raises(ValueError, match=message):
            page.convert(text)
