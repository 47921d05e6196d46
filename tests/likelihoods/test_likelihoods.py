import keras
import numpy as np
import pytest
from scipy import stats
from scipy.special import digamma, expit, gammaln

from latentcells import likelihoods
from latentcells.likelihoods import (
    bernoulli_log_prob,
    gaussian_log_prob,
    negative_binomial_log_prob,
    zero_inflated_negative_binomial_log_prob,
)
from tests.helpers import gradient, run_layer_test

NAMES = ("bernoulli", "gaussian", "negative_binomial", "zero_inflated_negative_binomial")
COUNTS = np.float32([0, 1, 2, 3, 5, 10, 30, 100, 300, 1000, 3000, 10000])
MEANS = np.float32(10.0) ** np.arange(-4, 4.5, 0.5, dtype="float32")
THETAS = np.float32(10.0) ** np.arange(-4, 6.5, 0.5, dtype="float32")


def nb(x, mean, theta):
    return np.asarray(negative_binomial_log_prob(*map(np.float32, (x, mean, theta))))


def zinb(x, mean, theta, logits):
    return np.asarray(zero_inflated_negative_binomial_log_prob(*map(np.float32, (x, mean, theta, logits))))


def scipy_nb(x, mean, theta):
    """SciPy's, in float64."""
    x, mean, theta = (np.asarray(a, "float64") for a in (x, mean, theta))
    return stats.nbinom.logpmf(x, theta, theta / (theta + mean))


def slope(function, at, step=1e-5):
    """Derivative by central differences, in float64; the step is relative."""
    at = np.asarray(at, "float64")
    h = step * np.maximum(np.abs(at), 1e-3)
    return (function(at + h) - function(at - h)) / (2 * h)


# -- negative binomial -------------------------------------------------------------------------------------------


def test_nb_equals_scipy_over_the_whole_range():
    """Float32 can keep 1e-7 of the largest term of the sum: within 3e-6 of 1 + the sum of the terms' sizes."""
    x, mean, theta = np.meshgrid(COUNTS, MEANS, THETAS, indexing="ij")
    wide_x, wide_mean, wide_theta = (a.astype("float64") for a in (x, mean, theta))
    terms = gammaln(wide_x + 1) + np.abs(wide_x * np.log(wide_mean))
    terms += (wide_x + wide_theta) * np.log1p(wide_mean / wide_theta)
    error = np.abs(nb(x, mean, theta) - scipy_nb(x, mean, theta))
    assert (error <= 3e-6 * (1 + terms)).all()


def test_nb_equals_scipy_where_counts_are():
    """Up to 100 molecules of a gene: four decimals of 1 + |log p|."""
    x, mean, theta = np.meshgrid(COUNTS[COUNTS <= 100], MEANS, THETAS, indexing="ij")
    np.testing.assert_allclose(nb(x, mean, theta), scipy_nb(x, mean, theta), rtol=5e-5, atol=5e-5)


def test_nb_keeps_its_digits_at_a_large_theta():
    """The usual difference of two log-gammas gives -1.787."""
    np.testing.assert_allclose(nb(5, 4, 1e6), -1.856, atol=5e-4)
    np.testing.assert_allclose(nb(5, 4, 1e6), scipy_nb(5, 4, 1e6), atol=1e-5)


def test_nb_becomes_poisson():
    x, mean = np.meshgrid(np.arange(30), [0.1, 1.0, 4.0, 20.0])
    np.testing.assert_allclose(nb(x, mean, 1e6), stats.poisson.logpmf(x, mean.astype("float64")), rtol=1e-3)


@pytest.mark.parametrize(("mean", "theta"), [(0.5, 0.3), (4.0, 2.0), (10.0, 1e4)])
def test_nb_and_zinb_sum_to_one(mean, theta):
    x = np.arange(2000)
    np.testing.assert_allclose(np.exp(nb(x, mean, theta)).sum(), 1.0, atol=2e-5)
    np.testing.assert_allclose(np.exp(zinb(x, mean, theta, -0.7)).sum(), 1.0, atol=2e-5)


