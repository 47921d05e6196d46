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


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (0.74, "0.740"), (0.69949, "0.699"), (-0.0312, "-0.0312"), (12.345, "12.3"), (1234.5, "1,234"),
        (100.4, "100"), (0.0, "0"), (3e-8, "3.00e-08"), (np.float32(0.5), "0.500"), (1838, "1,838"),
        (np.int64(7), "7"), (True, "1"), ([0.7, 0.8], "0.700 to 0.800"), (np.array([2, 2]), "2"), (np.nan, "nan"),
    ],
)  # fmt: skip
def test_a_claim_shows_its_numbers(capsys, number, shown):
    claim("the VAE is ahead", True, VAE_of_two=number, other=1)
    assert capsys.readouterr().out == f"✓ the VAE is ahead (VAE of two {shown}, other 1)\n"


def test_a_false_claim_shows_its_numbers():
    with pytest.raises(AssertionError, match=r"^✗ the VAE is ahead \(VAE 0\.500\)$"):
        claim("the VAE is ahead", False, VAE=0.5)


@pytest.mark.parametrize("number", ["0.7", None, [], np.array([])])
def test_what_is_no_number_is_refused(number):
    with pytest.raises(TypeError, match=r"^VAE must be a number or several, got"):
        claim("the VAE is ahead", True, VAE=number)


def test_text_and_condition_are_free_as_names_of_numbers(capsys):
    claim("names are free", True, text=1, condition=2)
    assert capsys.readouterr().out == "✓ names are free (text 1, condition 2)\n"


def test_the_package_exports_claim():
    import latentcells as lc

    assert lc.claim is claim
