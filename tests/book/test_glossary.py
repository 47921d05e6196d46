"""The built glossary: its order, its letters, and the second names of its terms."""

import unicodedata

import pytest


def first_terms(site):
    """The first term of each entry of the built glossary."""
    page = site.pages[site.folder / "book/glossary.html"]
    return [term for term in page.select("dl.glossary > dt") if not term.find_previous_sibling() or
            term.find_previous_sibling().name == "dd"]  # fmt: skip


def test_the_glossary_is_in_order(site):
    terms = [term.find(string=True) for term in first_terms(site)]
    assert len(terms) > 100
    assert terms == sorted(terms, key=lambda term: unicodedata.normalize("NFD", term.lower()))


def test_letters_lead_to_their_first_terms(site):
    page = site.pages[site.folder / "book/glossary.html"]
    letters = {link.text: link["href"] for link in page.select(".lc-letters a")}
    first = {}
    for term in first_terms(site):
        first.setdefault(term.text[0].upper(), f"#{term['id']}")
    assert letters == first and len(letters) > 20


@pytest.mark.parametrize(
    ("name", "term"),
    [("VAE", "variational autoencoder"), ("HVG", "highly variable gene"), ("β-VAE", "beta-VAE"),
     ("layer normalization", "layer normalisation"), ("batch normalization", "batch normalisation")],
)  # fmt: skip
def test_second_names_stand_beside_the_first(site, name, term):
    page = site.pages[site.folder / "book/glossary.html"]
    (second,) = (dt for dt in page.select("dl.glossary > dt") if dt.find(string=True) == name)
    assert second.find_previous_sibling("dt").find(string=True) == term
