"""The built book in a browser: what a reader's machine loads, shows and answers."""

import re

import pytest
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

from tests.book import book_rules as rules

CHAPTERS = sorted(path.stem for path in (rules.ROOT / "chapters").glob("*.ipynb"))
PAGES = [re.sub(r"\.(md|ipynb)$", ".html", name) for name in rules.sources()]
EVERY_PAGE = [*PAGES, "404.html", "search.html", "genindex.html"]


def most_are_slow(values, *quick):
    """Parameters of a test, of which only those of ``quick`` are not marked slow."""
    assert set(quick) <= set(values)
    return [value if value in quick else pytest.param(value, marks=pytest.mark.slow) for value in values]


# The theme gives a tab stop to code that scrolls, a moment after the page is there.
CODE_IS_REACHED_BY_KEY = """() => [...document.querySelectorAll("pre")].every(
  (pre) => pre.scrollWidth <= pre.clientWidth || pre.tabIndex === 0)"""
CONTRAST = ["color-contrast", "link-in-text-block"]  # what the colours decide
# A page has thousands of elements in a few dozen styles, and the contrast of each takes a millisecond.
ONE_OF_EACH_STYLE = """() => {
  const seen = new Set();
  const style = element => element === document.body ? "" : [
    style(element.parentElement), element.tagName, element.getAttribute("class"), element.getAttribute("style"),
    element.matches("tr:nth-child(even)"),
  ].join(" ");
  for (const element of document.querySelectorAll("body *")) {
    if (element.children.length) continue;
    const its = style(element);
    if (seen.has(its)) element.remove();
    seen.add(its);
  }
}"""


def severe(page, **options):
    """What axe-core finds on the page that is serious or critical: the rule and the element."""
    found = Axe().run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:200]}"
        for violation in found
        if violation["impact"] in ("serious", "critical")
        for node in violation["nodes"]
    ]


@pytest.mark.parametrize(
    "path", most_are_slow(EVERY_PAGE, "book/index.html", "chapters/01_vae.html", "book/results.html")
)
def test_page_fits_a_phone(visit, path):
    page = visit(path, width=390)
    assert not page.trouble
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, "it scrolls sideways"


# Every page on a laptop and on a phone. A tablet has the menus of a phone and the text of a laptop, so one page of each
# kind is enough there: a page takes seconds.
KINDS = [
    "book/index.html", "chapters/01_vae.html", "book/results.html", "book/explorer.html", "book/glossary.html",
    "book/api/layers.html", "genindex.html",
]  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("path", "width"),
    [*((path, width) for path in EVERY_PAGE for width in (1280, 390)), *((path, 768) for path in KINDS)],
)
def test_page_is_accessible(visit, path, width):
    page = visit(path, width=width, reduced_motion="reduce")
    page.wait_for_function(CODE_IS_REACHED_BY_KEY)
    assert not severe(page, rules={rule: {"enabled": False} for rule in CONTRAST})
    page.evaluate(ONE_OF_EACH_STYLE)
    assert not severe(page, runOnly=CONTRAST)
    page.evaluate("document.documentElement.dataset.theme = 'dark'")
    assert not severe(page, runOnly=CONTRAST)


def press(page, button, how):
    if how == "tap":
        button.tap()
    elif how == "click":
        button.click()
    else:
        button.press("Enter")


@pytest.mark.parametrize(("width", "how"), [(390, "tap"), (390, "Enter"), (768, "click"), (768, "tap")])
def test_the_menu_leads_to_a_chapter(visit, width, how):
    page = visit("book/data.html", width=width, has_touch=how == "tap")
    menu, button = page.locator("#pst-primary-sidebar-modal"), page.locator(".primary-toggle:visible")
    assert not menu.is_visible()
    press(page, button, how)
    menu.locator("a", has_text="Batch correction").first.wait_for()
    page.keyboard.press("Escape")
    menu.wait_for(state="hidden")
    press(page, button, how)
    press(page, menu.locator("a[href$='05_batch_correction.html']").first, how)
    page.wait_for_url("**/chapters/05_batch_correction.html")
    assert not page.trouble


