"""The results page: it shows every stored row with the stored numbers, and its tables sort and filter."""

import json
import re
import subprocess
import sys
import tomllib
from collections import Counter

import pytest

from benchmarks import records
from benchmarks.records import FOLDER
from book._ext import stored_runs
from tests.book.book_rules import ROOT
from tests.book.test_browser import severe

PAGE = "book/results.html"
SPREAD = re.compile("(-?[0-9.,]+)(?: ±\N{NO-BREAK SPACE}([0-9.,]+))?")


@pytest.fixture(scope="module")
def stored():
    """Every stored row, with the name and the command of its file."""
    runs = {path.stem: json.loads(path.read_text(encoding="utf8")) for path in FOLDER.glob("*.json")}
    return [
        {**row, "run": name, "made_by": run["made_by"]} for name, run in runs.items() for row in run["rows"]
    ]


@pytest.fixture(scope="module")
def tables(site):
    return site.pages[site.folder / PAGE].select("table.lc-results")


def table_rows(table):
    """What each row of a table says: the fields of a stored row, and the text that a reader sees."""
    base, dataset = (code.text for code in table.caption("code"))
    chapter = re.search(r"chapters/(\d\d)_", table.caption.a["href"])[1]
    headers = [header.text for header in table.thead("th")]
    for tr in table.tbody("tr"):
        cells = dict(zip(headers, tr(["th", "td"]), strict=True))
        setting = cells["Setting"].text if "Setting" in cells else ""
        badge = cells["Method"].find(class_="lc-baseline")
        yield {
            "dataset": dataset,
            "method": cells["Method"].text.removesuffix(" baseline") if badge else cells["Method"].text,
            "baseline": badge is not None,
            "metric": f"{base}[{setting}]" if setting else base,
            "mean": float(cells["Mean ± sd"]["data-value"]),
            "n": int(tr("td")[-2].text),
            "run": chapter,
            "made_by": cells["Source"].code.text,
            "text": cells["Mean ± sd"].text,
        }


# What the page says.


def test_every_stored_row_is_on_the_page_once(stored, tables):
    keys = "dataset", "method", "baseline", "metric", "mean", "n", "run", "made_by"
    on_page = Counter(tuple(row[key] for key in keys) for table in tables for row in table_rows(table))
    expected = [{**row, "n": len(row["values"]), "run": row["run"][:2]} for row in stored]
    assert on_page == Counter(tuple(row[key] for key in keys) for row in expected)


def test_the_visible_numbers_are_the_stored_ones(stored, tables):
    spreads = {(r["run"][:2], r["dataset"], r["method"], r["metric"], r["made_by"]): r["sd"] for r in stored}
    for table in tables:
        for row in table_rows(table):
            mean, sd = SPREAD.fullmatch(row["text"]).groups()
            digits = len(mean.partition(".")[2])
            expected = spreads[tuple(row[key] for key in ("run", "dataset", "method", "metric", "made_by"))]
            assert mean == f"{row['mean']:,.{digits}f}"
            assert sd == (None if expected is None else f"{expected:,.{digits}f}")


def test_baselines_come_first(tables):
    for table in tables:
        baselines = [row["baseline"] for row in table_rows(table)]
        assert baselines == sorted(baselines, reverse=True)


def test_a_paragraph_above_each_table_says_what_it_measures(tables):
    metrics = tomllib.loads((FOLDER / "metrics.toml").read_text(encoding="utf8"))
    for table in tables:
        base, paragraph = table.caption.code.text, table.find_previous_sibling("p")
        assert paragraph.code.text == base
        if base in metrics:
            assert stored_runs.BETTER[metrics[base]["better"]] in paragraph.text
            assert len(paragraph.text) > 40


def test_one_table_of_each_data_set_is_open(tables):
    blocks = [table.find_parent(class_="lc-block") for table in tables]
    for section in {id(block.parent): block.parent for block in blocks}.values():
        within = section(class_="lc-block", recursive=False)
        assert [block.name for block in within] == ["div"] + ["details"] * (len(within) - 1)


def test_a_table_links_to_its_chapter_once(tables):
    for table in tables:
        (link,) = table("a", href=True)
        number = int(re.search(r"chapters/(\d\d)_", link["href"])[1])
        assert table.find_parent(id=f"chapter-{number}") and link.text == f"Chapter {number}"


