import keras
import numpy as np
import pytest
from scipy import sparse
from scipy.special import expit

from latentcells import likelihoods
from latentcells.likelihoods._get_likelihood import get_likelihood
from latentcells.likelihoods._likelihood import sum_over_cells
from latentcells.models import VAE
from tests.helpers import refused, run_layer_test
from tests.likelihoods.references import zinb

NAMES = ("bernoulli", "gaussian", "negative_binomial", "poisson", "zero_inflated_negative_binomial")
COUNTS = NAMES[2:]
backend = pytest.mark.backend


def hidden_and_library(cells=5, units=4):
    rng = np.random.default_rng(0)
    return rng.normal(size=(cells, units)).astype("float32"), rng.integers(20, 900, (cells, 1)).astype(
        "float32"
    )


@backend
@pytest.mark.parametrize("name", NAMES)
def test_a_head_fulfils_what_every_layer_must(name, tmp_path):
    config = {"n_genes": 7, "seed": 3}
    run_layer_test(get_likelihood(name), config, hidden_and_library(), tmp_path, float32_output=True)


@backend
@pytest.mark.parametrize(
    ("name", "shapes"),
    [
        ("bernoulli", {"logits": (5, 7)}),
        ("gaussian", {"mean": (5, 7), "log_var": (1,)}),
        ("negative_binomial", {"mean": (5, 7), "theta": (7,)}),
        ("poisson", {"mean": (5, 7)}),
        ("zero_inflated_negative_binomial", {"mean": (5, 7), "theta": (7,), "inflation_logits": (5, 7)}),
    ],
)
def test_the_parameters_of_a_head(name, shapes):
    head = get_likelihood(name)(7)
    parameters = head(*hidden_and_library())
    assert {key: tuple(value.shape) for key, value in parameters.items()} == shapes
    assert tuple(head.mean(parameters).shape) == (5, 7)
    assert tuple(head.log_prob(np.ones((5, 7), "float32"), parameters).shape) == (5, 7)


@backend
def test_the_mean_counts_of_a_cell_sum_to_its_library():
    hidden, library = hidden_and_library()
    parameters = get_likelihood("negative_binomial")(7)(hidden, library)
    np.testing.assert_allclose(np.sum(parameters["mean"], axis=1, keepdims=True), library, rtol=1e-5)


@backend
def test_each_head_uses_its_own_log_probability():
    rng, (hidden, library) = np.random.default_rng(1), hidden_and_library()
    x = rng.integers(0, 2, (5, 7)).astype("float32")
    for name in NAMES[:-1]:
        function = getattr(likelihoods, f"{name}_log_prob")
        head = get_likelihood(name)(7)
        parameters = head(hidden, library)
        np.testing.assert_allclose(head.log_prob(x, parameters), function(x, *parameters.values()), rtol=1e-5)
    head = get_likelihood("zero_inflated_negative_binomial")(7)
    p = head(hidden, library)
    expected = zinb(x, p["mean"], p["theta"], p["inflation_logits"])
    np.testing.assert_allclose(head.log_prob(x, p), expected, rtol=1e-5)
    np.testing.assert_allclose(
        head.mean(p), np.asarray(p["mean"]) * (1 - expit(p["inflation_logits"])), rtol=1e-5
    )


@backend
@pytest.mark.parametrize("name", NAMES)
def test_a_head_starts_at_the_average_cell(name):
    """Within 2 %, because one molecule is added to each gene; the inflation starts at one half."""
    rng, (hidden, library) = np.random.default_rng(1), hidden_and_library()
    x = rng.poisson(rng.uniform(1, 9, 7), (400, 7)).astype("float32")
    x = {"bernoulli": x / x.max(axis=0), "gaussian": np.log1p(x)}.get(name, x)
    head = get_likelihood(name)(7)
    head(hidden, library)
    head._start_at(x)
    parameters = head(0 * hidden, x.sum(axis=1).mean() * np.ones_like(library))
    scale = {"zero_inflated_negative_binomial": 0.5}.get(name, 1.0)
    np.testing.assert_allclose(head.mean(parameters), np.tile(scale * x.mean(axis=0), (5, 1)), rtol=0.02)
    if name == "gaussian":
        np.testing.assert_allclose(np.exp(parameters["log_var"]), x.var(axis=0).mean(), rtol=0.02)


class InBlocks(sparse.csr_matrix):
    """A CSR matrix that fails if the whole of it is made dense."""

    def toarray(self, *args, **kwargs):
        assert self.shape[0] <= 512
        return super().toarray(*args, **kwargs)


@backend
@pytest.mark.parametrize("name", NAMES)
def test_the_start_is_the_same_to_the_bit_for_a_sparse_matrix(name):
    rng = np.random.default_rng(0)
    x = rng.poisson(rng.uniform(0.1, 9, 7), (1300, 7)).astype("float32")
    x = {"bernoulli": x / x.max(axis=0), "gaussian": np.log1p(x)}.get(name, x)

    def start(x):
        head = get_likelihood(name)(7)
        head.build((None, 4), (None, 1))
        head._start_at(x)
        return [v.numpy() for v in head.trainable_variables if len(v.shape) == 1]

    for form in (InBlocks(x), sparse.csr_array(x)):
        for value, expected in zip(start(form), start(x), strict=True):
            np.testing.assert_array_equal(value, expected)


