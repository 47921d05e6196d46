"""A page as it is read: code, figures and tables on a laptop, a phone and paper."""

import gzip
import re

import pandas as pd
import pytest
from bs4 import BeautifulSoup

from tests.book.book_rules import ROOT
from tests.book.test_browser import CHAPTERS, EVERY_PAGE, most_are_slow, press

COMPRESSED = re.compile(r"text/|javascript|json|svg")  # what GitHub Pages sends with gzip
LAPTOP = 1280 - 15  # less a scroll bar
UNFOLD = "document.querySelectorAll('details').forEach(details => { details.open = true })"
CUT = """selector => [...document.querySelectorAll(selector)]
    .filter(block => block.scrollWidth > block.clientWidth).map(block => block.textContent.slice(0, 200))"""
# What a reader sees of each block of a list: the heading that it shares with others, its own heading, its values.
BLOCKS = """() => [...document.querySelectorAll("#doctored tbody tr")].map((row) => {
  const before = (element) => getComputedStyle(element, "::before").content.replace(/^none$|" "|"/g, "");
  return [before(row), ...[...row.cells].map((cell) => before(cell) + cell.textContent)];
})"""


@pytest.mark.slow
@pytest.mark.parametrize("path", EVERY_PAGE)
def test_no_line_of_code_is_cut_on_a_laptop(visit, path):
    page = visit(path, width=LAPTOP)
    page.evaluate(UNFOLD)
    assert not page.evaluate(CUT, ".bd-content pre")


@pytest.mark.slow
@pytest.mark.parametrize("path", EVERY_PAGE)
def test_no_output_and_no_table_is_cut_on_a_phone(visit, path):
    page = visit(path, width=390)
    page.evaluate(UNFOLD)
    assert not page.evaluate(CUT, ".cell_output pre")
    page.wait_for_function(  # what was folded is measured a frame later
        """[...document.querySelectorAll(".bd-content table")].every(
            (table) => table.offsetWidth <= table.parentElement.clientWidth)""",
        timeout=5000,
    )


# Tables.


@pytest.fixture
def with_table(chromium, address):
    """``with_table(table, width)``: a page whose text is this table of pandas."""
    pages = []

    def open_page(table, width):
        def doctored(route):
            soup = BeautifulSoup(route.fetch().text(), "html.parser")
            article = soup.select_one("article")
            article.clear()
            article.append(BeautifulSoup(f"<div>{table.to_html(table_id='doctored')}</div>", "html.parser"))
            route.fulfill(body=str(soup), content_type="text/html")

        pages.append(page := chromium.new_page(viewport={"width": width, "height": 800}))
        page.route("**/data.html", doctored)
        page.goto(address + "book/data.html", wait_until="networkidle")
        return page

    yield open_page
    for page in pages:
        page.close()


WIDE = ["biological_conservation_of_labels", "mixing_of_experimental_batches"]


@pytest.mark.parametrize(
    ("rows", "columns", "blocks"),
    [
        (["PCA", "VAE"], WIDE, [["", "PCA", f"{WIDE[0]}: 1", f"{WIDE[1]}: 2"],
                                ["", "VAE", f"{WIDE[0]}: 3", f"{WIDE[1]}: 4"]]),
        (pd.Index([100, 2000], name="genes"), WIDE,
         [["", "genes: 100", f"{WIDE[0]}: 1", f"{WIDE[1]}: 2"],
          ["", "genes: 2000", f"{WIDE[0]}: 3", f"{WIDE[1]}: 4"]]),
        (pd.Index(["PCA", "VAE"]), pd.Index(WIDE, name="metric"),
         [["", "PCA", f"{WIDE[0]}: 1", f"{WIDE[1]}: 2"], ["", "VAE", f"{WIDE[0]}: 3", f"{WIDE[1]}: 4"]]),
        (pd.MultiIndex.from_tuples([("VAE", 2), ("VAE", 10)], names=["method", "dimensions"]),
         pd.MultiIndex.from_product([["cell_mixture"], WIDE]),
         [["", "method: VAE", "dimensions: 2", f"cell_mixture · {WIDE[0]}: 1", f"cell_mixture · {WIDE[1]}: 2"],
          ["VAE", "dimensions: 10", f"cell_mixture · {WIDE[0]}: 3", f"cell_mixture · {WIDE[1]}: 4"]]),
    ],
    ids=["plain", "named rows", "named columns", "levels"],
)  # fmt: skip
def test_a_wide_table_is_a_list_with_the_names_of_its_columns(with_table, rows, columns, blocks):
    page = with_table(pd.DataFrame([[1, 2], [3, 4]], rows, columns), 390)
    assert page.locator("#doctored thead").is_hidden()
    assert page.evaluate(BLOCKS) == blocks
    page.set_viewport_size({"width": 1280, "height": 800})
    page.locator("#doctored thead").wait_for()
    page.set_viewport_size({"width": 390, "height": 800})
    page.locator("#doctored thead").wait_for(state="hidden")


