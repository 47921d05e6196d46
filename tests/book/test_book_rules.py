"""Each rule of the book reports what breaks it."""

from tests.book import book_rules as rules

BIB = "@article{known2014,\n  title = {T},\n  doi = {10.1000/1}\n}\n@misc{bare2020,\n  title = {No doi here}\n}\n"
LOCK = "a==1.0 ; python_version < '3.12' \\\n    --hash=sha256:00\nb-c==2 \\\n    --hash=sha256:22\n"


def test_citations():
    page = "See {footcite:p}`known2014, unknown1999` and {cite}`known2014`."
    assert list(rules.citations(page)) == ["known2014", "unknown1999", "known2014"]
    assert ["unknown1999" in p for p in rules.unresolved_citations(page, BIB)] == [True]


def test_references_without_address():
    assert list(rules.entries_without_address(BIB)) == ["bare2020 has neither a DOI nor a URL"]


def test_terms():
    terms = rules.glossary_terms(
        "```{glossary}\n:sorted:\nELBO\n  A bound.\nlatent space\nz space\n  A space.\n```"
    )
    assert terms == {"elbo", "latent space", "z space"}
    page = "{term}`ELBO`, {term}`the bound <ELBO>`, {term}`latent\nspace`, {term}`collapse`"
    assert list(rules.undefined_terms(page, terms)) == ["uses the term 'collapse', which the glossary lacks"]


def site(tmp_path, body):
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub/other.html").write_text("<h1 id='there'>Other</h1>")
    (tmp_path / "figure.png").write_bytes(b"")
    (tmp_path / "index.html").write_text(f"<h1 id='here'>Title</h1>{body}")
    return rules.Site(tmp_path)


def test_live_links(tmp_path):
    targets = [
        "#here",
        "#",
        "sub/other.html",
        "sub/other.html#there",
        "/sub/other.html#there",
        "https://example.org/x",
        "mailto:a@example.org",
    ]
    assert not list(site(tmp_path, "".join(f"<a href='{target}'>x</a>" for target in targets)).dead_links())


def test_dead_links(tmp_path):
    targets = ["#nowhere", "other.html", "sub/other.html#here", "sub/", "../outside.html", "/other.html"]
    body = (
        "".join(f"<a href='{target}'>x</a>" for target in targets) + "<img src='missing.png' alt='A figure'>"
    )
    assert len(list(site(tmp_path, body).dead_links())) == len(targets) + 1


def test_images(tmp_path):
    images = ["<img src='figure.png' alt='A red line'>", "<img src='figure.png'>", "<img src='figure.png' alt=' '>",
              "<img src='figure.png' alt='../figure.png'>"]  # fmt: skip
    assert len(list(site(tmp_path, "".join(images)).images_without_alt())) == 3


def test_other_hosts(tmp_path):
    (tmp_path / "a.css").write_text("@import '//example.org/a.css'; p { background: url(figure.png) }")
    (tmp_path / "b.css").write_text("@font-face { src: url(https://example.org/a.woff2) }")
    body = (
        "<a href='https://example.org'>a link loads nothing</a><img src='figure.png'>"
        "<script src='https://example.org/a.js'></script><link rel='stylesheet' href='//example.org/b.css'>"
    )
    assert [line.split()[-1] for line in site(tmp_path, body).other_hosts()] == [
        "https://example.org/a.js",
        "//example.org/b.css",
        "//example.org/a.css",
        "https://example.org/a.woff2",
    ]


def test_megabytes(tmp_path):
    (tmp_path / "large.bin").write_bytes(bytes(2_000_000))
    assert 2 < site(tmp_path, "").megabytes() < 2.01


def test_forbidden_addresses():
    for host in rules.REGISTRIES:
        assert list(rules.forbidden_addresses(f"https://{host}/simple"))
    for folder in ("work", "root", "home", "Users"):
        assert list(rules.forbidden_addresses(f"see /{folder}/me/x.py"))
        assert list(rules.forbidden_addresses(f"\\u001b[32m/{folder}/me/x.py"))
    fine = "book/work/x https://example.org/work/x ../work/x $(ROOT)/work/x ~/work/x"
    assert not list(rules.forbidden_addresses(fine))


def test_lock():
    assert not list(rules.lock_problems(LOCK))
    for bad in (
        "a>=1 \\\n    --hash=sha256:00",
        "a==1",
        "--index-url x\n" + LOCK,
        "a @ https://x.org/a.whl \\\n    --hash=sha256:0",
    ):
        assert list(rules.lock_problems(bad)), bad


def test_drawings():
    assert not list(
        rules.svg_problems("<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 1 1'><g/></svg>")
    )
    for bad in ("<svg viewBox='0 0 1 1'><g></svg>", "<svg/>", "<p viewBox='0'/>"):
        assert list(rules.svg_problems(bad)), bad
