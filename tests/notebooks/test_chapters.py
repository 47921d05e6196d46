"""Every chapter follows every rule. (nbval, in `make test`, checks that it runs and prints what it stores.)"""

import pytest

from tests.notebooks.chapter_rules import ROOT, RULES, Chapter, tags

CHAPTERS = sorted((ROOT / "chapters").glob("*.ipynb"))

# The number of cells whose outputs nbval does not compare because their last digits differ between machines. Raise it
# only for a cell that prints nothing that a claim could check.
IGNORED = {
    "01_vae": 1,
    "03_hvg": 1,
    "06_transformer": 1,
    "07_transformer_hvg": 3,
    "08_transformer_markers": 1,
    "09_transformer_walkthrough": 1,
    "10_x_versus_z": 1,
}


def test_there_is_a_chapter():
    assert CHAPTERS, "no chapters/*.ipynb"


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)
def test_chapter(path, rule):
    problems = list(rule(Chapter(path.stem, path.read_text(encoding="utf8"))))
    assert not problems, "\n".join(problems)


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_outputs_that_nbval_ignores_are_counted(path):
    chapter = Chapter(path.stem, path.read_text(encoding="utf8"))
    assert sum("nbval-ignore-output" in tags(cell) for cell in chapter.nb.cells) == IGNORED.get(path.stem, 0)
