"""Training from disk compared with training in memory: peak memory and rate by the number of cells.

Ten thousand simulated cells are written as many times as the size requires, so that the file has its full size but
writing it needs little memory. Each measurement runs in its own process. TensorFlow traces the step in the first epoch;
the rate is that of the median epoch after it.

``python -m benchmarks.scaling`` stores the run; ``--sizes`` sets other numbers of cells, for instance a million.
"""

import argparse
import csv
import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.records import ROOT, record
from latentcells.course.results import row

SIZES = 10_000, 100_000
GENES, N_SIMULATED = 500, 10_000  # N_SIMULATED cells are repeated
MIN_TRAINED = 300_000  # cells to train on at least, over as many epochs as needed
IN_MEMORY, FROM_DISK = "in memory", "from disk"
STORED = (
    ROOT / "book" / "reliability" / "scaling.json"
)  # belongs to no chapter, so it is not on the results page
TABLE = STORED.with_suffix(".csv")


def write(path, n_cells):
    """Write an ``.h5ad`` file with a layer of counts, ten thousand cells at a time."""
    import h5py
    from anndata.io import sparse_dataset, write_elem

    import latentcells as lc

    counts = lc.datasets.simulate(min(N_SIMULATED, n_cells), GENES, seed=0).X
    with h5py.File(path, "w") as file:
        write_elem(file, "layers", {"counts": counts})
        for _ in range(n_cells // N_SIMULATED - 1):
            sparse_dataset(file["layers/counts"]).append(counts)


def train(how, path) -> dict:
    """Train a VAE in this process: the number of cells, the seconds of the median epoch and the peak memory in MB."""
    import h5py
    import keras
    import numpy as np
    from anndata.io import read_elem

    import latentcells as lc

    ends = []
    clock = keras.callbacks.LambdaCallback(on_epoch_end=lambda epoch, logs: ends.append(time.perf_counter()))
    model = lc.models.VAE(GENES, latent_dim=10, hidden=(64,), seed=0)
    model.compile(optimizer="adam")
    if how == FROM_DISK:
        x = lc.datasets.stream(path)
    else:
        with h5py.File(path) as file:
            x = read_elem(file["layers/counts"]).astype("float32").toarray()
    with h5py.File(path) as file:
        n_cells = int(file["layers/counts"].attrs["shape"][0])
    model.fit(x, epochs=1 + -(-MIN_TRAINED // n_cells), callbacks=[clock], verbose=0)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024  # kilobytes on Linux
    return {"cells": n_cells, "seconds": float(np.median(np.diff(ends))), "peak_rss_mb": peak}


def measure(how, path) -> dict:
    """The report of a training that runs in its own process."""
    command = [sys.executable, "-m", "benchmarks.scaling", "--train", how, str(path)]
    process = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if process.returncode:
        raise SystemExit(f"{process.stderr}\n{how} failed: {' '.join(command[1:])}")
    return json.loads(process.stdout.splitlines()[-1])


def rows(sizes=SIZES) -> list:
    """All rows of the stored run."""
    reports = {}
    with tempfile.TemporaryDirectory() as folder:
        for n_cells in sizes:
            path = Path(folder) / "cells.h5ad"
            write(path, n_cells)
            for how in (IN_MEMORY, FROM_DISK):
                reports[how, n_cells] = report = measure(how, path)
                print(f"{how:<10}{n_cells:>9} cells {report}", flush=True)
    return [*_measured(reports), *_compared(reports, sizes)]


def _measured(reports):
    for (how, n), report in reports.items():
        rate = report["cells"] / report["seconds"]
        for metric, value, unit in (
            ("peak_rss_mb", report["peak_rss_mb"], "MB"),
            ("cells_per_second", rate, "cells/s"),
        ):
            yield row("simulate", how, f"{metric}[{n} cells]", [value], unit, how == IN_MEMORY)


def _compared(reports, sizes):
    """The ratios of the memory for the largest and smallest file, and of the rates from disk and in memory."""
    smallest, largest = min(sizes), max(sizes)
    for how in (IN_MEMORY, FROM_DISK):
        growth = reports[how, largest]["peak_rss_mb"] / reports[how, smallest]["peak_rss_mb"]
        yield row(
            "simulate", how, f"memory_growth[{smallest} to {largest} cells]", [growth], "1", how == IN_MEMORY
        )
    for n in sizes:
        share = reports[IN_MEMORY, n]["seconds"] / reports[FROM_DISK, n]["seconds"]
        yield row("simulate", FROM_DISK, f"ratio_to_in_memory[{n} cells]", [share])


def table(rows) -> list:
    """The page's table of the stored rows: a row for each number of cells."""
    means = {}
    for stored in rows:
        metric, _, cells = stored["metric"].removesuffix(" cells]").partition("[")
        if metric != "memory_growth":
            means.setdefault(int(cells), {})[stored["method"], metric] = stored["mean"]
    return [
        {
            "cells": f"{n:,}",
            "in memory, cells/s": f"{means[n][IN_MEMORY, 'cells_per_second']:,.0f}",
            "from disk, cells/s": f"{means[n][FROM_DISK, 'cells_per_second']:,.0f}",
            "share of the rate": f"{means[n][FROM_DISK, 'ratio_to_in_memory']:.2f}",
            "in memory, MB": f"{means[n][IN_MEMORY, 'peak_rss_mb']:,.0f}",
            "from disk, MB": f"{means[n][FROM_DISK, 'peak_rss_mb']:,.0f}",
        }
        for n in sorted(means)
    ]


def main():
    """Measure and store the run and its table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--sizes", type=int, nargs="+", default=SIZES, help="whole tens of thousands of cells"
    )
    parser.add_argument("--train", nargs=2, metavar=("HOW", "PATH"), help="one training, in this process")
    options = parser.parse_args()
    if options.train:
        print(json.dumps(train(*options.train)))
        return
    sizes = " ".join(map(str, options.sizes))
    run = record(STORED, f"python -m benchmarks.scaling --sizes {sizes}", rows(tuple(options.sizes)))
    with open(TABLE, "w", encoding="utf8", newline="") as file:
        lines = table(run["rows"])
        writer = csv.DictWriter(file, list(lines[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    print(STORED)


if __name__ == "__main__":
    main()
