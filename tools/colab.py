"""`make colab`: the chapters as plain notebooks for Colab and JupyterHub, the library's wheel, and an index.

The first cell of each notebook installs the wheel from the site that published it, with the packages that Colab
lacks (colab_adds.txt) and without touching those that it has (colab_pins.txt).
"""

import argparse
import html
import shutil
import textwrap
from pathlib import Path
from string import Template

import nbformat
import yaml
from nbformat.v4 import new_code_cell, new_markdown_cell, new_output

from tools import launch, myst
from tools.wheel import build_wheel

ROOT = Path(__file__).parents[1]
HERE = Path(__file__).parent
SITE = "LATENTCELLS_SITE"  # the environment variable for another address to install the wheel from

INSTALL = """\
{where}
# Colab has TensorFlow and Keras. It lacks the course's library and a few packages that the library needs.
# This cell adds them, and changes nothing that is there; where the library is installed, it does nothing.
import importlib.util
import os

site = os.environ.get("{variable}", "{address}")
if importlib.util.find_spec("latentcells") is None:
    %pip install --quiet --no-deps {{site}}/{wheel} \\
        {adds}
"""
KNOWN = "# This is the Colab edition of {page}"
UNKNOWN = "# This copy has no published address (_config.yml: baseurl): the wheel has to lie beside it."
CAUGHT = """\
try:
{}
except Exception as error:
    print(f"{{type(error).__name__}}: {{error}}")"""
# tag -> the title that is shown in place of the code
HIDDEN = {"solution": "Solution", "hide-cell": "Code", "hide-input": "Code"}


def requirements(name: str) -> dict[str, str]:
    """Package -> version, read from one of the lists beside this file."""
    lines = (HERE / name).read_text(encoding="utf8").splitlines()
    return dict(line.split("==") for line in lines if line and not line.startswith("#"))


def build(sources: Path, site: Path, folder: Path) -> None:
    """Write the edition.

    Args:
        sources: the folder with _config.yml, `book` and `chapters`.
        site: the built book.
        folder: the folder to write, whose contents are replaced.

    Raises:
        ValueError: for MyST that has no rule, or a target that the built book lacks.
    """
    config = yaml.safe_load((sources / "_config.yml").read_text(encoding="utf8"))
    address = config["html"]["baseurl"].rstrip("/")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    wheel = build_wheel(folder, sources / "book/results")
    book = myst.Book(site, sources, sources / "book/references.bib", address)
    titles = {}
    for path in sorted((sources / "chapters").glob("*.ipynb")):
        page = myst.Page(book, f"chapters/{path.stem}")
        install = first_cell(address, path.stem, wheel)
        try:
            notebook = plain(nbformat.read(path, as_version=4), page, install)
        except ValueError as error:
            raise ValueError(f"{path.name}: {error}") from None
        nbformat.write(notebook, folder / path.name)
        titles[path.name] = book.find("doc", f"chapters/{path.stem}")[1]
    (folder / "index.html").write_text(index(titles, wheel, config["repository"]["url"]), encoding="utf8")


def first_cell(address: str, stem: str, wheel: str) -> str:
    """The code that installs the library.

    Args:
        address: the address of the published site, or "".
        stem: the stem of the chapter's file name.
        wheel: the file name of the wheel.
    """
    adds = " ".join(f"{name}=={version}" for name, version in requirements("colab_adds.txt").items())
    return INSTALL.format(
        where=KNOWN.format(page=f"{address}/chapters/{stem}.html") if address else UNKNOWN,
        variable=SITE,
        address=f"{address}/colab" if address else ".",
        wheel=wheel,
        adds=textwrap.fill(adds, 100, break_on_hyphens=False).replace("\n", " \\\n        "),
    )


def plain(notebook, page: myst.Page, install: str):
    """The notebook with plain Markdown, captions under its figures, and a first cell that installs the library."""
    cells = [new_code_cell(install.rstrip("\n"), id="install")]
    for cell in notebook.cells:
        tags, figure = cell.metadata.get("tags", []), cell.metadata.get("mystnb", {}).get("figure")
        cell.metadata = {"tags": tags} if tags else {}
        cells.append(cell)
        if cell.cell_type == "markdown":
            cell.source = page.convert(cell.source)
        elif "raises-exception" in tags:
            catch(cell)
        if title := next((HIDDEN[tag] for tag in HIDDEN if tag in tags), None):
            hide(cell, title)
        if figure:
            text = myst.caption(page, figure["name"], page.convert(figure["caption"]))
            cells.append(new_markdown_cell(text, id=f"{cell.id}-caption"))
    notebook.cells = cells
    notebook.metadata["colab"] = {"toc_visible": True}
    nbformat.validate(notebook)
    return notebook


def catch(cell) -> None:
    """Make a cell print its exception: Colab's "Run all" stops at an exception, whatever the cell's tags."""
    cell.source = CAUGHT.format(textwrap.indent(cell.source, "    "))
    *before, error = cell.outputs
    printed = new_output("stream", name="stdout", text=f"{error.ename}: {error.evalue}\n")
    cell.outputs = [*before, printed]


def hide(cell, title: str) -> None:
    """Fold a code cell, both in Colab (cellView and @title) and in JupyterLab."""
    cell.source = f"# @title {title}\n{cell.source}"
    cell.metadata |= {"cellView": "form", "jupyter": {"source_hidden": True}}
    if title == "Solution":
        cell.metadata["collapsed"] = True


def index(titles: dict[str, str], wheel: str, repository: str) -> str:
    """The page that lists the notebooks and the ways to open them.

    Args:
        titles: file name of each notebook -> title of the chapter.
        wheel: the file name of the wheel.
        repository: its address, or "".
    """
    columns = launcher = ""
    if repository:
        columns = '<th scope="col">Colab</th><th scope="col">JupyterHub</th>'
        launcher = (HERE / "colab_launch.html").read_text(encoding="utf8")
    rows = "\n".join(_row(name, title, repository) for name, title in titles.items())
    page = Template((HERE / "colab_index.html").read_text(encoding="utf8"))
    return page.substitute(columns=columns, rows=rows, launch=launcher, wheel=wheel)


def _row(name: str, title: str, repository: str) -> str:
    title = html.escape(title)
    cells = [f'<a href="{name}">{title}</a>']
    if repository:
        hub = html.escape(launch.in_jupyterhub(repository, name))
        cells += [
            f'<a href="{launch.in_colab(repository, name)}" aria-label="Open in Colab: {title}">open</a>',
            f'<a href="#hub" data-hub="{hub}" aria-label="Open on a JupyterHub: {title}">open</a>',
        ]
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def main() -> None:
    """Write _build/colab."""
    argparse.ArgumentParser(description=__doc__.splitlines()[0]).parse_args()
    folder = ROOT / "_build/colab"
    build(ROOT, ROOT / "_build/html", folder)
    print(f"The Colab edition: {folder}")


if __name__ == "__main__":
    main()
