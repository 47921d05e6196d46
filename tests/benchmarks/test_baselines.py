"""The rule that prepares PCA: molecules are held out, and what is chosen predicts them; no label is seen."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

import latentcells as lc
from benchmarks import baselines
from benchmarks.baselines import ALL, Preparation

SCALE = "log1p at the median total"


@pytest.fixture(scope="module")
def cells():
    """Simulated cells of four types in one batch."""
    return lc.datasets.simulate(400, 300, 4, 1, library=800.0)


@pytest.fixture(scope="module")
def counts(cells):
    return sparse.csr_matrix(cells.layers["counts"])


@pytest.fixture(scope="module")
def molecules(counts):
    return baselines.split_molecules(counts)


def preparation(components, scale=SCALE, genes=ALL, standardise=False):
    return Preparation(scale, genes, standardise, components)


def constant(expected):
    """A prediction that is the same for all cells."""
    return lambda cells: np.tile(expected, (len(range(400)[cells]), 1))


# -- the molecules


def test_the_parts_add_up_and_a_tenth_is_unseen(counts, molecules):
    genes = baselines.expressed_genes(counts)
    assert (molecules.seen + molecules.unseen != counts[:, genes]).nnz == 0
    assert molecules.unseen.sum() == pytest.approx(counts[:, genes].sum() / 10, rel=0.02)


def test_the_parts_of_poisson_counts_are_uncorrelated():
    counts = np.random.default_rng(0).poisson(5.0, (4000, 20))
    seen, unseen = (part.toarray() for part in baselines.split_molecules(counts, seen=0.5))
    correlation = [np.corrcoef(seen[:, j], unseen[:, j])[0, 1] for j in range(20)]
    assert np.abs(correlation).max() < 0.06


# -- the measure


def test_true_shares_gain_more_than_wrong_ones():
    rng = np.random.default_rng(0)
    truth = rng.gamma(1.0, 1.0, (400, 50))
    molecules = baselines.split_molecules(rng.poisson(20 * truth))

    def gain(expected):
        return baselines.gains_of(lambda cells: expected[cells], molecules).sum()

    best = gain(truth)
    assert best == pytest.approx(gain(7 * truth))  # only the shares count
    assert best > max(gain(truth**2), gain(np.sqrt(truth)), gain(truth * rng.gamma(20.0, 0.05, truth.shape)))


def test_the_average_cell_gains_nothing(molecules):
    average = np.asarray(molecules.seen.sum(axis=0)).ravel()
    gains = baselines.gains_of(constant(average), molecules)
    assert baselines.per_molecule(gains, molecules) == pytest.approx(0, abs=1e-4)


def test_noise_gains_nothing_and_the_true_types_gain(cells, molecules):
    rng = np.random.default_rng(0)
    types = np.eye(4)[cells.obs["label"].cat.codes][:, :3]
    noise = rng.normal(size=(400, 3))
    gain, nothing = (baselines.per_molecule(baselines.gains(z, molecules), molecules) for z in (types, noise))
    assert nothing < 0.005 < 0.05 < gain


def test_neither_the_scale_nor_a_rotation_of_the_coordinates_counts(molecules):
    rng = np.random.default_rng(0)
    z = preparation(5).fit(molecules.seen)(molecules.seen)
    turned = 100 * z @ np.linalg.qr(rng.normal(size=(5, 5)))[0] + 3
    gains = [baselines.gains(space, molecules) for space in (z, -z + 1)]
    assert np.allclose(*gains, atol=1e-3)
    assert baselines.gains(turned, molecules).sum() == pytest.approx(gains[0].sum(), rel=1e-3)


def test_coefficients_within_their_error_are_zero(molecules):
    u = np.linalg.qr(np.random.default_rng(0).normal(size=(400, 4)))[0]
    u = np.linalg.svd(u - u.mean(axis=0), full_matrices=False)[0]
    _, decoder = baselines.fit_decoder(u, molecules.seen)
    assert 0.55 < np.mean(decoder == 0) < 0.8  # of a normal variable 68 % are within one standard deviation


# -- the choice


def test_fewest_components_within_one_standard_error_win():
    rng = np.random.default_rng(0)
    base = rng.normal(1.0, 0.1, 400)
    gains = {
        preparation(5): base - 0.5,
        preparation(10): base + rng.normal(0, 1.0, 400) * 0.02,
        preparation(20): base + 0.0005,
    }
    assert baselines.simplest(gains) == preparation(10)
    gains[preparation(10)] = base - 0.01
    assert baselines.simplest(gains) == preparation(20)


def test_the_choice_finds_the_simulated_types(counts, molecules):
    candidates = [preparation(k) for k in (1, 3, 40)]
    gains = baselines.measure(molecules, candidates)
    assert baselines.choose(counts, candidates) == baselines.simplest(gains)
    assert baselines.simplest(gains) == preparation(3)


def test_the_choice_sees_counts_only(cells, counts):
    candidates = [preparation(k, scale) for k in (2, 8) for scale in baselines.SCALES]
    unlabelled = cells.copy()
    del unlabelled.obs["label"]
    assert baselines.choose(unlabelled.layers["counts"], candidates) == baselines.choose(counts, candidates)


def test_candidates_are_measured_as_if_each_were_fitted_alone(molecules):
    candidates = [preparation(k) for k in (2, 4)]
    together = baselines.measure(molecules, candidates)
    for candidate in candidates:
        alone = baselines.gains(candidate.fit(molecules.seen)(molecules.seen), molecules)
        assert together[candidate].sum() == pytest.approx(alone.sum(), rel=0.01)


# -- the preparation


@pytest.mark.parametrize("scale", [*baselines.SCALES, baselines.RESIDUALS])
def test_every_scale_is_fitted_on_the_training_cells(counts, scale):
    prepare = preparation(3, scale, standardise=True).fit(counts[:300])
    assert np.allclose(prepare(counts)[300:], prepare(counts[300:]), atol=1e-4)
    assert prepare(counts).shape == (400, 3)


def test_each_kind_of_genes_has_its_number(counts, monkeypatch):
    monkeypatch.setattr(baselines, "N_GENES", 100)
    chosen = {
        kind: baselines.choose_genes(counts, kind) for kind in (baselines.EXPRESSED, baselines.VARIABLE)
    }
    assert all(len(np.unique(genes)) == 100 for genes in chosen.values())
    total = np.asarray(counts.sum(axis=0)).ravel()
    assert total[chosen[baselines.EXPRESSED]].min() >= np.sort(total)[-100]
    assert len(baselines.choose_genes(counts, ALL)) == baselines.expressed_genes(counts).sum()


@pytest.mark.parametrize(("n_cells", "components"), [(20, 21), (400, 301)])
def test_too_many_components_are_refused(counts, n_cells, components):
    with pytest.raises(
        ValueError, match=rf"components={components} is more than the {n_cells} cells .* lower it"
    ):
        preparation(components).fit(counts[:n_cells])


def test_the_candidates_differ_and_have_names():
    assert len(set(map(str, baselines.CANDIDATES))) == len(set(baselines.CANDIDATES))
    assert replace(baselines.CANDIDATES[0], components=7) not in baselines.CANDIDATES
