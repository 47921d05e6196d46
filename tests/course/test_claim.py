import numpy as np
import pytest

from latentcells.course._claim import claim


@pytest.mark.parametrize("holds", [True, np.bool_(True), 1])
def test_a_true_claim_is_printed(capsys, holds):
    claim("water is wet", holds)
    assert capsys.readouterr().out == "✓ water is wet\n"


@pytest.mark.parametrize("holds", [False, np.bool_(False), 0, None])
def test_a_false_claim_raises(capsys, holds):
    with pytest.raises(AssertionError, match=r"^✗ water is dry$"):
        claim("water is dry", holds)
    assert capsys.readouterr().out == ""


def test_an_array_must_be_reduced_first():
    with pytest.raises(ValueError, match="ambiguous"):
        claim("all are positive", np.array([True, False]))


def test_the_package_exports_claim():
    import latentcells as lc

    assert lc.claim is claim
