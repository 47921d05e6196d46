"""The notebook normaliser: the same content gives the same bytes, and nothing visible to a reader changes."""

import base64
import io
import json
import subprocess
import sys

import nbformat
import numpy as np
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image

from tests.notebooks.chapter_rules import ROOT
from tools.normalise import lighter, normalise


def messy() -> dict:
    code = new_code_cell(
        "x",
        execution_count=7,
        metadata={"execution": {"iopub.execute_input": "2026-01-01"}, "scrolled": True, "tags": []},
        outputs=[
            new_output("stream", name="stdout", text="a\n"),
            new_output("stream", name="stdout", text="b\n"),
        ],
    )
    twins = [new_markdown_cell("same", id="twin"), new_markdown_cell("same", id="other")]
    nb = new_notebook(
        cells=[code, *twins],
        metadata={
            "kernelspec": {"name": "my-env", "display_name": "Mine"},
            "language_info": {"name": "python", "version": "3.9"},
            "latentcells": {"datasets": ["pbmc3k"]},
            "widgets": {"state": {}},
        },
    )
    nb = json.loads(nbformat.writes(nb))
    del nb["cells"][0]["id"]
    nb["cells"][2]["id"] = "twin"
    return nb


def test_normal_form():
    text = normalise(json.dumps(messy()))
    nb = json.loads(text)
    code, *twins = nb["cells"]
    assert code["execution_count"] == 7
    assert "".join(code["outputs"][0]["text"]) == "a\nb\n" and len(code["outputs"]) == 1
    assert code["metadata"] == {}
    assert [twins[0]["id"], len({cell["id"] for cell in nb["cells"]})] == ["twin", 3]
    assert nb["metadata"]["kernelspec"] == {
        "display_name": "Python 3",
        "language": "python",
        "name": "python3",
    }
    assert nb["metadata"]["language_info"] == {"name": "python", "pygments_lexer": "ipython3"}
    assert set(nb["metadata"]) == {"kernelspec", "language_info", "latentcells"}
    assert text.endswith("}\n") and not text.endswith("\n\n")


def test_a_traceback_names_no_folder_of_the_machine():
    nb = messy()
    lines = (
        "\x1b[32m/home/me/course/lib/latentcells/checks.py:54\x1b[39m, in check",
        "/opt/x/site-packages/keras/a.py:1",
    )
    error = new_output("error", ename="ValueError", evalue="no", traceback=list(lines))
    nb["cells"][0]["outputs"].append(json.loads(json.dumps(error)))
    traceback = json.loads(normalise(json.dumps(nb)))["cells"][0]["outputs"][-1]["traceback"]
    assert traceback == [
        "\x1b[32mlib/latentcells/checks.py:54\x1b[39m, in check",
        "site-packages/keras/a.py:1",
    ]


def test_normal_form_is_stable():
    once = normalise(json.dumps(messy()))
    assert normalise(once) == once == normalise(json.dumps(messy()))


def test_check_names_the_file_and_changes_nothing(tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(messy()))
    command = [sys.executable, str(ROOT / "tools/normalise.py")]
    before = path.read_bytes()
    check = subprocess.run([*command, "--check", path], capture_output=True, text=True)
    assert (check.returncode, "a.ipynb: not normalised" in check.stdout) == (1, True)
    assert path.read_bytes() == before
    assert subprocess.run([*command, path], capture_output=True).returncode == 0
    assert subprocess.run([*command, "--check", path], capture_output=True).returncode == 0


def test_a_figure_gets_a_palette_and_keeps_its_look():
    rng = np.random.default_rng(0)
    pixels = np.full((60, 80, 4), 255, np.uint8)
    pixels[10:50, 10:70] = [0, 114, 178, 255]
    pixels[20:30, 20:60, :3] = rng.integers(0, 256, (10, 40, 1))
    pixels[0, 0] = 0  # transparent: white on every page
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "PNG")
    once = lighter(base64.b64encode(file.getvalue()).decode())
    image = Image.open(io.BytesIO(base64.b64decode(once)))
    assert image.mode == "P" and image.size == (80, 60)
    seen = np.asarray(image.convert("RGB")).astype(int)
    pixels[0, 0] = 255
    assert np.abs(seen - pixels[..., :3]).max() <= 8
    assert lighter(once) == once
