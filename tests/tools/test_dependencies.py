"""Each part of the repository imports what pyproject.toml declares for it, and the library nothing else."""

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
OURS = {"benchmarks", "book", "latentcells", "tests", "tools"}
BACKENDS = {"jax", "torch"}  # the library imports the one that Keras runs on, and only that one
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
HOMES = importlib.metadata.packages_distributions() | {
    "scvi": ["scvi-tools"]
}  # the bench has its own environment


def declared(*extras):
    """The packages that the library asks for, and those of some extras."""
    lines = PROJECT["dependencies"] + [
        line for extra in extras for line in PROJECT["optional-dependencies"][extra]
    ]
    return {canonicalize_name(Requirement(line).name) for line in lines}


def imports(source):
    """The top-level modules that Python code imports, the standard library's and ours aside."""
    for node in ast.walk(ast.parse(source)):
        names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
        if isinstance(node, ast.ImportFrom) and not node.level:
            names = [node.module]
        yield from {name.partition(".")[0] for name in names} - sys.stdlib_module_names - OURS


def sources(folder):
    for path in sorted((ROOT / folder).rglob("*.py")):
        yield path.read_text(encoding="utf8")
    for path in sorted((ROOT / folder).glob("*.ipynb")):
        for cell in json.loads(path.read_text(encoding="utf8"))["cells"]:
            if cell["cell_type"] == "code":
                yield "".join(line for line in cell["source"] if not line.startswith("%"))


def packages(folder):
    """The packages whose modules the code of a folder imports."""
    modules = {module for source in sources(folder) for module in imports(source)}
    return {module: {canonicalize_name(home) for home in HOMES.get(module, [module])} for module in modules}


@pytest.mark.parametrize("folder", PARTS)
def test_what_is_imported_is_declared(folder):
    allowed = declared(*PARTS[folder]) | BACKENDS
    found = packages(folder)
    assert found
    assert {module: homes for module, homes in found.items() if not homes & allowed} == {}


def test_what_the_library_declares_is_imported():
    imported = set().union(*packages("lib").values())
    assert declared() - imported == set()


def test_imports_are_found():
    source = (
        "import os, numpy.linalg\nfrom PIL import Image\nfrom . import x\nimport tools\nif x:\n    import jax"
    )
    assert sorted(imports(source)) == ["PIL", "jax", "numpy"]
