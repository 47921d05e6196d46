"""Read a submission: a notebook, or a zip that Otter exported, for a known chapter."""

import zipfile
from pathlib import Path

import nbformat


def read(path: Path, megabytes: int) -> nbformat.NotebookNode:
    """The notebook of a submission, which is an .ipynb or Otter's .zip with one; raises a one-line ValueError."""
    if path.stat().st_size > megabytes * 1_000_000:
        raise ValueError(f"larger than {megabytes} MB: not read")
    try:
        text = _from_zip(path, megabytes) if path.suffix == ".zip" else path.read_text(encoding="utf8")
        notebook = nbformat.reads(text, as_version=4)
        nbformat.validate(notebook)
    except ValueError as error:
        if str(error).startswith("a zip"):
            raise
        raise ValueError(f"not a notebook ({type(error).__name__})") from None
    except Exception as error:  # nbformat raises many kinds of error for a file that is no notebook
        raise ValueError(f"not a notebook ({type(error).__name__})") from None
    return notebook


def _from_zip(path: Path, megabytes: int) -> str:
    with zipfile.ZipFile(path) as archive:
        notebooks = [info for info in archive.infolist() if info.filename.endswith(".ipynb")]
        if len(notebooks) != 1:
            raise ValueError(f"a zip with {len(notebooks)} notebooks; needed: one")
        if notebooks[0].file_size > megabytes * 1_000_000:
            raise ValueError("a zip whose notebook is too large")
        return archive.read(notebooks[0]).decode("utf8")


def chapter_of(notebook: nbformat.NotebookNode, path: Path, chapters) -> str:
    """The chapter that a notebook belongs to, by Otter's metadata or, without those, by its file name."""
    assignment = notebook.metadata.get("otter", {}).get("assignment_name")
    matches = [
        chapter for chapter in chapters if chapter == assignment or (not assignment and chapter in path.stem)
    ]
    if len(matches) != 1:
        raise ValueError(f"of no known chapter: the notebook says {assignment!r}, the file is {path.name}")
    return matches[0]
