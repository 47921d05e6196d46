"""The common part of the gene Transformers: the trunk from counts to z, its arguments, and earlier files."""

from pathlib import Path

import keras
import numpy as np
import pytest
from scipy import sparse

import latentcells as lc
from latentcells.models import CellAnnotator, GeneTransformer, MaskedAutoencoder, MaskedGeneTransformer
from tests.helpers import refused
from tests.models.conftest import SETS, TRANSFORMER, TYPES, one_step

FILES = (
    Path(__file__).parent / "files"
)  # written by the last version in which GeneTransformer was one class for both
OF_SETS = {"tokens": "sets", "sets": SETS, "n_tokens": None}


def transformer(**keywords):
    return MaskedGeneTransformer(**{**TRANSFORMER, **keywords})


def annotator(**keywords):
    return CellAnnotator(**{**TRANSFORMER, "labels": TYPES, **keywords})


# -- from counts to z -------------------------------------------------------------------------------------------------


@pytest.mark.backend
@pytest.mark.parametrize("pooling", ["mean", "cls", "attention"])
@pytest.mark.parametrize("tokens", ["all", "expressed", "rank", "sets"])
def test_every_weight_learns(tokens, pooling, typed, tmp_path):
    """And is restored from the file, for each kind of token and pooling."""
    config = {"tokens": tokens, "pooling": pooling, "sets": SETS if tokens == "sets" else None}
    model = annotator(**config, n_tokens=None if tokens in ("all", "sets") else 8)
    before = [w.numpy() for w in model.trainable_variables]
    x, y = typed["x"][:24], typed["y"][:24]
    one_step(model, x, y)
    for start, weight in zip(before, model.trainable_variables, strict=True):
        assert not np.array_equal(start, weight.numpy()), weight.path
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(loaded.encode(x), model.encode(x))
    share, loaded_share = (m.predict_labels(x)["probability"] for m in (model, loaded))
    np.testing.assert_array_equal(loaded_share, share)


@pytest.mark.parametrize("values", ["linear", "binned", "piecewise"])
@pytest.mark.parametrize("tokens", ["all", "expressed"])
def test_the_values_matter_and_not_only_the_genes(tokens, values):
    """Two cells whose tokens are the same genes in the same order."""
    model = transformer(tokens=tokens, values=values, n_tokens=None)
    one, two = model.encode(np.exp2([np.arange(30) % 3, 2.0 * (np.arange(30) % 3)]).astype(int))
    assert np.abs(one - two).max() > 1e-3


def test_z_does_not_depend_on_the_depth(typed):
    model = transformer()
    np.testing.assert_allclose(model.encode(3 * typed["new x"]), model.encode(typed["new x"]), atol=1e-4)


@pytest.mark.parametrize("target_sum", [300.0, 1e4])
def test_counts_are_scaled_to_the_target_sum(target_sum, typed):
    """This also holds for the gene means that the ranks are relative to."""
    x = typed["x"]
    model = annotator(target_sum=target_sum)
    one_step(model, x, typed["y"])
    expected = np.log1p(target_sum * x / x.sum(axis=1, keepdims=True))
    np.testing.assert_allclose(keras.ops.convert_to_numpy(model.log1p(x)), expected, rtol=1e-5)
    mean = keras.ops.convert_to_numpy(model.trunk.get_layer("tokens").mean)
    np.testing.assert_allclose(mean, expected.mean(axis=0), rtol=1e-5)


def test_without_blocks_the_tokens_are_pooled_as_they_are(typed):
    model, x = transformer(tokens="all", n_tokens=None, depth=0, values="linear"), typed["new x"][:5]
    gene, (bias, slope) = (model.trunk.get_layer(name).get_weights()[0] for name in ("genes", "values"))
    log1p = np.log1p(1e4 * x / x.sum(axis=1, keepdims=True))
    token = gene + bias + log1p[..., None] * slope
    mean = token.mean(axis=1)
    normed = (mean - mean.mean(-1, keepdims=True)) / np.sqrt(mean.var(-1, keepdims=True) + 1e-3)
    np.testing.assert_allclose(model.encode(x), normed, atol=1e-4)
    for call in (model.attention, model.attention_maps):
        refused(lambda call=call: call(x), r"^depth=0 leaves no block, and no attention: build")


