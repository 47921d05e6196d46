"""Blood cells with and without interferon: a batch effect that is biology."""

import pandas as pd
from anndata import AnnData

from latentcells.datasets._contract import about_file, build
from latentcells.datasets._fetch import fetch
from latentcells.datasets._registry import IFNB
from latentcells.datasets._rfile import read_r

_NOTE = (
    "The batch is the condition: what sets control apart from stimulated is the response to interferon-β and "
    "the run together, and a correction that erases all of it erases biology. The labels come from clustering "
    "expression. The file's column 'sex' is left out: it alternates from cell to cell and XIST does not follow it."
)
_CONDITIONS = {"CTRL": "control", "STIM": "stimulated"}


def kang() -> AnnData:
    """Load 2,800 blood cells of 13 types, half of them stimulated with interferon-β for 6 hours.

    Returns:
        2800 cells × 14053 genes (565 of them without a count in these cells). X and
        ``layers["counts"]``: UMI counts. ``obs["label"]``: the type; ``obs["condition"]`` and
        ``obs["batch"]``: "control" (1310) or "stimulated" (1490).

    Raises:
        DataUnavailable: if the file is not in the cache folder and cannot be downloaded.

    References:
        Kang et al. 2018, doi:10.1038/nbt.4042, GSE96583; a sample of 2,800 of its cells.
    """
    raw = read_r(fetch(IFNB))["ifnb_2800"]
    expression, meta = raw["expr"], raw["meta"]
    condition = pd.Categorical(meta["sample"].map(_CONDITIONS), categories=_CONDITIONS.values())
    obs = pd.DataFrame(
        {"label": meta["cell_type"].to_numpy(), "batch": condition, "condition": condition},
        index=expression.coords["dim_1"].to_numpy().astype(str),
    )
    var = pd.DataFrame(index=expression.coords["dim_0"].to_numpy().astype(str))
    return build(expression.to_numpy().T, obs, var, about_file("kang", IFNB, _NOTE))
