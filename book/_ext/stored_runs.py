"""The `stored-runs` directive: every row of book/results/*.json in tables, by chapter, data set and metric."""

import json
import re
import statistics
import tomllib
from html import escape
from itertools import groupby
from math import floor, log10
from pathlib import Path

from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from latentcells.course.results import load

BETTER = {
    "higher": "Higher is better.",
    "lower": "Lower is better.",
    "neither": "Neither direction is better.",
}
UNKNOWN = {"words": "The chapter explains it."}


def gather(folder) -> tuple[dict, list]:
    """(stored runs by name, all their rows); a row also has its ``run``, ``base`` metric and ``setting``.

    Raises:
        ValueError: for a stored run that is not valid, and for a folder without any.
    """
    runs = {path.stem: load(path) for path in sorted(Path(folder).glob("*.json"))}
    if not runs:
        raise ValueError("book/results holds no stored run: make results writes them")
    rows = []
    for name, run in runs.items():
        for row in run["rows"]:
            base, _, setting = row["metric"].rstrip("]").partition("[")
            rows.append({**row, "run": name, "base": base, "setting": setting, "made_by": run["made_by"]})
    return runs, rows


def natural(text) -> list:
    """A key that sorts "250 genes" before "1000 genes"."""
    return [
        (float(part), "") if part[:1].isdigit() else (0.0, part) for part in re.split(r"(\d+\.?\d*)", text)
    ]


def tables(rows, metrics) -> list:
    """[(base metric, its rows)] in the order of ``metrics``; in a table the baselines come first."""
    rank = {base: place for place, base in enumerate(metrics)}

    def metric(row):
        return rank.get(row["base"], len(rank)), row["base"]

    rows = sorted(
        rows, key=lambda r: (metric(r), not r["baseline"], natural(r["method"]), natural(r["setting"]))
    )
    return [(base, list(of_metric)) for (_, base), of_metric in groupby(rows, metric)]


def headline_first(tables, metrics) -> list:
    """The tables, the longest with a headline metric first."""
    first = max(tables, key=lambda item: len(item[1]) * metrics.get(item[0], {}).get("headline", False))
    return [first, *(other for other in tables if other is not first)]


def decimals(rows) -> int:
    """The number of decimals that shows two digits of the table's typical spread, at most three."""
    spreads = [row["sd"] for row in rows if row["sd"]]
    if spreads:
        digits = 1 - floor(log10(statistics.median(spreads)))
    else:
        digits = 2 - floor(log10(max(abs(row["mean"]) for row in rows) or 1))
    return min(max(digits, 0), 3)


def breakable(text) -> str:
    """HTML that may break after an underscore."""
    return escape(text).replace("_", "_<wbr>")


def table_row(row, digits, settings) -> str:
    """A row of a table, as HTML."""
    badge = ' <span class="lc-baseline">baseline</span>' if row["baseline"] else ""
    spread = "" if row["sd"] is None else f" ±\N{NO-BREAK SPACE}{row['sd']:,.{digits}f}"
    return "".join(
        (
            f'<tr><th scope="row">{breakable(row["method"])}{badge}</th>',
            f"<td>{breakable(row['setting'])}</td>" if settings else "",
            f'<td data-value="{row["mean"]!r}">{row["mean"]:,.{digits}f}{spread}</td>',
            f"<td>{len(row['values'])}</td>",
            f"<td><code>{escape(row['made_by'])}</code></td></tr>",
        )
    )


def table(base, rows, link, over) -> str:
    """A table of one metric on one data set, as HTML; its caption has the only link to the chapter."""
    dataset, unit = (escape(rows[0][key]) for key in ("dataset", "unit"))
    unit = "" if unit == "1" else f", {unit}"
    caption = f"<code>{base}</code> on <code>{dataset}</code>{unit}. {link}"
    settings, digits = any(row["setting"] for row in rows), decimals(rows)
    text, number = (f' data-sort="{kind}"' for kind in ("text", "number"))
    heads = (
        ("Method", text),
        ("Setting", text),
        ("Mean ± sd", number),
        (over.capitalize(), ""),
        ("Source", ""),
    )
    columns = "".join(
        f'<th scope="col"{sort}>{head}</th>' for head, sort in heads if settings or head != "Setting"
    )
    body = "\n".join(table_row(row, digits, settings) for row in rows)
    return (
        f'<table class="table lc-results"><caption>{caption}</caption>'
        f"<thead><tr>{columns}</tr></thead>\n<tbody>{body}</tbody></table>"
    )


def html(text) -> nodes.raw:
    """A node of HTML."""
    return nodes.raw("", text, format="html")