@pytest.mark.backend
@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
@pytest.mark.parametrize("labels", [None, TYPES])
def test_half_precision(policy, labels, typed):
    """Deep cells: a library size of 1e5 is beyond float16."""
    x, before = typed["x"][:32] * 1000, keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = transformer(pooling="cls") if labels is None else annotator(pooling="cls")
        one_step(model, x, None if labels is None else typed["y"][:32])
    finally:
        keras.config.set_dtype_policy(before)
    assert np.isfinite(model.history.history["loss"]).all()
    assert model.encode(x).dtype == np.float32 and np.isfinite(model.encode(x)).all()
    np.testing.assert_allclose(model.attention(x).sum(axis=1), 1.0, atol=0.4)


# -- one model for another --------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def pretrained(typed):
    return one_step(transformer(), typed["x"])


def test_a_trunk_is_taken_over(pretrained, typed):
    model = annotator(dropout=0.0, rate=0.1, seed=5)
    assert not np.allclose(model.encode(typed["x"]), pretrained.encode(typed["x"]), atol=1e-2)
    model.start_from(pretrained)
    np.testing.assert_array_equal(model.encode(typed["x"]), pretrained.encode(typed["x"]))
    means = pretrained.trunk.get_layer("tokens").mean.numpy()
    before = pretrained.get_weights()
    one_step(model, typed["x"][:24] * (np.arange(30) % 2 + 1), typed["y"][:24])
    np.testing.assert_array_equal(model.trunk.get_layer("tokens").mean.numpy(), means)
    assert not np.allclose(model.encode(typed["x"]), pretrained.encode(typed["x"]), atol=1e-3)
    for weight, same in zip(pretrained.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_means_are_those_of_the_training_cells_and_saved(typed, tmp_path):
    model = one_step(annotator(), typed["x"], typed["y"])
    x = typed["x"]
    log1p = np.log1p(1e4 * x / x.sum(axis=1, keepdims=True)).mean(axis=0)
    np.testing.assert_allclose(model.trunk.get_layer("tokens").mean.numpy(), log1p, rtol=1e-5)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    mean, loaded_mean = (m.trunk.get_layer("tokens").mean.numpy() for m in (model, loaded))
    np.testing.assert_array_equal(mean, loaded_mean)
    for key, value in model.predict_labels(typed["new x"], 0.6).items():
        np.testing.assert_array_equal(loaded.predict_labels(typed["new x"], 0.6)[key], value)
    loaded.fit(typed["new x"], typed["new y"], verbose=0)
    np.testing.assert_array_equal(loaded.trunk.get_layer("tokens").mean.numpy(), loaded_mean)


@pytest.mark.parametrize(
    ("keywords", "differing"),
    [
        ({"dim": 4}, "dim=4 against 8"),
        ({"n_tokens": 9}, "n_tokens=9 against 8"),
        ({"pooling": "cls"}, "pooling='cls' against 'mean'"),
        ({"values": "linear"}, "values='linear' against 'piecewise'"),
        ({"tokens": "expressed", "depth": 2}, "tokens='expressed' against 'rank', depth=2 against 1"),
        (OF_SETS, "tokens='sets' against 'rank', n_tokens=None against 8, sets=.*"),
    ],
)
def test_another_trunk_is_refused(keywords, differing):
    model = annotator()
    before = model.get_weights()
    message = rf"^the trunks differ \({differing}\): build both models with the same arguments$"
    refused(lambda: model.start_from(transformer(**keywords)), message)
    for weight, same in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weight, same)


def test_the_trunk_of_another_kind_of_model_is_refused():
    other, message = (
        MaskedAutoencoder(30, latent_dim=8),
        r"^the trunks differ \(tokens=None against 'rank', .*\): build",
    )
    refused(lambda: annotator().start_from(other), message)


