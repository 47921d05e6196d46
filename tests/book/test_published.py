"""The book as the Pages workflow publishes it, built from a copy with the address and the repository filled in."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import parse_qs, urldefrag, urlsplit
from zipfile import ZipFile

import nbformat
import pytest
import yaml
from axe_playwright_python.sync_playwright import Axe
from bs4 import BeautifulSoup

from tests.book import book_rules as rules
from tools import colab, pack, pdf

pytestmark = pytest.mark.slow  # it builds a second book
REPOSITORY, ADDRESS = "https://github.com/someone/cells", "https://someone.github.io/cells"
HUB = "https://hub.example.org"
WORKFLOW = (rules.ROOT / ".github/workflows/pages.yml").read_text(encoding="utf8")
STEPS = [step for step in yaml.safe_load(WORKFLOW)["jobs"]["build"]["steps"] if "run" in step]
EXPRESSIONS = {
    "github.server_url": "https://github.com",
    "github.repository": "someone/cells",
    "github.ref_name": "main",
    "steps.pages.outputs.base_url": ADDRESS,
    "vars.JUPYTERHUB_URL": HUB,
}


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    copy = tmp_path_factory.mktemp("published")
    for name in ("book", "chapters"):
        shutil.copytree(rules.ROOT / name, copy / name)
    for name in ("CITATION.cff", "_config.yml", "_toc.yml"):
        shutil.copy(rules.ROOT / name, copy)
    edits = re.findall(r"-e '(s\|.*\|)'", WORKFLOW)
    edits = [re.sub(r"\$\{\{ (.*?) \}\}", lambda m: EXPRESSIONS[m[1]], edit) for edit in edits]
    arguments = [argument for edit in edits for argument in ("-e", edit)]
    subprocess.run(["sed", "-i", *arguments, copy / "_config.yml"], check=True)
    command = [
        sys.executable,
        "-c",
        "from jupyter_book.cli.main import main; main()",
        "build",
        copy,
        "-W",
        "-n",
        "-q",
    ]
    result = subprocess.run(command, capture_output=True, text=True)
    assert not result.returncode, result.stdout + result.stderr
    colab.build(copy, copy / "_build/html", copy / "_build/colab")
    return rules.Site(copy / "_build/html")


@pytest.fixture(scope="module")
def branch(site):
    """The files of the branch that the workflow's commands push; the commands run twice."""
    copy = site.folder.parents[1]
    origin = copy.parent / "origin.git"
    make, into_site, push = STEPS[-4:-1]
    assert make["run"] == "make book colab"
    settings = os.environ | push["env"] | {"RUNNER_TEMP": str(copy.parent), "GITHUB_SHA": "0123abc"}

    def run(command, folder=copy):
        return subprocess.check_output(
            ["bash", "-euc", command], cwd=folder, env=settings, text=True
        ).splitlines()

    run(f"git init --quiet --bare {origin} && git init --quiet && git remote add origin {origin}")
    run(into_site["run"])
    run(push["run"])
    run("git fetch --quiet && touch _build/html/new.html")
    run(push["run"])
    (site.folder / "new.html").unlink()
    assert run("git log --format=%s gh-pages", origin) == ["The site of 0123abc"] * 2
    files = run("git ls-tree -r --name-only gh-pages", origin)
    assert set(run("git ls-tree -r --name-only gh-pages~", origin)) == set(files) - {"new.html"}
    return set(files)


def page(site, name):
    return site.pages[site.folder / name]


def test_sitemap(site):
    listed = set(re.findall("<loc>(.*?)</loc>", (site.folder / "sitemap.xml").read_text(encoding="utf8")))
    pages = {re.sub(r"\.(md|ipynb)$", ".html", name) for name in rules.sources()}
    assert listed == {f"{ADDRESS}/{name}" for name in pages}


