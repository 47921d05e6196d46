"""`make results`: rerun the experiments whose results the chapters show."""

import sys

from benchmarks import (
    baselines,
    batch_correction,
    hvg,
    normalization,
    self_supervised,
    transformer,
    transformer_genes,
    transformer_markers,
    vae,
    x_versus_z,
)
from benchmarks.records import record

CHAPTERS = {
    "01_preparation": baselines.rows,
    "01_vae": vae.rows,
    "02_normalization": normalization.rows,
    "03_hvg": hvg.rows,
    "04_self_supervised": self_supervised.rows,
    "05_batch_correction": batch_correction.rows,
    "06_transformer": transformer.rows,
    "07_transformer_hvg": transformer_genes.rows,
    "08_transformer_markers": transformer_markers.rows,
    "10_x_versus_z": x_versus_z.rows,
}


def main(names=()):
    """Rebuild ``book/results/<name>.json`` for each name, by default for all chapters."""
    for name in names or CHAPTERS:
        record(name, "make results", CHAPTERS[name]())
        print(f"book/results/{name}.json")


if __name__ == "__main__":
    main(sys.argv[1:])