def test_a_table_that_fits_stays_a_table(with_table):
    page = with_table(pd.DataFrame([[1, 2]], ["PCA"], ["F1", "ARI"]), 390)
    assert page.locator("#doctored thead").is_visible()
    assert (
        page.locator("#doctored td").first.evaluate("cell => getComputedStyle(cell).display") == "table-cell"
    )


def test_a_list_leaves_out_what_is_empty(visit):
    page = visit("book/notation.html", width=390)
    values = page.locator(".lc-list td[data-column]:not([data-column=''])").all()
    is_empty = [not value.text_content().strip() for value in values]
    assert True in is_empty and is_empty == [value.is_hidden() for value in values]


def test_the_names_of_the_library_are_whole_on_a_phone(visit):
    page = visit("book/api/layers.html", width=390)
    lines = page.locator("table.autosummary td:first-child .pre").evaluate_all(
        "all => all.map(name => name.getClientRects().length)"
    )
    assert set(lines) == {1} and len(lines) > 10


# Figures.

LEAVES = """() => {
    const svg = document.querySelector("svg"), {width, height} = svg.viewBox.baseVal;
    return [...svg.querySelectorAll("text")].filter((text) => {
        const box = text.getBBox();
        return box.x < 0 || box.y < 0 || box.x + box.width > width || box.y + box.height > height;
    }).map((text) => text.textContent);
}"""


@pytest.mark.parametrize(
    "path", sorted((ROOT / "book/_static").glob("*_schematic.svg")), ids=lambda path: path.stem
)
def test_no_text_leaves_a_schematic(chromium, path):
    page = chromium.new_page()
    page.set_content(path.read_text(encoding="utf8"))
    assert page.evaluate(LEAVES) == []
    page.close()


@pytest.mark.parametrize(
    ("path", "numbered"), [("chapters/01_vae.html", True), ("book/reliability.html", False)]
)
def test_only_a_chapter_numbers_its_figures_and_tables(visit, path, numbered):
    numbers = visit(path).locator(".caption-number").all()
    assert numbers and {number.is_visible() for number in numbers} == {numbered}


@pytest.mark.parametrize(("width", "how"), [(390, "tap"), (768, "click"), (390, "Enter")])
def test_a_figure_opens_at_full_size(visit, width, how):
    page = visit("chapters/02_normalization.html", width=width, has_touch=how == "tap")
    page.set_viewport_size({"width": width, "height": 300})
    figure = page.locator(".bd-content .lc-enlarge").last
    alt = figure.locator("img").get_attribute("alt")
    assert page.get_by_role("button", name=f"Enlarge the figure: {alt}", exact=True).count() == 1
    dialog = page.get_by_role("dialog", name="Figure, full size")
    for close in ("Escape", "tap", "button"):
        press(page, figure, how)
        dialog.wait_for()
        shown = dialog.locator("img")
        assert shown.get_attribute("alt") == alt
        assert shown.evaluate("image => image.clientWidth === Number(image.getAttribute('width'))")
        place = dialog.locator("div")
        assert place.evaluate("""place => {
            place.scrollTo(9999, 9999);
            return place.scrollTop > 0 && (place.scrollLeft > 0 || innerWidth > place.firstChild.width);
        }""")
        if close == "Escape":
            page.keyboard.press("Escape")
        else:
            press(page, shown if close == "tap" and how != "Enter" else dialog.get_by_role("button"), how)
        dialog.wait_for(state="hidden")
        assert figure.evaluate("figure => figure === document.activeElement")
    assert not page.trouble


