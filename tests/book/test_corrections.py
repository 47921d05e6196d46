"""One test for each entry of book/corrections.md: it shows the error and, beside it, the correction.

The document is quoted in fragments, never copied at length. No test needs a network or a data file.
"""

import ast
import importlib.metadata
import json
import os
import re
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import latentcells as lc  # isort: skip
import keras
import numpy as np
import pytest
import scanpy as sc
from anndata import AnnData
from scipy import integrate, stats
from scipy.special import expit
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score
from sklearn.model_selection import cross_val_score
from sklearn.neighbors import KNeighborsClassifier
from sklearn.preprocessing import MinMaxScaler, StandardScaler

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "book" / "corrections.md"
tensorflow_only = pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="the document's code is TensorFlow's"
)


def kl_to_standard_normal(mean, log_var):
    """KL(N(μ, σ²) ‖ N(0, 1)) = ½ Σₖ (μₖ² + σₖ² − 1 − log σₖ²), summed over the last axis. Unit: nats."""
    return 0.5 * np.sum(mean**2 + np.exp(log_var) - 1 - log_var, axis=-1)


def elbo_of_gaussian_pair(x, q_mean, q_var, noise=0.5):
    """Exact ELBO of z ~ N(0, 1), x | z ~ N(z, noise) under q(z | x) = N(q_mean, q_var), and its two terms."""
    reconstruction = -0.5 * (np.log(2 * np.pi * noise) + ((x - q_mean) ** 2 + q_var) / noise)
    kl = kl_to_standard_normal(np.array([q_mean]), np.log([q_var]))
    return reconstruction - kl, reconstruction, kl


def encoder_symbols(n_genes=20, latent_dim=4):
    """A small version of the document's encoder: its input, means and log-variances as KerasTensors."""
    x = keras.Input((n_genes,))
    hidden = keras.layers.Dense(8, activation="relu")(x)
    return x, keras.layers.Dense(latent_dim)(hidden), keras.layers.Dense(latent_dim)(hidden)


@pytest.fixture(scope="module")
def noise_graph():
    """Three hundred cells of pure noise with their neighbour graph on PCA: no groups exist here."""
    adata = AnnData(np.random.default_rng(0).normal(size=(300, 200)).astype("float32"))
    sc.pp.pca(adata, n_comps=10, random_state=0)
    sc.pp.neighbors(adata, n_neighbors=10, use_rep="X_pca", random_state=0)
    return adata


def leiden(adata, resolution):
    sc.tl.leiden(
        adata, resolution=resolution, flavor="igraph", n_iterations=2, directed=False, random_state=0
    )
    return adata.obs["leiden"].to_numpy()


# The mathematics ---------------------------------------------------------------------------------------------------


def test_c01_kl_sums_over_latent_dimensions_with_one_index():
    mean, var = np.array([0.3, -1.2, 2.0]), np.array([0.4, 1.7, 9.0])
    integral = 0.0
    for m, v in zip(mean, var, strict=True):
        q = stats.norm(m, np.sqrt(v))
        integral += integrate.quad(
            lambda z, q=q: q.pdf(z) * (q.logpdf(z) - stats.norm.logpdf(z)), -40, 40, limit=200
        )[0]
    kl = kl_to_standard_normal(mean, np.log(var))
    assert kl == pytest.approx(integral, rel=1e-6)
    one_term = -0.5 * (1 + np.log(var[1]) - mean[1] ** 2 - var[1])  # no sum
    assert one_term != pytest.approx(integral, rel=0.1)
    mixed = -0.5 * (1 + np.log(var[2]) - mean[0] ** 2 - var[0])  # σ_i beside μ_j, σ_j
    assert mixed < 0, "with two indices the 'divergence' can be negative, which no KL divergence is"


def test_c02_two_different_kl_divergences():
    x, noise = 1.5, 0.5
    evidence = stats.norm(0, np.sqrt(1 + noise)).logpdf(x)
    posterior_mean, posterior_var = x / (1 + noise), noise / (1 + noise)
    q_mean, q_var = 0.2, 0.7
    to_posterior = 0.5 * (
        (q_var + (q_mean - posterior_mean) ** 2) / posterior_var - 1 - np.log(q_var / posterior_var)
    )
    elbo, _, kl_to_prior = elbo_of_gaussian_pair(x, q_mean, q_var, noise)
    assert elbo + to_posterior == pytest.approx(evidence)  # log p(x) = ELBO + KL(q ‖ p(z | x))
    assert kl_to_prior != pytest.approx(to_posterior)
    # Minimising KL(q ‖ p(z)) alone gives q = N(0, 1) for every cell, which says nothing about x and has a worse ELBO.
    collapsed, _, kl_collapsed = elbo_of_gaussian_pair(x, 0.0, 1.0, noise)
    best, _, _ = elbo_of_gaussian_pair(x, posterior_mean, posterior_var, noise)
    assert kl_collapsed == pytest.approx(0.0)
    assert collapsed < best == pytest.approx(evidence)


