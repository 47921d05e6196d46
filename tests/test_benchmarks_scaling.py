"""The measurement of scaling: its file and its rows."""

import h5py
import pytest

from benchmarks import scaling
from latentcells.datasets import stream


def test_a_file_is_as_large_as_it_says(tmp_path, monkeypatch):
    monkeypatch.setattr(scaling, "ONE", 60)
    scaling.write(tmp_path / "cells.h5ad", 180)
    with h5py.File(tmp_path / "cells.h5ad") as file:
        assert tuple(file["layers/counts"].attrs["shape"]) == (180, scaling.GENES)
    assert sum(len(batch) for batch in stream(tmp_path / "cells.h5ad")) == 180


def test_the_rows(monkeypatch):
    seconds = {scaling.IN_MEMORY: 1.0, scaling.FROM_DISK: 1.25}
    sizes = []
    monkeypatch.setattr(scaling, "write", lambda path, n_cells: sizes.append(n_cells))

    def measured(how, path):
        return {"cells": sizes[-1], "seconds": seconds[how], "peak_rss_mb": 1000.0 + sizes[-1] / 100}

    monkeypatch.setattr(scaling, "measure", measured)
    rows = {(row["method"], row["metric"]): row["mean"] for row in scaling.rows((10_000, 100_000))}
    assert rows["from disk", "cells_per_second[100000 cells]"] == 80_000
    assert rows["from disk", "ratio_to_in_memory[10000 cells]"] == 0.8
    assert rows["from disk", "memory_growth[10000 to 100000 cells]"] == pytest.approx(2000 / 1100, rel=1e-5)
