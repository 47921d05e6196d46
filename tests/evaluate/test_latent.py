import numpy as np
import pandas as pd
import pytest
from sklearn.cross_decomposition import CCA

from latentcells.evaluate import canonical_correlations


def spaces(cells=300, noise=0.5, seed=0):
    """A truth in 3 dimensions and 5 dimensions that hold it, each with noise."""
    rng = np.random.default_rng(seed)
    truth = rng.normal(size=(cells, 3))
    return truth @ rng.normal(size=(3, 5)) + noise * rng.normal(size=(cells, 5)), truth


def test_equals_scikit_learn():
    z, truth = spaces()
    a, b = CCA(3, max_iter=5000, tol=1e-10).fit(z, truth).transform(z, truth)
    expected = [np.corrcoef(one, other)[0, 1] for one, other in zip(a.T, b.T, strict=True)]
    np.testing.assert_allclose(canonical_correlations(z, truth), expected, atol=1e-4)


def test_one_dimension_each_is_the_size_of_the_correlation():
    z, truth = spaces()
    found = canonical_correlations(z[:, :1], -truth[:, :1])
    assert found.tolist() == pytest.approx([abs(np.corrcoef(z[:, 0], truth[:, 0])[0, 1])])


def test_rotation_scale_and_shift_change_nothing():
    z, truth = spaces()
    turned = 40 * z @ np.linalg.qr(np.random.default_rng(1).normal(size=(5, 5)))[0] - 3
    np.testing.assert_allclose(
        canonical_correlations(turned, truth), canonical_correlations(z, truth), atol=1e-8
    )


def test_what_z_lacks_is_seen():
    z, truth = spaces(noise=0.0)
    assert canonical_correlations(z, truth).min() > 0.999
    half = np.c_[truth[:, 0], np.random.default_rng(1).normal(size=(300, 2))]
    found = canonical_correlations(half, truth)
    assert found[0] > 0.999 and found[1] < 0.3 and (np.diff(found) <= 0).all()


def test_one_constant_dimension_among_others_is_no_collapse():
    z, truth = spaces()
    z[:, 0] = 4.0
    assert canonical_correlations(z, truth).shape == (3,)


def refused(message, **changed):
    z, truth = spaces()
    with pytest.raises(ValueError, match=message) as refusal:
        canonical_correlations(**{"z": z, "truth": truth, **changed})
    assert "\n" not in str(refusal.value)


def test_refuses_more_components_than_cells():
    z, truth = spaces(cells=8)
    refused("^z and truth have 8 dimensions together and 8 cells: .* fewer components$", z=z, truth=truth)


def test_refuses_spaces_with_other_cells_or_another_order():
    z, truth = spaces()
    refused("^z has 299 cells, truth has 300", z=z[1:])
    z, truth = pd.DataFrame(z), pd.DataFrame(truth)
    refused("^row 0 is cell 299 in z and 0 in truth", z=z[::-1], truth=truth)


def test_refuses_a_collapsed_space():
    refused(r"^z is \[1.0, 1.0, 1.0\] for all 300 cells", z=np.ones((300, 5)))
