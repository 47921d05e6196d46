"""The numeric core against float64 references on numbers from hypothesis; gradients against finite differences.

A reference is a function of scipy or scikit-learn, or the docstring's equation written with numpy. The library computes
in float32; each tolerance stands at the comparison that needs it.
"""

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from keras import ops
from scipy import special, stats
from sklearn.metrics import log_loss
from sklearn.preprocessing import MinMaxScaler

import latentcells as lc
from latentcells import likelihoods, objectives
from latentcells.layers.normalization._get_normalization import get_normalization
from tests.helpers import gradient

FEW = settings(max_examples=25, suppress_health_check=[HealthCheck.filter_too_much])
SHAPE = (4, 3)
ROUNDING = (
    2 * np.finfo("float32").eps * 5000 * np.log(5000)
)  # twice that of the largest term of a count's log-likelihood


def floats(low, high, shape=SHAPE):
    return arrays(np.float32, shape, elements=st.floats(low, high, width=32))


def powers(low, high, shape=SHAPE):
    """Positive numbers of every magnitude between two powers of ten."""
    return floats(low, high, shape).map(lambda exponent: np.float32(10) ** exponent)


counts = arrays(np.int32, SHAPE, elements=st.integers(0, 5000)).map(np.float32)
bounded = floats(0, 1)
masks = arrays(bool, SHAPE).map(np.float32)


def slope(function, values, position):
    """The derivative of ``sum(function(*values))`` along a random direction of one array, by central differences."""
    values = [np.float64(v) for v in values]
    direction = np.random.default_rng(0).standard_normal(values[position].shape)
    step = 1e-6 * np.maximum(np.abs(values[position]), 1e-3)
    sums = []
    for sign in (1, -1):
        shifted = list(values)
        shifted[position] = values[position] + sign * step * direction
        sums.append(np.sum(function(*shifted), dtype=np.longdouble))
    return float((sums[0] - sums[1]) / 2), step * direction


def check_gradients(function, reference, values, positions, rtol=2e-3):
    """Compare each gradient's component along a direction with the reference; ``rtol`` is relative to its terms."""
    for position, result in enumerate(gradient(function, *values)):
        if position in positions:
            expected, step = slope(reference, values, position)
            terms = np.float64(result) * step
            # the difference of two close sums has fewer digits than either
            noise = 1e-12 * np.abs(np.float64(reference(*map(np.float64, values)))).sum()
            assert abs(terms.sum() - expected) <= rtol * np.abs(terms).sum() + 10 * noise + 1e-12, (
                terms.sum(),
                expected,
            )


def value(tensor):
    return np.asarray(tensor, np.float64)


# -- likelihoods ------------------------------------------------------------------------------------------------------


def nb_reference(x, mean, theta):
    return (
        special.gammaln(x + theta) - special.gammaln(theta) - special.gammaln(x + 1)
        - theta * np.log1p(mean / theta) + special.xlogy(x, mean / (theta + mean))
    )  # fmt: skip


def zinb_reference(x, mean, theta, logits):
    expressed = nb_reference(x, mean, theta) + special.log_expit(-logits)
    return np.where(x == 0, np.logaddexp(special.log_expit(logits), expressed), expressed)


@pytest.mark.backend
@FEW
@given(counts, powers(-2, 3), powers(-2, 4))
def test_negative_binomial(x, mean, theta):
    result = value(likelihoods.negative_binomial_log_prob(x, mean, theta))
    p = theta.astype(float) / (theta.astype(float) + mean)
    expected = stats.nbinom.logpmf(x, theta.astype(float), p)
    np.testing.assert_allclose(result, expected, rtol=2e-5, atol=ROUNDING)
    function = lambda mean, theta: likelihoods.negative_binomial_log_prob(x, mean, theta)  # noqa: E731
    check_gradients(function, lambda m, t: nb_reference(x, m, t), [mean, theta], positions=(0,))


@pytest.mark.backend
@FEW
@given(counts, powers(-1, 2), powers(-1, 2))
def test_the_gradient_of_the_negative_binomial_in_theta(x, mean, theta):
    function = lambda theta: likelihoods.negative_binomial_log_prob(x, mean, theta)  # noqa: E731
    check_gradients(
        function, lambda t: nb_reference(x, mean.astype(float), t), [theta], positions=(0,), rtol=1e-2
    )


