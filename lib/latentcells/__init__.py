"""Latent Cells: representation learning for single-cell RNA-seq with Keras."""

from latentcells._quiet import tensorflow_log_silenced

with tensorflow_log_silenced():
    import tensorflow  # noqa: F401  on every backend: the models feed their batches through tf.data

from latentcells import (
    course,
    datasets,
    evaluate,
    layers,
    likelihoods,
    markers,
    models,
    objectives,
    preprocess,
)
from latentcells._cells import inputs
from latentcells.course import claim

__all__ = [
    "claim",
    "course",
    "datasets",
    "evaluate",
    "inputs",
    "layers",
    "likelihoods",
    "markers",
    "models",
    "objectives",
    "preprocess",
]
__version__ = "0.1.0"


def __dir__():
    return [*__all__, "__version__"]
