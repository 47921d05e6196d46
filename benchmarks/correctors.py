"""Harmony and scVI, scored as in `benchmarks.batch_correction`, for `make bench`: python -m benchmarks.correctors."""

import logging

import harmonypy
import numpy as np
import scvi

from benchmarks.batch_correction import rows_of_method
from benchmarks.records import record


def harmony(log1p, seed):
    """Harmony on 50 principal components, with its own defaults."""
    result = harmonypy.run_harmony(log1p.obsm["X_pca"], log1p.obs, "batch", random_state=seed, verbose=False)
    z = np.asarray(result.Z_corr)
    return (z if len(z) == log1p.n_obs else z.T), None


def scvi_tools(log1p, seed):
    """scVI with 10 dimensions and its own defaults; three seeds, since it trains for minutes."""
    scvi.settings.seed = seed
    adata = log1p.copy()
    scvi.model.SCVI.setup_anndata(adata, layer="counts", batch_key="batch")
    model = scvi.model.SCVI(adata, n_latent=10)
    model.train(accelerator="cpu", enable_progress_bar=False, enable_model_summary=False, logger=None)
    return model.get_latent_representation(), None


def main():
    """Write ``book/results/05_baselines.json``."""
    for name in ("scvi", "lightning.pytorch", "harmonypy"):
        logging.getLogger(name).setLevel(logging.ERROR)
    rows = rows_of_method("Harmony", harmony, baseline=True) + rows_of_method(
        "scVI", scvi_tools, baseline=True, seeds=range(3)
    )
    record("05_baselines", "make bench", rows)
    print("book/results/05_baselines.json")


if __name__ == "__main__":
    main()