def test_only_a_figure_that_is_drawn_smaller_is_a_button(visit):
    page = visit("chapters/02_normalization.html", width=1920)
    small = """() => [...document.querySelectorAll(".bd-content img[width]")].map(
        (image) => [image.clientWidth < image.getAttribute("width"), Boolean(image.closest("button"))])"""
    page.wait_for_function(f"({small})().every(([isSmall, isButton]) => isSmall === isButton)")
    assert [False, False] in page.evaluate(small)
    page.set_viewport_size({"width": 390, "height": 800})
    page.wait_for_function(f"({small})().every(([isSmall, isButton]) => isSmall && isButton)")


def test_the_text_does_not_move_when_images_come(chromium, address):
    height = "document.querySelector('.bd-article').offsetHeight"
    page = chromium.new_page(viewport={"width": 390, "height": 800}, java_script_enabled=False)
    waiting, hold = [], True
    page.route("**/_images/*", lambda route: waiting.append(route) if hold else route.continue_())
    page.goto(address + "chapters/10_x_versus_z.html", wait_until="domcontentloaded")
    while not page.evaluate(
        "[...document.querySelectorAll('link[rel=stylesheet]')].every(link => link.sheet)"
    ):
        page.wait_for_timeout(20)  # without scripts, wait_for_function does not poll
    before = page.evaluate(height)
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    page.wait_for_timeout(500)
    hold = False
    for route in waiting:
        route.continue_()
    page.wait_for_function("[...document.images].every(image => image.complete)")
    assert abs(page.evaluate(height) - before) < 5 and len(waiting) > 3  # pixels, of 40,000: sizes are whole
    page.close()


def test_an_image_keeps_its_ratio(visit):
    page = visit("chapters/10_x_versus_z.html", width=390)
    page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
    page.wait_for_function("[...document.images].every(image => image.complete)")
    ratios = page.locator(".bd-content img").evaluate_all(
        "all => all.map(image => image.clientHeight / image.clientWidth * image.naturalWidth / image.naturalHeight)"
    )
    assert len(ratios) > 3 and all(abs(ratio - 1) < 0.02 for ratio in ratios)


@pytest.mark.parametrize(
    "path",
    most_are_slow(
        ["book/index.html", *(f"chapters/{name}.html" for name in CHAPTERS)],
        "book/index.html",
        "chapters/10_x_versus_z.html",
    ),
)
def test_a_page_is_light(chromium, address, path):
    bodies, page = [], chromium.new_page()
    page.on("response", lambda got: bodies.append((got.header_value("content-type") or "", got.body())))
    page.goto(address + path, wait_until="networkidle")
    if path != "book/index.html":  # all the way down
        page.evaluate("document.querySelectorAll('img').forEach(image => { image.loading = 'eager' })")
        page.wait_for_load_state("networkidle")
    sent = sum(len(gzip.compress(body) if COMPRESSED.search(kind) else body) for kind, body in bodies)
    page.close()
    assert len(bodies) > 10 and sent < (0.4e6 if path == "book/index.html" else 2.5e6)


# Paper.


def test_on_paper_nothing_is_folded(visit):
    page = visit("chapters/01_vae.html", "dark")
    folded = page.locator("details:not([open])").count()
    assert folded > 5
    page.emulate_media(media="print")
    page.evaluate("""addEventListener("beforeprint", () => {
      const all = (selector) => [...document.querySelectorAll(selector)].filter((it) => it.checkVisibility());
      window.printed = {
        theme: document.documentElement.dataset.theme,
        parts: all("details > :not(summary)").length,
        feedback: all("#quiz :is(.lc-right, .lc-wrong)").length,
        bars: all("details.hide > summary").length,
        text: document.querySelector("article").innerText,
      };
    })""")
    page.pdf()
    printed = page.evaluate("printed")
    assert printed["theme"] == "light" and printed["bars"] == 0
    assert printed["parts"] == page.locator("details > :not(summary)").count()
    assert printed["feedback"] == page.locator("#quiz .lc-choice").count() > 10
    assert "The other way round" in printed["text"]  # the answer to a question of the quiz
    assert page.locator("details:not([open])").count() == folded
    assert page.locator("html").get_attribute("data-theme") == "dark"
