import numpy as np
import pandas as pd
import pytest
from sklearn.cross_decomposition import CCA

from latentcells.evaluate import canonical_correlations, neighbourhood_preservation
from tests.helpers import refused

# -- canonical correlations --------------------------------------------------------------------------------------


def spaces(cells=300, noise=0.5, seed=0):
    """A noisy 5-dimensional linear map of a 3-dimensional truth, and the truth."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(cells, 3))
    return truth @ rng.normal(size=(3, 5)) + noise * rng.normal(size=(cells, 5)), truth


def test_equals_scikit_learn():
    z, truth = spaces()
    a, b = CCA(3, max_iter=5000, tol=1e-10).fit(z, truth).transform(z, truth)
    expected = [np.corrcoef(one, other)[0, 1] for one, other in zip(a.T, b.T, strict=True)]
    np.testing.assert_allclose(canonical_correlations(z, truth), expected, atol=1e-4)


def test_for_one_dimension_each_it_is_the_absolute_correlation():
    z, truth = spaces()
    correlations = canonical_correlations(z[:, :1], -truth[:, :1])
    assert correlations.tolist() == pytest.approx([abs(np.corrcoef(z[:, 0], truth[:, 0])[0, 1])])


def test_rotation_scaling_and_translation_change_nothing():
    z, truth = spaces()
    turned = 40 * z @ np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0] - 3
    np.testing.assert_allclose(
        canonical_correlations(turned, truth), canonical_correlations(z, truth), atol=1e-8
    )


def test_a_dimension_that_z_lacks_lowers_a_correlation():
    z, truth = spaces(noise=0.0)
    assert canonical_correlations(z, truth).min() > 0.999
    half = np.c_[truth[:, 0], np.random.default_rng(1).normal(size=(300, 2))]
    correlations = canonical_correlations(half, truth)
    assert correlations[0] > 0.999 and correlations[1] < 0.3 and (np.diff(correlations) <= 0).all()


def test_one_constant_dimension_among_others_is_no_collapse():
    z, truth = spaces()
    z[:, 0] = 4.0
    assert canonical_correlations(z, truth).shape == (3,)


def correlate(**changed):
    z, truth = spaces()
    return lambda: canonical_correlations(**{"z": z, "truth": truth, **changed})


def test_more_components_than_cells_are_refused():
    z, truth = spaces(cells=8)
    message = "^z and truth have 8 dimensions together and 8 cells: .* fewer components$"
    refused(correlate(z=z, truth=truth), message)


def test_spaces_of_different_cells_have_no_correlations():
    z, truth = spaces()
    refused(correlate(z=z[1:]), "^truth has 300 cells, z has 299: pass the same cells in the same order$")
    z, truth = pd.DataFrame(z), pd.DataFrame(truth)
    refused(
        correlate(z=z[::-1], truth=truth), r"^row 0 is cell 0 in truth and 299 in z: .* truth.loc\[z.index\]$"
    )


def test_a_collapsed_space_has_no_correlations():
    refused(correlate(z=np.ones((300, 5))), r"^z is \[1.0, 1.0, 1.0\] for all 300 cells: it has collapsed")


# -- neighbourhoods ----------------------------------------------------------------------------------------------


def cloud(cells=200, dimensions=6, seed=0):
    return np.random.default_rng(seed).normal(size=(cells, dimensions))


def by_hand(z, reference, n_neighbors):
    shares = []
    for i in range(len(z)):
        neighbours = []
        for space in (z, reference):
            distance = np.linalg.norm(space - space[i], axis=1)
            distance[i] = np.inf
            neighbours.append(set(np.argsort(distance)[:n_neighbors]))
        shares.append(len(neighbours[0] & neighbours[1]) / n_neighbors)
    return np.mean(shares)


@pytest.mark.parametrize("n_neighbors", [1, 15])
def test_equals_the_computation_by_hand(n_neighbors):
    reference = cloud()
    for z in (reference[:, :2], reference[:, :5], cloud(seed=1)):
        expected = by_hand(z, reference, n_neighbors)
        assert neighbourhood_preservation(z, reference, n_neighbors) == pytest.approx(expected, abs=1e-12)


def test_a_rotated_scaled_and_moved_space_keeps_every_neighbour():
    z = cloud()
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(6, 6)))[0]
    assert neighbourhood_preservation(3 * z @ rotation + 7, z) == 1.0


def test_a_shuffled_space_keeps_as_many_as_chance():
    z = cloud(1000)
    shuffled = np.random.default_rng(1).permutation(z)
    assert neighbourhood_preservation(shuffled, z) == pytest.approx(15 / 999, abs=0.01)


def test_dropping_more_dimensions_keeps_fewer_neighbours():
    z = cloud()
    shares = [neighbourhood_preservation(z[:, :k], z) for k in (1, 2, 4, 6)]
    assert shares == sorted(shares) and shares[0] < 0.3 and shares[-1] == 1.0


def test_with_all_cells_as_neighbours_all_are_kept():
    assert neighbourhood_preservation(cloud(seed=1), cloud(), n_neighbors=199) == 1.0


def preserve(**changed):
    return lambda: neighbourhood_preservation(**{"z": cloud(), "reference": cloud(), **changed})


def test_spaces_of_different_cells_have_no_common_neighbourhoods():
    refused(
        preserve(z=cloud(199)), "^reference has 200 cells, z has 199: pass the same cells in the same order$"
    )
    table = pd.DataFrame(cloud(), [f"cell {i}" for i in range(200)])
    message = r"^row 0 is cell 'cell 0' in reference and 'cell 199' in z: .* reference.loc\[z.index\]$"
    refused(preserve(z=table[::-1], reference=table), message)
    assert neighbourhood_preservation(table, table) == 1.0


def test_a_collapsed_space_has_no_neighbourhoods():
    refused(preserve(z=np.zeros((200, 2))), r"^z is \[0.0, 0.0\] for all 200 cells: it has collapsed")
    refused(preserve(reference=np.ones((200, 2))), "^reference is .* it has collapsed")


def test_anything_but_an_embedding_is_refused():
    refused(preserve(z=np.zeros(200)), r"^z must have the shape \(cells, dimensions\), got \(200,\)")
    refused(preserve(reference=np.full((200, 2), np.inf)), "^reference must be finite, got inf")


def test_an_invalid_number_of_neighbours_is_refused():
    refused(preserve(n_neighbors=200), "^n_neighbors=200 must be less than the 200 cells: lower it")
    refused(preserve(n_neighbors=0), "^n_neighbors must be at least 1, got 0")
    refused(preserve(n_neighbors=1.5), "^n_neighbors must be an integer, got 1.5", TypeError)