def test_sets_may_be_arrays_of_numpy():
    one, two = (transformer(**{**OF_SETS, "sets": [make(s) for s in SETS]}) for make in (np.array, tuple))
    assert one.get_config()["sets"] == SETS
    two.start_from(one)


# -- files of an earlier version --------------------------------------------------------------------------------------

LOADS = [keras.models.load_model, lc.models.load]


@pytest.fixture(scope="module")
def answers():
    """Cells, and the outputs for them of the models in the files."""
    with np.load(FILES / "answers.npz") as stored:
        return dict(stored)


@pytest.mark.backend
@pytest.mark.parametrize("load", LOADS)
def test_an_earlier_file_without_labels_is_a_masked_model(load, answers):
    model, x = load(FILES / "masked.keras"), answers["x"]
    assert type(model) is MaskedGeneTransformer and model.compiled
    np.testing.assert_allclose(model.encode(x), answers["masked z"], atol=1e-5)
    np.testing.assert_allclose(model.attention(x), answers["masked attention"], atol=1e-5)
    model.fit(x, batch_size=8, verbose=0)
    assert not np.allclose(model.encode(x), answers["masked z"], atol=1e-4)


@pytest.mark.backend
@pytest.mark.parametrize("load", LOADS)
def test_an_earlier_file_with_labels_is_an_annotator(load, answers):
    model, x = load(FILES / "annotator.keras"), answers["x"]
    assert type(model) is CellAnnotator and model.compiled
    assert list(model.labels) == TYPES and model.label_smoothing == 0.1
    np.testing.assert_allclose(model.encode(x), answers["annotator z"], atol=1e-5)
    share = model.predict_labels(x)["probability"]
    np.testing.assert_allclose(share, answers["annotator probability"], atol=1e-5)
    model.fit(x, answers["y"], batch_size=8, verbose=0)
    assert not np.allclose(model.encode(x), answers["annotator z"], atol=1e-4)


@pytest.mark.skipif(
    keras.backend.backend() != "tensorflow", reason="backends draw other numbers from one seed"
)
@pytest.mark.parametrize("kind", ["masked", "annotator"])
def test_the_same_arguments_train_the_same_model(kind, answers):
    """As in the earlier version: the same weights, masks and order."""
    config = {"n_genes": 12, "n_tokens": 4, "dim": 4, "n_heads": 2, "depth": 1, "pooling": "cls", "seed": 3}
    y = None if kind == "masked" else answers["y"]
    model = transformer(**config) if y is None else annotator(**config, label_smoothing=0.1)
    model.compile(optimizer=keras.optimizers.SGD(0.05), steps_per_execution=1)
    model.fit(answers["x"], y, batch_size=8, epochs=2, verbose=0)
    np.testing.assert_allclose(model.encode(answers["x"]), answers[f"{kind} z"], atol=1e-5)


def test_a_new_file_names_the_new_class():
    for model in (transformer(), annotator()):
        config = keras.saving.serialize_keras_object(model)
        assert config["registered_name"] == f"latentcells>{type(model).__name__}"
        assert ("labels" in config["config"]) == (type(model) is CellAnnotator)


# -- refusals ---------------------------------------------------------------------------------------------------------


def test_the_base_is_no_model():
    message = "^GeneTransformer has no loss: build a MaskedGeneTransformer or a CellAnnotator$"
    for arguments in ((30,), (30, TYPES)):
        refused(lambda arguments=arguments: GeneTransformer(*arguments), message, TypeError)
    refused(lambda: GeneTransformer(30, labels=TYPES), message, TypeError)


