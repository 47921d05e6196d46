"""Train a small model of each kind, or load the models that another process saved, for test_same_answer.py.

It is a program of its own, ``python tests/trainings.py --help``, because the test compares two processes.
"""

import argparse
from pathlib import Path

import latentcells as lc  # before Keras, so that TensorFlow's log lines stay out of standard error

# isort: split
import keras
import numpy as np
from keras import ops

BATCHES = ["plate 1", "plate 2"]
LABELS = ["B", "T"]
SIZES = {"small": (40, 12, 8), "large": (256, 500, 256)}  # cells, genes, hidden units


def draw_cells(n_cells, n_genes):
    """Counts of two types of cells on two plates."""
    rng = np.random.default_rng(0)
    mean = rng.gamma(2.0, 2.0, (2, n_genes))[np.arange(n_cells) % 2]
    return (rng.poisson(mean) + np.eye(n_cells, n_genes)).astype("float32")


def small_models(n_genes, hidden):
    """Name -> a model with every seed set and everything else as small as possible."""
    common = {"n_genes": n_genes, "latent_dim": 2, "hidden": (hidden,), "seed": 3}
    transformer = {"n_tokens": 6, "dim": 8, "n_heads": 2, "depth": 1, "seed": 3}
    return {
        "VAE": lc.models.VAE(**common),
        "MaskedAutoencoder": lc.models.MaskedAutoencoder(**common),
        "ContrastiveEncoder": lc.models.ContrastiveEncoder(**common, projection=8),
        "BatchVAE": lc.models.BatchVAE(batches=BATCHES, **common),
        "NeighbourVAE": lc.models.NeighbourVAE(batches=BATCHES, n_neighbors=3, **common),
        "MaskedGeneTransformer": lc.models.MaskedGeneTransformer(n_genes, **transformer),
        "CellAnnotator": lc.models.CellAnnotator(n_genes, LABELS, **transformer),
    }


def model_input(model, x):
    """The cells in the form that the model takes."""
    batch = np.array(BATCHES)[np.arange(len(x)) // 2 % 2]
    return {"x": x, "batch": batch} if isinstance(model, lc.models.BatchVAE) else x


def training_data(model, x):
    """The cells in the form that the model takes, and their labels if it learns labels."""
    label = [np.array(LABELS)[np.arange(len(x)) % 2]] if isinstance(model, lc.models.CellAnnotator) else []
    return model_input(model, x), *label


def train_models(folder, size):
    """Train every model for two epochs; store its weights, its z and the model itself in the folder."""
    n_cells, n_genes, hidden = SIZES[size]
    x, answers = draw_cells(n_cells, n_genes), {}
    for name, model in small_models(n_genes, hidden).items():
        model.compile(optimizer=keras.optimizers.Adam(0.01), steps_per_execution=1)
        model.fit(*training_data(model, x), epochs=2, batch_size=n_cells // 2, verbose=0)
        answers |= {f"{name}/weight {i}": weight for i, weight in enumerate(model.get_weights())}
        answers[f"{name}/z"] = model.encode(model_input(model, x))
        model.save(folder / f"{name}.keras")
    np.savez(folder / "trained.npz", **answers)


def fix_random_draws():
    """Make every draw depend only on its shape, because backends draw different numbers from the same seed."""

    def generator(shape):
        return np.random.default_rng([int(n) for n in shape])

    def normal(shape, *args, dtype="float32", seed=None, **kwargs):
        return ops.convert_to_tensor(generator(shape).standard_normal(shape), dtype)

    def uniform(shape, low=0.0, high=1.0, dtype="float32", seed=None):
        return ops.convert_to_tensor(generator(shape).uniform(low, high, shape), dtype)

    def binomial(shape, counts, probabilities, dtype="float32", seed=None):
        return ops.round(counts * probabilities)

    keras.random.normal, keras.random.uniform, keras.random.binomial = normal, uniform, binomial


def load_models(source, folder, size):
    """Store z and the loss of the models in ``source``, and save each model again in the folder."""
    fix_random_draws()
    x, answers = draw_cells(*SIZES[size][:2]), {}
    for path in sorted(source.glob("*.keras")):
        model = lc.models.load(path)
        model.run_eagerly = True  # nothing to compile for one pass
        answers[f"{path.stem}/z"] = model.encode(model_input(model, x))
        losses = model.evaluate(*training_data(model, x), verbose=0, return_dict=True)
        answers[f"{path.stem}/loss"] = losses["loss"]
        model.save(folder / path.name)
    np.savez(folder / "loaded.npz", **answers)


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="where to write")
    parser.add_argument("--size", choices=SIZES, default="small")
    parser.add_argument("--train", action="store_true", help="train the models")
    parser.add_argument("--load", type=Path, help="the folder of the models to load")
    arguments = parser.parse_args()
    arguments.folder.mkdir(exist_ok=True)
    if arguments.train:
        train_models(arguments.folder, arguments.size)
    if arguments.load:
        load_models(arguments.load, arguments.folder, arguments.size)


if __name__ == "__main__":
    main()
