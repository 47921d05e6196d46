"""Collect the chapters' figures and captions in a folder, ready for slides."""

import base64
import json
import shutil
from pathlib import Path

from tools import myst


def collect(chapters: list[Path], out: Path) -> list[Path]:
    """Write every stored figure of the chapters to ``out`` and their captions to ``captions.md`` beside them."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    lines, paths = ["# Figures\n\nText and figures: CC BY 4.0, the Latent Cells authors.\n"], []
    for chapter in chapters:
        lines.append(f"\n## {chapter.stem}\n")
        for number, (name, data, caption) in enumerate(_figures(chapter), start=1):
            paths.append(out / f"{chapter.stem}_{number:02d}_{name}")
            paths[-1].write_bytes(data)
            lines.append(f"\n**{paths[-1].name}**. {caption}\n")
    (out / "captions.md").write_text("".join(lines), encoding="utf8")
    return paths


def _figures(chapter: Path):
    """The name, bytes and caption of each figure of a chapter, in order."""
    for cell in json.loads(chapter.read_text(encoding="utf8"))["cells"]:
        if cell["cell_type"] == "markdown":
            for name, path, _, caption in map(myst.directive, myst.BLOCK.finditer("".join(cell["source"]))):
                if name == "figure":
                    image = (chapter.parent / path).resolve()
                    yield image.name, image.read_bytes(), " ".join(caption.split())
            continue
        metadata = cell["metadata"].get("mystnb", {}).get("figure", {})
        for output in cell.get("outputs", []):
            if png := output.get("data", {}).get("image/png"):
                data = base64.b64decode("".join(png))
                yield f"{metadata.get('name', cell['id'])}.png", data, metadata.get("caption", "")