def test_the_sum_over_cells_is_the_same_to_the_bit_in_every_layout():
    x = np.log1p(np.random.default_rng(0).poisson(3.0, (1300, 7))).astype("float32")
    total = sum_over_cells(x, np.square)
    np.testing.assert_allclose(total, np.square(x, dtype="float64").sum(axis=0), rtol=1e-12)
    for form in (InBlocks(x), np.asfortranarray(x), x[:, ::-1][:, ::-1]):
        np.testing.assert_array_equal(sum_over_cells(form, np.square), total)


@backend
def test_the_start_of_the_gaussian_is_exact():
    """A float32 sum of so many large values would have only four correct digits."""
    x = np.full((20_000, 2), 19.9, "float32")
    x[::2] = 19.8
    head = likelihoods.Gaussian(2)
    head.build((None, 4), (None, 1))
    head._start_at(x)
    np.testing.assert_allclose(head.dense.bias, x.mean(axis=0, dtype="float64"), rtol=1e-7)
    np.testing.assert_allclose(np.exp(head.log_var), x.var(dtype="float64") + 1e-6, rtol=1e-6)


@backend
@pytest.mark.parametrize("name", NAMES)
def test_the_seed_gives_the_weights(name):
    def kernels(seed):
        head = get_likelihood(name)(7, seed=seed)
        head(*hidden_and_library())
        return [v.numpy() for v in head.trainable_variables if len(v.shape) == 2]

    for one, same, other in zip(kernels(1), kernels(1), kernels(2), strict=True):
        np.testing.assert_array_equal(one, same)
        assert not np.array_equal(one, other)


@backend
def test_the_two_kernels_of_the_inflated_head_differ():
    head = get_likelihood("zero_inflated_negative_binomial")(7)
    head(*hidden_and_library())
    assert not np.array_equal(head.dense.kernel.numpy(), head.inflation.kernel.numpy())


@backend
def test_the_encoder_gets_the_logarithm_of_counts():
    x = np.float32([[0, 1, 99]])
    for name in COUNTS:
        np.testing.assert_allclose(get_likelihood(name)._encoder_input(x), np.log1p(x), rtol=1e-6)
    for name in ("bernoulli", "gaussian"):
        assert get_likelihood(name)._encoder_input(x) is x


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
        get_likelihood(name)._check(x)
    assert "\n" not in str(refusal.value)


def test_a_head_accepts_the_data_that_it_is_meant_for():
    for name, x in zip(NAMES, (UNIT_DATA, LOG1P_DATA, *[COUNT_DATA] * 3), strict=True):
        get_likelihood(name)._check(x)


@pytest.mark.parametrize("name", COUNTS)
def test_a_cell_without_counts_is_refused_and_a_gene_without_is_not(name):
    head = get_likelihood(name)
    head._check(np.float32([[0, 2], [0, 1]]))
    refused(
        lambda: head._check(sparse.csr_matrix([[0, 0], [3, 1]])),
        r"^x has 1 cells with a total of 0 \(the first has index 0\)",
    )


@backend
@pytest.mark.parametrize("name", COUNTS)
def test_a_gene_without_counts_is_learned_as_rare(name):
    """Its share stays above 0 and below that of every expressed gene, before and after training."""
    x = np.random.default_rng(0).poisson(np.linspace(0.5, 5, 20), (96, 20)).astype("float32")
    x[:, 7] = 0
    model = VAE(20, latent_dim=2, hidden=(8,), likelihood=name, seed=0)
    model.compile("adam", run_eagerly=True)
    for epochs in (0, 5):
        assert np.isfinite(model.fit(x, epochs=epochs, verbose=0).history.get("loss", [])).all()
        share = model.reconstruct(x).sum(axis=0) / x.sum()
        assert 0 < share[7] < 1e-2 and share[7] < np.delete(share, 7).min()


@backend
@pytest.mark.parametrize("name", NAMES)
def test_drawn_cells_have_the_mean_and_the_variance_of_the_likelihood(name):
    """100,000 draws of each of seven genes: within five standard errors."""
    head, n = get_likelihood(name)(7), 100_000
    hidden, library = hidden_and_library(1)
    parameters = keras.tree.map_structure(keras.ops.convert_to_numpy, head(hidden, library))
    mean = np.asarray(head.mean(parameters))[0].astype("float64")
    many = {key: np.tile(p, (n, 1)) if p.ndim > 1 else p for key, p in parameters.items()}
    drawn = head.sample(many, np.random.default_rng(0))
    assert drawn.shape == (n, 7) and drawn.dtype == np.float32
    mu, share = parameters.get("mean", mean)[-1], expit(parameters.get("inflation_logits", [[-np.inf]]))[0]
    nb = (1 - share) * (mu + mu**2 / parameters.get("theta", np.inf) + share * mu**2)
    variance = {"bernoulli": mean * (1 - mean), "gaussian": np.ones(7)}.get(name, nb)  # log_var starts at 0
    np.testing.assert_array_less(abs(drawn.mean(axis=0) - mean), 5 * np.sqrt(variance / n))
    np.testing.assert_allclose(drawn.var(axis=0, dtype="float64"), variance, rtol=0.05)
    if name == "bernoulli":
        assert set(np.unique(drawn)) == {0, 1}
    elif name != "gaussian":
        assert (drawn >= 0).all() and (drawn == drawn.round()).all()


def test_the_base_head_is_abstract():
    head = likelihoods.Likelihood(7)
    for call in (
        head._check,
        head._start_at,
        head.mean,
        lambda x: head.log_prob(x, None),
        lambda x: head.sample(x, np.random.default_rng(0)),
    ):
        with pytest.raises(NotImplementedError):
            call(COUNT_DATA)
