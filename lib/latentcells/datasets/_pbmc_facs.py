"""Blood cells sorted by their surface proteins: the labels do not depend on expression."""

import pandas as pd
from anndata import AnnData
from scipy import sparse

from latentcells.datasets._contract import about_file, build, genes
from latentcells.datasets._fetch import fetch
from latentcells.datasets._registry import PBMC_FACS
from latentcells.datasets._rfile import read_r

_NOTE = (
    "Each of the 10 types was sorted and sequenced as its own run, so that label and run are confounded: "
    "a difference between two types may be a difference between two runs."
)


def pbmc_facs() -> AnnData:
    """Load 3,874 FACS-sorted blood cells of 10 types.

    Returns:
        3874 cells × 16791 genes. X and ``layers["counts"]``: UMI counts. ``obs["label"]``: the sorted
        population; ``obs["batch"]``: the run, which is the population again (see
        ``uns["source"]["note"]``); ``obs["split"]``: "train" (3774) or "test" (100), as the source
        divides them. ``var["gene_ids"]``: Ensembl ids.

    Raises:
        DataUnavailable: if the file is not in the cache folder and cannot be downloaded.

    References:
        Zheng et al. 2017, doi:10.1038/ncomms14049; the selection is that of the R package fastTopics.
    """
    raw = read_r(fetch(PBMC_FACS))["pbmc_facs"]
    samples = pd.concat([raw["samples"], raw["samples_test"]])
    run = samples["celltype"].astype(str).to_numpy()
    split = ["train"] * len(raw["samples"]) + ["test"] * len(raw["samples_test"])
    obs = pd.DataFrame(
        {"label": run, "batch": run, "split": pd.Categorical(split)},
        index=[f"{barcode}-{name}" for barcode, name in zip(samples["barcode"], run, strict=True)],
    )
    return build(
        sparse.vstack([raw["counts"], raw["counts_test"]]),
        obs,
        genes(raw["genes"]["ensembl"], raw["genes"]["symbol"]),
        about_file("pbmc_facs", PBMC_FACS, _NOTE),
    )