def test_card(site):
    metadata = {
        tag["property"]: tag["content"] for tag in page(site, "chapters/01_vae.html")("meta", property=True)
    }
    assert metadata["og:url"] == f"{ADDRESS}/chapters/01_vae.html"
    assert metadata["og:image"].startswith(ADDRESS + "/")
    assert (site.folder / metadata["og:image"].removeprefix(ADDRESS + "/")).is_file()


def test_canonical_address(site):
    (canonical,) = page(site, "book/data.html").select("link[rel=canonical]")
    assert canonical["href"] == f"{ADDRESS}/book/data.html"


def buttons(page):
    return [tag["href"] for tag in page.select(".btn[href*='://']")]


def test_buttons(site):
    hub, colab, *others = buttons(page(site, "chapters/01_vae.html"))
    assert [colab, hub.partition("?")[0], *(url.partition("?")[0] for url in others)] == [
        "https://colab.research.google.com/github/someone/cells/blob/gh-pages/colab/01_vae.ipynb",
        f"{HUB}/hub/user-redirect/git-pull",
        REPOSITORY,
        f"{REPOSITORY}/edit/main/chapters/01_vae.ipynb",
        f"{REPOSITORY}/issues/new",
    ]


def test_each_heading_leads_to_an_issue_that_names_it(site):
    for name in ("chapters/01_vae", "book/data"):
        content = page(site, f"{name}.html").select_one("article")
        headings = content.select("h1, h2, h3")
        links = content.select("a.lc-report")
        assert len(links) == len(headings) > 5
        for heading, link in zip(headings, links, strict=True):
            anchor = heading.select_one(".headerlink")["href"]
            address, _, query = link["href"].partition("?")
            issue = parse_qs(query)
            words = "".join(text for text in heading.find_all(string=True) if text.parent.name != "a")
            assert link.parent is heading and words.strip() in link["aria-label"]
            assert address == f"{REPOSITORY}/issues/new"
            assert issue["title"] == [f"{name}: {words}"]
            assert f"{ADDRESS}/{name}.html{anchor}\n" in issue["body"][0]


def test_the_first_page_offers_the_files_that_the_workflow_makes(site):
    offered = {link["href"] for link in page(site, "book/index.html").select(".lc-editions a[href]")}
    assert offered == {"../latent-cells.pdf", "../latent-cells.zip"}
    make, copy = STEPS[-1]["run"].split(" && ")
    assert (make, copy.split()[-1]) == ("make pdf zip", "_build/html/")
    assert {f"../{Path(name).name}" for name in copy.split()[1:-1]} == offered


def test_the_files_to_take_along_do_not_offer_themselves(site, tmp_path):
    joined = BeautifulSoup(pdf.joined(site.folder, pdf.parts(rules.ROOT / "_toc.yml")), "html.parser")
    pack.pack(site.folder, tmp_path / "site.zip")
    with ZipFile(tmp_path / "site.zip") as archive:
        packed = BeautifulSoup(archive.read(f"{pack.NAME}/book/index.html"), "html.parser")
    for book in (joined, packed):
        assert book.h1 and not book.select(
            ".lc-editions, [href*='latent-cells.pdf'], [href*='latent-cells.zip']"
        )
    assert not joined.select(".lc-report")


def test_the_metadata_of_a_chapter_has_its_address(site):
    data = json.loads(
        page(site, "chapters/01_vae.html").select_one("script[type='application/ld+json']").string
    )
    assert data["url"] == data["@id"] == f"{ADDRESS}/chapters/01_vae.html"


def launch_target(url):
    """The repository, branch and file that a launch address opens."""
    parts = urlsplit(url)
    if parts.netloc == "colab.research.google.com":
        github, owner, name, blob, branch, path = parts.path.removeprefix("/").split("/", 5)
        assert (github, blob) == ("github", "blob")
        return f"https://github.com/{owner}/{name}", branch, path
    query = {key: value for key, (value,) in parse_qs(parts.query).items()}
    folder = f"lab/tree/{query['repo'].rpartition('/')[2]}/"  # nbgitpuller's folder has the repository's name
    assert query["urlpath"].startswith(folder)
    return query["repo"], query["branch"], query["urlpath"].removeprefix(folder)


