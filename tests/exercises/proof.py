"""Helpers for the tests of the exercises: a chapter's questions and the checks that Otter generated from them."""

import ast
import re
from functools import cached_property
from pathlib import Path

import nbformat

from tools.classroom import build, grade, masters, worker
from tools.classroom.confinement import Limits

MASTERS = sorted(build.MASTERS.glob("*.ipynb"))
LIMITS = Limits(cell_seconds=60)


class Chapter:
    """A rendered master and the classroom built from it."""

    def __init__(self, master: masters.Master, classroom: Path):
        self.master, self.classroom, self.name = master, classroom, master.name
        self._namespaces = {}

    @cached_property
    def checks(self) -> dict[str, str]:
        """Otter's test file of each question, from the autograder."""
        return grade.banks_of(self.classroom)[self.name]

    def edition(self, which: str) -> nbformat.NotebookNode:
        """The notebook of an edition."""
        return nbformat.read(self.classroom / which / f"{self.name}.ipynb", as_version=4)

    def namespace(self, which: str) -> dict:
        """A copy of the namespace after the cells of an edition have run; no cell may fail.

        The cells run only once, because some train a model.
        """
        if which not in self._namespaces:
            self._namespaces[which], notes = worker.run_cells(self.edition(which), LIMITS)
            assert notes == []
        return dict(self._namespaces[which])


def answers(source: str) -> set[str]:
    """The functions that code defines at its top level."""
    return {node.name for node in ast.parse(source).body if isinstance(node, ast.FunctionDef)}


def names_in(source: str) -> set[str]:
    """Every name and parameter that code uses."""
    nodes = list(ast.walk(ast.parse(source)))
    names = {node.id for node in nodes if isinstance(node, ast.Name)}
    return names | {node.arg for node in nodes if isinstance(node, ast.arg)}


def in_question(question: masters.Question, cells) -> str:
    """The plain code cells of a question: code that the student is given."""
    special_cells = {question.solution.strip(), question.draw, *(check.source for check in question.checks)}
    special_cells |= {wrong.source for wrong in question.wrong_answers}
    return "\n".join(
        cell.source for cell in cells if cell.cell_type == "code" and cell.source.strip() not in special_cells
    )


def secret_lines(question: masters.Question) -> set[str]:
    """The lines that no student may see: solution, hidden checks and their hints, wrong answers and draws."""
    solutions = re.findall(r"# BEGIN SOLUTION NO PROMPT\n(.*?)# END SOLUTION", question.solution, re.DOTALL)
    hidden = [check for check in question.checks if check.hidden]
    texts = [
        *solutions,
        question.draw,
        *(check.source for check in hidden),
        *(check.hint for check in hidden),
    ]
    texts += [wrong.source for wrong in question.wrong_answers]
    lines = {line.strip() for text in texts for line in text.splitlines()}
    return {line for line in lines if len(line) > 8}


def open_text(question: masters.Question) -> str:
    """The parts of a question that a student may see."""
    stub = re.sub(r"# BEGIN SOLUTION NO PROMPT\n.*?# END SOLUTION", "", question.solution, flags=re.DOTALL)
    public = [check.source for check in question.checks if not check.hidden]
    return "\n".join([question.text, stub, *public, in_question(question, question.cells)])
