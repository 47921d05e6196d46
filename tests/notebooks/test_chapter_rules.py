"""Each rule passes on a good chapter and fails on one that breaks it."""

import base64
import io

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output
from PIL import Image, ImageDraw

from tests.notebooks.chapter_rules import RULES, SECTIONS, Chapter, exported_names, prose, typed_numbers
from tools.normalise import normalise


def png(colour="white", line=None):
    image = Image.new("RGB", (60, 40), colour)
    if line:
        ImageDraw.Draw(image).line((5, 5, 55, 35), fill=line, width=2)
    buffer = io.BytesIO()
    image.save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def good_chapter():
    """A chapter that follows every rule."""
    nb = new_notebook(metadata={"latentcells": {"datasets": ["pbmc_facs"]}})
    add = nb.cells.append

    def code(source, outputs=(), **metadata):
        count = 1 + sum(cell.cell_type == "code" for cell in nb.cells)
        add(new_code_cell(source, execution_count=count, outputs=list(outputs), metadata=metadata))

    add(new_markdown_cell("# A title\n\nAn opening."))
    for section in SECTIONS:
        opening = (
            ":::{admonition} Card\n90 s, 1.5 GB\n:::" if section == "card" else f"## {section.title()}\n"
        )
        add(new_markdown_cell(f"(good-topic-{section})=\n{opening}"))
        if section == "question":
            nb.cells[-1].source += "\n```{image} schematic.svg\n:alt: A schematic.\n```\n\n" + "word " * 2600
        elif section == "baseline":
            for i in range(4):
                mystnb = {
                    "image": {"alt": f"A red line, number {i}."},
                    "figure": {"caption": f"The line climbs in run {i}."},
                }
                figure = new_output("display_data", data={"image/png": png(line="red")})
                code("\n".join(["x = 1"] * 30), [figure], mystnb=mystnb)
            code("\n".join(["y = 2"] * 30))
        elif section == "failure":
            error = new_output("error", ename="ValueError", evalue="no", traceback=[])
            code(
                "1 / 0",
                [new_output("stream", name="stdout", text="before"), error],
                tags=["raises-exception"],
            )
        elif section == "exercises":
            for i in range(5):
                hint = "```{dropdown} Hint\nDraw it.\n```"
                add(new_markdown_cell(f"### Exercise {i}\n\nDo it (10 minutes).\n\n{hint}"))
                code(f"claim('done', {i} == {i})", tags=["solution", "hide-cell"])
        elif section == "quiz":
            item = (
                "\n**{}.** Why?\n\n- **A.** So.\n- **B.** Or so.\n\n"
                "```{{dropdown}} Answer\n- **A.** No: it is so.\n- **B is right.** Because.\n```\n"
            )
            add(new_markdown_cell("".join(item.format(i) for i in range(1, 6))))
        elif section == "references":
            nb.cells[-1].source += "\n```{footbibliography}\n```"
    return nbformat.reads(normalise(nbformat.writes(nb)), as_version=4)


def cell_with(nb, text):
    return next(cell for cell in nb.cells if text in cell.source)


def drop(nb, text):
    nb.cells.remove(cell_with(nb, text))


def edit(text, old, new):
    def break_it(nb):
        cell = cell_with(nb, text)
        assert old in cell.source
        cell.source = cell.source.replace(old, new, 1)

    return break_it


def stream(text, name="stdout"):
    return lambda nb: cell_with(nb, "y = 2").outputs.append(new_output("stream", name=name, text=text))


def draw(data):
    return lambda nb: cell_with(nb, "x = 1").outputs[0].data.update({"image/png": data})


def tag(text, *tags):
    return lambda nb: cell_with(nb, text).metadata.update(tags=list(tags))


