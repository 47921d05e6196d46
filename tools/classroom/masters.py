"""An exercise master: a notebook in the format of ``otter assign`` that also meets this course's own rules.

A question stands between raw cells ``# BEGIN QUESTION`` and ``# END QUESTION``. Two kinds of code cell are our own;
Otter drops both, since they begin with ``# IGNORE``:

- ``# IGNORE wrong answer, fails CHECK: STORY``: an answer that students give, and the check that must refuse it. The
  check's ``failure_message`` is the hint.
- ``# IGNORE draw``: a function ``draw(rng)`` makes the question a variant: each ``{{name}}`` in its cells stands for a
  value of the dictionary that the function returns.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import nbformat
import yaml

LEVELS = ("easy", "medium", "hard", "research-like")
OWN, VARIANTS = range(5, 8), 2  # a chapter has five to seven questions, and two whose numbers are drawn

_BLOCK = re.compile(r"# (BEGIN|END) (QUESTION|SOLUTION|TESTS)\b|# ASSIGNMENT CONFIG\b")
_HEADING = re.compile(r"^### (?P<title>.+) \((?P<minutes>\d+) minutes, (?P<level>[a-z-]+)\)$", re.MULTILINE)
_WRONG = re.compile(r"# IGNORE wrong answer, fails (?P<check>\w+): (?P<story>.+)")
_TEST = re.compile(r'"""\s*# BEGIN TEST CONFIG\n(?P<config>.*?)\n"""\s*# END TEST CONFIG\n', re.DOTALL)
_PLACEHOLDER = re.compile(r"\{\{\s*(\w+)\s*\}\}")


@dataclass(frozen=True)
class Check:
    """A check of an answer: a function that raises for a wrong one, and the hint that the student then reads."""

    name: str
    source: str
    hidden: bool
    hint: str


@dataclass(frozen=True)
class WrongAnswer:
    """An answer that students give, why they give it, and the check that refuses it."""

    check: str
    story: str
    source: str


@dataclass
class Question:
    """A question of a master; missing parts are empty."""

    config: dict
    text: str = ""
    solution: str = ""
    draw: str = ""
    checks: list[Check] = field(default_factory=list)
    wrong_answers: list[WrongAnswer] = field(default_factory=list)
    cells: list[nbformat.NotebookNode] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The question's name in Otter."""
        return str(self.config.get("name", "?"))

    @property
    def heading(self) -> dict:
        """Title, minutes and level from the question's heading; empty if the heading lacks them."""
        match = _HEADING.search(self.text)
        return match.groupdict() if match else {}


@dataclass
class Master:
    """A master notebook and the questions in it."""

    path: Path
    notebook: nbformat.NotebookNode
    config: dict
    setup: list[str]
    questions: list[Question]

    @property
    def name(self) -> str:
        """The chapter's name."""
        return self.path.stem


