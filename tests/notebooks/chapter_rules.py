"""The rules for chapters. A rule takes a Chapter and yields one line per problem; RULES lists all rules.

For the author of `chapters/NN_topic.ipynb`:

- The first cell opens with the one `# Title`. Eleven sections follow in the order of SECTIONS, each opened by a
  target named after the file, `(topic-question)=`, on the line before its `##` heading (underscores become
  hyphens). The card's target stands before an admonition, and the card has a cell of its own.
- The question's section shows an `.svg`; the references contain `{footbibliography}`; cite with `{footcite:p}` and
  `{footcite:t}`.
- Exercises are the 5-7 `###` headings of their section: each with a code cell tagged `solution` and `hide-cell` and a
  `claim(...)` that checks it, or, on paper, an answer in a dropdown. A hint stands before the solution, in the
  heading's cell, as `{dropdown} Hint`.
- The quiz has five items, which a script makes interactive on the book's page (book/_static/quiz.js):

      **1.** A question?

      - **A.** A choice.
      - **B.** Another one.

      ```{dropdown} Answer
      - **A is right.** Why.
      - **B.** Why not.
      ```
- A cell that draws has one figure and the metadata `mystnb: {image: {alt: ...}, figure: {caption: ...}}`.
- A line of code ends at column COLUMNS, so that no page cuts it off.
- A claim that compares numbers shows them: `lc.claim("the VAE is ahead", vae > pca, VAE=vae, PCA=pca)`.
- A cell ends with what it shows or with `plt.show()`, never with a semicolon, which hides nothing from nbval.
- A cell that fails on purpose is tagged `raises-exception`. Only tags control nbval; IGNORED in test_chapters.py
  counts the cells tagged `nbval-ignore-output`.
- The notebook's metadata lists the data sets that it loads: `latentcells: {datasets: [pbmc_facs]}`.
- Results are printed or drawn by a cell, never typed (PROSE_NUMBER); a setting stands in a code span or in maths.
"""

import ast
import base64
import io
import re
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from pathlib import Path

import nbformat
import numpy as np
from PIL import Image

from tools.normalise import normalise

ROOT = Path(__file__).parents[2]
SECTIONS = [
    "card",
    "question",
    "mathematics",
    "from-scratch",
    "baseline",
    "failure",
    "limits",
    "take-aways",
    "exercises",
    "quiz",
    "references",
]
COLUMNS = 80
HIDDEN_CODE = {"hide-input", "hide-cell", "remove-input", "remove-cell", "solution"}

# A result typed into prose: a decimal fraction, or a number with a percent sign, a factor or a measured unit.
_UNIT = (
    r"%|per ?cent|-?fold|[×x](?!\s?\d)|(?:ms|s|seconds?|minutes?|min|hours?|[kKMG]i?B|nats?|cells/s)(?!\w)"
)
PROSE_NUMBER = re.compile(rf"(?<![\w.])\d+(?:,\d{{3}})*(?:\.\d+|(?:\.\d+)?[ \u00a0\u202f-]?(?:{_UNIT}))")
PROSE_NUMBERS_ALLOWED = (
    # versions, and the name of the platform
    r"\b(?:Python|Keras|TensorFlow|JAX|NumPy|scanpy|Jupyter Book|CC BY) \d[\d.]*(?:(?:[-–]|, | or | and )\d[\d.]*)*",
    r"\b10x Genomics\b",
    # planned, not measured: the length of an exercise or a lesson, and the memory that a laptop needs
    r"\(\d+ minutes\)|\bIn \d+ minutes\b",
    r"\b\d+ GB of memory\b",
)