def test_every_launch_address_opens_a_file_of_the_branch(site, branch):
    n_buttons = 0
    for path, chapter in site.pages.items():
        urls = [url for url in buttons(chapter) if "/blob/" in url or "git-pull" in url]
        assert len(urls) == (2 if path.parent.name == "chapters" else 0)
        for url in urls:
            assert launch_target(url) == (REPOSITORY, "gh-pages", f"colab/{path.stem}.ipynb")
            assert f"colab/{path.stem}.ipynb" in branch
            n_buttons += 1
    assert n_buttons == 2 * len(colab_notebooks(site))


def test_the_download_button_gives_the_colab_edition(site, branch):
    downloads = {
        (path.stem, tag["href"])
        for path, chapter in site.pages.items()
        for tag in chapter.select(".btn-download-source-button[href$='.ipynb']")
    }
    assert downloads == {(path.stem, f"../colab/{path.name}") for path in colab_notebooks(site)}
    assert not [name for name in branch if name.startswith("_sources/") and name.endswith(".ipynb")]


def test_the_whole_site_is_small(site, branch):
    assert site.megabytes() < 25


def test_the_index_opens_every_notebook(site, branch):
    index = rules.Site(site.folder.parent / "colab").pages[site.folder.parent / "colab/index.html"]
    hubs = [f"{HUB}{tag['data-hub']}" for tag in index.select("[data-hub]")]
    urls = [url for tag in index.select("a") if "://" in (url := tag["href"])] + hubs
    files = {launch_target(url)[2] for url in urls}
    assert files == {f"colab/{path.name}" for path in colab_notebooks(site)} and files <= branch
    assert {launch_target(url)[:2] for url in urls} == {(REPOSITORY, "gh-pages")}
    assert len(urls) == 2 * len(files)
    to_download = {tag["href"] for tag in index.select("a:not([href*='#'], [href*='://'])")}
    assert {f"colab/{name}" for name in to_download} <= branch


def test_the_index_takes_the_address_of_a_hub(site, chromium):
    page = chromium.new_page()
    page.goto((site.folder.parent / "colab/index.html").as_uri())
    page.get_by_label("Its address").fill(HUB + "/")
    links = page.locator("[data-hub]").all()
    assert len(links) == len(colab_notebooks(site))
    for link in links:
        assert link.get_attribute("href") == HUB + link.get_attribute("data-hub")
    assert not Axe().run(page).response["violations"]
    page.close()


def colab_notebooks(site):
    return sorted((site.folder.parent / "colab").glob("*.ipynb"))


def test_the_links_of_the_edition_lead_to_the_site_and_its_wheel(site, branch):
    for path in colab_notebooks(site):
        first, *cells = nbformat.read(path, as_version=4).cells
        assert f'"{ADDRESS}/colab"' in first.source and f"{ADDRESS}/chapters/{path.stem}.html" in first.source
        (wheel,) = re.findall(r"\{site\}/(\S+\.whl)", first.source)
        assert f"colab/{wheel}" in branch
        text = "\n".join(cell.source for cell in cells if cell.cell_type == "markdown")
        links = re.findall(rf"\]\({ADDRESS}/([^)]*)\)", text)
        assert len(links) > 10 and any(link.endswith(".svg") for link in links)
        for link in links:
            file, anchor = urldefrag(link)
            assert file in branch, link
            assert not anchor or anchor in site.anchors[site.folder / file], link


def test_the_404_page_works_at_any_address(site):
    targets = [tag.get("href") or tag.get("src") for tag in page(site, "404.html").select("[href], [src]")]
    local = [target for target in targets if not urlsplit(target).netloc and not target.startswith("#")]
    assert len(local) > 10
    for target in local:
        path = urlsplit(target).path
        assert path.startswith("/cells/") and (site.folder / path.removeprefix("/cells/")).is_file(), target