def test_nb_has_the_moments_it_promises():
    """Mean μ and variance μ + μ²/θ, by the sum and by SciPy's draws."""
    mean, theta, x = 3.0, 1.5, np.arange(500)
    p = np.exp(nb(x, mean, theta).astype("float64"))
    np.testing.assert_allclose((p * x).sum(), mean, rtol=1e-4)
    np.testing.assert_allclose((p * (x - mean) ** 2).sum(), mean + mean**2 / theta, rtol=1e-4)
    drawn = stats.nbinom.rvs(theta, theta / (theta + mean), size=200_000, random_state=0)
    own = -nb(drawn, mean, theta).astype("float64")
    assert abs(own.mean() - stats.nbinom.entropy(theta, theta / (theta + mean))) < 5 * own.std() / np.sqrt(
        200_000
    )


def test_nb_gradient():
    x, mean, theta = (np.float32(a) for a in ([0, 1, 5, 40, 3], [0.01, 2, 4, 10, 5], [0.1, 1, 100, 3, 1e4]))
    to_mean, to_theta = gradient(lambda m, t: negative_binomial_log_prob(x, m, t), mean, theta)
    np.testing.assert_allclose(to_mean, slope(lambda m: scipy_nb(x, m, theta), mean), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(to_theta, slope(lambda t: scipy_nb(x, mean, t), theta), rtol=2e-3, atol=1e-6)


def test_nb_gradient_keeps_its_digits():
    """By log μ and log θ, which is what a decoder learns; automatic differentiation keeps two digits."""
    x, mean, theta = np.meshgrid(COUNTS, MEANS, THETAS[THETAS <= 10], indexing="ij")
    found = gradient(lambda m, t: negative_binomial_log_prob(x, m, t), mean, theta)
    x, mean, theta = (a.astype("float64") for a in (x, mean, theta))
    excess = (x - mean) / (theta + mean)
    to_theta = digamma(x + theta) - digamma(theta) - np.log1p(mean / theta) - excess
    np.testing.assert_allclose(found[0] * mean, theta * excess, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found[1] * theta, theta * to_theta, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("shape", [(), (1,), (3,), (1, 3), (2, 1), (2, 3)])
def test_nb_gradient_is_summed_over_what_theta_is_spread_over(shape):
    x, mean = np.float32([[0, 1, 5], [2, 0, 7]]), np.float32([[0.5, 1, 2], [3, 4, 5]])
    theta = np.random.default_rng(0).gamma(2.0, 1.0, shape).astype("float32")
    (found,) = gradient(lambda t: negative_binomial_log_prob(x, mean, t), theta)
    wide = np.broadcast_to(theta, x.shape)
    (each,) = gradient(lambda t: negative_binomial_log_prob(x, mean, t), wide)
    axes = tuple(i for i in range(2) if np.shape(np.empty(shape)[(None,) * (2 - len(shape))])[i] == 1)
    assert np.shape(found) == shape
    np.testing.assert_allclose(found, np.sum(each, axis=axes).reshape(shape), rtol=1e-5)


def test_nb_gradient_of_x_is_none_for_x_is_data():
    (found,) = gradient(
        lambda x: negative_binomial_log_prob(x, np.float32(4), np.float32(2)), np.float32([5])
    )
    np.testing.assert_array_equal(found, 0)


def test_nb_gradient_is_finite_at_the_ends():
    x, mean, theta = np.meshgrid(COUNTS, MEANS, THETAS, indexing="ij")
    assert all(
        np.isfinite(g).all() for g in gradient(lambda m, t: negative_binomial_log_prob(x, m, t), mean, theta)
    )


# -- zero-inflated negative binomial -----------------------------------------------------------------------------


def test_zinb_equals_the_mixture():
    x, logits = np.meshgrid(np.arange(20), [-6.0, -1.0, 0.0, 2.0])
    inflation = expit(logits)
    expected = np.log(inflation * (x == 0) + (1 - inflation) * np.exp(scipy_nb(x, 2.0, 0.8)))
    np.testing.assert_allclose(zinb(x, 2.0, 0.8, logits), expected, rtol=2e-5, atol=1e-5)


def test_zinb_without_inflation_is_nb():
    np.testing.assert_allclose(zinb(COUNTS, 2.0, 0.8, -200.0), nb(COUNTS, 2.0, 0.8), rtol=1e-6)


def test_zinb_is_stable_for_any_logit():
    np.testing.assert_allclose(
        zinb([0, 0, 3], 2.0, 0.8, [1e4, -1e4, 1e4]), [0.0, nb(0, 2.0, 0.8), -1e4], atol=5
    )
    to_mean, to_logits = gradient(
        lambda m, lo: zero_inflated_negative_binomial_log_prob(np.float32([0, 0, 3]), m, np.float32(0.8), lo),
        np.float32([2.0, 2.0, 2.0]),
        np.float32([300.0, -300.0, 300.0]),
    )
    assert np.isfinite(to_mean).all() and np.isfinite(to_logits).all()


def test_zinb_gradient():
    x, mean, logits = np.float32([0, 0, 3]), np.float32([0.5, 2.0, 2.0]), np.float32([-1.0, 1.0, 0.3])

    def mixture(m, lo):
        return np.log(expit(lo) * (x == 0) + expit(-lo) * np.exp(scipy_nb(x, m, 0.8)))

    to_mean, to_logits = gradient(
        lambda m, lo: zero_inflated_negative_binomial_log_prob(x, m, np.float32(0.8), lo), mean, logits
    )
    np.testing.assert_allclose(to_mean, slope(lambda m: mixture(m, logits.astype("f8")), mean), rtol=1e-4)
    np.testing.assert_allclose(to_logits, slope(lambda lo: mixture(mean, lo), logits), rtol=1e-4)


# -- Gaussian and Bernoulli --------------------------------------------------------------------------------------


def test_gaussian_equals_scipy():
    x, mean, log_var = np.meshgrid([0.0, 1.0, 3.5], [-1.0, 0.2, 4.0], [-6.0, -1.0, 0.0, 3.0])
    got = gaussian_log_prob(*map(np.float32, (x, mean, log_var)))
    np.testing.assert_allclose(got, stats.norm.logpdf(x, mean, np.exp(log_var / 2)), rtol=1e-5, atol=1e-6)


def test_gaussian_integrates_to_one():
    x = np.linspace(-20, 20, 20_001, dtype="float32")
    density = np.exp(gaussian_log_prob(x, np.float32(1.0), np.float32(0.6)))
    np.testing.assert_allclose(np.trapezoid(density, x), 1.0, rtol=1e-4)


def test_gaussian_gradient():
    x, mean, log_var = (np.float32(a) for a in ([0.5, 2.0], [1.0, 1.5], [-1.0, 2.0]))
    to_mean, to_log_var = gradient(lambda m, v: gaussian_log_prob(x, m, v), mean, log_var)
    variance = np.exp(log_var)
    np.testing.assert_allclose(to_mean, (x - mean) / variance, rtol=1e-5)
    np.testing.assert_allclose(to_log_var, ((x - mean) ** 2 / variance - 1) / 2, rtol=1e-5)


def test_bernoulli_equals_scipy():
    x, logits = np.meshgrid([0, 1], np.linspace(-8, 8, 33))
    got = bernoulli_log_prob(np.float32(x), np.float32(logits))
    np.testing.assert_allclose(got, stats.bernoulli.logpmf(x, expit(logits)), rtol=1e-4, atol=1e-6)


def test_bernoulli_equals_the_cross_entropy_between_zero_and_one():
    x, logits = np.float32([[0.2, 0.9, 0.5]]), np.float32([[-1.0, 3.0, 0.0]])
    expected = -keras.losses.binary_crossentropy(x, logits, from_logits=True) * x.shape[1]
    np.testing.assert_allclose(np.sum(bernoulli_log_prob(x, logits)), expected[0], rtol=1e-5)


def test_bernoulli_is_stable_for_any_logit():
    x, logits = np.float32([0, 1, 0, 1]), np.float32([1e4, 1e4, -1e4, -1e4])
    np.testing.assert_array_equal(bernoulli_log_prob(x, logits), [-1e4, 0.0, 0.0, -1e4])
    (to_logits,) = gradient(lambda lo: bernoulli_log_prob(x, lo), logits)
    np.testing.assert_array_equal(to_logits, [-1.0, 0.0, 0.0, 1.0])


def test_bernoulli_gradient():
    x, logits = np.float32([0, 1, 0.3]), np.float32([0.5, -2.0, 1.0])
    (to_logits,) = gradient(lambda lo: bernoulli_log_prob(x, lo), logits)
    np.testing.assert_allclose(to_logits, x - expit(logits), rtol=1e-5)


# -- the decoder heads -------------------------------------------------------------------------------------------


def hidden_and_library(cells=5, units=4):
    rng = np.random.default_rng(0)
    return rng.normal(size=(cells, units)).astype("float32"), rng.integers(20, 900, (cells, 1)).astype(
        "float32"
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_head_bears_what_every_layer_must(name, tmp_path):
    config = {"n_genes": 7, "seed": 3}
    run_layer_test(likelihoods.get(name), config, hidden_and_library(), tmp_path, float32_output=True)


@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("bernoulli", {"logits": (5, 7)}),
        ("gaussian", {"mean": (5, 7), "log_var": (1,)}),
        ("negative_binomial", {"mean": (5, 7), "theta": (7,)}),
        ("zero_inflated_negative_binomial", {"mean": (5, 7), "theta": (7,), "inflation_logits": (5, 7)}),
    ],
)
def test_the_parameters_of_a_head(name, shapes):
    head = likelihoods.get(name)(7)
    parameters = head(*hidden_and_library())
    assert {key: tuple(value.shape) for key, value in parameters.items()} == shapes
    assert tuple(head.mean(parameters).shape) == (5, 7)
    assert tuple(head.log_prob(np.ones((5, 7), "float32"), parameters).shape) == (5, 7)


def test_the_mean_counts_of_a_cell_sum_to_its_library():
    hidden, library = hidden_and_library()
    parameters = likelihoods.get("negative_binomial")(7)(hidden, library)
    np.testing.assert_allclose(np.sum(parameters["mean"], axis=1, keepdims=True), library, rtol=1e-5)


def test_a_head_uses_its_own_mathematics():
    rng, (hidden, library) = np.random.default_rng(1), hidden_and_library()
    x = rng.integers(0, 2, (5, 7)).astype("float32")
    functions = dict(
        zip(NAMES, (bernoulli_log_prob, gaussian_log_prob, negative_binomial_log_prob), strict=False)
    )
    for name, function in functions.items():
        head = likelihoods.get(name)(7)
        parameters = head(hidden, library)
        np.testing.assert_allclose(head.log_prob(x, parameters), function(x, *parameters.values()), rtol=1e-5)
    head = likelihoods.get("zero_inflated_negative_binomial")(7)
    p = head(hidden, library)
    expected = zinb(x, p["mean"], p["theta"], p["inflation_logits"])
    np.testing.assert_allclose(head.log_prob(x, p), expected, rtol=1e-5)
    np.testing.assert_allclose(
        head.mean(p), np.asarray(p["mean"]) * (1 - expit(p["inflation_logits"])), rtol=1e-5
    )


@pytest.mark.parametrize("name", NAMES)
def test_a_head_starts_at_the_average_cell(name):
    """Within 2 %, for one molecule is added to each gene; the inflation starts at one half."""
    rng, (hidden, library) = np.random.default_rng(1), hidden_and_library()
    x = rng.poisson(rng.uniform(1, 9, 7), (400, 7)).astype("float32")
    x = {"bernoulli": x / x.max(axis=0), "gaussian": np.log1p(x)}.get(name, x)
    head = likelihoods.get(name)(7)
    head(hidden, library)
    head.start_at(x)
    parameters = head(0 * hidden, x.sum(axis=1).mean() * np.ones_like(library))
    scale = {"zero_inflated_negative_binomial": 0.5}.get(name, 1.0)
    np.testing.assert_allclose(head.mean(parameters), np.tile(scale * x.mean(axis=0), (5, 1)), rtol=0.02)
    if name == "gaussian":
        np.testing.assert_allclose(np.exp(parameters["log_var"]), x.var(axis=0).mean(), rtol=0.02)


@pytest.mark.parametrize("name", NAMES)
def test_the_seed_gives_the_weights(name):
    def kernels(seed):
        head = likelihoods.get(name)(7, seed=seed)
        head(*hidden_and_library())
        return [v.numpy() for v in head.trainable_variables if len(v.shape) == 2]

    for one, same, other in zip(kernels(1), kernels(1), kernels(2), strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)


def test_the_two_kernels_of_the_inflated_head_differ():
    head = likelihoods.get("zero_inflated_negative_binomial")(7)
    head(*hidden_and_library())
    assert not np.array_equal(head.dense.kernel.numpy(), head.inflation.kernel.numpy())


def test_the_encoder_sees_the_logarithm_of_counts():
    x = np.float32([[0, 1, 99]])
    for name in ("negative_binomial", "zero_inflated_negative_binomial"):
        np.testing.assert_allclose(likelihoods.get(name).encoder_input(x), np.log1p(x), rtol=1e-6)
    for name in ("bernoulli", "gaussian"):
        assert likelihoods.get(name).encoder_input(x) is x


COUNT_DATA = np.float32([[0, 2], [3, 0]])
LOG1P_DATA = np.float32([[0, 1.3], [2.2, 0]])
Z_SCORES = np.float32([[-0.4, 1.3], [2.2, 0]])
UNIT_DATA = np.float32([[0, 0.3], [1.0, 0.5]])


@pytest.mark.parametrize(
    ("name", "x", "message"),
    [
        ("bernoulli", Z_SCORES, r"within \[0, 1\], got -0.4: looks like z-scores"),
        ("bernoulli", LOG1P_DATA, r"within \[0, 1\], got 2.2: looks like log1p"),
        ("bernoulli", COUNT_DATA, r"within \[0, 1\], got 3: looks like counts"),
        ("gaussian", Z_SCORES, r"log1p data .*, got -0.4: looks like z-scores"),
        ("gaussian", COUNT_DATA, r"log1p data .*, got 3: looks like counts"),
        ("negative_binomial", Z_SCORES, r"counts .*, got -0.4: looks like z-scores"),
        ("negative_binomial", LOG1P_DATA, r"counts .*, got 1.3: looks like log1p"),
        ("negative_binomial", UNIT_DATA, r"counts .*, got 0.3: looks like unit"),
        ("negative_binomial", [[0, 0], [3, 1]], "1 cells with a total of 0"),
        ("zero_inflated_negative_binomial", Z_SCORES, r"counts .*, got -0.4: looks like z-scores"),
        ("zero_inflated_negative_binomial", LOG1P_DATA, r"counts .*, got 1.3: looks like log1p"),
    ],
)
def test_a_head_refuses_data_that_it_is_not_meant_for(name, x, message):
    with pytest.raises(ValueError, match=f"^x .*{message}") as refusal:
        likelihoods.get(name).check(x)
    assert "\n" not in str(refusal.value)


def test_a_head_takes_the_data_that_it_is_meant_for():
    for name, x in zip(NAMES, (UNIT_DATA, LOG1P_DATA, COUNT_DATA, COUNT_DATA), strict=True):
        likelihoods.get(name).check(x, training=True)


def test_a_gene_without_counts_is_refused_in_training_alone():
    x = np.float32([[0, 2], [0, 1]])
    likelihoods.get("negative_binomial").check(x)
    with pytest.raises(ValueError, match="1 genes with a total of 0"):
        likelihoods.get("negative_binomial").check(x, training=True)


def test_an_unknown_likelihood_lists_the_choices():
    with pytest.raises(ValueError, match="likelihood='poisson' is unknown") as refusal:
        likelihoods.get("poisson")
    assert all(repr(name) in str(refusal.value) for name in NAMES)


def test_the_base_head_has_no_mathematics():
    head = likelihoods.Likelihood(7)
    calls = (head.check, head.start_at, head.mean, lambda x: head.log_prob(x, None))
    for call in calls:
        with pytest.raises(NotImplementedError):
            call(COUNT_DATA)