@pytest.mark.backend
@FEW
@given(counts, powers(-1, 2), powers(-1, 2), floats(-20, 20))
def test_zero_inflated_negative_binomial(x, mean, theta, logits):
    result = value(likelihoods.zero_inflated_negative_binomial_log_prob(x, mean, theta, logits))
    np.testing.assert_allclose(
        result, zinb_reference(x, *map(np.float64, (mean, theta, logits))), rtol=2e-5, atol=ROUNDING
    )
    check_gradients(
        lambda m, lo: likelihoods.zero_inflated_negative_binomial_log_prob(x, m, theta, lo),
        lambda m, lo: zinb_reference(x, m, theta.astype(float), lo),
        [mean, logits],
        positions=(0, 1),
    )


@pytest.mark.backend
@FEW
@given(floats(0, 10), floats(-10, 10), floats(-8, 8))
def test_gaussian(x, mean, log_var):
    def reference(mean, log_var):
        return stats.norm.logpdf(x.astype(float), mean, np.exp(0.5 * log_var))

    result = value(likelihoods.gaussian_log_prob(x, mean, log_var))
    np.testing.assert_allclose(result, reference(np.float64(mean), np.float64(log_var)), rtol=1e-5, atol=1e-5)
    function = lambda mean, log_var: likelihoods.gaussian_log_prob(x, mean, log_var)  # noqa: E731
    check_gradients(function, reference, [mean, log_var], positions=(0, 1))


@pytest.mark.backend
@FEW
@given(bounded, floats(-30, 30))
def test_bernoulli(x, logits):
    def reference(logits):
        return x * special.log_expit(logits) + (1 - x.astype(float)) * special.log_expit(-logits)

    np.testing.assert_allclose(
        value(likelihoods.bernoulli_log_prob(x, logits)), reference(np.float64(logits)), rtol=1e-5, atol=1e-5
    )
    check_gradients(lambda lo: likelihoods.bernoulli_log_prob(x, lo), reference, [logits], positions=(0,))


# -- losses -----------------------------------------------------------------------------------------------------------


def kl_reference(mean, log_var):
    return 0.5 * (mean**2 + np.exp(log_var) - 1 - log_var).sum(axis=-1)


@pytest.mark.backend
@FEW
@given(floats(-10, 10), floats(-8, 8))
def test_kl(mean, log_var):
    result = value(objectives.kl_to_standard_normal(mean, log_var))
    np.testing.assert_allclose(
        result, kl_reference(np.float64(mean), np.float64(log_var)), rtol=1e-5, atol=1e-5
    )
    check_gradients(objectives.kl_to_standard_normal, kl_reference, [mean, log_var], positions=(0, 1))


@pytest.mark.backend
@FEW
@given(floats(0, 100), masks)
def test_masked_reconstruction(loss, mask):
    def reference(loss):
        return (loss * mask).sum(axis=1) / np.maximum(mask.sum(axis=1), 1)

    result = value(objectives.masked_reconstruction(loss, mask))
    np.testing.assert_allclose(result, reference(np.float64(loss)), rtol=1e-5)
    check_gradients(
        lambda loss: objectives.masked_reconstruction(loss, mask), reference, [loss], positions=(0,)
    )


def info_nce_reference(a, b, temperature=0.5):
    z = np.concatenate([a, b])
    z = z / np.linalg.norm(z, axis=1, keepdims=True)
    similarity = z @ z.T / temperature
    n = len(a)
    partner = np.roll(np.arange(2 * n), n)
    other_similarity = np.where(np.eye(2 * n, dtype=bool), -np.inf, similarity)
    loss = special.logsumexp(other_similarity, axis=1) - similarity[np.arange(2 * n), partner]
    return 0.5 * (loss[:n] + loss[n:])


def barlow_reference(a, b, redundancy=5e-3):
    a, b = ((z - z.mean(axis=0)) / np.sqrt(z.var(axis=0) + 1e-6) for z in (a, b))
    c = a.T @ b / len(a)
    return ((1 - np.diag(c)) ** 2).sum() + redundancy * (c**2 - np.diag(np.diag(c)) ** 2).sum()


def vicreg_reference(a, b):
    spread = covariance = 0.0
    for z in (a, b):
        cov = np.cov(z, rowvar=False)
        spread += np.maximum(0, 1 - np.sqrt(np.diag(cov) + 1e-4)).mean() / 2
        covariance += ((cov**2).sum() - (np.diag(cov) ** 2).sum()) / len(cov)
    return 25 * ((a - b) ** 2).mean() + 25 * spread + covariance


