"""Write notebooks so that the same content always gives the same bytes.

A normal notebook has one kernel name, no trace of the machine or of the time of execution, stable unique cell ids, one
stream output where the kernel sent several pieces, figures of at most 256 colours, only the metadata that this
repository reads, and sorted keys.
Outputs and execution counts are kept. With --check the files are only listed, and the exit status is 1.
"""

import argparse
import base64
import hashlib
import io
import json
import re
import sys
from pathlib import Path

import nbformat
from PIL import Image

NOTEBOOK_METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python", "pygments_lexer": "ipython3"},
}
KEPT_OF_NOTEBOOK = {"latentcells"}
KEPT_OF_CELL = {"latentcells", "mystnb", "tags"}
FOLDER = re.compile(
    r"/[^\s\x1b]*/(?=lib/latentcells/|site-packages/)"
)  # a folder of one machine, in a traceback


def normalise(text: str) -> str:
    """The normal form of a notebook, given and returned as the text of its file (nbformat 4)."""
    nb = nbformat.from_dict(json.loads(text))
    nb.nbformat, nb.nbformat_minor = 4, 5
    nb.metadata = {k: v for k, v in nb.metadata.items() if k in KEPT_OF_NOTEBOOK} | NOTEBOOK_METADATA
    used_ids = set()
    for cell in nb.cells:
        cell.source = _joined(cell.source)
        cell.metadata = {k: v for k, v in cell.metadata.items() if k in KEPT_OF_CELL and v}
        cell.id = _free_id(cell, used_ids)
        if cell.cell_type == "code":
            cell.outputs = _merge_streams(cell.outputs)
            for output in cell.outputs:
                if "image/png" in output.get("data", {}):
                    output.data["image/png"] = lighter(output.data["image/png"])
                if output.output_type == "error":
                    output.traceback = [FOLDER.sub("", line) for line in output.traceback]
    nbformat.validate(nb)
    return nbformat.writes(nb, version=4).rstrip("\n") + "\n"


def _joined(source: str | list[str]) -> str:
    return source if isinstance(source, str) else "".join(source)


def lighter(png: str) -> str:
    """A base64 PNG with a palette of 256 colours on white: a third of the bytes, and the eye sees no difference."""
    image = Image.open(io.BytesIO(base64.b64decode(png)))
    if image.mode == "P":
        return png
    opaque = Image.alpha_composite(Image.new("RGBA", image.size, "white"), image.convert("RGBA")).convert(
        "RGB"
    )
    file = io.BytesIO()
    opaque.quantize(256, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def _free_id(cell: dict, used_ids: set[str]) -> str:
    """The cell's own id or, if it has none or an earlier cell uses it, a hash of the cell's content."""
    cell_id, n = cell.get("id"), 0
    while cell_id is None or cell_id in used_ids:
        cell_id, n = hashlib.sha256(f"{n} {cell.cell_type} {cell.source}".encode()).hexdigest()[:8], n + 1
    used_ids.add(cell_id)
    return cell_id


def _merge_streams(outputs: list[dict]) -> list[dict]:
    merged = []
    for output in outputs:
        if output.output_type == "stream":
            output.text = _joined(output.text)
            if merged and merged[-1].get("name") == output.name and merged[-1].output_type == "stream":
                merged[-1].text += output.text
                continue
        merged.append(output)
    return merged


def main() -> int:
    """Run the command line; return the exit status."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="change nothing; exit 1 if a file is not normal")
    parser.add_argument("notebooks", nargs="+", type=Path)
    args = parser.parse_args()
    changed = 0
    for path in args.notebooks:
        text = path.read_text(encoding="utf8")
        normal = normalise(text)
        if normal != text:
            changed += 1
            print(f"{path}: {'not normalised (fix: make format)' if args.check else 'normalised'}")
            if not args.check:
                path.write_text(normal, encoding="utf8")
    return int(args.check and changed > 0)


if __name__ == "__main__":
    sys.exit(main())
