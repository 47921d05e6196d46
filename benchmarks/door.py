"""The cost of reading and checking cells: training on a sparse matrix and on the same one dense, and the checks' share.

The cells are those of `pbmc3k` with all genes, repeated four times, so that the dense matrix is half a gigabyte. Each
training runs in a fresh process; the two forms take turns, so that both run on the machine in the same state.
"""

from statistics import median
from time import perf_counter, process_time

import latentcells as lc  # isort: skip  before Keras, because it silences TensorFlow's log
import keras
import numpy as np
from scipy import sparse

from benchmarks.alone import peak_mb, run_alone
from benchmarks.records import record
from latentcells.course.results import row

COPIES, ROUNDS, EPOCHS = 4, 5, 3
DENSE, CSR = "dense array", "CSR"


class Clock(keras.callbacks.Callback):
    """The seconds of each epoch."""

    def on_train_begin(self, logs=None):
        self.seconds = []

    def on_epoch_begin(self, epoch, logs=None):
        self.start = perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds.append(perf_counter() - self.start)


def cells():
    """Counts of `pbmc3k` repeated four times, CSR float32."""
    return sparse.vstack([lc.datasets.pbmc3k().X.astype(np.float32)] * COPIES, format="csr")


def model(n_genes):
    """The network of every measurement: a VAE as it comes."""
    return lc.models.VAE(n_genes, 10, seed=0)


def fit(_, form) -> dict:
    """Train on one form in this process: the rate, the growth of the peak memory and the weights."""
    x = cells()
    x = x.toarray() if form == DENSE else x
    clock, vae, before = Clock(), model(x.shape[1]), peak_mb()
    vae.compile(optimizer="adam")
    vae.fit(x, epochs=1 + EPOCHS, verbose=0, callbacks=[clock])
    rate = x.shape[0] / median(clock.seconds[1:])  # the first epoch compiles
    return {"rate": rate, "growth": peak_mb() - before, "weights": [w.tobytes() for w in vae.get_weights()]}


def share_of_checks(_, form) -> float:
    """The share of `encode`'s CPU time that reading and checking the cells takes."""
    x = cells()
    x = x.toarray() if form == DENSE else x
    vae = model(x.shape[1])
    vae.encode(x)
    checks, whole = (min(_seconds(call, x) for _ in range(5)) for call in (vae._take, vae.encode))
    return checks / whole


def _seconds(call, x):
    start = process_time()
    call(x)
    return process_time() - start


def rows() -> list:
    """All rows of the stored run."""
    empty, dense_mb = np.zeros(0), cells().shape[0] * cells().shape[1] * 4 / 2**20
    reports = {DENSE: [], CSR: []}
    for number in range(ROUNDS):
        for form in (DENSE, CSR) if number % 2 == 0 else (CSR, DENSE):
            report, _ = run_alone(fit, empty, form)
            reports[form].append(report)
            print(
                f"round {number + 1}  {form:<12}{report['rate']:>7.0f} cells/s {report['growth']:>7.0f} MB",
                flush=True,
            )
    same = all(a["weights"] == b["weights"] for a, b in zip(reports[DENSE], reports[CSR], strict=True))
    ratio = [b["rate"] / a["rate"] for a, b in zip(reports[DENSE], reports[CSR], strict=True)]
    all_rows = [
        row("pbmc3k", CSR, "ratio_to_dense", ratio),
        row("pbmc3k", CSR, "same_weights", [float(same)]),
        row("pbmc3k", DENSE, "matrix_mb", [dense_mb], "MB", baseline=True),
    ]
    for form, form_reports in reports.items():
        rates, growth = ([report[key] for report in form_reports] for key in ("rate", "growth"))
        all_rows.append(row("pbmc3k", form, "cells_per_second", rates, "cells/s", form == DENSE))
        all_rows.append(row("pbmc3k", form, "training_memory_mb", growth, "MB", form == DENSE))
        share = [run_alone(share_of_checks, empty, form)[0] for _ in range(3)]
        all_rows.append(row("pbmc3k", form, "share_of_checks", share, baseline=form == DENSE))
    return all_rows


def main():
    """Measure and store the run."""
    stored = rows()
    for stored_row in stored:
        print(
            f"{stored_row['method']:<12} {stored_row['metric']:<28} {stored_row['mean']:.4g} {stored_row['unit']}"
        )
    record("01_door", "make bench", stored)


if __name__ == "__main__":
    main()
