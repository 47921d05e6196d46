"""The addresses at which Colab and a JupyterHub open a notebook: both read a branch of the repository, not a site.

The Pages workflow pushes the built site, with the Colab edition in its folder `colab`, to that branch. The book's
launch buttons and the edition's index lead there.
"""

from urllib.parse import urlencode, urlsplit

BRANCH, FOLDER = "gh-pages", "colab"


def in_colab(repository: str, notebook: str, colab: str = "https://colab.research.google.com") -> str:
    """The address at which Colab opens a notebook, given by its file name, of a repository on GitHub."""
    return f"{colab}/github{urlsplit(repository).path}/blob/{BRANCH}/{FOLDER}/{notebook}"


def in_jupyterhub(repository: str, notebook: str, hub: str = "") -> str:
    """The address at which a JupyterHub with nbgitpuller fetches the branch and opens the notebook."""
    path = f"lab/tree/{repository.rpartition('/')[2]}/{FOLDER}/{notebook}"
    return f"{hub}/hub/user-redirect/git-pull?{urlencode({'repo': repository, 'branch': BRANCH, 'urlpath': path})}"