VIEWS = {
    "info_nce": (objectives.info_nce, info_nce_reference),
    "barlow_twins": (objectives.barlow_twins, barlow_reference),
    "vicreg": (objectives.vicreg, vicreg_reference),
}


@pytest.mark.backend
@pytest.mark.parametrize("name", VIEWS)
@FEW
@given(a=floats(-3, 3, (5, 2)), b=floats(-3, 3, (5, 2)))
def test_losses_of_two_views(name, a, b):
    function, reference = VIEWS[name]
    for z in (a, b):
        assume(
            np.linalg.norm(z, axis=1).min() > 0.1 and z.std(axis=0).min() > 0.1
        )  # otherwise float32 has no digits left
        assume(
            np.abs(np.cov(z, rowvar=False).diagonal() + 1e-4 - 1).min() > 1e-3
        )  # not at the kink of VICReg's hinge
    np.testing.assert_allclose(
        value(function(a, b)), reference(np.float64(a), np.float64(b)), rtol=1e-4, atol=1e-4
    )
    check_gradients(function, reference, [a, b], positions=(0, 1), rtol=5e-3)


@pytest.mark.backend
@FEW
@given(floats(-3, 3, (6, 3)))
def test_embedding_spread(z):
    assume(z.std() > 0.1)
    result = objectives.embedding_spread(z)
    exact = np.float64(z)
    share = np.linalg.svd(exact - exact.mean(axis=0), compute_uv=False)
    share = share / share.sum()
    assume(share.min() > 1e-2)  # the root of a rounded 0 has no correct digits
    np.testing.assert_allclose(float(result["embedding_std"]), exact.std(axis=0).mean(), rtol=1e-4)
    np.testing.assert_allclose(float(result["effective_rank"]), np.exp(special.entr(share).sum()), rtol=1e-3)


# -- normalisation ----------------------------------------------------------------------------------------------------

AXES = {"batch": 0, "layer": 1}


@pytest.mark.backend
@pytest.mark.parametrize("kind", AXES)
@FEW
@given(x=floats(-50, 50))
def test_normalisation(kind, x):
    layer = get_normalization(kind)
    layer.build(SHAPE)
    keywords = {"training": True} if kind == "batch" else {}

    def reference(x):
        axis = AXES[kind]
        return (x - x.mean(axis, keepdims=True)) / np.sqrt(x.var(axis, keepdims=True) + 1e-3)

    np.testing.assert_allclose(value(layer(x, **keywords)), reference(np.float64(x)), atol=2e-3)
    weight = (
        np.random.default_rng(1).standard_normal(SHAPE).astype("float32")
    )  # the unweighted sum is 0 for every x
    check_gradients(
        lambda x: layer(x, **keywords) * weight,
        lambda x: reference(x) * weight,
        [x],
        positions=(0,),
        rtol=1e-2,
    )


positive_counts = arrays(np.int32, SHAPE, elements=st.integers(0, 10**6)).filter(
    lambda x: x.sum(axis=1).all()
)


@FEW
@given(positive_counts, st.floats(1, 1e6))
def test_library_size(x, target_sum):
    adata = anndata.AnnData(x.astype("float32"))
    result = lc.preprocess.LibrarySize(target_sum).fit(adata).transform(adata).X
    expected = np.log1p(target_sum * x / x.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-6)


@FEW
@given(floats(-100, 100), floats(-100, 100))
def test_min_max(train, new):
    scaler = lc.preprocess.MinMax().fit(anndata.AnnData(train))
    result = scaler.transform(anndata.AnnData(new)).X
    varies = np.ptp(train, axis=0) > 1e-3
    expected = MinMaxScaler(clip=True).fit(np.float64(train)).transform(np.float64(new))
    np.testing.assert_allclose(result[:, varies], expected[:, varies], atol=1e-3)
    assert result.min() >= 0 and result.max() <= 1


# -- metrics ----------------------------------------------------------------------------------------------------------

# drawn by numpy, since hypothesis repeats numbers and coinciding cells have no unique nearest neighbour
spread = st.integers(0, 2**32 - 1).map(
    lambda seed: np.random.default_rng(seed).normal(size=(12, 2)).astype("float32")
)
labels = st.lists(st.sampled_from("BT"), min_size=12, max_size=12).filter(
    lambda names: 3 < names.count("B") < 9
)