# (rule, part of its message, how the good chapter is broken)
BROKEN = [
    ("executed", "not executed", lambda nb: cell_with(nb, "y = 2").update(execution_count=None)),
    ("executed", "not executed", lambda nb: cell_with(nb, "y = 2").update(execution_count=99)),
    ("quiet", "stderr", stream("Warning: ...", "stderr")),
    ("quiet", "progress bar", stream("1/9\r2/9\r9/9")),
    ("quiet", "progress bar", stream("100%|███| 9/9")),
    (
        "quiet",
        "widget",
        lambda nb: cell_with(nb, "x = 1").outputs[0].data.update({"application/widget+json": "{}"}),
    ),
    ("failures_expected", "fails", tag("1 / 0", "other")),
    ("failures_expected", "does not fail", tag("y = 2", "raises-exception")),
    ("figures", "blank", draw(png())),
    ("figures", "blank", draw(png(line="black"))),
    ("figures", "does not decode", draw("bm90IGFuIGltYWdl")),
    ("figures", "no alt text", lambda nb: cell_with(nb, "x = 1").metadata.mystnb.pop("image")),
    ("figures", "no caption", lambda nb: cell_with(nb, "x = 1").metadata.mystnb.pop("figure")),
    (
        "figures",
        "draws 2",
        lambda nb: cell_with(nb, "x = 1").outputs.append(cell_with(nb, "x = 1").outputs[0]),
    ),
    ("figures", "3 computed figures", lambda nb: drop(nb, "x = 1")),
    ("sizes", "at most 1 MB", lambda nb: stream("x" * 1_000_000)(nb)),
    ("sizes", "31 lines", edit("y = 2", "y = 2", "y = 2\ny = 3")),
    ("sizes", "visible lines", tag("x = 1", "hide-input")),
    ("sizes", "words outside", edit("word", "word " * 200, "`word` $word$ ")),
    ("sizes", "words outside", edit("word", "word ", "word " * 1500)),
    ("normalised", "not normalised", lambda nb: nb.metadata.kernelspec.update(display_name="my-env")),
    ("steered_by_tags", "comment", edit("y = 2", "y = 2", "# NBVAL_IGNORE_OUTPUT")),
    ("steered_by_tags", "comment", tag("y = 2", "nbval-skip")),
    ("no_closing_semicolon", "plt.show()", lambda nb: cell_with(nb, "y = 2").update(source="y = 2;\n")),
    ("lines_end_in_time", "81 columns", edit("y = 2", "y = 2", "y = " + "2" * 77)),
    ("claims_show_their_numbers", "shows none", edit("y = 2", "y = 2", "claim('2 is more', 2 > 1)")),
    ("claims_show_their_numbers", "shows none", edit("y = 2", "y = 2", "lc.claim('all', (y < x).all())")),
    ("claims_show_their_numbers", "shows none", edit("y = 2", "y = 2", "claim('near', np.allclose(y, x))")),
    ("finished", "TODO", edit("An opening", "An opening", "TODO")),
    ("finished", "empty", lambda nb: cell_with(nb, "y = 2").update(source=" ")),
    ("prose_numbers", "0.74", edit("An opening", "opening", "F1 of 0.74")),
    ("defines_nothing_of_the_library", "claim", edit("y = 2", "y = 2", "def claim(text, condition): pass")),
    ("names_its_data", "None", lambda nb: nb.metadata.pop("latentcells")),
    ("anatomy", "'# Title'", edit("An opening", "# A title", "## A title")),
    ("anatomy", "'# Title'", edit("An opening", "An opening", "# Another")),
    ("anatomy", "sections must be", lambda nb: drop(nb, "-limits)=")),
    ("anatomy", "sections must be", lambda nb: nb.cells.reverse()),
    ("anatomy", "no '## ' heading", edit("-limits)=", "## ", "### ")),
    ("anatomy", "no .svg", edit("-question)=", ".svg", ".png")),
    ("anatomy", "no {footbib", edit("-references)=", "{footbibliography}", "{note}")),
    ("anatomy", "4 exercises", lambda nb: drop(nb, "### Exercise 3")),
    ("anatomy", "two exercises", edit("### Exercise 3", "Do it", "### Exercise 8")),
    ("anatomy", "Exercise 3: needs a solution", tag("3 == 3", "solution")),
    ("anatomy", "Exercise 3: needs a solution", edit("3 == 3", "claim('done', 3 == 3)", "3")),
    ("anatomy", "Exercise 3: needs a hint", edit("### Exercise 3", "{dropdown} Hint", "{note}")),
    (
        "anatomy",
        "Exercise 3: needs a hint",
        edit("### Exercise 3", "Do it", ":::{dropdown} Answer\nSo.\n:::\n"),
    ),
    ("quiz", "['1', '2', '4', '5']", edit("Why?", "**3.** ", "")),
    ("quiz", "question 1: it asks nothing", edit("Why?", "Why?", "")),
    ("quiz", "question 1: its choices are ['A']", edit("Why?", "- **B.** Or so.\n", "")),
    ("quiz", "question 1: its choices are ['B']", edit("Why?", "- **A.** So.\n", "- **A.** \n")),
    ("quiz", "question 1: no answer", edit("Why?", "{dropdown} Answer", "{note}")),
    ("quiz", "question 1: the answer speaks of ['B']", edit("Why?", "- **A.** No: it is so.\n", "")),
    ("quiz", "question 1: right are []", edit("Why?", "B is right.", "B.")),
    ("quiz", "question 1: right are ['A', 'B']", edit("Why?", "- **A.** No", "- **A is right.** No")),
]


