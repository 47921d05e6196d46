"""The library's wheel, for those who install it outside of a clone."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def build_wheel(folder: Path, results: Path | None = None) -> str:
    """Build the library's wheel in ``folder``, with the stored runs of ``results`` inside; its file name.

    It is built from a copy, for setuptools puts what it finds in an old `build` folder into the wheel as well.
    """
    with tempfile.TemporaryDirectory() as stage:
        for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-TEXT"):
            shutil.copy(ROOT / name, stage)
        built = shutil.ignore_patterns("*.egg-info", "__pycache__")
        shutil.copytree(ROOT / "lib", Path(stage, "lib"), ignore=built)
        if results:
            shutil.copytree(results, Path(stage, "lib/latentcells/book/results"))
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--disable-pip-version-check", "--no-deps"]
        same_bytes = os.environ | {"SOURCE_DATE_EPOCH": "315532800"}  # 1980: a zip knows no earlier date
        subprocess.run(
            [*pip, "--no-build-isolation", "--wheel-dir", folder, stage], check=True, env=same_bytes
        )
    (wheel,) = folder.glob("*.whl")
    return wheel.name
