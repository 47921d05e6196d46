"""The marking guide: what each question is worth, how long it takes, and what students get wrong."""

from collections.abc import Iterator

from tools.classroom.masters import Master, Question


def marking_guide(made: list[Master]) -> str:
    """The guide to the questions of these masters, in Markdown; only for teachers."""
    return "\n".join(["# Marking guide", "", *(line for master in made for line in _chapter(master))])


def _chapter(master: Master) -> Iterator[str]:
    points = sum(question.config["points"] for question in master.questions)
    minutes = sum(int(question.heading["minutes"]) for question in master.questions)
    yield f"## {master.name}: {points} points, {minutes} minutes\n"
    yield "| question | points | minutes | level | checks (hidden) |\n| --- | --- | --- | --- | --- |"
    for question in master.questions:
        about, hidden = question.heading, sum(check.hidden for check in question.checks)
        checks = f"{len(question.checks)} ({hidden})"
        cells = [question.name, question.config["points"], about["minutes"], about["level"], checks]
        yield f"| {' | '.join(map(str, cells))} |"
    yield ""
    for question in master.questions:
        yield from _question(question)


def _question(question: Question) -> Iterator[str]:
    yield f"### {question.heading['title']} (`{question.name}`)\n"
    points, checks = question.config["points"], len(question.checks)
    yield f"Each of the {checks} checks is worth {points / checks:.2g} of {points} points. Common wrong answers:\n"
    hints = {check.name: check.hint for check in question.checks}
    for wrong in question.wrong_answers:
        yield f"- {wrong.story} Check `{wrong.check}` fails. Hint: *{hints[wrong.check]}*"
    yield ""