def test_c03_the_generator_is_the_decoder():
    encoder = keras.Sequential([keras.Input((20,)), keras.layers.Dense(4)])
    decoder = keras.Sequential([keras.Input((4,)), keras.layers.Dense(20, activation="sigmoid")])
    draw_from_prior = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    assert decoder(draw_from_prior).shape == (3, 20)  # generating cells needs the decoder and a draw of z
    with pytest.raises(ValueError, match="incompatible"):
        encoder(draw_from_prior)  # the encoder cannot generate: its input is a cell


def test_c04_the_encoder_gives_q_and_not_the_posterior():
    # x = loadings · z + noise, with three genes and two latent dimensions
    loadings, noise = np.array([[1.0, 0.8], [0.8, 1.0], [1.0, 1.0]]), 0.5
    posterior_covariance = np.linalg.inv(np.eye(2) + loadings.T @ loadings / noise)
    assert abs(posterior_covariance[0, 1]) > 0.1  # the true p(z | x) has correlated dimensions
    diagonal = 1 / np.diag(np.linalg.inv(posterior_covariance))  # the best q with independent dimensions
    gap = 0.5 * (np.sum(np.log(1 / diagonal)) + np.linalg.slogdet(posterior_covariance)[1])
    assert gap > 0.1  # KL(q ‖ p(z | x)) that no training removes


def test_c05_the_second_output_is_the_log_variance():
    log_var = np.array([-2.0, 0.0, 1.0])
    assert (log_var < 0).any()  # a variance is never negative, so the output cannot be one
    sigma = np.exp(0.5 * log_var)
    draws = np.random.default_rng(0).normal(size=(200_000, 3)) * sigma
    np.testing.assert_allclose(draws.var(0), np.exp(log_var), rtol=0.02)
    assert not np.allclose(np.exp(log_var), sigma)  # without the ½ the noise has the wrong scale


def test_c06_the_posterior_belongs_to_one_cell():
    noise, rng = 0.5, np.random.default_rng(0)
    x = rng.normal(scale=np.sqrt(1 + noise), size=200_000)
    posterior_mean, posterior_var = x / (1 + noise), noise / (1 + noise)
    assert np.ptp(posterior_mean) > 1  # each cell has its own p(z | x)
    pooled_var = posterior_var + posterior_mean.var()
    assert pooled_var == pytest.approx(
        1.0, rel=0.02
    )  # averaged over all x, the posteriors give back the prior


def test_c07_a_perfect_copy_is_not_the_goal():
    rng = np.random.default_rng(0)
    rate = rng.gamma(2.0, 1.0, size=20_000)
    counts, recount = rng.poisson(rate), rng.poisson(rate)  # the same cell measured twice
    copy = np.maximum(counts, 0.01)  # x' = x
    assert stats.poisson(copy).logpmf(counts).mean() > stats.poisson(rate).logpmf(counts).mean()
    assert stats.poisson(copy).logpmf(recount).mean() < stats.poisson(rate).logpmf(recount).mean()


def test_c08_a_method_is_compared_with_a_baseline():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 3)) @ rng.normal(size=(3, 30)) + 0.1 * rng.normal(size=(200, 30))
    x -= x.mean(0)
    pca = PCA(3).fit(x)
    pca_error = ((x - pca.inverse_transform(pca.transform(x))) ** 2).sum()
    for _ in range(50):  # Eckart and Young: no other linear code with three numbers does better
        basis = np.linalg.qr(rng.normal(size=(30, 3)))[0]
        assert ((x - x @ basis @ basis.T) ** 2).sum() > pca_error


# The data and the reconstruction term ------------------------------------------------------------------------------


