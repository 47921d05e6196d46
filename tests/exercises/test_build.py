"""Building the classroom: each missing part gets a line, and the other masters are still built."""

import tomllib
import zipfile

import nbformat
import pytest
import yaml
from packaging.specifiers import SpecifierSet

from tests.exercises.proof import MASTERS
from tools.classroom import build, figures, guide, masters, variants

FIRST = MASTERS[0]


def without_cells(unwanted) -> masters.Master:
    """The first master without the cells of its first question that `unwanted` selects."""
    notebook = nbformat.read(FIRST, as_version=4)
    end = next(i for i, cell in enumerate(notebook.cells) if cell.source == "# END QUESTION")
    head = [cell for cell in notebook.cells[:end] if not unwanted(cell.source)]
    notebook.cells = head + notebook.cells[end:]
    return masters.parse(FIRST, notebook)


@pytest.mark.parametrize(
    ("part", "line"),
    [
        ("# ASSIGNMENT CONFIG", "its ASSIGNMENT CONFIG has no `name: 01_vae`"),
        ("import ", "no code cell before the first question imports what the questions use"),
        ("### 1.", "question by_hand: no heading `### N. Title (M minutes, LEVEL)`"),
        ("# BEGIN SOLUTION NO PROMPT", "question by_hand: no solution"),
        ("# BEGIN TEST CONFIG", "question by_hand: no hidden check"),
        ("# BEGIN TEST CONFIG", "question by_hand: no public check"),
        ("# IGNORE wrong answer", "question by_hand: no wrong answer"),
        ("# BEGIN QUESTION", "5 questions of its own; needed: 5 to 7"),
    ],
)
def test_a_missing_part_is_named(part, line):
    problems = list(masters.problems(without_cells(lambda source: part in source)))
    assert line in problems or (part == "# BEGIN QUESTION" and problems == [])


def edited(before: str, after: str) -> masters.Master:
    notebook = nbformat.read(FIRST, as_version=4)
    cell = next(cell for cell in notebook.cells if before in cell.source)
    cell.source = cell.source.replace(before, after)
    return masters.parse(FIRST, notebook)


@pytest.mark.parametrize(
    ("before", "after", "line"),
    [
        ("points: 3", "", "question by_hand: no points"),
        ("name: by_hand", "title: by_hand", "question ?: no name"),
        ("name: half", "name: by_hand", "2 questions have the name by_hand"),
        (", easy)", ", trivial)", "level trivial; one of: easy, medium, hard, research-like"),
        ("raise NotImplementedError", "pass  #", "question by_hand: no stub that raises NotImplementedError"),
        ("failure_message", "message", "check test_sum_over_dimensions has no failure_message, the hint"),
        (
            "fails test_sum",
            "fails test_some",
            "a wrong answer names the check test_some_over_dimensions, which",
        ),
        ("# IGNORE draw", "# IGNORE", "1 variants; needed: 2"),
        (
            "Did you average over the dimensions as well?",
            "Not 'all'?\\\\",
            "check test_sum_over_dimensions: a hint is one line without double quotes and backslashes",
        ),
    ],
)
def test_a_wrong_part_is_named(before, after, line):
    assert any(line in problem for problem in masters.problems(edited(before, after)))


def test_a_variant_must_use_what_it_draws():
    master = masters.read(FIRST)
    question = next(question for question in master.questions if question.draw)
    question.solution = masters.fill(question.solution, {"answer": "1"})
    assert f"question {question.name}: it draws numbers and uses none" in masters.problems(master)


def test_broken_masters_are_left_out_and_the_others_are_built(tmp_path):
    pytest.importorskip("otter", reason="the extra `classroom` is not installed")
    no_notebook, no_hint, bad_draw = (tmp_path / f"{name}.ipynb" for name in ("a", "b", "c"))
    no_notebook.write_text("not a notebook")
    nbformat.write(edited("points: 3", "").notebook, no_hint)
    nbformat.write(edited("rng.normal(size=(2, 3, 2))", "rng.nothing").notebook, bad_draw)
    for path in (no_hint, bad_draw):  # each has its own name
        path.write_text(path.read_text().replace("name: 01_vae", f"name: {path.stem}"))
    lines = build.build([no_notebook, no_hint, FIRST, bad_draw], tmp_path / "out", "secret")
    assert lines == [
        "a.ipynb: not a notebook (NotJSONError)",
        "b.ipynb: question by_hand: no points",
        "c.ipynb: question variant_kl: its draw fails: AttributeError: "
        "'numpy.random._generator.Generator' object has no attribute 'nothing'",
    ]
    for folder in ("student", "teacher", "autograder"):
        assert [path.stem for path in (tmp_path / "out" / folder).iterdir()] == ["01_vae"]


def test_the_autograder_zip_has_what_gradescope_and_otter_need(tmp_path):
    """Gradescope runs setup.sh and run_autograder from the root of the zip, which it unpacks in /autograder/source."""
    pytest.importorskip("otter", reason="the extra `classroom` is not installed")
    wheel = tmp_path / "latentcells-0.1.0-py3-none-any.whl"
    wheel.write_bytes(b"a wheel")
    assert build.build([FIRST], tmp_path / "out", "secret", wheel) == []
    with zipfile.ZipFile(tmp_path / f"out/autograder/{FIRST.stem}.zip") as archive:
        names = set(archive.namelist())
        assert {"setup.sh", "run_autograder", "run_otter.py", "otter_config.json", "environment.yml"} <= names
        questions = {question.name for question in masters.read(FIRST).questions}
        assert {f"tests/{name}.py" for name in questions} | {f"files/{wheel.name}"} <= names
        needs = yaml.safe_load(archive.read("environment.yml"))["dependencies"]
    (packages,) = (need["pip"] for need in needs if isinstance(need, dict))
    assert f"latentcells @ file:///autograder/source/files/{wheel.name}" in packages
    (python,) = (need.partition("=")[2] for need in needs if str(need).startswith("python="))
    project = tomllib.loads((build.ROOT / "pyproject.toml").read_text(encoding="utf8"))["project"]
    assert python in SpecifierSet(project["requires-python"])


def test_a_classroom_needs_a_secret(monkeypatch, capsys):
    with pytest.raises(ValueError, match="the secret is empty"):
        variants.render(masters.read(FIRST), "")
    monkeypatch.delenv("SECRET", raising=False)
    monkeypatch.setattr("sys.argv", ["build"])
    assert build.main() == 2
    assert "make classroom SECRET=" in capsys.readouterr().out


def test_a_name_that_was_not_drawn_is_named():
    with pytest.raises(ValueError, match=r"\{\{b\}\} is not among what draw returns: a"):
        masters.fill("x = {{a}} + {{b}}", {"a": "1"})


def test_the_marking_guide_has_names_wrong_answers_and_points():
    master = masters.read(FIRST)
    text = guide.marking_guide([master])
    for question in master.questions:
        assert f"`{question.name}`" in text
        assert all(wrong.story in text for wrong in question.wrong_answers)
    assert f"{sum(question.config['points'] for question in master.questions)} points" in text


def test_every_stored_figure_has_a_caption(tmp_path):
    paths = figures.collect([build.ROOT / "chapters/01_vae.ipynb"], tmp_path)
    captions = (tmp_path / "captions.md").read_text(encoding="utf8")
    assert [path.suffix for path in paths] == [".svg"] + [".png"] * (len(paths) - 1) and len(paths) > 4
    assert all(f"**{path.name}**. " in captions for path in paths)
    assert paths[1].read_bytes().startswith(b"\x89PNG")
