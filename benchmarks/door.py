"""What the door for cells costs: a sparse matrix beside the same one dense, and the checks beside `encode`.

The cells are those of `pbmc3k` with all genes, four times over: enough that the dense matrix is half a gigabyte. Each
training runs in a fresh process, in turns, so that both see the same machine.
"""

from statistics import median
from time import perf_counter, process_time

import latentcells as lc  # isort: skip  before Keras: it holds TensorFlow's log lines back
import keras
import numpy as np
from scipy import sparse

from benchmarks.alone import alone, peak_mb
from benchmarks.records import record
from latentcells.course.results import row

COPIES, ROUNDS, EPOCHS, HIDDEN = 4, 5, 3, (64,)
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
    """Counts of `pbmc3k` four times over, CSR float32."""
    return sparse.vstack([lc.datasets.pbmc3k().X.astype(np.float32)] * COPIES, format="csr")


def model(n_genes):
    """The network that every measurement takes."""
    return lc.models.VAE(n_genes, 10, hidden=HIDDEN, seed=0)


def fit(_, form) -> dict:
    """Rate, growth of the peak memory, and the weights of a training from one form, in this process."""
    x = cells()
    x = x.toarray() if form == DENSE else x
    clock, vae, before = Clock(), model(x.shape[1]), peak_mb()
    vae.compile(optimizer="adam")
    vae.fit(x, epochs=1 + EPOCHS, verbose=0, callbacks=[clock])
    rate = x.shape[0] / median(clock.seconds[1:])  # the first epoch compiles
    return {"rate": rate, "growth": peak_mb() - before, "weights": [w.tobytes() for w in vae.get_weights()]}


def share_of_checks(_, form) -> float:
    """The share of `encode`'s processor time that reading and checking the cells takes."""
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
    nothing, dense_mb = np.zeros(0), cells().shape[0] * cells().shape[1] * 4 / 2**20
    reports = {DENSE: [], CSR: []}
    for number in range(ROUNDS):
        for form in (DENSE, CSR) if number % 2 == 0 else (CSR, DENSE):
            report, _ = alone(fit, nothing, form)
            reports[form].append(report)
            print(
                f"round {number + 1}  {form:<12}{report['rate']:>7.0f} cells/s {report['growth']:>7.0f} MB",
                flush=True,
            )
    same = all(a["weights"] == b["weights"] for a, b in zip(reports[DENSE], reports[CSR], strict=True))
    ratio = [b["rate"] / a["rate"] for a, b in zip(reports[DENSE], reports[CSR], strict=True)]
    measured = [
        row("pbmc3k", CSR, "ratio_to_dense", ratio),
        row("pbmc3k", CSR, "same_weights", [float(same)]),
        row("pbmc3k", DENSE, "matrix_mb", [dense_mb], "MB", baseline=True),
    ]
    for form, report in reports.items():
        rates, growth = ([single[key] for single in report] for key in ("rate", "growth"))
        measured.append(row("pbmc3k", form, "cells_per_second", rates, "cells/s", form == DENSE))
        measured.append(row("pbmc3k", form, "peak_rss_mb[growth in fit]", growth, "MB", form == DENSE))
        share = [alone(share_of_checks, nothing, form)[0] for _ in range(3)]
        measured.append(row("pbmc3k", form, "share_of_checks", share, baseline=form == DENSE))
    return measured


def main():
    """Measure, and store the run."""
    stored = rows()
    for single in stored:
        print(f"{single['method']:<12} {single['metric']:<28} {single['mean']:.4g} {single['unit']}")
    record("01_door", "make bench", stored)


if __name__ == "__main__":
    main()