def test_c09_binary_cross_entropy_is_no_likelihood_of_fractions():
    for p in (0.1, 0.5, 0.9):
        area, _ = integrate.quad(lambda x, p=p: p**x * (1 - p) ** (1 - x), 0, 1)
        assert area < 0.95  # a density on [0, 1] has area 1
        assert p + (1 - p) == 1  # on {0, 1} it is one
    x = 0.3
    p = np.linspace(0.01, 0.99, 99)
    cross_entropy = -(x * np.log(p) + (1 - x) * np.log(1 - p))
    assert p[cross_entropy.argmin()] == pytest.approx(x)
    assert cross_entropy.min() > 0.5  # a perfect reconstruction keeps a large loss


def test_c10_one_cell_sets_the_min_max_scale_of_a_gene():
    rng = np.random.default_rng(0)
    gene = rng.normal(size=(500, 1))
    with_outlier = gene.copy()
    with_outlier[0] = 10.0  # scanpy's tutorial clips z-scores at 10
    spread, squeezed = (MinMaxScaler().fit_transform(g)[1:].std() for g in (gene, with_outlier))
    assert squeezed < 0.7 * spread  # 499 unchanged cells moved closer together because one cell changed


def test_c11_z_scores_have_forgotten_the_counts():
    counts = np.random.default_rng(0).poisson(3.0, size=(100, 5))
    deeper = counts * np.array([1, 2, 5, 10, 100])
    scores, scores_of_deeper = (StandardScaler().fit_transform(x) for x in (counts, deeper))
    np.testing.assert_allclose(scores, scores_of_deeper, atol=1e-9)
    log_prob = stats.nbinom(n=2.0, p=2.0 / (2.0 + 3.0)).logpmf  # θ = 2, μ = 3
    assert np.isfinite(log_prob(counts)).all()
    assert np.isneginf(log_prob(scores)).all()  # values that are not counts have probability 0


def test_c12_a_scaler_fitted_on_all_cells_leaks():
    x = np.random.default_rng(0).normal(size=(100, 3))
    x[99] += 5  # a held-out cell
    leaked = MinMaxScaler().fit_transform(x)[:80]
    clean = MinMaxScaler().fit(x[:80]).transform(x[:80])
    assert np.abs(leaked - clean).max() > 0.1  # the held-out cell has changed the training data
    assert MinMaxScaler(clip=True).fit(x[:80]).transform(x[80:]).max() <= 1  # and new cells stay in range


def test_c13_min_max_scaling_is_not_library_size_normalisation():
    rng = np.random.default_rng(0)
    profile = rng.gamma(1.0, 5.0, size=(1, 50))
    counts = np.vstack(
        [profile, 3 * profile, rng.gamma(1.0, 5.0, size=(5, 50))]
    )  # cell 1 is cell 0, sequenced deeper
    scaled = MinMaxScaler().fit_transform(counts)
    normalised = counts / counts.sum(1, keepdims=True)
    assert not np.allclose(scaled[0], scaled[1])
    np.testing.assert_allclose(normalised[0], normalised[1])


@tensorflow_only
def test_c14_cross_entropy_on_probabilities_is_clipped():
    from tensorflow.keras import backend as K  # noqa: N812  the document's name for it

    logit, target = np.float32([-100.0]), np.float32([1.0])
    clipped = float(np.array(K.binary_crossentropy(target, expit(logit)))[0])
    stable = float(np.array(keras.ops.binary_crossentropy(target, logit, from_logits=True))[0])
    assert stable == pytest.approx(100.0)
    assert clipped < 20  # beyond this the loss is flat and its gradient is 0


# The code on Keras 3 -----------------------------------------------------------------------------------------------


@tensorflow_only
def test_c15_a_tensorflow_function_refuses_a_keras_tensor():
    import tensorflow as tf
    from tensorflow.keras import backend as K  # noqa: N812  the document's name for it

    _, mean, log_var = encoder_symbols()
    for call in (lambda: K.sum(mean, axis=-1), lambda: K.exp(log_var), lambda: tf.square(mean)):
        with pytest.raises(
            ValueError, match="A KerasTensor cannot be used as input to a TensorFlow function"
        ):
            call()
    assert keras.ops.sum(keras.ops.square(mean) + keras.ops.exp(log_var), axis=-1).shape == (None,)


