"""`make zip`: the site as one file, which a reader unpacks and reads without a network."""

import os
from zipfile import ZipFile

import pytest

from tools import pack

MEGABYTES = 40


@pytest.fixture(scope="module")
def unpacked(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("zip")
    pack.pack(built, folder / "site.zip")
    assert (folder / "site.zip").stat().st_size < MEGABYTES * 1e6
    with ZipFile(folder / "site.zip") as archive:
        archive.extractall(folder)
    return folder / pack.NAME


@pytest.fixture
def page(chromium):
    """A page of a browser without a network; ``asked`` lists the addresses that it asks for."""
    context = chromium.new_context(offline=True)
    page = context.new_page()
    page.asked = []
    page.on("request", lambda request: page.asked.append(request.url))
    yield page
    context.close()


def test_the_same_site_gives_the_same_file_whatever_its_dates(tmp_path):
    site = tmp_path / "site"
    (site / "a").mkdir(parents=True)
    for name, text in (("b.html", "one"), ("a/c.html", "two")):
        (site / name).write_text(text)
    pack.pack(site, tmp_path / "first.zip")
    os.utime(site / "b.html", (1e9, 1e9))
    pack.pack(site, tmp_path / "second.zip")
    assert (tmp_path / "first.zip").read_bytes() == (tmp_path / "second.zip").read_bytes()
    with ZipFile(tmp_path / "first.zip") as archive:
        assert archive.namelist() == ["latent-cells/a/c.html", "latent-cells/b.html"]
        assert archive.read("latent-cells/a/c.html") == b"two"


def test_the_first_page_does_not_offer_what_the_folder_lacks(tmp_path):
    (tmp_path / "site").mkdir()
    (tmp_path / "site/index.html").write_text(
        '<p>a</p><div class="lc-editions"><a href="a.pdf">\n</a></div><p>b</p>'
    )
    pack.pack(tmp_path / "site", tmp_path / "site.zip")
    with ZipFile(tmp_path / "site.zip") as archive:
        assert archive.read("latent-cells/index.html") == b"<p>a</p><p>b</p>"


def test_the_zip_has_the_whole_site(built, unpacked):
    files = {path.relative_to(built) for path in built.rglob("*") if path.is_file()}
    assert {path.relative_to(unpacked) for path in unpacked.rglob("*") if path.is_file()} == files


def test_from_a_folder_menus_figures_formulas_and_the_quiz_work(page, unpacked):
    page.goto((unpacked / "index.html").as_uri(), wait_until="networkidle")
    page.locator("nav.bd-links").get_by_role("link", name="1. The variational autoencoder").click()
    page.wait_for_url("**/chapters/01_vae.html")
    page.locator("mjx-container").first.wait_for()
    page.locator(".lc-choice").first.click()
    assert "1 of 5 answered" in page.locator(".lc-score").inner_text()
    figures = page.locator("article img")
    assert figures.count() > 4
    for figure in figures.all():
        figure.scroll_into_view_if_needed()
        page.wait_for_function("image => image.naturalWidth > 0", arg=figure.element_handle())
    assert all(address.startswith(("file:", "data:")) for address in page.asked)


def test_from_a_folder_the_search_finds(page, unpacked):
    page.goto((unpacked / "search.html").as_uri() + "?q=posterior+collapse")
    page.locator("#search-results li a[href*='chapters/01_vae.html']").first.wait_for()
    assert all(address.startswith(("file:", "data:")) for address in page.asked)


def test_from_a_folder_the_explorer_is_a_picture_and_says_what_it_needs(page, unpacked):
    page.goto((unpacked / "book/explorer.html").as_uri(), wait_until="networkidle")
    assert page.locator("#explorer-picture img").is_visible() and not page.locator("#explorer").is_visible()
    assert "make serve" in page.locator("#explorer-picture figcaption").inner_text()
