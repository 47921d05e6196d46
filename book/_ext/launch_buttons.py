"""Launch buttons that open the Colab edition, at the addresses of tools/launch.py."""

from pathlib import Path

from tools.launch import FOLDER, in_colab, in_jupyterhub


def open_edition(app, pagename, templatename, context, doctree):
    """Point the theme's buttons to launch and to download a notebook, which lead to the sources, to the edition."""
    options = app.config.html_theme_options
    repository, notebook = options.get("repository_url"), pagename.rpartition("/")[2] + ".ipynb"
    groups = {group.get("label"): group.get("buttons", []) for group in context.get("header_buttons", [])}
    for button in groups.get("launch-buttons", []):
        host = options["launch_buttons"][f"{button['text'].lower()}_url"].rstrip("/")
        address = {"Colab": in_colab, "JupyterHub": in_jupyterhub}[button["text"]]
        button["url"] = address(repository, notebook, host)
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
    app.connect("html-page-context", open_edition, priority=900)
    app.connect("build-finished", drop_sources)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