@pytest.mark.parametrize(("width", "how"), [(390, "tap"), (768, "Enter")])
def test_the_contents_of_a_page_lead_to_a_section(visit, width, how):
    page = visit("chapters/01_vae.html", width=width, has_touch=how == "tap")
    menu, button = page.locator("#pst-secondary-sidebar-modal"), page.locator(".secondary-toggle:visible")
    press(page, button, how)
    link = menu.locator("a[href='#take-aways']")
    link.wait_for()
    press(page, link, how)
    menu.wait_for(state="hidden")
    page.wait_for_function("document.querySelector('#take-aways').getBoundingClientRect().top < 200")


@pytest.mark.parametrize("how", ["click", "Enter"])
def test_on_a_wide_screen_the_sidebar_folds(visit, how):
    page = visit("book/data.html", width=1280)
    sidebar, button = page.locator(".bd-sidebar-primary"), page.locator(".primary-toggle:visible")
    article = page.locator(".bd-article").bounding_box()["x"]
    press(page, button, how)
    page.wait_for_function(f"document.querySelector('.bd-article').getBoundingClientRect().x < {article}")
    assert not sidebar.is_visible() or sidebar.bounding_box()["x"] < 0
    press(page, button, how)
    page.wait_for_function(f"document.querySelector('.bd-article').getBoundingClientRect().x >= {article}")


def test_every_formula_is_typeset(visit):
    page = visit("chapters/01_vae.html")
    page.wait_for_selector("mjx-container")
    assert page.locator(".math").count() == page.locator(".math:has(mjx-container)").count() > 20


@pytest.mark.parametrize(("width", "wide"), [(1280, 0), (390, 4)])
def test_the_keyboard_stops_only_at_formulas_that_scroll(visit, width, wide):
    page = visit("book/notation.html", width=width)
    assert page.locator("mjx-container").count() > 200
    page.wait_for_function(f"document.querySelectorAll('mjx-container[tabindex=\"0\"]').length === {wide}")
    stops = 0
    for _ in range(200):
        page.keyboard.press("Tab")
        focus = page.evaluate("document.activeElement.tagName")
        if focus == "BODY":  # after the last stop
            break
        if focus == "MJX-CONTAINER":
            stops += 1
            page.keyboard.press("ArrowRight")
            page.wait_for_function("document.activeElement.scrollLeft > 0")
    assert focus == "BODY" and stops == wide


def test_search_finds(visit):
    page = visit("book/index.html")
    page.keyboard.press("Control+k")
    page.keyboard.type("posterior collapse")
    page.keyboard.press("Enter")
    page.wait_for_url("**/search.html?q=posterior+collapse")
    page.locator("#search-results li a[href*='chapters/01_vae.html']").first.wait_for()
    assert not page.trouble


def test_the_text_of_a_search_field_begins_beside_its_glass(visit):
    page = visit("search.html", width=768)
    glass, field = page.locator(".bd-search-container :is(.fa-magnifying-glass, input)").all()
    begin = (
        field.evaluate("field => parseFloat(getComputedStyle(field).paddingLeft)") + field.bounding_box()["x"]
    )
    assert begin >= glass.bounding_box()["x"] + glass.bounding_box()["width"]


FIRST = {  # the first result, and the first of the chapters
    "VAE": ("chapters/01_vae", "chapters/01_vae"),
    "KL divergence": ("chapters/01_vae", "chapters/01_vae"),
    "layer normalization": ("chapters/02_normalization", "chapters/02_normalization"),
    "layer normalisation": ("chapters/02_normalization", "chapters/02_normalization"),
    # the book writes "standardised"
    "standardized": ("chapters/02_normalization", "chapters/02_normalization"),
    "x or z": ("chapters/10_x_versus_z", "chapters/10_x_versus_z"),
    "highly variable genes": ("chapters/03_hvg", "chapters/03_hvg"),
    "notation": ("book/notation", None),
}


@pytest.mark.parametrize("query", FIRST)
def test_search_puts_first_what_teaches_it(visit, query):
    page = visit(f"search.html?q={query.replace(' ', '+')}")
    page.get_by_text("Search finished").wait_for()
    links = page.locator("#search-results li > a:first-child").evaluate_all(
        "all => all.map(link => link.href)"
    )
    found = [re.search(r"[^/]+/[^/]+(?=\.html)", link)[0] for link in links]
    first, chapter = FIRST[query]
    assert found[0] == first
    if chapter:
        assert next(name for name in found if name.startswith("chapters/")) == chapter
    behind = [name in ("book/corrections", "book/results") for name in found]
    assert behind == sorted(behind), "Corrections or All results stands above another page"
    assert not page.trouble


