"""Each chapter's exercises: solutions pass, stubs and wrong answers fail as they should, nothing leaks."""

import json
import zipfile

import pytest

from tests.exercises.proof import LIMITS, MASTERS, answers, in_question, names_in, open_text, secret_lines
from tools.classroom import masters, variants, worker


@pytest.mark.parametrize("path", MASTERS, ids=lambda path: path.stem)
def test_a_master_has_every_part(path):
    assert list(masters.problems(masters.read(path))) == []


def test_in_the_teacher_edition_every_check_passes(chapter):
    namespace = chapter.namespace("teacher")
    for question, source in chapter.checks.items():
        for result in worker.run_checks(source, namespace, LIMITS):
            assert not result["error"], (question, result)


def test_in_the_student_edition_every_stub_raises_not_implemented(chapter):
    namespace = chapter.namespace("student")
    for question, source in chapter.checks.items():
        for result in worker.run_checks(source, namespace, LIMITS):
            assert result["error"].startswith("NotImplementedError"), (question, result)


def test_no_question_needs_the_answer_to_another(chapter):
    questions = chapter.master.questions
    for question in questions:
        others = set().union(*(answers(other.solution) for other in questions if other is not question))
        code = [question.solution, in_question(question, question.cells)]
        code += [check.source for check in question.checks]
        used = set().union(*map(names_in, code))
        assert not used & (others - answers(question.solution)), question.name


def test_each_wrong_answer_fails_with_its_hint(chapter):
    solved = chapter.namespace("teacher")
    for question in chapter.master.questions:
        hints = {check.name: check.hint for check in question.checks}
        for wrong in question.wrong_answers:
            namespace = dict(solved)
            exec(question.solution + "\n" + wrong.source, namespace)
            results = {
                result["check"]: result
                for result in worker.run_checks(
                    _single_check(chapter.checks[question.name], wrong.check), namespace, LIMITS
                )
            }
            failed = results[wrong.check]
            assert failed["error"].startswith("AssertionError"), (question.name, wrong.story, failed["error"])
            assert failed["hint"] == hints[wrong.check] and failed["points"] == 0


def _single_check(source: str, check: str) -> str:
    """A test file with one check only."""
    head, *cases = source.split("@test_case(")
    return head + "".join("@test_case(" + case for case in cases if f"def {check}(" in case)


def test_the_wrong_answers_of_a_question_fail_different_checks(chapter):
    for question in chapter.master.questions:
        checks = [wrong.check for wrong in question.wrong_answers]
        assert len(checks) == len(set(checks)), question.name


def test_the_student_edition_holds_no_solution_and_no_hidden_check(chapter):
    notebook = chapter.edition("student")
    visible_text = "\n".join(cell.source for cell in notebook.cells) + json.dumps(
        notebook.metadata, ensure_ascii=False
    )
    for question in chapter.master.questions:
        allowed = "\n".join([*chapter.master.setup, open_text(question)])
        leaked = [line for line in secret_lines(question) if line in visible_text and line not in allowed]
        assert not leaked, question.name
    assert "hidden=True" not in visible_text and "IGNORE" not in visible_text


def test_another_secret_gives_other_numbers_and_answers(chapter):
    master = masters.read(chapter.master.path)
    editions = [
        variants.render(master, secret).questions for secret in ("one", "two", "three", "four", "five", "two")
    ]
    for versions in zip(*editions, strict=True):
        tasks = [question.text + in_question(question, question.cells) for question in versions]
        solutions = [question.solution for question in versions]
        assert (tasks[1], solutions[1]) == (tasks[5], solutions[5])
        if versions[0].draw:
            assert len(set(tasks)) == 5, versions[0].name
            assert len(set(solutions)) >= 3, versions[0].name  # two of the few possible answers may be equal
        else:
            assert len(set(tasks)) == len(set(solutions)) == 1
    answer_keys = ["".join(question.solution for question in questions) for questions in editions[:5]]
    assert len(set(answer_keys)) == 5


def test_the_student_folder_holds_only_notebooks(classroom):
    assert {path.suffix for path in (classroom / "student").iterdir()} == {".ipynb"}
    for path in (classroom / "autograder").iterdir():
        assert any(name.startswith("tests/") for name in zipfile.ZipFile(path).namelist())