def test_the_page_is_light(site):
    assert (site.folder / PAGE).stat().st_size < 1e6


# How the page is built.


def test_settings_sort_by_their_numbers():
    names = "rate 0.25", "1000 genes", "all genes", "rate 0.1", "250 genes"
    expected = ["250 genes", "1000 genes", "all genes", "rate 0.1", "rate 0.25"]
    assert sorted(names, key=stored_runs.natural) == expected


@pytest.mark.parametrize(
    ("means", "sd", "digits"), [([0.5], 0.012, 3), ([0.5], 0.00012, 3), ([-2451.2], 2.3, 1), ([9000.0], 150.0, 0),
                                ([812.3], None, 0), ([0.25], None, 3), ([0.0], None, 2)],
)  # fmt: skip
def test_decimals_follow_the_spread(means, sd, digits):
    assert stored_runs.decimals([{"mean": mean, "sd": sd} for mean in means]) == digits


@pytest.fixture
def book(tmp_path):
    """Builds a small book of one chapter and its stored run: book() returns the exit status and stderr."""
    (tmp_path / "chapters").mkdir()
    cell = {"cell_type": "markdown", "id": "a", "metadata": {}, "source": ["# A title\n", "Words."]}
    notebook = {"cells": [cell], "metadata": {}, "nbformat": 4, "nbformat_minor": 5}
    (tmp_path / "chapters" / "07_new.ipynb").write_text(json.dumps(notebook))
    rows = [
        records.row("kang", "VAE", "never_seen[2 genes]", [1, 2]),
        records.row("kang", "PCA", "never_seen[2 genes]", [1], baseline=True),
    ]
    (tmp_path / "book" / "results").mkdir(parents=True)
    (tmp_path / "book" / "results" / "metrics.toml").write_bytes((FOLDER / "metrics.toml").read_bytes())
    records.record(tmp_path / "book" / "results" / "07_new.json", "make results", rows)
    (tmp_path / "book" / "results.md").write_text(
        "# Results\n\n```{stored-runs}\n```\n\n```{toctree}\n../chapters/07_new\n```\n"
    )
    (tmp_path / "conf.py").write_text(
        f"import sys\nsys.path.append({str(ROOT / 'book/_ext')!r})\n"
        "extensions = ['myst_nb', 'stored_runs']\nnb_execution_mode = 'off'\nroot_doc = 'book/results'\n"
    )

    def build():
        command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", tmp_path, tmp_path / "_out"]
        run = subprocess.run(command, capture_output=True, text=True)
        return run.returncode, run.stderr

    return build


@pytest.mark.slow
def test_a_new_stored_run_needs_no_edit(book, tmp_path):
    assert book() == (0, "")
    page = (tmp_path / "_out" / PAGE).read_text(encoding="utf8")
    assert "Chapter 7: A title" in page
    assert page.index("PCA") < page.index("VAE")
    assert '<td data-value="1.5">1.50 ±\N{NO-BREAK SPACE}0.71</td><td>2</td>' in page


@pytest.mark.slow
def test_a_broken_stored_run_fails_the_build(book, tmp_path):
    path = tmp_path / "book" / "results" / "07_new.json"
    path.write_text(path.read_text().replace('"mean": 1.5', '"mean": 2.5'))
    status, stderr = book()
    assert status
    line = "07_new.json, row 2 is not valid: mean is 2.5, where the values give 1.5"
    assert re.search(rf"results\.md:3: ERROR: {line}", stderr)


@pytest.mark.slow
def test_a_stored_run_without_a_chapter_fails_the_build(book, tmp_path):
    path = tmp_path / "book" / "results" / "07_new.json"
    path.rename(path.with_name("12_new.json"))
    status, stderr = book()
    assert status
    assert "ERROR: book/results/12_*.json: _toc.yml names no chapter chapters/12_*.ipynb" in stderr


def test_a_folder_without_stored_runs_says_how_to_make_them(tmp_path):
    with pytest.raises(ValueError, match="make results writes them"):
        stored_runs.gather(tmp_path)


# In a browser.