@dataclass(frozen=True)
class Chapter:
    """A notebook, given by its file name without the suffix and its text."""

    name: str
    text: str

    @cached_property
    def nb(self):
        return nbformat.reads(self.text, as_version=4)

    def cells(self, kind: str):
        """(position in the notebook, cell) of each cell of one kind: "code" or "markdown"."""
        return [(i, cell) for i, cell in enumerate(self.nb.cells) if cell.cell_type == kind]

    def target(self, section: str) -> str:
        return f"({self.name.partition('_')[2].replace('_', '-')}-{section})="

    def section(self, name: str):
        """The cells of a section: from the one with its target to the one before the next section's target."""
        targets = [self.target(s) for s in SECTIONS]
        inside, section_cells = False, []
        for cell in self.nb.cells:
            cell_targets = [
                t for t in targets if cell.cell_type == "markdown" and t in cell.source.splitlines()
            ]
            inside = self.target(name) in cell_targets or (inside and not cell_targets)
            section_cells += [cell] if inside else []
        return section_cells


def tags(cell) -> set[str]:
    return set(cell.metadata.get("tags", []))


# The parts of Markdown that the rules need.


def fenced_lines(source: str):
    """(names of the enclosing fences, line) for each line of MyST that is no fence and no directive option."""
    stack = []  # [fence, name, still among the options]
    for line in source.splitlines():
        opened = re.match(r"\s*(`{3,}|~{3,}|:{3,})\s*(\S*)", line)
        if opened and stack and opened[1] == stack[-1][0] and not opened[2]:
            stack.pop()
        elif opened and "code" not in (s[1] for s in stack):
            name = opened[2].strip("{}") if opened[2].startswith("{") else "code"
            stack.append([opened[1], "code" if name in ("code", "code-block", "math") else name, True])
        elif stack and stack[-1][2] and (option := re.match(r"\s*:([\w-]+):\s*(.*)", line)):
            if option[1] == "class" and "dropdown" in option[2].split():
                stack[-1][1] = "dropdown"
        else:
            if stack:
                stack[-1][2] = False
            yield [s[1] for s in stack], line


def dropdowns(source: str) -> int:
    """The number of folded answers: `{dropdown}` other than a hint, or a directive with `:class: dropdown`."""
    return len(
        re.findall(r"^\s*(?:`{3,}|:{3,})\{dropdown\}(?! Hint)|^\s*:class:.*\bdropdown\b", source, re.M)
    )


def headings(source: str, level: int) -> list[str]:
    return [
        line for fences, line in fenced_lines(source) if not fences and line.startswith("#" * level + " ")
    ]


def prose(source: str, hidden: bool = True) -> str:
    """The text that a reader reads: no code, maths, citations or addresses; `hidden` includes the dropdowns."""
    skip = {"code"} if hidden else {"code", "dropdown"}
    text = "\n".join(line for fences, line in fenced_lines(source) if not skip & set(fences))
    for pattern, replacement in (
        (r"<!--.*?-->", " "),
        (r"\\begin\{(\w+\*?)\}.*?\\end\{\1\}", " "),
        (r"\$\$.*?\$\$", " "),
        (r"(?<![\\$])\$[^$\n]+(?:\n[^$\n]+)*\$", " "),
        (r"\{(?:foot)?cite[:\w]*\}`[^`]*`", " "),
        (r"\{[\w:-]+\}`([^`<]*)(?:<[^`]*>)?`", r"\1"),
        (r"(`+)[^`].*?\1", " "),
        (r"^\([\w-]+\)=$", ""),
        (r"\]\([^)\s]*\)", "]"),
        (r"<[^>\n]+>|https?://\S+|\bdoi:\S+", " "),
    ):
        text = re.sub(pattern, replacement, text, flags=re.S | re.M)
    return text


def typed_numbers(source: str) -> list[str]:
    """The results typed into prose, headings excluded, that no entry of PROSE_NUMBERS_ALLOWED allows."""
    text = "\n".join(line for line in prose(source).splitlines() if not line.startswith("#"))
    for allowed in PROSE_NUMBERS_ALLOWED:
        text = re.sub(allowed, " ", text)
    return PROSE_NUMBER.findall(text)


