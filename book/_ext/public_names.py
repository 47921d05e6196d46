"""The `public-names` directive: every public name of a package, from its docstring, with the page that explains it.

Sphinx's autodoc, autosummary and napoleon read the docstrings; this module tells them which names there are.
"""

import ast
import importlib
import inspect
import json
import re
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

from sphinx.util.docutils import SphinxDirective
from sphinx.util.inspect import stringify_signature

LIBRARY = "latentcells"
# of the methods that Keras names, those that a reader calls
CALLED = {"compile", "evaluate", "export", "fit", "predict", "summary", "test_on_batch", "train_on_batch"}


def public_names(module: ModuleType) -> Iterator[tuple[str, object]]:
    """(full name, object) of what ``__all__`` of a module names, modules aside."""
    for name in module.__all__:
        value = getattr(module, name)
        if not isinstance(value, ModuleType):
            yield f"{module.__name__}.{name}", value


def packages(module: ModuleType) -> Iterator[ModuleType]:
    """A module and, recursively, the modules that its ``__all__`` names."""
    yield module
    for name in module.__all__:
        if isinstance(value := getattr(module, name), ModuleType):
            yield from packages(value)


class Page:
    """What a chapter or another page of the book says of the library.

    Args:
        path: a notebook or a Markdown file.
        folder: of the book's sources.
    """

    def __init__(self, path: Path, folder: Path):
        text, datasets = path.read_text(encoding="utf8"), []
        self.name = path.relative_to(folder).with_suffix("").as_posix()
        code = re.findall(r"^```python\n(.*?)^```", text, re.M | re.S)
        if path.suffix == ".ipynb":
            notebook = json.loads(text)
            datasets = notebook["metadata"].get(LIBRARY, {}).get("datasets", [])
            text = "\n".join("".join(cell["source"]) for cell in notebook["cells"])
            code = ["".join(cell["source"]) for cell in notebook["cells"] if cell["cell_type"] == "code"]
        self.text = text
        self.used = {name for source in code for name in used_names(source)}
        self.used |= {f"{LIBRARY}.datasets.{name}" for name in datasets}

    def mentions(self, name: str) -> bool:
        """Whether the page names it: a class by its name or as the string that chooses it, else ``package.name``."""
        package, short = name.split(".")[-2:]
        if not short[0].isupper():
            return re.search(rf"\b{package}\.{short}\b", self.text) is not None
        chosen = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", short).lower()
        return re.search(rf"\b{short}\b|\"{chosen}\"", self.text) is not None


def used_names(source: str) -> Iterator[str]:
    """The full names of the library's that Python code uses, by ``lc.`` or by an import."""
    source = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith("%"))
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Attribute) and (dotted := ast.unparse(node)).startswith("lc."):
            yield LIBRARY + dotted.removeprefix("lc")
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(LIBRARY):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def explained_in(value: object, pages: list[Page]) -> Page | None:
    """The page that explains a public object.

    That is the first one whose code uses it, else the first that mentions it, else the first that uses what is built
    on it, else the first that uses its package.
    """
    everything = [item for module in packages(sys.modules[LIBRARY]) for item in public_names(module)]
    names = {name for name, other in everything if other is value}
    built_on_it = {name for name, other in everything if names_it(other, value)}
    home = min(names).rpartition(".")[0]
    for speaks in (
        lambda page: page.used & names,
        lambda page: any(map(page.mentions, names)),
        lambda page: page.used & built_on_it,
        lambda page: any(name.startswith(home) for name in page.used),
    ):
        if page := next(filter(speaks, pages), None):
            return page
    return None


def names_it(value: object, part: object) -> bool:
    """Whether the source of a public class or function names another one."""
    home, word = getattr(value, "__module__", None), getattr(part, "__name__", None)
    return home is not None and value is not part and re.search(rf"\b{word}\b", source_of(home)) is not None


@cache
def source_of(module: str) -> str:
    """The text of a module of the library, and of the modules whose classes and functions it imports."""
    imported = {getattr(value, "__module__", None) or "" for value in vars(sys.modules[module]).values()}
    below = sorted(name for name in imported - {module} if name.startswith(LIBRARY))
    return "\n".join([inspect.getsource(sys.modules[module]), *map(source_of, below)])


def directive(value: object) -> str:
    """The autodoc directive that documents an object."""
    if inspect.isclass(value):
        return "autoexception" if issubclass(value, BaseException) else "autoclass"
    return "autofunction" if callable(value) else "autodata"


class PublicNames(SphinxDirective):
    """What a package is for, a table of its public names, and an entry for each."""

    required_arguments = 1

    def run(self):
        """The nodes; autodoc writes reStructuredText, so they are parsed as such."""
        module = importlib.import_module(self.arguments[0])
        names = dict(public_names(module))
        about = [f".. py:module:: {module.__name__}", "", *inspect.getdoc(module).splitlines(), ""]
        table = [".. autosummary::", "   :nosignatures:", ""]
        table += [f"   {name}" for name in module.__all__]
        entries = [line for name, value in names.items() for line in self.entry(name, value)]
        return self.parse_text_to_nodes("\n".join(["````{eval-rst}", *about, *table, "", *entries, "````"]))

    def entry(self, name: str, value: object) -> Iterator[str]:
        """The lines that document one name."""
        yield from (f".. {directive(value)}:: {name}", "")
        if page := explained_in(value, pages(Path(self.env.srcdir))):
            yield from (f"   Explained in :doc:`/{page.name}`.", "")


@cache
def pages(folder: Path) -> list[Page]:
    """The chapters in their order, then the other pages; the pages of the names aside."""
    paths = [*sorted(folder.glob("chapters/*.ipynb")), *sorted(folder.glob("book/*.md"))]
    return [Page(path, folder) for path in paths]


def skip_member(app, what, name, member, skip, options):
    """Document the methods that the library defines and describes, without those that only Keras calls."""
    defined_in = getattr(getattr(member, "fget", member), "__module__", None) or ""
    hook = name not in CALLED and hasattr(sys.modules["keras"].Model, name)
    return skip or hook or not defined_in.startswith(LIBRARY) or not member.__doc__


def signature_of_class(app, what, name, value, options, signature, returns):
    """Show the arguments of ``__init__``; autodoc would show those of ``__new__``, which Keras takes as they come."""
    if what == "class":
        return stringify_signature(inspect.signature(value)), returns
    return None


def setup(app):
    """Make the directive known, and tell autodoc what a public method is."""
    app.add_directive("public-names", PublicNames)
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-signature", signature_of_class)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
