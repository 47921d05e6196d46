import keras
import numpy as np
import pytest
from scipy import linalg, special, stats

from latentcells.objectives import (
    barlow_twins,
    embedding_spread,
    info_nce,
    kl_to_standard_normal,
    masked_reconstruction,
    vicreg,
)
from tests.helpers import gradient


def kl(mean, log_var):
    return np.asarray(kl_to_standard_normal(np.float32(mean), np.float32(log_var)))


@pytest.mark.backend
def test_kl_of_the_prior_to_itself_is_zero():
    np.testing.assert_array_equal(kl(np.zeros((4, 3)), np.zeros((4, 3))), np.zeros(4))


@pytest.mark.backend
@pytest.mark.parametrize(("mean", "log_var"), [(0.7, -1.3), (-2.0, 0.4), (0.0, 2.0), (5.0, -6.0)])
def test_kl_equals_the_integral(mean, log_var):
    q = stats.norm(mean, np.exp(0.5 * log_var))
    z = np.linspace(*q.interval(1 - 1e-15), 200_001)
    integral = np.trapezoid(q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), z)
    np.testing.assert_allclose(kl([[mean]], [[log_var]]), [integral], rtol=1e-5)


@pytest.mark.backend
def test_kl_sums_only_over_the_latent_axis():
    rng = np.random.default_rng(0)
    mean, log_var = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    single = np.stack([kl(mean[:, [k]], log_var[:, [k]]) for k in range(3)], axis=1)
    assert kl(mean, log_var).shape == (5,)
    np.testing.assert_allclose(kl(mean, log_var), single.sum(axis=1), rtol=1e-5)
    np.testing.assert_allclose(kl(np.tile(mean, 2), np.tile(log_var, 2)), 2 * kl(mean, log_var), rtol=1e-5)


@pytest.mark.backend
def test_kl_is_the_mean_log_ratio_of_draws():
    mean, log_var, draws = np.float32([[1.0, -0.5]]), np.float32([[0.5, -1.0]]), 400_000
    z = stats.norm.rvs(mean, np.exp(0.5 * log_var), size=(draws, 2), random_state=0)
    ratio = (stats.norm.logpdf(z, mean, np.exp(0.5 * log_var)) - stats.norm.logpdf(z)).sum(axis=1)
    np.testing.assert_allclose(kl(mean, log_var), ratio.mean(), atol=5 * ratio.std() / np.sqrt(draws))


@pytest.mark.backend
def test_gradient_of_kl():
    mean, log_var = np.float32([[0.5, -2.0]]), np.float32([[1.0, -1.0]])
    to_mean, to_log_var = gradient(kl_to_standard_normal, mean, log_var)
    np.testing.assert_allclose(to_mean, mean, rtol=1e-6)
    np.testing.assert_allclose(to_log_var, (np.exp(log_var) - 1) / 2, rtol=1e-6)


@pytest.mark.backend
def test_kl_takes_symbolic_tensors():
    assert kl_to_standard_normal(keras.Input((3,)), keras.Input((3,))).shape == (None,)


# -- masked reconstruction ------------------------------------------------------------------------------------------


@pytest.mark.backend
def test_only_masked_values_count():
    rng = np.random.default_rng(0)
    loss, mask = np.float32(rng.gamma(1.0, 1.0, (5, 8))), rng.random((5, 8)) < 0.5
    mask[0], mask[1] = False, True
    expected = [np.mean(row[hidden]) if hidden.any() else 0.0 for row, hidden in zip(loss, mask, strict=True)]
    np.testing.assert_allclose(masked_reconstruction(loss, mask), expected, rtol=1e-6)
    loss[~mask] = np.inf
    np.testing.assert_allclose(masked_reconstruction(loss, mask), expected, rtol=1e-6)


@pytest.mark.backend
def test_a_visible_value_has_no_gradient():
    loss, mask = np.float32([[1.0, 2.0, 3.0, 4.0]]), np.float32([[1, 0, 1, 0]])
    (to_loss,) = gradient(lambda x: masked_reconstruction(x, mask), loss)
    np.testing.assert_array_equal(to_loss, [[0.5, 0.0, 0.5, 0.0]])


# -- losses of two views --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def views():
    rng = np.random.default_rng(0)
    return np.float32(rng.normal(size=(6, 3))), np.float32(rng.normal(size=(6, 3)))


def unit(z):
    return z / np.linalg.norm(z, axis=1, keepdims=True)


@pytest.mark.backend
@pytest.mark.parametrize("temperature", [0.1, 0.5, 3.0])
def test_info_nce_is_the_cross_entropy_of_finding_the_other_view(views, temperature):
    """The reference uses SciPy's softmax in float64, one view at a time."""
    a, b = (unit(z.astype("float64")) for z in views)
    expected = []
    for cell in range(len(a)):
        losses = []
        for own_view, other_view in ((a, b), (b, a)):
            others = np.concatenate([np.delete(own_view, cell, axis=0), other_view])
            position = len(own_view) - 1 + cell
            losses.append(-special.log_softmax(others @ own_view[cell] / temperature)[position])
        expected.append(np.mean(losses))
    np.testing.assert_allclose(info_nce(*views, temperature), expected, rtol=1e-5)


