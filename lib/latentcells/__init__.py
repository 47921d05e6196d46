"""Latent Cells: representation learning for single-cell RNA-seq with Keras."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # before TensorFlow loads: it silences only its log lines

from latentcells import checks, evaluate, layers, likelihoods, models, objectives, preprocess  # noqa: E402
from latentcells.claims import claim  # noqa: E402
from latentcells.preprocess import inputs  # noqa: E402

__all__ = ["checks", "claim", "evaluate", "inputs", "layers", "likelihoods", "models", "objectives", "preprocess"]
__version__ = "0.1.0"
