"""Launch buttons that open the Colab edition: Colab and JupyterHub read notebooks from a branch, not from a site.

The Pages workflow pushes the built site, with the edition in its folder `colab`, to the branch named here.
"""

from pathlib import Path
from urllib.parse import urlencode, urlsplit

BRANCH, FOLDER = "gh-pages", "colab"


def in_colab(repository: str, notebook: str, colab: str = "https://colab.research.google.com") -> str:
    """Where Colab opens a notebook (its file name) of a repository on GitHub."""
    return f"{colab}/github{urlsplit(repository).path}/blob/{BRANCH}/{FOLDER}/{notebook}"


def in_jupyterhub(repository: str, notebook: str, hub: str = "") -> str:
    """Where a JupyterHub with nbgitpuller fetches the branch and opens the notebook."""
    path = f"lab/tree/{repository.rpartition('/')[2]}/{FOLDER}/{notebook}"
    return f"{hub}/hub/user-redirect/git-pull?{urlencode({'repo': repository, 'branch': BRANCH, 'urlpath': path})}"


def open_the_edition(app, pagename, templatename, context, doctree):
    """Point the theme's buttons to launch and to download a notebook, which lead to the sources, to the edition."""
    options = app.config.html_theme_options
    repository, notebook = options.get("repository_url"), pagename.rpartition("/")[2] + ".ipynb"
    groups = {group.get("label"): group.get("buttons", []) for group in context.get("header_buttons", [])}
    for button in groups.get("launch-buttons", []):
        at = options["launch_buttons"][f"{button['text'].lower()}_url"].rstrip("/")
        address = {"Colab": in_colab, "JupyterHub": in_jupyterhub}[button["text"]]
        button["url"] = address(repository, notebook, at)
    for button in groups.get("download-buttons", []):
        if repository and button["text"] == ".ipynb":
            button["url"] = context["pathto"](f"{FOLDER}/{notebook}", 1)


def drop_sources(app, exception):
    """Keep no second copy of the notebooks in a site that has the edition."""
    if app.config.html_theme_options.get("repository_url") and exception is None:
        for notebook in Path(app.outdir, "_sources").rglob("*.ipynb"):
            notebook.unlink()


def setup(app):
    """Connect after the theme, which has made its buttons by then."""
    app.connect("html-page-context", open_the_edition, priority=900)
    app.connect("build-finished", drop_sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
