"""Reading a submission: a notebook, or the zip that Otter exports, of a chapter that is known."""

import zipfile
from pathlib import Path

import nbformat


def read(path: Path, megabytes: int) -> nbformat.NotebookNode:
    """The notebook of a submission, an .ipynb or Otter's .zip around one; raises ValueError with one line."""
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
    except Exception as error:  # nbformat raises many kinds for what is no notebook
        raise ValueError(f"not a notebook ({type(error).__name__})") from None
    return notebook


def _from_zip(path: Path, megabytes: int) -> str:
    with zipfile.ZipFile(path) as archive:
        found = [info for info in archive.infolist() if info.filename.endswith(".ipynb")]
        if len(found) != 1:
            raise ValueError(f"a zip with {len(found)} notebooks; needed: one")
        if found[0].file_size > megabytes * 1_000_000:
            raise ValueError("a zip whose notebook is too large")
        return archive.read(found[0]).decode("utf8")


def chapter_of(notebook: nbformat.NotebookNode, path: Path, chapters) -> str:
    """Which chapter a notebook belongs to: by what Otter wrote into it, else by the file's name."""
    named = notebook.metadata.get("otter", {}).get("assignment_name")
    found = [chapter for chapter in chapters if chapter == named or (not named and chapter in path.stem)]
    if len(found) != 1:
        raise ValueError(f"of no known chapter: the notebook says {named!r}, the file is {path.name}")
    return found[0]
