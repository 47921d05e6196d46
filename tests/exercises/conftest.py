import pytest

from tests.exercises.proof import MASTERS, Chapter
from tools.classroom import build, masters, variants

SECRET = "the tests' own words"


@pytest.fixture(scope="session")
def classroom(tmp_path_factory):
    """The classroom built from every master."""
    pytest.importorskip("otter", reason="the extra `classroom` is not installed")
    folder = tmp_path_factory.mktemp("classroom")
    assert build.build(MASTERS, folder, SECRET) == []
    return folder


@pytest.fixture(scope="module", params=MASTERS, ids=lambda path: path.stem)
def chapter(request, classroom):
    """A master with its numbers drawn, and the editions that Otter made from it."""
    return Chapter(variants.render(masters.read(request.param), SECRET), classroom)
