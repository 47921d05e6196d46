"""Build the library's wheel, for installation without a clone."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def build_wheel(folder: Path, results: Path | None = None) -> str:
    """Build the library's wheel in ``folder``, including the stored runs of ``results``; return its file name.

    It is built from a copy, because setuptools would include the files of an old `build` folder.
    """
    with tempfile.TemporaryDirectory() as copy:
        for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
            shutil.copy(ROOT / name, copy)
        ignored = shutil.ignore_patterns("*.egg-info", "__pycache__")
        shutil.copytree(ROOT / "lib", Path(copy, "lib"), ignore=ignored)
        if results:
            shutil.copytree(results, Path(copy, "lib/latentcells/book/results"))
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        environment = os.environ | {
            "SOURCE_DATE_EPOCH": "315532800"
        }  # 1980, the earliest date that a zip can store
        subprocess.run(
            [*pip, "--no-build-isolation", "--wheel-dir", folder, copy], check=True, env=environment
        )
    (wheel,) = folder.glob("*.whl")
    return wheel.name