def test_the_theme_toggles_and_is_kept(visit):
    page = visit("book/data.html", "dark")
    background = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(background)
    page.locator(".theme-switch-button").first.click()
    assert page.locator("html").get_attribute("data-theme") == "light"
    assert page.evaluate(background) != dark
    page.reload()
    assert page.locator("html").get_attribute("data-theme") == "light"


def test_code_is_copied(visit):
    page = visit("chapters/01_vae.html", permissions=["clipboard-read", "clipboard-write"])
    cell = page.locator(".cell_input", has=page.locator(".copybtn")).first
    cell.hover()
    cell.locator(".copybtn").click()
    assert page.evaluate("navigator.clipboard.readText()").strip() == cell.locator("pre").inner_text().strip()


def test_print(visit):
    page = visit("chapters/01_vae.html")
    page.emulate_media(media="print")
    assert not page.locator(".bd-sidebar-primary").is_visible()
    assert not page.locator(".lc-score").is_visible()
    assert page.locator("#quiz .lc-choice").first.is_visible()


# The quiz.


@pytest.mark.parametrize("chapter", most_are_slow(CHAPTERS, "01_vae"))
def test_quiz(visit, chapter):
    page = visit(f"chapters/{chapter}.html")
    quiz = page.locator("#quiz")
    quiz.locator(".lc-choices").last.wait_for()
    lists = quiz.locator(".lc-choices").all()
    assert len(lists) == 5
    for choices in lists:
        says = choices.get_by_role("status")
        assert says.all_inner_texts() == [""] * choices.locator("li").count()
        for button in choices.get_by_role("button").all():
            button.press("Enter")
        verdicts = says.all_inner_texts()
        assert [said[:3] for said in sorted(verdicts)] == ["✓ R"] + ["✗ N"] * (len(verdicts) - 1)
        assert all(len(said) > 30 for said in verdicts)
    assert "5 of 5 answered" in quiz.locator(".lc-score").inner_text()
    assert not page.trouble


def test_the_quiz_counts_first_answers_and_starts_again(visit):
    page = visit("chapters/01_vae.html")  # right are C and A
    score = page.locator(".lc-score")
    first, second, *_ = page.locator(".lc-choices").all()
    for choices, letter in ((first, "A."), (first, "C."), (second, "A.")):
        choices.get_by_role("button", name=letter).click()
    assert score.inner_text() == "2 of 5 answered, 1 right at the first try."
    assert first.get_by_role("button", name="A.").get_attribute("aria-expanded") == "true"
    page.get_by_role("button", name="Start again").click()
    assert "answered" not in score.inner_text()
    assert page.locator(".lc-choice[aria-expanded=true]").count() == 0
    assert first.get_by_role("button", name="A.").evaluate("button => button === document.activeElement")


def test_a_question_with_a_missing_part_stays_text_and_the_others_work(chromium, address):
    def doctored(route):
        soup = BeautifulSoup(route.fetch().text(), "html.parser")
        soup.select_one("#quiz details li").decompose()  # the answer no longer speaks of choice A
        route.fulfill(body=str(soup), content_type="text/html")

    page = chromium.new_page()
    page.route("**/01_vae.html", doctored)
    page.goto(address + "chapters/01_vae.html", wait_until="networkidle")
    assert page.locator("#quiz details").count() == 1 and page.locator("#quiz .lc-choices").count() == 4
    page.locator(".lc-choice").first.click()
    assert "1 of 4 answered" in page.locator(".lc-score").inner_text()
    page.close()


def test_without_scripts_the_quiz_is_read(visit):
    page = visit("chapters/01_vae.html", java_script_enabled=False)
    answers = page.locator("#quiz details")
    assert answers.count() == 5
    answers.first.locator("summary").click()
    assert "C is right." in answers.first.inner_text()


# What the browser keeps.


