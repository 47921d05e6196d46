import numpy as np
import pytest

from latentcells.datasets import simulate
from latentcells.evaluate import generation
from tests.helpers import refused


@pytest.fixture(scope="module")
def real():
    """Two halves of 600 simulated cells of three types."""
    counts = simulate(600, 60, 3, 1, markers_per_type=10, library=300.0, seed=0).X.toarray()
    return counts[::2], counts[1::2]


def score(drawn, real):
    return generation(drawn, real, n_genes=30)


def test_real_cells_pass_for_real_ones(real):
    found = score(*real)
    assert found["zeros"] < 0.04 and found["depth"] < 0.12 and found["pairs"] < 0.1
    assert abs(found["auc"] - 0.5) < 0.08


def test_each_score_sees_what_it_is_for(real):
    """Genes dealt anew lose their pairs alone, deeper cells their depth; the mean profile has too few zeros."""
    rng, (cells, others) = np.random.default_rng(0), real
    same = score(cells, others)
    dealt = score(rng.permuted(cells, axis=0), others)
    assert dealt["zeros"] == pytest.approx(same["zeros"]) and dealt["pairs"] > 2 * same["pairs"]
    assert dealt["auc"] > 0.75
    deep = score(cells * 3, others)
    assert deep["zeros"] == pytest.approx(same["zeros"]) and deep["depth"] > 0.9
    profile = cells.sum(axis=0) / cells.sum()
    flat = score(rng.poisson(cells.sum(axis=1, keepdims=True) * profile), others)
    assert flat["zeros"] > 1.5 * same["zeros"] and flat["auc"] > 0.9


def test_the_zeros_and_the_depth_equal_the_definition():
    drawn, real = np.repeat([[0, 4], [2, 2]], 10, axis=0), np.repeat([[1, 3], [0, 9]], [15, 5], axis=0)
    found = generation(drawn, real)
    assert found["zeros"] == pytest.approx((abs(0.5 - 0.25) + 0) / 2)
    assert found["depth"] == pytest.approx(0.25)  # a quarter of the real cells has 9 molecules, no drawn one


def test_the_pairs_equal_numpy(real):
    drawn, other = (cells[:, np.argsort(-real[1].sum(axis=0), kind="stable")[:30]] for cells in real)
    upper = np.triu_indices(30, 1)
    gap = (np.corrcoef(np.log1p(drawn).T) - np.corrcoef(np.log1p(other).T))[upper]
    assert score(*real)["pairs"] == pytest.approx(np.sqrt(np.mean(gap**2)), rel=1e-6)


def test_a_gene_that_nobody_draws_has_no_correlation(real):
    drawn = real[0].copy()
    drawn[:, np.argmax(real[1].sum(axis=0))] = 0
    assert np.isfinite(list(score(drawn, real[1]).values())).all()


def test_the_same_seed_gives_the_same_scores(real):
    assert score(*real) == score(*real)


def test_bad_input_is_refused(real):
    drawn, other = real
    refused(lambda: generation(drawn[:9], other), "^drawn has 9 cells, needed are 10")
    refused(lambda: generation(drawn, other[:9]), "^real has 9 cells")
    refused(lambda: generation(drawn[:, :5], other), "^drawn has 5 genes, real has 60: pass the same genes")
    refused(lambda: generation(np.log1p(drawn), other), "^drawn must hold counts .*looks like log1p")
