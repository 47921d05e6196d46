"""The attention of a `GeneTransformer`: the sums of its maps, and their memory."""

import tracemalloc
from types import SimpleNamespace

import numpy as np
import psutil
import pytest

from latentcells.models import MaskedGeneTransformer
from tests.helpers import refused
from tests.models.conftest import SETS

CONFIG = {"n_genes": 30, "dim": 8, "n_heads": 2, "depth": 2, "seed": 1}


def transformer(tokens, pooling="mean", **keywords):
    """An untrained model with weights so large that attention is far from uniform."""
    n_tokens = {"expressed": 8, "rank": 8}.get(tokens)
    sets = SETS if tokens == "sets" else None
    model = MaskedGeneTransformer(
        **{**CONFIG, "sets": sets, "n_tokens": n_tokens, **keywords}, tokens=tokens, pooling=pooling
    )
    rng = np.random.default_rng(0)
    model.trunk.set_weights(
        [w + rng.normal(0.0, 0.5, w.shape).astype("float32") for w in model.trunk.get_weights()]
    )
    if tokens != "sets":
        model.trunk.get_layer("tokens").mean.assign(np.arange(1.0, 31.0))
    return model


@pytest.fixture(scope="module")
def x(typed):
    """Cells; the first two have few genes."""
    x = typed["x"][:9].copy()
    x[0, 3:], x[1, :-5] = 0, 0
    x[0, 0] = x[1, -1] = 5
    return x


@pytest.mark.parametrize("pooling", ["mean", "cls", "attention"])
@pytest.mark.parametrize("tokens", ["all", "expressed", "rank", "sets"])
def test_attention_is_the_mean_of_the_maps(tokens, pooling, x):
    """The reference loops over cells, blocks, heads and query tokens."""
    model = transformer(tokens, pooling)
    attention, maps = model.attention(x, batch_size=4), model.attention_maps(x)
    cell = int(pooling == "cls")
    n_columns, n_tokens = (5, 5) if tokens == "sets" else (30, 30 if tokens == "all" else 8)
    assert maps["attention"].shape == (9, 2, 2, n_tokens + cell, n_tokens + cell)
    assert attention.shape == (9, n_columns) and attention.dtype == np.float32
    expected = np.zeros((9, n_columns))
    lost = np.zeros(9)
    for i, mask in enumerate(maps["mask"]):
        received = np.mean(
            [maps["attention"][i, b, h, s] for b in range(2) for h in range(2) for s in np.flatnonzero(mask)],
            0,
        )
        gene = maps["gene"][i] if "gene" in maps else np.arange(5)
        np.add.at(expected[i], gene[mask[cell:]], received[cell:][mask[cell:]])
        lost[i] = received[0] if cell else 0.0
    np.testing.assert_allclose(attention, expected, atol=1e-6)
    np.testing.assert_allclose(attention.sum(axis=1), 1.0 - lost, atol=1e-5)
    assert (lost > 0).all() == bool(cell)
    if tokens in ("expressed", "rank"):
        assert (attention[x == 0] == 0).all() and (
            (attention > 0).sum(axis=1) == np.minimum((x > 0).sum(axis=1), 8)
        ).all()
    else:
        assert (attention > 0).all()


def test_maps_say_which_genes_are_tokens(x):
    maps = transformer("rank").attention_maps(x)
    score = np.log1p(1e4 * x / x.sum(axis=1, keepdims=True)) / np.arange(1, 31)
    for gene, mask, s in zip(maps["gene"], maps["mask"], score, strict=True):
        assert set(gene[mask]) == set(np.argsort(-s)[: mask.sum()]) and mask.sum() == min(8, (s > 0).sum())
    np.testing.assert_allclose(maps["attention"].sum(axis=-1), 1.0, atol=1e-5)


def test_a_gene_that_is_not_a_token_has_no_effect(x):
    """Sequencing depth has no effect, because tokens are ranked within a cell."""
    model, maps = transformer("rank"), transformer("rank").attention_maps(x)
    scaled = x * 7
    np.testing.assert_allclose(model.attention(scaled), model.attention(x), atol=1e-4)
    np.testing.assert_array_equal(
        model.attention_maps(scaled)["gene"][maps["mask"]], maps["gene"][maps["mask"]]
    )


# -- memory -----------------------------------------------------------------------------------------------------------


def peak(call):
    """The peak of NumPy's memory in bytes during the call, which assembles every map of a batch."""
    tracemalloc.start()
    call()
    n_bytes = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    return n_bytes


def test_the_maps_of_all_cells_are_never_in_memory(typed):
    """400 more cells add less than a tenth of their maps' memory, but all of it if the maps are returned."""
    model, cells = transformer("all"), np.tile(typed["x"], (3, 1))
    model.attention(cells[:80])  # builds what is built only once
    grown = peak(lambda: model.attention(cells[:480])) - peak(lambda: model.attention(cells[:80]))
    map_bytes = 400 * 2 * 2 * 30**2 * 4
    assert grown < map_bytes / 10
    assert peak(lambda: model.attention_maps(cells[:480])) > map_bytes


def test_batch_size_limits_the_cells_at_a_time(typed, monkeypatch):
    model, sizes = transformer("expressed"), []
    maps = model.maps
    monkeypatch.setattr(model, "maps", lambda x: sizes.append(len(x)) or maps(x))
    model.attention(typed["x"][:50], batch_size=16)
    assert sizes == [16, 16, 16, 2]


@pytest.mark.parametrize(("cells", "fits"), [(4, True), (5, False)])
def test_maps_that_do_not_fit_are_refused(cells, fits, x, monkeypatch):
    """Each cell needs three times 2 blocks x 2 heads x 9 x 9 tokens x 4 bytes."""
    model, free = transformer("rank", "cls"), 3 * 4 * 4 * 2 * 2 * 9 * 9
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=free))
    if fits:
        assert model.attention_maps(x[:cells])["attention"].shape[0] == cells
    else:
        message = rf"^the maps of 5 cells need {5 / 4 * free / 2**30:.3g} GiB, {free / 2**30:.3g} are free: pass fewer"
        refused(lambda: model.attention_maps(x[:cells]), message, MemoryError)
