"""The scaling benchmark: its file and its rows."""

import csv

import h5py
import pytest

from benchmarks import scaling
from latentcells.course.results import load
from latentcells.datasets import stream


def test_a_file_has_the_requested_size(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "N_SIMULATED", 60)
    scaling.write(tmp_path / "cells.h5ad", 180)
    with h5py.File(tmp_path / "cells.h5ad") as file:
        assert tuple(file["layers/counts"].attrs["shape"]) == (180, scaling.GENES)
    assert sum(len(batch) for batch in stream(tmp_path / "cells.h5ad")) == 180


def test_the_rows(monkeypatch):
    seconds = {scaling.IN_MEMORY: 1.0, scaling.FROM_DISK: 1.25}
    sizes = []
    monkeypatch.setattr(scaling, "write", lambda path, n_cells: sizes.append(n_cells))

    def measure(how, path):
        return {"cells": sizes[-1], "seconds": seconds[how], "peak_rss_mb": 1000.0 + sizes[-1] / 100}

    monkeypatch.setattr(scaling, "measure", measure)
    rows = scaling.rows((10_000, 100_000))
    means = {(row["method"], row["metric"]): row["mean"] for row in rows}
    assert means["from disk", "cells_per_second[100000 cells]"] == 80_000
    assert means["from disk", "ratio_to_in_memory[10000 cells]"] == 0.8
    assert means["from disk", "memory_growth[10000 to 100000 cells]"] == pytest.approx(2000 / 1100, rel=1e-5)
    assert [list(row.values()) for row in scaling.table(rows)] == [
        ["10,000", "10,000", "8,000", "0.80", "1,100", "1,100"],
        ["100,000", "100,000", "80,000", "0.80", "2,000", "2,000"],
    ]


def test_the_page_shows_the_stored_run():
    with open(scaling.TABLE, encoding="utf8", newline="") as file:
        assert list(csv.DictReader(file)) == scaling.table(load(scaling.STORED)["rows"])


def test_the_stored_run_shows_constant_memory_and_most_of_the_rate():
    """Memory does not grow with the file, and training from disk reaches most of the rate in memory."""
    rows = [row for row in load(scaling.STORED)["rows"] if row["method"] == scaling.FROM_DISK]
    growth = {row["metric"]: row["mean"] for row in rows if row["metric"].startswith("memory_growth")}
    share = [row["mean"] for row in rows if row["metric"].startswith("ratio_to_in_memory")]
    assert growth.keys() == {"memory_growth[10000 to 1000000 cells]"} and max(growth.values()) <= 1.3
    assert len(share) == 3 and min(share) >= 0.7
