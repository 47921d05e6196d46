"""Grading a class: each bad submission gets a row and changes no other grade."""

import copy
import csv
import json
import os
import subprocess
import sys
import zipfile

import nbformat
import pytest

from tests.exercises.proof import MASTERS
from tools.classroom import build, grade
from tools.classroom.confinement import Limits

# generous enough for a busy machine; an endless loop uses all of it
LIMITS = Limits(seconds=50, cell_seconds=6, megabytes=600, characters=10_000, file_megabytes=2)
CHAPTER = MASTERS[0].stem


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The first chapter's classroom without the question that trains a model, so that grading is fast."""
    pytest.importorskip("otter", reason="the extra `classroom` is not installed")
    folder = tmp_path_factory.mktemp("small")
    notebook = nbformat.read(MASTERS[0], as_version=4)
    cells = [cell.source for cell in notebook.cells]
    start = cells.index("# BEGIN QUESTION\nname: price\npoints: 4")
    del notebook.cells[start : cells.index("# END QUESTION", start) + 1]
    nbformat.write(notebook, folder / MASTERS[0].name)
    assert build.build([folder / MASTERS[0].name], folder / "classroom", "secret") == []
    return folder / "classroom"


@pytest.fixture(scope="module")
def perfect(small):
    return nbformat.read(small / f"teacher/{CHAPTER}.ipynb", as_version=4)


def with_cell(notebook, source: str):
    notebook = copy.deepcopy(notebook)
    notebook.cells.insert(4, nbformat.v4.new_code_cell(source))
    return notebook


BAD_CELLS = {
    "loops": "while True:\n    pass",
    "prints": "for _ in range(1000):\n    print('x' * 1_000_000)",
    "devours": "much = bytearray(20_000_000_000)",
    "leaves": "import os\nos._exit(0)",
    "quits": "raise SystemExit",
    "errs": "def kl_loss(:",
    "reads": "open(r'{teacher}').read()",
    "lists": "import os\nos.listdir(r'{folder}')",
    "copies": "open(r'{neighbour}').read()",
    "starts": "import subprocess\nsubprocess.run(['cat', r'{teacher}'])",
    "writes": "open('big', 'wb').write(bytes(3_000_000))",
    "shouts": """
import os
for number in range(3, 40):
    try:
        os.write(number, b"x" * 99)
    except OSError:
        pass
""",
    "kills": "import os\nos.kill(os.getppid(), 9)",
    "magic": "%matplotlib inline\n!ls\nimport matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()",
}