def test_c16_functional_add_loss_is_not_implemented():
    x, mean, _ = encoder_symbols()
    model = keras.Model(x, mean)
    with pytest.raises(NotImplementedError) as error:
        model.add_loss(keras.ops.mean(mean))
    assert str(error.value) == ""

    @keras.saving.register_keras_serializable("corrections")
    class Penalty(keras.layers.Layer):
        def call(self, inputs):
            self.add_loss(keras.ops.mean(keras.ops.square(inputs)))
            return inputs

    fixed = keras.Model(x, Penalty()(mean))
    fixed(np.ones((2, 20), "float32"))
    assert len(fixed.losses) == 1  # add_loss belongs inside a layer's call


def test_c17_the_backend_functions_are_gone():
    assert not any(hasattr(keras.backend, name) for name in ("sum", "mean", "square"))
    assert all(hasattr(keras.ops, name) for name in ("sum", "mean", "square", "exp", "binary_crossentropy"))


@tensorflow_only
@pytest.mark.filterwarnings(
    "ignore:__array__ implementation"
)  # Keras's own variables under NumPy 2, when it saves
def test_c18_the_lambda_layer_cannot_be_seeded_or_loaded(tmp_path):
    import tensorflow as tf

    def sampling(args):
        mean, log_var = args
        return mean + tf.exp(0.5 * log_var) * tf.random.normal(tf.shape(mean))

    x, mean, log_var = encoder_symbols()
    model = keras.Model(x, keras.layers.Lambda(sampling, output_shape=(4,))([mean, log_var]))
    cells = np.ones((2, 20), "float32")
    assert not np.allclose(model(cells), model(cells))
    model.save(tmp_path / "vae.keras")
    with pytest.raises((TypeError, ValueError)):
        keras.models.load_model(tmp_path / "vae.keras")

    @keras.saving.register_keras_serializable("corrections")
    class Noise(keras.layers.Layer):
        def __init__(self, seed=7, **kwargs):
            super().__init__(**kwargs)
            self.seed, self.generator = seed, keras.random.SeedGenerator(seed)

        def call(self, mean, log_var):
            noise = keras.random.normal(keras.ops.shape(mean), seed=self.generator)
            return mean + keras.ops.exp(0.5 * log_var) * noise

        def get_config(self):
            return {**super().get_config(), "seed": self.seed}

    fixed = keras.Model(x, Noise()(mean, log_var))
    fixed.save(tmp_path / "fixed.keras")
    loaded = keras.models.load_model(tmp_path / "fixed.keras")
    np.testing.assert_array_equal(fixed(cells), loaded(cells))


@tensorflow_only
def test_c19_without_add_loss_nothing_is_left_to_minimise():
    cells = np.random.default_rng(0).random((16, 20)).astype("float32")
    x, mean, _ = encoder_symbols()
    model = keras.Model(x, keras.layers.Dense(20)(mean))
    model.compile(optimizer="rmsprop")
    with pytest.raises(ValueError, match="No loss to compute"):
        model.fit(cells, epochs=1, verbose=0)

    class WithLoss(keras.Model):
        def compute_loss(self, x=None, y=None, y_pred=None, sample_weight=None, training=True):
            return keras.ops.mean(keras.ops.square(x - y_pred))

    fixed = WithLoss(x, keras.layers.Dense(20)(mean))
    fixed.compile(optimizer="rmsprop")
    assert np.isfinite(fixed.fit(cells, epochs=1, verbose=0).history["loss"]).all()


def test_c20_a_run_without_a_seed_cannot_be_repeated():
    def first_weights(seed=None):
        return np.array(
            keras.initializers.GlorotUniform(seed)((20, 4))
        )  # what keras.layers.Dense starts from

    assert not np.allclose(first_weights(), first_weights())
    np.testing.assert_array_equal(first_weights(seed=7), first_weights(seed=7))


# The experiment ----------------------------------------------------------------------------------------------------


def test_c21_latent_dimensions_that_the_data_do_not_need_stay_at_the_prior():
    n_genes, signals, latent_dim, noise = 100, 5, 64, 0.5
    loadings = np.random.default_rng(0).normal(size=(n_genes, signals))
    covariance = loadings @ loadings.T + noise * np.eye(n_genes)
    eigenvalues = np.sort(np.linalg.eigvalsh(covariance))[::-1][:latent_dim]
    posterior_var = noise / np.maximum(eigenvalues, noise)  # optimum of the linear VAE (probabilistic PCA)
    assert (posterior_var < 0.99).sum() == signals
    np.testing.assert_allclose(posterior_var[signals:], 1.0)  # 59 of the 64 equal the prior: no information


