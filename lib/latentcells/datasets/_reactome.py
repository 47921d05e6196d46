"""Reactome's pathways: which genes work together."""

from latentcells.datasets._fetch import fetch
from latentcells.datasets._registry import REACTOME


def reactome() -> dict[str, list[str]]:
    """Load 674 Reactome gene sets.

    Returns:
        Name of the set -> its gene symbols, both in the order of the file.

    Raises:
        DataUnavailable: if the file is not in the cache folder and cannot be downloaded.

    References:
        The file is that of TOSICA: Chen et al. 2023, doi:10.1038/s41467-023-35923-4.
    """
    lines = fetch(REACTOME).read_text(encoding="utf-8").splitlines()
    rows = (line.split("\t") for line in lines)
    return {name: members for name, _, *members in rows}
