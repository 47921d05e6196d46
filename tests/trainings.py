"""Train a small model of each kind, or load those of another process: what test_same_answer.py starts.

It is a program of its own, ``python tests/trainings.py --help``, since the same answer twice means two processes.
"""

import argparse
from pathlib import Path

import keras
import numpy as np
from keras import ops

import latentcells as lc

BATCHES = ["plate 1", "plate 2"]
SIZES = {"small": (40, 12, 8), "large": (256, 500, 256)}  # cells, genes, hidden units


def cells(n_cells, n_genes):
    """Counts of two kinds of cells on two plates."""
    rng = np.random.default_rng(0)
    mean = rng.gamma(2.0, 2.0, (2, n_genes))[np.arange(n_cells) % 2]
    return (rng.poisson(mean) + np.eye(n_cells, n_genes)).astype("float32")


def small_models(n_genes, hidden):
    """Name -> a model with every seed set and everything else as small as it goes."""
    common = {"n_genes": n_genes, "latent_dim": 2, "hidden": (hidden,), "seed": 3}
    return {
        "VAE": lc.models.VAE(**common),
        "MaskedAutoencoder": lc.models.MaskedAutoencoder(**common),
        "ContrastiveEncoder": lc.models.ContrastiveEncoder(**common, projection=8),
        "BatchVAE": lc.models.BatchVAE(batches=BATCHES, **common),
        "NeighbourVAE": lc.models.NeighbourVAE(batches=BATCHES, n_neighbors=3, **common),
        "MaskedGeneTransformer": lc.models.MaskedGeneTransformer(
            n_genes, n_tokens=6, dim=8, n_heads=2, depth=1, seed=3
        ),
    }


def taken(model, x):
    """The cells as the model takes them."""
    batch = np.array(BATCHES)[np.arange(len(x)) // 2 % 2]
    return {"x": x, "batch": batch} if isinstance(model, lc.models.BatchVAE) else x


def train(folder, size):
    """Two epochs of every model; its weights and its z, and the model itself."""
    n_cells, n_genes, hidden = SIZES[size]
    x, found = cells(n_cells, n_genes), {}
    for name, model in small_models(n_genes, hidden).items():
        model.compile(optimizer=keras.optimizers.Adam(0.01), steps_per_execution=1)
        model.fit(taken(model, x), epochs=2, batch_size=n_cells // 2, verbose=0)
        found |= {f"{name}/weight {i}": weight for i, weight in enumerate(model.get_weights())}
        found[f"{name}/z"] = model.encode(taken(model, x))
        model.save(folder / f"{name}.keras")
    np.savez(folder / "trained.npz", **found)


def without_chance():
    """Let every draw be a function of its shape alone: the backends draw other numbers from the same seed."""

    def drawn(shape):
        return np.random.default_rng([int(n) for n in shape])

    def normal(shape, *args, dtype="float32", seed=None, **kwargs):
        return ops.convert_to_tensor(drawn(shape).standard_normal(shape), dtype)

    def uniform(shape, low=0.0, high=1.0, dtype="float32", seed=None):
        return ops.convert_to_tensor(drawn(shape).uniform(low, high, shape), dtype)

    def binomial(shape, counts, probabilities, dtype="float32", seed=None):
        return ops.round(counts * probabilities)

    keras.random.normal, keras.random.uniform, keras.random.binomial = normal, uniform, binomial


def read(there, folder, size):
    """z and the loss of the models in the folder ``there``; each is saved once more."""
    without_chance()
    x, found = cells(*SIZES[size][:2]), {}
    for path in sorted(there.glob("*.keras")):
        model = lc.models.load(path)
        found[f"{path.stem}/z"] = model.encode(taken(model, x))
        checked = keras.tree.map_structure(ops.convert_to_tensor, model._take(taken(model, x)).matrix)
        found[f"{path.stem}/loss"] = ops.convert_to_numpy(model.compute_loss(checked, y_pred=model(checked)))
        model.save(folder / path.name)
    np.savez(folder / "read.npz", **found)


def main():
    """Train, or read what another process trained."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--train", action="store_true", help="train the models")
    parser.add_argument("--read", type=Path, help="the folder of the models to load")
    arguments = parser.parse_args()
    arguments.folder.mkdir(exist_ok=True)
    if arguments.train:
        train(arguments.folder, arguments.size)
    if arguments.read:
        read(arguments.read, arguments.folder, arguments.size)


if __name__ == "__main__":
    main()