@FEW
@given(floats(1 / 64, 63 / 64, 12), labels, st.integers(1, 10))
def test_calibration(first_probability, label, n_bins):
    probability = np.stack([first_probability, 1 - np.float64(first_probability)], axis=1)
    result = lc.evaluate.calibration(probability, label, ["B", "T"], n_bins)
    confidence, correct = probability.max(axis=1), np.array(["B", "T"])[probability.argmax(axis=1)] == label
    bins = np.minimum(np.floor(confidence * n_bins), n_bins - 1)
    expected = sum(
        (bins == b).sum() * abs(correct[bins == b].mean() - confidence[bins == b].mean()) for b in set(bins)
    )
    np.testing.assert_allclose(result["calibration_error"], expected / 12, atol=1e-12)
    np.testing.assert_allclose(result["log_loss"], log_loss(label, probability, labels=["B", "T"]), rtol=1e-9)


@FEW
@given(spread, labels, st.integers(1, 3))
def test_overcorrection(z, label, n_neighbors):
    distance = np.linalg.norm(np.float64(z)[:, None] - np.float64(z), axis=-1)
    np.fill_diagonal(distance, np.inf)
    label, nearest = np.array(label), np.sort(distance, axis=1)
    gap = nearest[:, n_neighbors] - nearest[:, n_neighbors - 1]
    assume(gap[label == "B"].min() > 1e-6)  # of two equally near cells either may count
    expected = [
        (label[np.argsort(distance[i])[:n_neighbors]] != "B").mean() for i in np.flatnonzero(label == "B")
    ]
    np.testing.assert_allclose(
        lc.evaluate.overcorrection(z, label, "B", n_neighbors), np.mean(expected), atol=1e-12
    )


@FEW
@given(floats(-9, 9, (12, 5)), labels, st.integers(1, 5))
def test_rankings(scores, label, k):
    genes = list("abcde")
    ranking = lc.markers.rank(scores, label, genes)
    exact, label = np.float64(scores), np.array(label)
    expected = exact[label == "B"].mean(axis=0) - exact[label == "T"].mean(axis=0)
    np.testing.assert_allclose(ranking["B"][genes], expected, atol=1e-9)
    np.testing.assert_allclose(ranking["T"][genes], -expected, atol=1e-9)
    best = set(np.array(genes)[np.argsort(-expected, kind="stable")[:k]])
    assume(np.diff(np.sort(expected)).min() > 1e-6)
    precision = lc.markers.precision_at(ranking, {"B": {"a", "c"}}, k)["mean"]
    assert precision == pytest.approx(len(best & {"a", "c"}) / k)
    agreement = lc.markers.rank_agreement(ranking, lc.markers.rank(scores**2, label, genes))["by_label"]["B"]
    expected_of_squares = (exact[label == "B"] ** 2).mean(axis=0) - (exact[label == "T"] ** 2).mean(axis=0)
    assume(np.diff(np.sort(expected_of_squares)).min() > 1e-6)
    ranks, ranks_of_squares = np.argsort(np.argsort(expected)), np.argsort(np.argsort(expected_of_squares))
    assert agreement == pytest.approx(1 - 6 * ((ranks - ranks_of_squares) ** 2).sum() / (5 * 24), abs=1e-9)


@FEW
@given(st.lists(st.permutations(list("abcdef")), min_size=2, max_size=4), st.integers(1, 6))
def test_stability(orders, k):
    rankings = [{"B": pd.Series(range(6, 0, -1), list(order))} for order in orders]
    pairs = [(set(a[:k]), set(b[:k])) for i, a in enumerate(orders) for b in orders[i + 1 :]]
    expected = np.mean([len(a & b) / len(a | b) for a, b in pairs])
    assert lc.markers.stability(rankings, k)["mean"] == pytest.approx(expected)


@pytest.mark.backend
@FEW
@given(floats(0, 5, (3, 4)), floats(-2, 2, (4, 2)))
def test_attributions_of_a_linear_function_equal_its_terms(x, weight):
    def function(x):
        return ops.matmul(x, weight)

    target = np.array([0, 1, 0])
    expected = np.float64(x) * weight.T[target]
    for attribution in (
        lc.markers.gradient_times_input(function, x, target),
        lc.markers.integrated_gradients(function, x, target, steps=4),
        lc.markers.ablation(function, x, target, range(4)),
    ):
        np.testing.assert_allclose(attribution, expected, rtol=1e-4, atol=1e-4)