@pytest.fixture
def reader(chromium, address):
    """``reader(path)`` opens a page of one reader, whose browser keeps what it is told."""
    context = chromium.new_context()

    def open_page(path):
        page = context.new_page()
        page.goto(address + path)
        return page

    yield open_page
    context.close()


def test_answers_are_kept(reader):
    page = reader("chapters/01_vae.html")
    first, second, *_ = page.locator(".lc-choices").all()
    for choices, letter in ((first, "A."), (first, "C."), (second, "A.")):
        choices.get_by_role("button", name=letter).press("Enter")
    page = reader("chapters/01_vae.html")
    assert page.locator(".lc-score").inner_text() == "2 of 5 answered, 1 right at the first try."
    assert page.locator(".lc-choice[aria-expanded=true]").count() == 3
    assert page.locator("#quiz .lc-wrong:visible").count() == 1
    page.get_by_role("button", name="Start again").click()
    assert "answered" not in reader("chapters/01_vae.html").locator(".lc-score").inner_text()


def test_the_first_page_says_what_is_read_and_answered_and_forgets_it(reader):
    assert not reader("book/index.html").locator("#progress").inner_text()
    page = reader("chapters/05_batch_correction.html")
    mark = page.get_by_role("button", name="I have read this chapter")
    assert mark.get_attribute("aria-pressed") == "false"
    mark.press("Enter")
    assert mark.get_attribute("aria-pressed") == "true"
    assert page.locator(".lc-progress").get_by_role("status").inner_text().startswith("Marked as read")
    page.locator(".lc-choice").first.press("Enter")
    page = reader("chapters/01_vae.html")
    for _ in range(3):  # marked, taken back, marked
        page.locator(".lc-read").press(" ")
    page = reader("book/index.html")
    status = page.locator("#progress").get_by_role("status")
    assert status.inner_text().startswith("2 of 10 chapters read, 1 of 50 questions answered. ")
    assert "stay in this browser" in status.inner_text()
    page.get_by_role("button", name="Forget all").press("Enter")
    assert "forgotten" in status.inner_text()
    assert status.evaluate("line => line === document.activeElement")
    page = reader("chapters/05_batch_correction.html")
    assert page.locator(".lc-read").get_attribute("aria-pressed") == "false"
    assert "answered" not in page.locator(".lc-score").inner_text()


def test_a_mark_that_was_taken_back_does_not_count(reader):
    mark = reader("chapters/01_vae.html").locator(".lc-read")
    mark.click()
    mark.click()
    assert mark.get_attribute("aria-pressed") == "false"
    assert not reader("book/index.html").locator("#progress").inner_text()


def test_a_browser_that_keeps_nothing_still_has_the_quiz(chromium, address):
    page = chromium.new_page()
    page.add_init_script(
        "Storage.prototype.getItem = Storage.prototype.setItem = () => { throw new DOMException() }"
    )
    page.goto(address + "chapters/01_vae.html")
    page.locator(".lc-choice").first.click()
    assert "1 of 5 answered" in page.locator(".lc-score").inner_text()
    page.locator(".lc-read").click()
    assert page.get_by_text("Your browser keeps no marks.").count() == 1
    page.close()


def test_a_browser_that_forgets_nothing_says_so(reader):
    reader("chapters/05_batch_correction.html").locator(".lc-read").click()
    page = reader("book/index.html")
    page.evaluate("() => { Storage.prototype.removeItem = () => { throw new DOMException() } }")
    page.get_by_role("button", name="Forget all").press("Enter")
    assert "did not let the page forget" in page.locator("#progress").get_by_role("status").inner_text()
    assert page.get_by_role("button", name="Forget all").is_visible()


# The first page.


@pytest.mark.parametrize("width", [390, 1280])
def test_the_first_screen_has_the_doors_and_the_cells(visit, width):
    page = visit("book/index.html", width=width)
    doors = [door.bounding_box() for door in page.locator(".lc-door").all()]
    assert len(doors) == 3 and len({door["y"] for door in doors}) == 1
    places = [*doors, page.locator(".lc-cells img").bounding_box()]
    places += [page.locator(".lc-promise").bounding_box()] if width == 1280 else []
    assert all(place["y"] >= 0 and place["y"] + place["height"] <= 800 for place in places)