@pytest.mark.backend
def test_info_nce_by_chance_and_at_its_best():
    collapsed = np.ones((5, 3), "float32")
    np.testing.assert_allclose(info_nce(collapsed, collapsed), np.full(5, np.log(9)), rtol=1e-5)
    orthogonal = np.eye(3, dtype="float32")
    np.testing.assert_allclose(info_nce(orthogonal, orthogonal, 0.02), np.zeros(3), atol=1e-6)


@pytest.mark.backend
def test_info_nce_depends_only_on_angles(views):
    a, b = views
    np.testing.assert_allclose(info_nce(10 * a, b), info_nce(a, b), rtol=1e-5)
    np.testing.assert_allclose(info_nce(b, a), info_nce(a, b), rtol=1e-5)


@pytest.mark.backend
def test_barlow_twins_is_the_distance_of_the_correlations_from_identity(views):
    a, b = views
    correlation = np.corrcoef(a, b, rowvar=False)[:3, 3:]
    for redundancy in (0.0, 5e-3, 1.0):
        weight = np.where(np.eye(3), 1.0, redundancy)
        expected = np.sum(weight * (correlation - np.eye(3)) ** 2)
        np.testing.assert_allclose(barlow_twins(a, b, redundancy), expected, rtol=1e-4)


@pytest.mark.backend
def test_barlow_twins_ignores_shift_and_scale(views):
    a, b = views
    np.testing.assert_allclose(barlow_twins(5 * a + 3, b), barlow_twins(a, b), rtol=1e-4)


@pytest.mark.backend
def test_vicreg_is_the_sum_of_its_three_terms(views):
    a, b = (z.astype("float64") for z in views)
    variance = np.mean([np.maximum(0, 1 - np.sqrt(z.var(axis=0, ddof=1) + 1e-4)).mean() for z in (a, b)])
    off_diagonal = [np.cov(z, rowvar=False) * (1 - np.eye(3)) for z in (a, b)]
    covariance = sum((c**2).sum() / 3 for c in off_diagonal)
    np.testing.assert_allclose(vicreg(*views, 1, 0, 0), np.mean((a - b) ** 2), rtol=1e-5)
    np.testing.assert_allclose(vicreg(*views, 0, 1, 0), variance, rtol=1e-5)
    np.testing.assert_allclose(vicreg(*views, 0, 0, 1), covariance, rtol=1e-5)
    expected = 25 * np.mean((a - b) ** 2) + 25 * variance + covariance
    np.testing.assert_allclose(vicreg(*views), expected, rtol=1e-5)


@pytest.mark.backend
def test_vicreg_has_a_finite_gradient_for_identical_cells():
    z = np.ones((4, 2), "float32")
    assert all(np.isfinite(g).all() for g in gradient(vicreg, z, z))


@pytest.mark.backend
@pytest.mark.parametrize("loss", [info_nce, barlow_twins, vicreg])
def test_similar_views_have_a_lower_loss_than_dissimilar_ones(views, loss):
    a, b = views
    assert np.mean(loss(a, a + 0.1 * b)) < np.mean(loss(a, b))


@pytest.mark.parametrize("loss", [info_nce, barlow_twins, vicreg])
def test_two_views_need_several_cells_and_one_shape(loss):
    one, two = np.ones((1, 3), "float32"), np.ones((2, 3), "float32")
    with pytest.raises(
        ValueError, match=r"^a mini-batch of 1 cell has no other cell .* batch_size=2 or more$"
    ):
        loss(one, one)
    with pytest.raises(ValueError, match=r"^the two views must have one shape, got \(2, 3\) and \(2, 2\)"):
        loss(two, two[:, :2])


@pytest.mark.parametrize("temperature", [0, -1.0, float("nan")])
def test_info_nce_refuses_a_temperature(views, temperature):
    with pytest.raises(ValueError, match=rf"^temperature must be positive, got {temperature!r}"):
        info_nce(*views, temperature)


@pytest.mark.parametrize(
    ("loss", "name"),
    [(barlow_twins, "redundancy"), (vicreg, "invariance"), (vicreg, "variance"), (vicreg, "covariance")],
)
def test_a_weight_is_not_negative(views, loss, name):
    with pytest.raises(ValueError, match=f"^{name} must be 0 or more, got -1$"):
        loss(*views, **{name: -1})


# -- collapse -------------------------------------------------------------------------------------------------------


@pytest.mark.backend
def test_embedding_spread_is_the_entropy_of_the_singular_values(views):
    z = views[0].astype("float64")
    share = linalg.svdvals(z - z.mean(axis=0))
    share = share / share.sum()
    result = embedding_spread(views[0])
    np.testing.assert_allclose(result["effective_rank"], np.exp(-np.sum(share * np.log(share))), rtol=1e-4)
    np.testing.assert_allclose(result["embedding_std"], z.std(axis=0).mean(), rtol=1e-5)


@pytest.mark.backend
def test_embedding_spread_detects_a_collapse():
    rng = np.random.default_rng(0)
    full = np.float32(rng.normal(size=(400, 8)))
    line = np.outer(full[:, 0], np.ones(8, "float32"))
    point = np.ones((400, 8), "float32")
    rank = [float(embedding_spread(z)["effective_rank"]) for z in (full, line, point)]
    assert rank[0] > 7.9 and rank[1] < 1.1 and rank[2] == 1
    assert float(embedding_spread(point)["embedding_std"]) == 0
    with pytest.raises(ValueError, match=r"^a mini-batch of 1 cell"):
        embedding_spread(full[:1])
