"""The marking guide: points, time and common wrong answers of each question."""

from collections.abc import Iterator

from tools.classroom.masters import Master, Question


def marking_guide(rendered: list[Master]) -> str:
    """The marking guide to these masters in Markdown; for teachers only."""
    return "\n".join(["# Marking guide", "", *(line for master in rendered for line in _chapter(master))])


def _chapter(master: Master) -> Iterator[str]:
    points = sum(question.config["points"] for question in master.questions)
    minutes = sum(int(question.heading["minutes"]) for question in master.questions)
    yield f"## {master.name}: {points} points, {minutes} minutes\n"
    yield "| question | points | minutes | level | checks (hidden) |\n| --- | --- | --- | --- | --- |"
    for question in master.questions:
        heading, hidden = question.heading, sum(check.hidden for check in question.checks)
        checks = f"{len(question.checks)} ({hidden})"
        cells = [question.name, question.config["points"], heading["minutes"], heading["level"], checks]
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