def test_c22_a_validation_on_the_training_cells_cannot_show_overfitting():
    rng = np.random.default_rng(0)
    train, held_out = rng.normal(size=(2, 50, 200))  # 50 cells, 200 weights: a model that can memorise
    target_train, target_held_out = rng.normal(size=(2, 50))  # pure noise: there is nothing to learn
    weights = np.linalg.pinv(train) @ target_train
    training_loss = ((train @ weights - target_train) ** 2).mean()
    documents_validation_loss = ((train @ weights - target_train) ** 2).mean()
    held_out_loss = ((held_out @ weights - target_held_out) ** 2).mean()
    assert documents_validation_loss == training_loss < 1e-20 < 1 < held_out_loss


def test_c23_a_label_of_a_training_cell_is_no_test_label():
    rng = np.random.default_rng(0)
    x, label = rng.normal(size=(200, 20)), rng.integers(0, 2, 200)  # labels are coin tosses
    on_itself = KNeighborsClassifier(1).fit(x, label).score(x, label)
    held_out = KNeighborsClassifier(1).fit(x[:100], label[:100]).score(x[100:], label[100:])
    assert on_itself == 1.0
    assert held_out < 0.65


def test_c24_labels_made_from_pca_favour_pca(noise_graph):
    label = leiden(noise_graph, 1.0)
    rng = np.random.default_rng(1)
    projection = noise_graph.X @ rng.normal(size=(200, 10))  # ten numbers per cell from the same matrix
    knn = KNeighborsClassifier(10)
    pca_score = cross_val_score(knn, noise_graph.obsm["X_pca"], label, cv=3).mean()
    projection_score = cross_val_score(knn, projection, label, cv=3).mean()
    independent = cross_val_score(knn, noise_graph.obsm["X_pca"], rng.permutation(label), cv=3).mean()
    assert pca_score > projection_score + 0.2  # PCA wins, although the data have no groups
    assert pca_score > independent + 0.2


def test_c25_the_number_of_clusters_depends_on_an_unstated_resolution(noise_graph):
    coarse, default, fine = (leiden(noise_graph, r) for r in (0.3, 1.0, 3.0))
    assert len(set(coarse)) < len(set(default)) < len(set(fine))
    assert adjusted_rand_score(default, fine) < 0.9


def test_c26_a_picture_coloured_by_its_own_clusters_always_agrees(noise_graph):
    label = leiden(noise_graph, 1.0)
    rows, columns = noise_graph.obsp["connectivities"].nonzero()
    same = (label[rows] == label[columns]).mean()
    chance = (np.unique(label, return_counts=True)[1] ** 2).sum() / len(label) ** 2
    assert same > 2 * chance  # the colours seem to agree even on noise


@pytest.mark.filterwarnings("ignore")  # umap-learn and numba warn about themselves
def test_c27_umap_shows_distances_that_the_data_do_not_have():
    noise = AnnData(np.random.default_rng(0).normal(size=(150, 64)).astype("float32"))
    sc.pp.neighbors(noise, n_neighbors=10, use_rep="X", random_state=0)
    sc.tl.umap(noise, random_state=0)

    def spread(points):  # standard deviation of all pairwise distances, relative to their mean
        from scipy.spatial.distance import pdist

        return pdist(points).std() / pdist(points).mean()

    assert spread(noise.X) < 0.15  # in the data all cells are about equally far apart
    assert spread(noise.obsm["X_umap"]) > 0.3  # in the picture some are near and some are far


def test_c28_an_array_has_no_cell_names():
    cells = AnnData(np.eye(3, dtype="float32"))
    cells.obs_names = ["AAAC-1", "AAAG-1", "AAAT-1"]
    rebuilt = AnnData(np.array(cells.X))
    assert list(rebuilt.obs_names) == [
        "0",
        "1",
        "2",
    ]  # the barcodes are lost: labels go by position, unchecked
    cells.obsm["X_z"] = np.array(cells.X)  # correct: the embedding stays with its cells
    shuffled = cells[["AAAT-1", "AAAC-1", "AAAG-1"]]
    np.testing.assert_array_equal(shuffled.obsm["X_z"], np.eye(3)[[2, 0, 1]])


