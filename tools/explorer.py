"""`make explorer`: train the small VAE of the latent explorer and write its decoder, its map and a picture of both."""

import base64
import json
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np

import latentcells as lc  # before Keras, because it silences TensorFlow's log

import keras  # isort: skip

FOLDER = Path(__file__).parents[1] / "book/_static/explorer"
MODEL = {"latent_dim": 2, "hidden": (64,), "likelihood": "negative_binomial", "seed": 0}
TRAINING = {"epochs": 200, "batch_size": 64, "learning_rate": 2e-3}

# Known markers in the data, in the order of the page, with the cells that each one marks.
GENES = {
    "CD3D": "T cells",
    "IL7R": "helper T cells",
    "CD8B": "cytotoxic T cells",
    "CCL5": "cytotoxic cells",
    "NKG7": "cytotoxic cells",
    "GNLY": "NK cells",
    "CD79A": "B cells",
    "MS4A1": "B cells",
    "HLA-DRA": "antigen-presenting cells",
    "LYZ": "monocytes",
    "S100A8": "monocytes",
    "FCGR3A": "CD16 monocytes, NK cells",
    "FCER1A": "dendritic cells",
    "CLEC10A": "dendritic cells",
    "PLD4": "plasmacytoid dendritic cells",
    "SPINK2": "stem cells",
}


def train(adata, epochs=TRAINING["epochs"]):
    """A VAE with two latent coordinates, fitted to the training cells of ``adata``."""
    cells, _ = lc.preprocess.split(adata, seed=0)
    model = lc.models.VAE(n_genes=adata.n_vars, **MODEL)
    model.compile(optimizer=keras.optimizers.Adam(TRAINING["learning_rate"]))
    model.fit(lc.inputs(cells), epochs=epochs, batch_size=TRAINING["batch_size"], verbose=0)
    return model


def export(model, adata) -> dict:
    """The data for the page: the decoder's layers, the map of all cells and the positions of the page's genes."""
    layers = [model.decoder.get_layer(f"hidden_{i}") for i in range(len(model.hidden))] + [model.head.dense]
    names, label = np.unique(adata.obs["label"].astype(str), return_inverse=True)
    return {
        "made_by": "make explorer",
        "dataset": "pbmc_reference",
        "model": {"n_genes": model.n_genes, **MODEL},
        "training": TRAINING,
        "layers": [_layer(*layer.get_weights()) for layer in layers],
        "genes": [
            {"name": gene, "place": adata.var_names.get_loc(gene), "known_for": cells}
            for gene, cells in GENES.items()
        ],
        "labels": [
            {"name": name, "colour": colour}
            for name, colour in zip(names, lc.course.plots.PALETTE, strict=True)
        ],
        "cells": {
            "z": _base64(model.encode(lc.inputs(adata)), "<f4"),
            "label": _base64(label, "u1"),
        },
    }


def _layer(kernel, bias) -> dict:
    return {"units": len(bias), "kernel": _base64(kernel, "<f4"), "bias": _base64(bias, "<f4")}


def _base64(array, dtype) -> str:
    return base64.b64encode(np.ascontiguousarray(array, dtype)).decode()


def picture(model, adata):
    """The figure for readers without scripts: the map, and the decoded expression at the centre of each label."""
    lc.course.plots.use_style()
    z, label = model.encode(lc.inputs(adata)), adata.obs["label"].astype(str).to_numpy()
    names = np.unique(label)
    centres = np.array([np.median(z[label == name], axis=0) for name in names])
    genes = adata.var_names.get_indexer(list(GENES))
    decoded = np.log1p(model.decode(centres)[:, genes])
    figure, (left, right) = plt.subplots(1, 2, figsize=(11, 5.5), width_ratios=[1, 1.1])
    lc.course.plots.embedding(left, z, label, "Cells in the latent space")
    heatmap = right.imshow(decoded, cmap="viridis", aspect="auto")
    right.set_xticks(range(len(GENES)), list(GENES), rotation=90, fontsize=10)
    right.set_yticks(range(len(names)), names, fontsize=10)
    right.set_title("Decoded at the centre of each label")
    figure.colorbar(heatmap, ax=right, label="log1p of counts per ten thousand")
    figure.legend(
        *left.get_legend_handles_labels(), loc="outside lower center", ncols=4, fontsize=10, markerscale=3
    )
    return figure


def cells(data) -> str:
    """The map of the first page, as SVG: each cell is a dot in the colour of its label.

    Args:
        data: what ``export`` returns.
    """
    z = np.frombuffer(base64.b64decode(data["cells"]["z"]), "<f4").reshape(-1, 2)
    number = np.frombuffer(base64.b64decode(data["cells"]["label"]), "u1")
    x, y = (10 + 380 * (z - z.min(axis=0)) / np.ptp(z, axis=0)).T
    groups = []
    for i, label in enumerate(data["labels"]):
        dots = (f'<circle cx="{x[j]:.0f}" cy="{400 - y[j]:.0f}" r="3"/>' for j in np.flatnonzero(number == i))
        groups.append(f'<g fill="{label["colour"]}">{"".join(dots)}</g>\n')
    size = 'width="400" height="400" viewBox="0 0 400 400"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n{"".join(groups)}</svg>\n'


def main():
    """Train, then write decoder.json, picture.png and the first page's cells.svg."""
    adata = lc.datasets.pbmc_reference()
    model = train(adata)
    FOLDER.mkdir(exist_ok=True)
    data = export(model, adata)
    text = json.dumps(data, indent=1) + "\n"
    (FOLDER / "decoder.json").write_text(text, encoding="utf8")
    (FOLDER / "cells.svg").write_text(cells(data), encoding="utf8")
    picture(model, adata).savefig(FOLDER / "picture.png", metadata={"Software": None})
    print(f"{FOLDER}/decoder.json: {len(text) / 1000:.0f} kB")


if __name__ == "__main__":
    main()