@pytest.fixture
def page(visit):
    page = visit(PAGE)
    page.locator("#lc-filter").wait_for()
    yield page
    assert not page.trouble


def values(table):
    return table.locator("td[data-value]").evaluate_all("all => all.map(cell => Number(cell.dataset.value))")


def column_header(table, name):
    """The sort button in a column's header, and the header."""
    return table.get_by_role("button", name=name), table.get_by_role("columnheader", name=name)


def test_a_column_of_means_sorts_as_numbers_by_keyboard(page):
    speed = page.locator("table.lc-results", has_text="cells_per_second on")
    table = speed.filter(has_text="scvi-tools").first
    before = values(table)
    assert sorted(before) != sorted(before, key=str)  # sorting them as text would give another order
    button, column = column_header(table, "Mean ± sd")
    assert column.get_attribute("aria-sort") == "none"
    for key, order, expected in (
        ("Enter", "ascending", sorted(before)),
        ("Space", "descending", sorted(before, reverse=True)),
        ("Enter", "none", before),
    ):
        button.focus()
        page.keyboard.press(key)
        assert (column.get_attribute("aria-sort"), values(table)) == (order, expected)
        assert button.evaluate("button => button === document.activeElement")


def test_rows_move_as_a_whole(page):
    table = page.locator("table.lc-results").first
    before = sorted(table.locator("tbody tr").all_inner_texts())
    column_header(table, "Method")[0].click()
    after = table.locator("tbody tr").all_inner_texts()
    assert sorted(after) == before and after != before


def test_settings_sort_by_their_numbers_and_one_column_at_a_time(page):
    table = page.locator("#chapter-3-pbmc-facs table.lc-results").first
    column_header(table, "Mean ± sd")[0].click()
    column_header(table, "Setting")[0].click()
    settings = table.locator("tbody td:nth-child(2)").all_inner_texts()
    sizes = [int(setting.split()[0]) for setting in settings if setting[0].isdigit()]
    assert sizes == sorted(sizes) and len(set(sizes)) > 3
    orders = table.locator("th[aria-sort]").evaluate_all("all => all.map(head => head.ariaSort)")
    assert orders == ["none", "ascending", "none"]


def test_the_filter_shows_the_rows_that_have_all_words(page, stored):
    status = page.locator(".lc-filter [role=status]")
    field = page.get_by_role("searchbox", name="Show only rows")
    rows = page.locator(".lc-results tbody tr")
    assert status.inner_text() == f"{len(stored)} rows."
    expected = [row for row in stored if row["dataset"] == "kang" and row["method"] == "scVI"]
    field.fill("SCVI kang")
    assert status.inner_text() == f"{len(expected)} of {len(stored)} rows have these words."
    assert rows.filter(visible=True).count() == len(expected) > 5  # folded tables are open
    assert not page.locator("#chapter-1").is_visible()
    field.fill("no such words")
    assert status.inner_text().startswith("0 of") and not rows.filter(visible=True).count()
    field.fill("")
    assert page.locator("#chapter-1").is_visible()
    assert page.locator("details.lc-block[open]").count() == 0


def test_no_open_table_is_wider_than_a_phone(visit):
    page = visit(PAGE, width=390)
    page.evaluate("document.querySelectorAll('details').forEach(block => block.open = true)")
    overflow = """Array.from(document.querySelectorAll(".lc-results"), table =>
        table.getBoundingClientRect().right - table.parentElement.getBoundingClientRect().right)"""
    assert max(page.evaluate(overflow)) <= 0.5
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.slow
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_a_sorted_and_filtered_page_is_accessible(visit, theme):
    page = visit(PAGE, theme, reduced_motion="reduce")
    page.locator("#lc-filter").fill("kang scib")
    column_header(page.locator("table.lc-results:visible").first, "Mean ± sd")[0].click()
    assert not severe(page)


def test_the_tables_are_readable_without_scripts(visit):
    page = visit(PAGE, java_script_enabled=False)
    assert page.locator("table.lc-results").first.is_visible()
    assert not page.locator(".lc-results button, .lc-filter").count()
    folded = page.locator("details.lc-block").first
    folded.locator("summary").click()
    assert folded.locator("table").is_visible()
