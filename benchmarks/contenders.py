"""One contender of `benchmarks.speed`, in its own process: ``python -m benchmarks.contenders jax bernoulli 8``.

The last printed line is a JSON object with the seconds of each epoch of each measurement. The first epoch of a `fit`
compiles or starts the data pipeline and does not count.
"""

import json
import os
import sys
from itertools import pairwise
from time import perf_counter

import numpy as np

SHAPE = 2638, 1838
WIDTH, LATENT_DIM, BATCH_SIZE = 256, 64, 100


def data():
    """(name, AnnData): the document's cells and genes, or as many simulated ones if those are not available."""
    from latentcells import datasets

    try:
        return "pbmc3k_processed", datasets.pbmc3k_processed()
    except datasets.DataUnavailable:
        return "simulate", datasets.simulate(*SHAPE)


def input_for(likelihood, adata) -> np.ndarray:
    """The likelihood's input: counts, or the document's min-max-scaled z-scores."""
    import latentcells as lc

    if likelihood == "negative_binomial":
        return lc.inputs(adata, layer="counts")
    return lc.inputs(lc.preprocess.MinMax().fit(adata).transform(adata))


def keras_fit(likelihood, epochs, adata) -> dict:
    """Time `VAE.fit`; on TensorFlow it takes turns with the bare step, so that both run under the same conditions."""
    import keras

    import latentcells as lc

    class Clock(keras.callbacks.Callback):
        def on_train_begin(self, logs=None):
            self.ends = []

        def on_epoch_end(self, epoch, logs=None):
            self.ends.append(perf_counter())

    x = input_for(likelihood, adata)
    model = lc.models.VAE(x.shape[1], LATENT_DIM, hidden=(WIDTH,), likelihood=likelihood)
    model.compile(optimizer="adam")
    clock = Clock()

    def fit(epochs):
        model.fit(x, batch_size=BATCH_SIZE, epochs=1 + epochs, verbose=0, callbacks=[clock])
        return _between(clock.ends)

    fit(1)
    if keras.backend.backend() != "tensorflow":
        return {"fit": fit(epochs)}
    bare = bare_step(model, x)
    bare(1)
    seconds = {"fit": [], "bare step": []}
    for _ in range(2):
        seconds["fit"] += fit(epochs // 2)
        seconds["bare step"] += bare(epochs // 2)
    return seconds


def bare_step(model, x):
    """A function of the number of epochs that times only the compiled training step on prepared mini-batches."""
    import tensorflow as tf

    step = tf.function(model.train_step)
    batches = [(tf.constant(x[i : i + BATCH_SIZE]),) for i in range(0, len(x), BATCH_SIZE)]

    def run(epochs):
        ends = [perf_counter()]
        for _ in range(epochs):
            for batch in batches:
                logs = step(batch)
            float(logs["loss"])  # wait for the last step
            ends.append(perf_counter())
        return _between(ends)

    return run


def scvi_train(layers, epochs, adata) -> dict:
    """Time scvi-tools' SCVI with its own trainer on dense counts, which it reads faster than sparse ones.

    Args:
        layers: ``"default"`` (batch normalisation and dropout), or ``"plain"`` (neither, as in our model).
        epochs: the number of epochs that count.
        adata: AnnData with counts.
    """
    import scvi
    from anndata import AnnData
    from lightning.pytorch.callbacks import Callback

    class Clock(Callback):
        def on_train_start(self, *_):
            self.ends = []

        def on_train_epoch_end(self, *_):
            self.ends.append(perf_counter())

    counts = AnnData(input_for("negative_binomial", adata))
    scvi.model.SCVI.setup_anndata(counts)
    plain = {"use_batch_norm": "none", "dropout_rate": 0.0} if layers == "plain" else {}
    widths = {"n_hidden": WIDTH, "n_latent": LATENT_DIM, "n_layers": 1}
    model = scvi.model.SCVI(counts, **widths, dispersion="gene", gene_likelihood="nb", **plain)
    clock = Clock()
    quiet = ("logger", "enable_progress_bar", "enable_model_summary", "enable_checkpointing")
    model.train(
        max_epochs=1 + epochs,
        accelerator="cpu",
        train_size=1.0,
        batch_size=BATCH_SIZE,
        callbacks=[clock],
        **dict.fromkeys(quiet, False),
    )
    return {"train": _between(clock.ends)}


def _between(ends) -> list:
    return [after - before for before, after in pairwise(ends)]


def main(tool, setting, epochs):
    """Train and print the measurements."""
    if tool != "scvi-tools":
        os.environ["KERAS_BACKEND"] = tool  # before Keras is imported
    name, adata = data()
    seconds = (scvi_train if tool == "scvi-tools" else keras_fit)(setting, int(epochs), adata)
    print(json.dumps({"dataset": name, "cells": adata.n_obs, "seconds": seconds}))


if __name__ == "__main__":
    main(*sys.argv[1:])