def folded(name, summary, content) -> list:
    """Nodes in a section that the reader can open."""
    return [html(f'<details class="{name}"><summary>{summary}</summary>'), *content, html("</details>")]


class StoredRuns(SphinxDirective):
    """All stored runs: a section for each chapter, in it one for each data set, and in that a table for each metric."""

    def run(self):
        """The nodes; a stored run that is not valid is an error of the page."""
        folder = Path(self.env.srcdir, "book", "results")
        self.env.note_dependency(str(folder / "metrics.toml"))
        try:
            runs, rows = gather(folder)
            numbers = sorted({name[:2] for name in runs})
            chapters = {number: self.chapter(number) for number in numbers}
        except ValueError as error:
            raise self.error(str(error)) from None
        self.metrics = tomllib.loads((folder / "metrics.toml").read_text(encoding="utf8"))
        sections = [
            self.section_of(
                *chapters[number],
                {name: run for name, run in runs.items() if name.startswith(number)},
                [row for row in rows if row["run"].startswith(number)],
            )
            for number in numbers
        ]
        return [self.contents(sections), *sections]

    def chapter(self, number):
        """(number, page, title) of the chapter with this number, to which stored runs belong."""
        for path in Path(self.env.srcdir, "chapters").glob(f"{number}_*.ipynb"):
            if (page := f"chapters/{path.stem}") in self.env.found_docs:
                first = "".join(json.loads(path.read_text(encoding="utf8"))["cells"][0]["source"])
                return int(number), page, first.splitlines()[0].removeprefix("# ")
        raise ValueError(f"book/results/{number}_*.json: _toc.yml names no chapter chapters/{number}_*.ipynb")

    def section_of(self, number, page, title, runs, rows):
        """The section of a chapter."""
        address = self.env.app.builder.get_relative_uri(self.env.docname, page)
        link = f'<a class="reference internal" href="{address}">Chapter {number}</a>'
        section = titled(f"chapter-{number}", f"Chapter {number}: {title}")
        by_dataset = {}
        for row in rows:
            by_dataset.setdefault(row["dataset"], []).append(row)
        for dataset, of_dataset in sorted(by_dataset.items(), key=lambda item: (-len(item[1]), item[0])):
            part = titled(f"chapter-{number}-{nodes.make_id(dataset)}", nodes.literal("", dataset))
            first, *others = headline_first(tables(of_dataset, self.metrics), self.metrics)
            part += nodes.container("", *self.block(*first, link), classes=["lc-block"])
            for base, more in others:
                count = f"{len(more)} row{'s' if len(more) > 1 else ''}"
                part += folded("lc-block", f"<code>{base}</code>, {count}", self.block(base, more, link))
            section += part
        made = self.parse_text_to_nodes("\n".join(map(provenance, runs, runs.values())))
        section += folded("lc-made", "Versions and machine", made)
        return section

    def block(self, base, rows, link):
        """The description of a metric, and its table."""
        known = self.metrics.get(base, UNKNOWN)
        better = f" **{BETTER[known['better']]}**" if "better" in known else ""
        words = self.parse_text_to_nodes(f"`{base}`: {known['words']}{better}")
        return [*words, html(table(base, rows, link, known.get("over", "seeds")))]

    def contents(self, sections):
        """Links to the sections, for readers without a sidebar."""
        links = nodes.bullet_list()
        for section in sections:
            title, *parts = section.findall(nodes.title)
            paragraph = nodes.paragraph(
                "", "", link_to(section, nodes.Text(title.astext())), nodes.Text(": ")
            )
            for part in parts:
                comma = nodes.Text(", " if part is not parts[0] else "")
                paragraph += [comma, link_to(part.parent, nodes.literal("", part.astext()))]
            links += nodes.list_item("", paragraph)
        return links


def titled(name, title):
    """An empty section."""
    title = title if isinstance(title, nodes.Node) else nodes.Text(title)
    return nodes.section("", nodes.title("", "", title), ids=[name], names=[name])


def link_to(section, text):
    """A link to a section of the page."""
    return nodes.reference("", "", text, internal=True, refid=section["ids"][0])


def provenance(name, run) -> str:
    """A list item that says how a stored run was made."""
    machine, versions = run["machine"], run["versions"]
    tools = ", ".join(
        f"{tool} {versions[tool]}" for tool in ("keras", "tensorflow", "scvi-tools") if tool in versions
    )
    cores = f"{machine['cores']} core{'s' if machine['cores'] > 1 else ''}"
    return (
        f"- `{name}.json`: `{run['made_by']}`, library {run['library']}, python {versions['python']}, "
        f"{tools}; {cores}, {machine['cpu']}"
    )


def setup(app):
    """Register the directive."""
    app.add_directive("stored-runs", StoredRuns)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
