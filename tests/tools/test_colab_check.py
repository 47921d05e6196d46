"""The check of the Colab edition: what it must find, shown by doctored notebooks, upon this environment."""

import importlib.metadata
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import colab_check

HERE = Path(sys.executable)
CLAIM = "assert False, '✗ two and two make five'"


def wheel(folder, name, version, needs=""):
    """Write a package that holds nothing."""
    about = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
        file.writestr(f"{about}/METADATA", metadata)
        file.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{about}/RECORD", "")


@pytest.fixture
def outcome(tmp_path, capsys):
    """outcome(first cell, second cell): whether the notebook ran to its end, and the line that is printed."""
    wheel(tmp_path, "new_package", "1.0")
    wheel(tmp_path, "hungry_package", "1.0", "Requires-Dist: a-package-that-is-not-there\n")
    wheel(tmp_path, "tqdm", "99.0")
    wheel(tmp_path, "numpy", "99.0")

    def outcome(install, second="print('done')"):
        first = f"import os\nsite = os.environ['{colab_check.SITE}']\n"
        if install:
            first += f"%pip install --quiet --no-deps --no-index {{site}}/{install}-py3-none-any.whl"
        path = tmp_path / "01_doctored.ipynb"
        nbformat.write(new_notebook(cells=[new_code_cell(first), new_code_cell(second)]), path)
        with colab_check.served(tmp_path) as address:
            held = colab_check.report(path, HERE, address)
        return held, capsys.readouterr().out

    return outcome


@pytest.mark.slow
def test_a_new_package_is_no_fault_and_stays_out_of_this_environment(outcome):
    found = "import importlib.metadata as m, os; m.version('new_package'); assert not os.listdir()"
    held, said = outcome("new_package-1.0", found)
    assert held and said.startswith("✓ 01_doctored"), said
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("new_package")


@pytest.mark.slow
def test_a_changed_package_is_a_fault(outcome):
    held, said = outcome("tqdm-99.0")
    assert not held and f"changed tqdm from {importlib.metadata.version('tqdm')} to 99.0" in said


@pytest.mark.slow
def test_a_changed_package_that_was_loaded_needs_a_restart(outcome):
    held, said = outcome("numpy-99.0")
    assert not held and "to 99.0, which was loaded: a restart would be needed" in said


@pytest.mark.slow
def test_a_package_without_what_it_needs_is_a_fault(outcome):
    held, said = outcome("hungry_package-1.0")
    assert not held and "after the first cell hungry-package 1.0 requires a-package-that-is-not-there" in said


@pytest.mark.slow
def test_a_claim_that_does_not_hold_is_a_fault(outcome):
    held, said = outcome("", CLAIM)
    assert not held and "AssertionError: ✗ two and two make five" in said


@pytest.mark.slow
def test_a_kernel_that_dies_is_a_fault(outcome):
    held, said = outcome("", "import os; os._exit(1)")
    assert not held and said.startswith("✗ 01_doctored") and "died" in said


def test_an_environment_with_other_versions_is_refused(capsys, monkeypatch):
    pins = {"tqdm": "0.1", "Not-There": "1", "numpy": importlib.metadata.version("numpy")}
    monkeypatch.setattr(colab_check, "requirements", lambda name: pins)
    monkeypatch.setattr(sys, "argv", ["colab_check", "--python", str(HERE), "01_vae.ipynb"])
    assert colab_check.main() == 1
    said = capsys.readouterr().out.splitlines()
    assert said[0].endswith("remove .venv-colab:")
    assert [line.split(" is ")[0].strip() for line in said[1:]] == ["tqdm", "Not-There"]