def read(path: Path) -> Master:
    """Read a master; raises ValueError with one line where the file is no notebook."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except Exception as error:  # nbformat raises many kinds
        raise ValueError(f"not a notebook ({type(error).__name__})") from None
    return parse(path, notebook)


def parse(path: Path, notebook: nbformat.NotebookNode) -> Master:
    """Find the parts of a master in its notebook."""
    master = Master(path, notebook, {}, [], [])
    question, block = None, ""
    for cell in notebook.cells:
        boundary = _BLOCK.match(cell.source) if cell.cell_type == "raw" else None
        if question is not None:
            question.cells.append(cell)
        if boundary is None:
            _add_cell(cell, master, question, block)
        elif boundary[2] is None:
            master.config = _settings(cell.source)
        elif boundary[2] == "QUESTION":
            question = None
            if boundary[1] == "BEGIN":
                question = Question(_settings(cell.source), cells=[cell])
                master.questions.append(question)
        else:
            block = boundary[2] if boundary[1] == "BEGIN" else ""
    return master


def _settings(text: str) -> dict:
    settings = yaml.safe_load(text)
    return settings if isinstance(settings, dict) else {}


def _add_cell(cell, master: Master, question: Question | None, block: str) -> None:
    """Add a cell that is no boundary to the part that it belongs to."""
    if question is None:
        if cell.cell_type == "code" and not master.questions:
            master.setup.append(cell.source)
    elif cell.cell_type == "markdown":
        question.text += cell.source + "\n"
    elif wrong := _WRONG.match(cell.source):
        question.wrong_answers.append(WrongAnswer(wrong["check"], wrong["story"], cell.source))
    elif cell.source.startswith("# IGNORE draw"):
        question.draw = cell.source
    elif block == "SOLUTION":
        question.solution += cell.source + "\n"
    elif block == "TESTS":
        question.checks.append(_check(cell.source))


def _check(source: str) -> Check:
    match = _TEST.match(source)
    config = _settings(match["config"]) if match else {}
    name = re.search(r"^def (\w+)\(", source, re.MULTILINE)
    return Check(
        name[1] if name else "?", source, bool(config.get("hidden")), config.get("failure_message") or ""
    )


def problems(master: Master) -> Iterator[str]:
    """What the master lacks: one line per problem, without the master's name."""
    if master.config.get("name") != master.name:
        yield f"its ASSIGNMENT CONFIG has no `name: {master.name}`"
    if not master.setup:
        yield "no code cell before the first question imports what the questions use"
    n_variants = sum(bool(question.draw) for question in master.questions)
    if len(master.questions) - n_variants not in OWN:
        yield f"{len(master.questions) - n_variants} questions of its own; needed: {OWN.start} to {OWN.stop - 1}"
    if n_variants != VARIANTS:
        yield f"{n_variants} variants; needed: {VARIANTS}"
    names = [question.name for question in master.questions]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f"{names.count(name)} questions have the name {name}"
    for question in master.questions:
        for line in _problems_of_question(question):
            yield f"question {question.name}: {line}"


def _problems_of_question(question: Question) -> Iterator[str]:
    if "name" not in question.config:
        yield "no name"
    if not isinstance(question.config.get("points"), int):
        yield "no points"
    if not question.heading:
        yield "no heading `### N. Title (M minutes, LEVEL)`"
    elif question.heading["level"] not in LEVELS:
        yield f"level {question.heading['level']}; one of: {', '.join(LEVELS)}"
    if "# BEGIN SOLUTION NO PROMPT" not in question.solution:
        yield "no solution"
    if "raise NotImplementedError" not in question.solution:
        yield "no stub that raises NotImplementedError"
    for kind, hidden in (("public", False), ("hidden", True)):
        if not any(check.hidden is hidden for check in question.checks):
            yield f"no {kind} check"
    yield from _problems_of_hints(question)
    if question.draw and not _PLACEHOLDER.search(question.text + question.solution):
        yield "it draws numbers and uses none"


def _problems_of_hints(question: Question) -> Iterator[str]:
    hints = {check.name: check.hint for check in question.checks}
    for name, hint in hints.items():
        if not hint:
            yield f"check {name} has no failure_message, the hint"
        elif set(hint) & set('"\\\n'):
            yield f"check {name}: a hint is one line without double quotes and backslashes"
    if not question.wrong_answers:
        yield "no wrong answer"
    for wrong in question.wrong_answers:
        if wrong.check not in hints:
            yield f"a wrong answer names the check {wrong.check}, which is not there"


def fill(text: str, values: dict[str, str]) -> str:
    """The text with each ``{{name}}`` replaced; raises ValueError for a name that was not drawn."""

    def value_of(placeholder: re.Match) -> str:
        if placeholder[1] not in values:
            raise ValueError(f"{{{{{placeholder[1]}}}}} is not among what draw returns: {', '.join(values)}")
        return values[placeholder[1]]

    return _PLACEHOLDER.sub(value_of, text)