@pytest.fixture(scope="module")
def table(small, perfect, tmp_path_factory):
    """The rows, by file name, of a class with every kind of bad submission."""
    folder, out = tmp_path_factory.mktemp("class"), tmp_path_factory.mktemp("grades") / "grades.csv"
    paths = {
        "teacher": small / f"teacher/{CHAPTER}.ipynb",
        "folder": small,
        "neighbour": folder / "perfect.ipynb",
    }
    for name, source in BAD_CELLS.items():
        nbformat.write(with_cell(perfect, source.format(**paths)), folder / f"{name}.ipynb")
    nbformat.write(perfect, folder / "perfect.ipynb")
    (folder / "ann").mkdir()
    nbformat.write(
        nbformat.read(small / f"student/{CHAPTER}.ipynb", as_version=4), folder / "ann/stubs.ipynb"
    )
    deleted = copy.deepcopy(perfect)
    deleted.cells = [cell for cell in deleted.cells if "def draw(" not in cell.source]
    nbformat.write(deleted, folder / "deleted.ipynb")
    slips = copy.deepcopy(perfect)
    for cell in slips.cells:
        cell.source = cell.source.replace("np.exp(z_log_var / 2)", "np.exp(z_log_var)")
        cell.source = cell.source.replace("z[types == name].mean(axis=0)", "z[types == name][0]")
    nbformat.write(slips, folder / "slips.ipynb")
    nameless = copy.deepcopy(perfect)
    del nameless.metadata["otter"]
    nbformat.write(nameless, folder / "whose.ipynb")
    nbformat.write(nameless, folder / f"ben_{CHAPTER}.ipynb")
    (folder / "essay.ipynb").write_text("Dear teacher")
    (folder / "essay.docx").write_bytes(b"\x00\xff\x01")
    (folder / "large.ipynb").write_bytes(b" " * 3_000_000)
    (folder / ".hidden").write_text("no submission")
    with zipfile.ZipFile(folder / "exported.zip", "w") as archive:
        archive.write(folder / "perfect.ipynb", "perfect.ipynb")
    with zipfile.ZipFile(folder / "nothing.zip", "w") as archive:
        archive.writestr("readme.txt", "I forgot")
    grade.write(grade.grade_all(folder, small, LIMITS, jobs=2), out)
    with open(out, encoding="utf8", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    rows["feedback"] = grade.feedback_beside(out)
    return rows


FULL = [
    "perfect",
    "loops",
    "prints",
    "devours",
    "quits",
    "errs",
    "reads",
    "lists",
    "copies",
    "starts",
    "writes",
]


@pytest.mark.parametrize("name", [*FULL, "magic", f"ben_{CHAPTER}"])
def test_a_bad_cell_costs_no_points_of_other_cells(table, name):
    row = table[f"{name}.ipynb"]
    assert row["status"] == "graded" and row["chapter"] == CHAPTER
    assert float(row["points"]) == float(row["possible"]) > 10


@pytest.mark.parametrize(
    ("name", "note"),
    [
        ("loops", "cell 5: TooLong: stopped after 6 s"),
        ("prints", "printed 1,000,001,000 characters: dropped"),
        ("devours", "cell 5: MemoryError"),
        ("quits", "cell 5: SystemExit"),
        ("errs", "cell 5: SyntaxError: invalid syntax"),
        ("reads", f"tried to open {CHAPTER}.ipynb: refused"),
        ("lists", "tried to open classroom: refused"),
        ("copies", "tried to open perfect.ipynb: refused"),
        ("starts", "tried subprocess.Popen: refused"),
        ("kills", "tried os.kill: refused"),
        ("writes", "cell 5: OSError: [Errno 27] File too large"),
    ],
)
def test_the_row_says_what_happened(table, name, note):
    assert note in table[f"{name}.ipynb"]["notes"]


@pytest.mark.parametrize(
    ("file", "status", "note"),
    [
        ("leaves.ipynb", "the process ended before the checks", ""),
        ("shouts.ipynb", "the process ended before the checks", ""),
        ("essay.ipynb", "not graded", "not a notebook (NotJSONError)"),
        ("essay.docx", "not graded", "not a notebook (UnicodeDecodeError)"),
        ("large.ipynb", "not graded", "larger than 2 MB: not read"),
        ("whose.ipynb", "not graded", "of no known chapter: the notebook says None, the file is whose.ipynb"),
        ("nothing.zip", "not graded", "a zip with 0 notebooks; needed: one"),
    ],
)
def test_a_file_that_cannot_be_graded_has_a_row(table, file, status, note):
    row = table[file]
    assert (row["status"], row["notes"], float(row["points"])) == (status, note, 0)


def test_every_file_and_nothing_else_has_a_row(table):
    assert len(table) == 1 + len(BAD_CELLS) + 11
    assert table["exported.zip"]["points"] == table["perfect.ipynb"]["points"]


def test_a_deleted_cell_costs_only_its_own_points(table):
    lost = float(table["perfect.ipynb"]["points"]) - float(table["deleted.ipynb"]["points"])
    assert lost == 2 and "half 0/2" in table["deleted.ipynb"]["questions"]
    assert "not found: draw (was a cell deleted?)" in (table["feedback"] / "deleted.ipynb.md").read_text()


def test_stubs_score_nothing_and_are_reported_as_unanswered(table):
    assert float(table[f"ann{os.sep}stubs.ipynb"]["points"]) == 0
    assert "half: not answered" in (table["feedback"] / "ann/stubs.ipynb.md").read_text()


def test_the_feedback_holds_the_hints_of_the_checks_that_failed(table):
    text = (table["feedback"] / "slips.ipynb.md").read_text()
    assert "half of the log-variance goes into the exponential" in text
    assert (
        "walk: The path starts at the mean of z of a type" in text
    )  # a hidden check: its hint may be shown once the work is handed in
    assert "by_hand" not in text


def test_a_submission_that_cannot_be_interrupted_is_killed_and_the_next_graded(small, perfect, tmp_path):
    deaf = "import signal\nsignal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGALRM])\nwhile True:\n    pass"
    nbformat.write(with_cell(perfect, deaf), tmp_path / "a.ipynb")
    (tmp_path / "b.ipynb").write_text("Dear teacher")
    first, second = grade.grade_all(tmp_path, small, Limits(seconds=3))
    assert (first.status, first.notes, first.points) == ("stopped", ["ran longer than 3 s: stopped"], 0)
    assert (first.chapter, second.notes) == (CHAPTER, ["not a notebook (NotJSONError)"])


def test_a_missing_autograder_or_folder_is_reported(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["grade", str(tmp_path), "--classroom", str(tmp_path)])
    assert grade.main() == 2
    assert "run make classroom first" in capsys.readouterr().out
    for folder in ("", str(tmp_path / "none")):
        monkeypatch.setattr("sys.argv", ["grade", folder])
        assert grade.main() == 2
        assert f"{folder!r} is no folder: make grade SUBMISSIONS=folder" in capsys.readouterr().out


@pytest.mark.slow
def test_otter_gives_the_same_points(small, perfect, tmp_path):
    half, work = copy.deepcopy(perfect), tmp_path / "class"
    for cell in half.cells:
        cell.source = cell.source.replace("np.exp(z_log_var / 2)", "np.exp(z_log_var)")
    work.mkdir()
    nbformat.write(half, work / "half.ipynb")
    (graded,) = grade.grade_all(work, small)
    zipped = small / f"autograder/{CHAPTER}.zip"
    command = ["otter", "run", str(work / "half.ipynb"), "-a", str(zipped), "-o", str(tmp_path), "--no-logo"]
    subprocess.run([sys.executable, "-m", *command], check=True, capture_output=True)
    tests = json.loads((tmp_path / "results.json").read_text())["tests"]
    assert graded.points == pytest.approx(sum(test["score"] for test in tests if "score" in test), abs=1e-3)
    assert 0 < graded.points < graded.possible


@pytest.mark.slow
def test_a_class_of_two_hundred(small, perfect, tmp_path, monkeypatch):
    """Run the command of `make grade` on 195 good submissions, an endless, a broken and three other bad ones."""
    folder, out = tmp_path / "class", tmp_path / "grades.csv"
    folder.mkdir()
    for number in range(195):
        nbformat.write(perfect, folder / f"student_{number:03d}.ipynb")
    for name in ("loops", "prints", "leaves", "quits"):
        nbformat.write(with_cell(perfect, BAD_CELLS[name]), folder / f"{name}.ipynb")
    (folder / "essay.ipynb").write_text("Dear teacher")
    monkeypatch.setattr("sys.argv", ["grade", str(folder), "--classroom", str(small), "--out", str(out)])
    assert grade.main() == 0
    with open(out, encoding="utf8", newline="") as file:
        rows = {row["file"]: row for row in csv.DictReader(file)}
    full = [row for row in rows.values() if row["status"] == "graded" and row["points"] == row["possible"]]
    assert len(rows) == 200 and len(full) == 198
    assert rows["leaves.ipynb"]["status"] == "the process ended before the checks"
    assert rows["essay.ipynb"]["status"] == "not graded"
    assert max(float(row["seconds"]) for row in rows.values()) < 60
