"""Each part of the repository imports only what pyproject.toml declares, and the library imports all of it."""

import ast
import importlib.metadata
import json
import sys
import tomllib

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.book.book_rules import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
OWN_PACKAGES = {"benchmarks", "book", "conftest", "latentcells", "tests", "tools"}
BACKENDS = {"jax", "torch"}  # the library imports only the one that Keras runs on
# folder -> the extras whose packages its code may import
PARTS = {
    "lib": [],
    "chapters": [],
    "book/exercises": [],
    "book/_ext": ["book"],
    "tools": ["book", "classroom"],
    "tests": ["book", "classroom", "test"],
    "benchmarks": ["bench", "test"],
}
# the benchmarks have an environment of their own
DISTRIBUTIONS = importlib.metadata.packages_distributions() | {"scvi": ["scvi-tools"]}


def declared(*extras):
    """The packages that the library and some extras require."""
    lines = PROJECT["dependencies"] + [
        line for extra in extras for line in PROJECT["optional-dependencies"][extra]
    ]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def imports(source):
    """The top-level modules that Python code imports, without the standard library's and our own."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        yield from {name.partition(".")[0] for name in names} - sys.stdlib_module_names - OWN_PACKAGES


def sources(folder):
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path.read_text(encoding="utf8")
    for path in sorted((ROOT / folder).glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf8"))["cells"]:
            if cell["cell_type"] == "code":
                yield "".join(line for line in cell["source"] if not line.startswith("%"))


def packages(folder):
    """Module -> packages that provide it, for each module that the code of a folder imports."""
    modules = {module for source in sources(folder) for module in imports(source)}
    return {module: set(map(canonicalize_name, DISTRIBUTIONS.get(module, [module]))) for module in modules}


@pytest.mark.parametrize("folder", PARTS)
def test_what_is_imported_is_declared(folder):
    allowed = declared(*PARTS[folder]) | BACKENDS
    imported = packages(folder)
    assert imported
    assert {module: names for module, names in imported.items() if not names & allowed} == {}


def test_what_the_library_declares_is_imported():
    imported = set().union(*packages("lib").values())
    assert declared() - imported == set()


def test_imports_are_found():
    source = (
        "import os, numpy.linalg\nfrom PIL import Image\nfrom . import x\nimport tools\nif x:\n    import jax"
    )
    assert sorted(imports(source)) == ["PIL", "jax", "numpy"]