# The rules.


def executed(chapter):
    counts = [cell.execution_count for _, cell in chapter.cells("code")]
    if counts != list(range(1, len(counts) + 1)):
        yield f"code cells are not executed 1, 2, 3, ...: {counts}"


def quiet(chapter):
    for i, cell in chapter.cells("code"):
        for output in cell.outputs:
            text = output.get("text", "")
            if output.get("name") == "stderr":
                yield f"cell {i} writes to stderr: {text[:80]!r}"
            if "\r" in text or "\b" in text or re.search(r"[█━]|\bit/s\b", text):
                yield f"cell {i} stores a progress bar: {text[:80]!r}"
            if any("widget" in mime for mime in output.get("data", {})):
                yield f"cell {i} stores a widget"


def failures_expected(chapter):
    for i, cell in chapter.cells("code"):
        failed = any(output.output_type == "error" for output in cell.outputs)
        if failed != ("raises-exception" in tags(cell)):
            yield f"cell {i} {'fails' if failed else 'does not fail'}, against its tags {sorted(tags(cell))}"


def figures(chapter):
    n_figures = 0
    for i, cell in chapter.cells("code"):
        images = [
            png
            for output in cell.outputs
            for mime, png in output.get("data", {}).items()
            if mime.startswith("image/")
        ]
        n_figures += len(images)
        if len(images) > 1:
            yield f"cell {i} draws {len(images)} figures; one alt text cannot describe them all"
        for png in images:
            if problem := image_problem(png):
                yield f"cell {i}: {problem}"
            metadata = cell.metadata.get("mystnb", {})
            if len(metadata.get("image", {}).get("alt", "")) < 20:
                yield f"cell {i}: no alt text in metadata mystnb.image.alt (at least 20 characters)"
            if len(metadata.get("figure", {}).get("caption", "")) < 20:
                yield f"cell {i}: no caption in metadata mystnb.figure.caption (at least 20 characters)"
    if not 4 <= n_figures <= 8:
        yield f"{n_figures} computed figures; a chapter has 4-8"


def image_problem(png: str) -> str | None:
    """Why a base64 PNG does not count as a figure, or None. Empty axes have little black ink and no colour."""
    try:
        image = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGBA")
    except Exception as error:
        return f"image does not decode: {error}"
    rgb = np.asarray(Image.alpha_composite(Image.new("RGBA", image.size, "white"), image))[..., :3].astype(
        int
    )
    pixels = rgb.reshape(-1, 3)
    counts = np.bincount(pixels @ [256 * 256, 256, 1])
    coloured = np.mean(np.ptp(pixels, axis=1) > 30)
    ink = 1 - counts.max() / counts.sum()
    if not ink or (coloured < 0.001 and ink < 0.1):
        return "image is blank, or axes with nothing in them"


def sizes(chapter):
    kilobytes = len(chapter.text.encode()) / 1000
    code = [
        (i, [line for line in c.source.splitlines() if line.strip()], tags(c))
        for i, c in chapter.cells("code")
    ]
    visible = sum(len(lines) for _, lines, tagged in code if not tagged & HIDDEN_CODE)
    quiz_cells = {cell.id for cell in chapter.section("quiz")}
    words = sum(
        len([word for word in prose(cell.source, hidden=False).split() if re.search(r"[^\W\d_]", word)])
        for _, cell in chapter.cells("markdown")
        if cell.id not in quiz_cells
    )
    if kilobytes > 1000:
        yield f"{kilobytes:.0f} kB; at most 1 MB"
    for i, lines, _ in code:
        if len(lines) > 30:
            yield f"cell {i} has {len(lines)} lines; at most 30"
    if not 150 <= visible <= 250:
        yield f"{visible} visible lines of code; 150-250"
    if not 2500 <= words <= 4000:
        yield f"{words} words outside dropdowns and the quiz; 2,500-4,000"