def rule_named(name):
    return next(rule for rule in RULES if rule.__name__ == name)


def problems(rule, nb):
    return list(rule(Chapter("00_good_topic", nbformat.writes(nb) + "\n")))


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_a_good_chapter_follows_every_rule(rule):
    assert problems(rule, good_chapter()) == []


@pytest.mark.parametrize(("name", "message", "break_it"), BROKEN)
def test_a_broken_chapter_is_reported(name, message, break_it):
    nb = good_chapter()
    break_it(nb)
    assert any(message in problem for problem in problems(rule_named(name), nb)), problems(
        rule_named(name), nb
    )


def test_every_rule_has_a_broken_chapter():
    assert {rule.__name__ for rule in RULES} == {name for name, _, _ in BROKEN}


def test_an_exercise_on_paper_needs_no_solution_cell():
    nb = good_chapter()
    cell_with(nb, "### Exercise 3").source += "\n\n:::{dropdown} Answer\nBy hand.\n:::"
    drop(nb, "3 == 3")
    assert not problems(rule_named("anatomy"), nb)


def test_a_hint_does_not_count_as_an_answer():
    nb = good_chapter()
    drop(nb, "3 == 3")
    assert any("Exercise 3: needs a solution" in problem for problem in problems(rule_named("anatomy"), nb))


@pytest.mark.parametrize(
    "typed",
    ["reaches 0.74", "in 12 s", "12.5 seconds", "about 3 GB", "80 % of the cells", "95% of them", "a 2-fold change",
     "2× faster", "12 ms a step", "8,000 cells/s", "**0.65**", "- 41 nats", "90 percent"],
)  # fmt: skip
def test_a_typed_result_is_found(typed):
    assert len(typed_numbers(f"The model {typed}.")) == 1


@pytest.mark.parametrize(
    "fine",
    ["in 2014", "10 types", "3,774 × 16,791", "`test_size=0.2`", "$\\tfrac12 = 0.5$", "$$\nx = 0.5\n$$", "## Take 2.0",
     "{footcite:p}`kingma2014auto`", "```python\nx = 0.5\n```", "1. first", "Keras 3.13", "[a](https://a.b/1.0)",
     "chapter 5.", "doi:10.1000/182", "(10 minutes)", "Python 3.11-3.13",
     "Python 3.11, 3.12 or 3.13", "10x Genomics", "In 45 minutes", "8 GB of memory", "<!-- 0.5 -->",
     "\\begin{align}\n0.5\n\\end{align}"],
)  # fmt: skip
def test_other_numbers_are_not_taken_for_results(fine):
    assert typed_numbers(f"The model.\n\n{fine}\n") == []


def test_prose_with_and_without_dropdowns():
    source = "Seen.\n\n::::{note}\n:name: x\nNoted.\n\n:::{dropdown} Title\nFolded.\n:::\n::::\nSeen too."
    assert prose(source).split() == ["Seen.", "Noted.", "Folded.", "Seen", "too."]
    assert prose(source, hidden=False).split() == ["Seen.", "Noted.", "Seen", "too."]


def test_exported_names_are_read():
    assert {"claim"} <= exported_names()