@pytest.mark.parametrize(
    ("keywords", "message"),
    [
        ({"n_heads": 3}, r"^n_heads=3 does not divide dim=8: choose from \[1, 2, 4, 8\]$"),
        ({"n_genes": 0}, "^n_genes must be at least 1, got 0"),
        ({"dim": 0}, "^dim must be at least 1, got 0"),
        ({"depth": -1}, "^depth must be at least 0, got -1"),
        ({"target_sum": 0}, "^target_sum must be positive, got 0"),
        ({"drop_path": 1.0}, "^drop_path must be at least 0 and less than 1, got 1.0"),
        ({"seed": -1}, "^seed must be at least 0, got -1"),
        ({"tokens": "genes"}, "^tokens='genes' is unknown: choose from 'all', 'expressed', 'rank', 'sets'"),
        ({"values": "cubic"}, "^values='cubic' is unknown: choose from 'linear', 'binned', 'piecewise'"),
        ({"pooling": "max"}, "^pooling='max' is unknown: choose from 'mean', 'cls', 'attention'"),
        ({"n_tokens": 31}, "^n_tokens=31 is more than the 30 genes: lower it"),
        ({"tokens": "all"}, "^how='all' with n_tokens=8: 'all' takes every gene"),
        ({**OF_SETS, "n_tokens": 8}, "^tokens='sets' with n_tokens=8: every set is a token, leave it out"),
        ({"sets": SETS}, "^tokens='rank' with sets=.*: tokens='sets' needs sets, the others none"),
        ({"tokens": "sets"}, "^tokens='sets' with sets=None: tokens='sets' needs sets"),
        ({**OF_SETS, "sets": []}, "^members must be sets with a gene each, got 0 sets"),
        ({**OF_SETS, "sets": [[1], []]}, "got 2 sets, 1 of them empty: drop the empty ones"),
        ({**OF_SETS, "sets": [[1], [30]]}, "^members has gene 30, the data have 30: number them from 0"),
        ({"dropout": 1.0}, "^dropout must be at least 0 and less than 1, got 1.0"),
    ],
)
def test_a_setting_is_refused(keywords, message):
    for build in (transformer, annotator):
        refused(lambda build=build: build(**keywords), message)


@pytest.mark.parametrize("name", ["encode", "predict_labels", "attention", "attention_maps", "fit"])
def test_data_that_are_not_counts_are_refused(name, typed):
    model, x = annotator(), typed["x"]
    model.compile()
    more = (typed["y"],) if name == "fit" else ()
    for cells, message in (
        (np.log1p(x), "^x must hold counts .*: looks like log1p data"),
        (-x, "^x must hold counts .*: looks like z-scores"),
        (x * np.nan, "^x must be finite, got nan"),
        (x[:, 1:], "^x has 29 genes, expected 30: select the genes"),
        (x * (np.arange(160) != 3)[:, None], r"^x has 1 cells with a total of 0 \(the first has index 3\)"),
    ):
        refused(lambda cells=cells: getattr(model, name)(cells, *more), message)
    if name in ("encode", "attention", "fit"):
        refused(lambda: getattr(model, name)(x, *more, batch_size=0), "^batch_size must be at least 1, got 0")


def test_a_cell_needs_a_gene_that_the_training_cells_had(typed):
    """A gene that the training cells lack has no rank; it occurs, for instance, in another study."""
    x, only = typed["x"].copy(), np.zeros((3, 30), "float32")
    x[:, :2], only[[0, 1, 2], [5, 0, 1]] = 0, 9
    model = one_step(annotator(), x, typed["y"])
    message = r"^2 cells have no gene that can be a token \(the first has index 1\): drop them$"
    for call in (model.encode, model.predict_labels, model.attention):
        refused(lambda call=call: call(only), message)
    assert np.isfinite(model.encode(only[:1])).all()
    for tokens in ({"tokens": "expressed"}, {"tokens": "all", "n_tokens": None}, OF_SETS):
        assert np.isfinite(annotator(**tokens).encode(only)).all()


def test_sparse_cells_are_checked_without_making_them_dense(typed):
    model = one_step(annotator(), typed["x"] * (np.arange(30) > 1), typed["y"])
    np.testing.assert_array_equal(model.encode(sparse.csr_matrix(typed["x"])), model.encode(typed["x"]))
    only = sparse.csr_matrix(np.eye(3, 30, 1, dtype="float32"))
    message = r"^1 cells have no gene that can be a token \(the first has index 0\): drop them$"
    refused(lambda: model.encode(only), message)