def normalised(chapter):
    if normalise(chapter.text) != chapter.text:
        yield "not normalised: make format"


def steered_by_tags(chapter):
    for i, cell in chapter.cells("code"):
        if re.search(r"#\s*(?:NBVAL|PYTEST_VALIDATE)_", cell.source) or "nbval-skip" in tags(cell):
            yield f"cell {i} steers nbval by a comment or skips it; only the tag nbval-ignore-output is counted"


def no_closing_semicolon(chapter):
    for i, cell in chapter.cells("code"):
        if cell.source.rstrip().endswith(";"):
            yield f"cell {i} closes with a semicolon; IPython heeds it and nbval does not: plt.show()"


def lines_end_in_time(chapter):
    for i, cell in chapter.cells("code"):
        for line in cell.source.splitlines():
            if len(line) > COLUMNS:
                yield f"cell {i} has a line of {len(line)} columns, at most {COLUMNS}: {line.strip()[:40]} …"


def claims_show_their_numbers(chapter):
    for i, cell in chapter.cells("code"):
        for call in calls_of_claim(cell.source):
            if not call.keywords and compares_numbers(call.args[1]):
                yield f"cell {i}, line {call.lineno}: the claim compares numbers and shows none, claim(…, VAE=vae)"


def calls_of_claim(source: str) -> list[ast.Call]:
    """The calls of `claim` and `lc.claim` in a cell."""
    calls = [node for node in ast.walk(parsed(source)) if isinstance(node, ast.Call)]
    return [call for call in calls if ast.unparse(call.func) in ("claim", "lc.claim")]


def compares_numbers(condition: ast.expr) -> bool:
    """Whether an expression asks which number is larger, or whether two are close."""
    close = {"isclose", "allclose"}
    return any(
        (
            isinstance(node, ast.Compare)
            and any(isinstance(op, ast.Lt | ast.LtE | ast.Gt | ast.GtE) for op in node.ops)
        )
        or (isinstance(node, ast.Call) and ast.unparse(node.func).rpartition(".")[2] in close)
        for node in ast.walk(condition)
    )


def finished(chapter):
    for i, cell in enumerate(chapter.nb.cells):
        if marker := re.search(r"\b(?:TODO|FIXME|XXX)\b", cell.source):
            yield f"cell {i}: {marker[0]}"
        if not cell.source.strip():
            yield f"cell {i} is empty"


def prose_numbers(chapter):
    for i, cell in chapter.cells("markdown"):
        if chapter.target("card") in cell.source:
            continue  # the card's time and memory are measured by hand once per release
        for number in typed_numbers(cell.source):
            yield f"cell {i} types the number {number!r}: print it, read it from a stored run, or set it as code"


def parsed(source: str) -> ast.Module:
    """The code of a cell, without its magic lines."""
    return ast.parse(
        "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
    )


def exported_names() -> set[str]:
    """Every public class and function of the library, read from its source."""
    return {
        node.name
        for path in (ROOT / "lib").rglob("*.py")
        for node in ast.parse(path.read_text(encoding="utf8")).body
        if isinstance(node, ast.ClassDef | ast.FunctionDef) and not node.name.startswith("_")
    }


def defines_nothing_of_the_library(chapter):
    exported = exported_names()
    for i, cell in chapter.cells("code"):
        for node in parsed(cell.source).body:
            if isinstance(node, ast.ClassDef | ast.FunctionDef) and node.name in exported:
                yield f"cell {i} defines {node.name}, which latentcells already has"


def names_its_data(chapter):
    datasets = chapter.nb.metadata.get("latentcells", {}).get("datasets")
    if not datasets or not isinstance(datasets, list):
        yield f"metadata latentcells.datasets is {datasets!r}; it lists the data sets that the chapter loads"


