"""The check of the Colab edition finds the faults of doctored notebooks, run on top of this environment."""

import importlib.metadata
import sys
import zipfile
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_notebook

from tools import colab_check

PYTHON = Path(sys.executable)
CLAIM = "assert False, '✗ two and two make five'"


def wheel(folder, name, version, needs=""):
    """Write the wheel of an empty package."""
    dist_info = f"{name}-{version}.dist-info"
    with zipfile.ZipFile(folder / f"{name}-{version}-py3-none-any.whl", "w") as file:
        metadata = f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{needs}"
        file.writestr(f"{dist_info}/METADATA", metadata)
        file.writestr(f"{dist_info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr(f"{dist_info}/RECORD", "")


@pytest.fixture
def outcome(tmp_path, capsys):
    """outcome(package, second cell): whether the notebook ran to its end, and the line that is printed."""
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
            passed = colab_check.report(path, PYTHON, address)
        return passed, capsys.readouterr().out

    return outcome


@pytest.mark.slow
def test_a_new_package_is_no_fault_and_stays_out_of_this_environment(outcome):
    second_cell = "import importlib.metadata as m, os; m.version('new_package'); assert not os.listdir()"
    passed, output = outcome("new_package-1.0", second_cell)
    assert passed and output.startswith("✓ 01_doctored"), output
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        importlib.metadata.version("new_package")


@pytest.mark.slow
def test_a_changed_package_is_a_fault(outcome):
    passed, output = outcome("tqdm-99.0")
    assert not passed and f"changed tqdm from {importlib.metadata.version('tqdm')} to 99.0" in output


@pytest.mark.slow
def test_a_changed_package_that_was_loaded_needs_a_restart(outcome):
    passed, output = outcome("numpy-99.0")
    assert not passed and "to 99.0, which was loaded: a restart would be needed" in output


@pytest.mark.slow
def test_a_package_with_a_missing_requirement_is_a_fault(outcome):
    passed, output = outcome("hungry_package-1.0")
    assert (
        not passed
        and "after the first cell hungry-package 1.0 requires a-package-that-is-not-there" in output
    )


@pytest.mark.slow
def test_a_false_claim_is_a_fault(outcome):
    passed, output = outcome("", CLAIM)
    assert not passed and "AssertionError: ✗ two and two make five" in output


@pytest.mark.slow
def test_a_kernel_that_dies_is_a_fault(outcome):
    passed, output = outcome("", "import os; os._exit(1)")
    assert not passed and output.startswith("✗ 01_doctored") and "died" in output


def test_an_environment_with_other_versions_is_refused(capsys, monkeypatch):
    pins = {"tqdm": "0.1", "Not-There": "1", "numpy": importlib.metadata.version("numpy")}
    monkeypatch.setattr(colab_check, "requirements", lambda name: pins)
    monkeypatch.setattr(sys, "argv", ["colab_check", "--python", str(PYTHON), "01_vae.ipynb"])
    assert colab_check.main() == 1
    output = capsys.readouterr().out.splitlines()
    assert output[0].endswith("remove .venv-colab:")
    assert [line.split(" is ")[0].strip() for line in output[1:]] == ["tqdm", "Not-There"]