def test_c29_louvain_needs_a_package_that_scanpy_does_not_bring(noise_graph):
    needs = [r for r in importlib.metadata.requires("scanpy") if re.match(r"louvain\b", r)]
    assert all("extra ==" in r for r in needs)
    try:
        importlib.metadata.version("louvain")
    except importlib.metadata.PackageNotFoundError:
        with pytest.raises(ImportError):
            sc.tl.louvain(noise_graph.copy())
    assert len(leiden(noise_graph, 1.0)) == noise_graph.n_obs  # Leiden runs with what is installed


def test_c30_our_notebooks_ran_once_from_top_to_bottom():
    for path in sorted((ROOT / "chapters").glob("*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        counts = [c["execution_count"] for c in cells if c["cell_type"] == "code"]
        assert counts == list(range(1, len(counts) + 1)), path.name


# The normalisation section -----------------------------------------------------------------------------------------


def test_c31_batch_variance_is_divided_by_the_number_of_cells():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(10, 4)).astype("float32")
    epsilon = 1e-3
    layer = keras.layers.BatchNormalization(epsilon=epsilon)

    def normalise(variance):
        return (x - x.mean(0)) / np.sqrt(variance + epsilon)

    squares = ((x - x.mean(0)) ** 2).sum(0)
    np.testing.assert_allclose(layer(x, training=True), normalise(squares / len(x)), rtol=1e-4, atol=1e-5)
    assert not np.allclose(layer(x, training=True), normalise(squares / 2), rtol=0.1)


def test_c32_batch_and_layer_normalisation_average_over_different_axes():
    x = np.random.default_rng(0).normal(size=(6, 4)).astype("float32")  # six cells, four features
    batch = np.array(keras.layers.BatchNormalization(epsilon=1e-6)(x, training=True))
    layer = np.array(keras.layers.LayerNormalization(epsilon=1e-6)(x))
    np.testing.assert_allclose(batch.mean(0), 0, atol=1e-5)  # BN: over the cells, one mean per feature
    np.testing.assert_allclose(layer.mean(1), 0, atol=1e-5)  # LN: over the features, one mean per cell
    assert not np.allclose(batch, layer, atol=0.1)


def test_c33_batch_normalisation_does_not_make_layers_independent():
    rng = np.random.default_rng(0)
    x, first = rng.normal(size=(8, 5)), rng.normal(size=(5, 3))
    second_a, second_b = rng.normal(size=(2, 3))

    def loss(first, second, x=x):
        h = x @ first
        h = (h - h.mean(0)) / np.sqrt(h.var(0) + 1e-3)
        return ((h @ second - 1) ** 2).mean()

    def gradient(second, step=1e-6):
        slopes = np.zeros_like(first)
        for index in np.ndindex(*first.shape):
            shifted = first.copy()
            shifted[index] += step
            slopes[index] = (loss(shifted, second) - loss(first, second)) / step
        return slopes

    assert not np.allclose(
        gradient(second_a), gradient(second_b), atol=1e-2
    )  # layer 1 still depends on layer 2
    layer, other = keras.layers.BatchNormalization(), x.astype("float32").copy()
    other[1:] += 3 * rng.normal(size=(7, 5))
    one, two = layer(x.astype("float32"), training=True), layer(other, training=True)
    # and the cells of a mini-batch now depend on each other
    assert not np.allclose(one[0], two[0], atol=0.05)


def test_c34_batch_normalisation_has_a_second_mode():
    x = np.random.default_rng(0).normal(3.0, 2.0, size=(10, 4)).astype("float32")
    layer = keras.layers.BatchNormalization(momentum=0.9)
    in_training = np.array(layer(x, training=True))
    in_inference = np.array(layer(x, training=False))  # moving averages, not the mini-batch
    assert not np.allclose(in_training, in_inference, atol=0.1)
    mean, variance = 0.1 * x.mean(0), 0.9 + 0.1 * x.var(0)
    np.testing.assert_allclose(in_inference, (x - mean) / np.sqrt(variance + 1e-3), rtol=1e-4, atol=1e-4)


def test_c35_layer_normalisation_needs_epsilon():
    silent = np.zeros((1, 8), "float32")  # all units off after a ReLU
    with np.errstate(invalid="ignore"):
        assert np.isnan((silent - silent.mean()) / np.sqrt(((silent - silent.mean()) ** 2).mean())).all()
    assert np.isfinite(keras.layers.LayerNormalization()(silent)).all()
    x = np.random.default_rng(0).normal(size=(3, 8)).astype("float32")
    by_hand = (x - x.mean(1, keepdims=True)) / np.sqrt(
        x.var(1, keepdims=True) + 1e-3
    )  # the output, which the document never gives
    np.testing.assert_allclose(
        keras.layers.LayerNormalization(epsilon=1e-3)(x), by_hand, rtol=1e-4, atol=1e-5
    )


def test_c36_group_normalisation_lies_between_layer_and_nothing():
    x = np.random.default_rng(0).normal(size=(3, 6)).astype("float32")
    groups = x.reshape(3, 2, 3)
    by_hand = (groups - groups.mean(2, keepdims=True)) / np.sqrt(groups.var(2, keepdims=True) + 1e-3)
    np.testing.assert_allclose(
        keras.layers.GroupNormalization(2)(x), by_hand.reshape(3, 6), rtol=1e-3, atol=1e-4
    )
    one = keras.layers.GroupNormalization(1)(x)
    np.testing.assert_allclose(one, keras.layers.LayerNormalization(epsilon=1e-3)(x), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(
        keras.layers.GroupNormalization(6)(x), 0, atol=1e-6
    )  # one gene per group: every output is 0


def test_c37_the_second_section_calls_a_function_that_does_not_exist():
    def get_vae_model(original_dim, intermediate_dim, latent_dim):  # the signature in the document
        return original_dim, intermediate_dim, latent_dim

    with pytest.raises(TypeError, match="batch_norm"):
        get_vae_model(batch_norm=True)
    with pytest.raises(TypeError, match="missing 3 required"):
        get_vae_model()
    with pytest.raises(ValueError, match="normalization='batch_norm' is unknown: choose from None, 'batch'"):
        lc.models.VAE(20, normalization="batch_norm")


def test_c38_no_batch_norm_is_not_layer_norm():
    def build(batch_norm):
        model = keras.Sequential([keras.Input((20,)), keras.layers.Dense(8)])
        if batch_norm:
            model.add(keras.layers.BatchNormalization())
        return model

    off = build(batch_norm=False)
    assert not any(isinstance(layer, keras.layers.LayerNormalization) for layer in off.layers)
    assert len(build(batch_norm=True).layers) == len(off.layers) + 1


# The text ----------------------------------------------------------------------------------------------------------

SLIPS = ("AutoEncoedr", "Transfromer", r"\Sigma_")


def test_c39_names_and_signs_are_spelled_right():
    pages = [p for p in ROOT.joinpath("book").glob("*.md") if p != PAGE] + [
        *ROOT.joinpath("chapters").glob("*.ipynb")
    ]
    assert pages
    for page in pages:
        text = page.read_text(encoding="utf-8")
        assert not [slip for slip in SLIPS if slip in text], page.name


def test_c40_every_empty_section_has_a_place_in_the_course():
    index, page = (path.read_text(encoding="utf-8") for path in (ROOT / "book" / "index.md", PAGE))
    rows = re.findall(r"^\| (.+) \| \{doc\}`\.\./chapters/(\w+)` \|$", page, re.MULTILINE)
    chapters = sorted(path.stem for path in (ROOT / "chapters").glob("*.ipynb"))
    assert [chapter for _, chapter in rows] == chapters[2:]
    assert len({heading for heading, _ in rows}) == len(rows) == 8
    assert all(f":link: ../chapters/{chapter}\n" in index for chapter in chapters)


# The page and this file --------------------------------------------------------------------------------------------


def test_the_page_and_the_tests_name_each_other():
    page = PAGE.read_text(encoding="utf-8")
    source = ast.parse(Path(__file__).read_text(encoding="utf-8"))
    defined = [node.name for node in source.body if isinstance(node, ast.FunctionDef)]
    tests = [name for name in defined if re.match(r"test_c\d\d_", name)]
    named = re.findall(r"`(test_c\d\d_\w+)`", page)
    assert named == tests, "book/corrections.md names these tests, in this order"
    ids = re.findall(r"^### (C\d\d) ", page, flags=re.M)
    assert ids == [f"C{i:02d}" for i in range(1, len(tests) + 1)]
    assert ids == [name[5:8].upper() for name in tests]


def test_every_entry_has_all_its_parts():
    entries = re.split(r"^### C\d\d ", PAGE.read_text(encoding="utf-8"), flags=re.M)[1:]
    for entry in entries:
        for part in ("**It says**", "**Wrong**", "**Right**", "**Test**", "**Where**"):
            assert entry.count(part) == 1, (part, entry[:60])