def anatomy(chapter):
    markdown = [cell.source for _, cell in chapter.cells("markdown")]
    titles = [h for source in markdown for h in headings(source, 1)]
    if len(titles) != 1 or not chapter.nb.cells[0].source.startswith("# "):
        yield f"the first cell opens with the only '# Title'; found {titles}"
    lines = [line for source in markdown for line in source.splitlines() if line.strip()]
    expected = [chapter.target(s) for s in SECTIONS]
    targets = [line for line in lines if line in expected]
    if targets != expected:
        yield f"sections must be {expected}, found {targets}"
        return
    for target, following in pairwise(lines):
        if target in expected[1:] and not following.startswith("## "):
            yield f"the line after {target} is no '## ' heading"
    for section, required in {"question": ".svg", "references": "{footbibliography}"}.items():
        if not any(required in cell.source for cell in chapter.section(section)):
            yield f"section {section} has no {required}"
    yield from _exercises(chapter.section("exercises"))


def _exercises(cells):
    exercises = []  # [heading, [cells]]
    for cell in cells:
        titles = headings(cell.source, 3) if cell.cell_type == "markdown" else []
        if len(titles) > 1:
            yield f"two exercises in one cell: {titles}"
        if titles:
            exercises.append([titles[0], []])
        if exercises:
            exercises[-1][1].append(cell)
    if not 5 <= len(exercises) <= 7:
        yield f"{len(exercises)} exercises ('### ' headings); a chapter has 5-7"
    for heading, exercise_cells in exercises:
        solved = any({"solution", "hide-cell"} <= tags(cell) for cell in exercise_cells)
        checked = any("claim(" in cell.source for cell in exercise_cells if cell.cell_type == "code")
        on_paper = any(dropdowns(cell.source) for cell in exercise_cells if cell.cell_type == "markdown")
        if not (solved and checked) and not (on_paper and not solved):
            yield f"{heading}: needs a solution cell (tags solution, hide-cell) and a claim, or a dropdown"
        task, hint, _ = exercise_cells[0].source.partition("```{dropdown} Hint\n")
        if not hint or dropdowns(task):
            yield f"{heading}: needs a hint before its solution, ```{{dropdown}} Hint in the heading's cell"


def quiz(chapter):
    text = "\n\n".join(cell.source for cell in chapter.section("quiz"))
    items = re.split(r"^\*\*(\d+)\.\*\*", text, flags=re.M)[1:]
    if items[::2] != list("12345"):
        yield f"the quiz has the questions {items[::2]}; they are **1.** to **5.**"
    for number, item in zip(items[::2], items[1::2], strict=True):
        yield from (f"quiz question {number}: {problem}" for problem in _quiz_item(item))


def _quiz_item(item):
    """The problems of one question, given the text after its number."""
    question, _, answer = item.partition("```{dropdown} Answer\n")
    choices = re.findall(r"^- \*\*([A-Z])\.\*\* \S", question, re.M)
    feedback = re.findall(r"^- \*\*([A-Z])(?: is right)?\.\*\* \S", answer.partition("\n```")[0], re.M)
    right_choices = re.findall(r"^- \*\*([A-Z]) is right\.\*\*", answer, re.M)
    if not question.partition("\n")[0].strip():
        yield "it asks nothing"
    if len(choices) < 2 or choices != list("ABCDE"[: len(choices)]):
        yield f"its choices are {choices}; they are two to five, '- **A.** ...', '- **B.** ...'"
    if not answer:
        yield "no answer in a ```{dropdown} Answer"
    elif feedback != choices:
        yield f"the answer speaks of {feedback}, the choices are {choices}"
    elif len(right_choices) != 1:
        yield f"right are {right_choices}; write '- **A is right.** ...' for one choice"


RULES = (
    executed,
    quiet,
    failures_expected,
    figures,
    sizes,
    normalised,
    steered_by_tags,
    no_closing_semicolon,
    lines_end_in_time,
    claims_show_their_numbers,
    finished,
    prose_numbers,
    defines_nothing_of_the_library,
    names_its_data,
    anatomy,
    quiz,
)
