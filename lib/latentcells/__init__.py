"""Latent Cells: representation learning for single-cell RNA-seq with Keras."""

from latentcells._quiet import tensorflow_log_silenced

with tensorflow_log_silenced():
    import tensorflow  # noqa: F401  on every backend: the models feed their batches through tf.data

from latentcells import (
    checks,
    datasets,
    evaluate,
    layers,
    likelihoods,
    markers,
    models,
    objectives,
    plots,
    preprocess,
    results,
)
from latentcells.claims import claim
from latentcells.preprocess import inputs

__all__ = [
    "checks",
    "claim",
    "datasets",
    "evaluate",
    "inputs",
    "layers",
    "likelihoods",
    "markers",
    "models",
    "objectives",
    "plots",
    "preprocess",
    "results",
]
__version__ = "0.1.0"
