"""Whatever holds cells goes into every method of every model, checked alike, and gives the same answer."""

import anndata
import keras
import numpy as np
import pandas as pd
import pytest

import latentcells as lc
from tests.helpers import refused
from tests.models.contract import (
    CELL_NAMES,
    CELLS,
    FORMS,
    GENE_NAMES,
    GENES,
    KINDS,
    as_adata,
    calls,
    fit,
    given,
    noise,
    replay,
    same,
    training_calls,
)

# one of those that go through the same code
DISTINCT = (
    "VAE", "VAE, Gaussian", "BatchVAE", "NeighbourVAE", "MaskedAutoencoder", "ContrastiveEncoder",
    "MaskedGeneTransformer", "CellAnnotator",
)  # fmt: skip
STREAMED = tuple(name for name in DISTINCT if KINDS[name].values == "counts" and not KINDS[name].by_batch)


@pytest.fixture(scope="module", params=DISTINCT)
def case(request):
    return KINDS[request.param]


@pytest.fixture(scope="module")
def trained(case):
    """The model after an epoch on an array. Tests leave its weights as they are."""
    model = case.build()
    fit(model, case)
    return model


@pytest.fixture(scope="module")
def named(case):
    """The model after an epoch on an AnnData, whose genes it remembers. Tests leave its weights as they are."""
    model = case.build()
    fit(model, case, *given(case, "AnnData"))
    return model


# -- every form -------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def answers(case, trained):
    """What each method says of an array, and a function that brings the model's noise back to where it was."""
    restore = noise(trained)
    return replay_all(calls(trained, case, "float64"), restore), restore


@pytest.fixture(scope="module")
def steps(case):
    """A model, its weights after each method that trains, on an array, and a function that takes it back."""
    model = case.build()
    start, restore_noise = model.get_weights(), noise(model)

    def restore():
        model.set_weights(start)
        restore_noise()

    return model, replay_all(training_calls(model, case, "float64"), restore), restore


def replay_all(named, restore):
    """Name -> what the call gives, each from the same state."""
    answers = {}
    for name, call in named.items():
        restore()
        answers[name] = call()
    return answers


@pytest.mark.parametrize("form", FORMS)
def test_every_form_gives_the_same_answer(case, trained, answers, form):
    expected, restore = answers
    for name, answer in replay_all(calls(trained, case, form), restore).items():
        same(answer, expected[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("form", FORMS)
def test_every_form_trains_the_same_model(case, steps, form):
    model, expected, restore = steps
    for name, weights in replay_all(training_calls(model, case, form), restore).items():
        same(weights, expected[name])


@pytest.mark.parametrize("name", STREAMED)
def test_a_stream_from_a_file_is_one_of_the_forms(name, tmp_path):
    case = KINDS[name]
    as_adata(case).write_h5ad(tmp_path / "cells.h5ad")
    one, other = case.build(), case.build()

    def stream():
        return lc.datasets.stream(
            tmp_path / "cells.h5ad", layer="counts", batch_size=CELLS // 2, shuffle=False
        )

    expected = calls(one, case, "float64")
    for method in ("predict", *case.methods):
        same(*replay(one, lambda: getattr(one, method)(stream()), expected[method]), rtol=1e-6, atol=1e-6)  # noqa: B023
    if not case.labelled:
        same(*replay(one, lambda: one.evaluate(stream(), verbose=0), expected["evaluate"]), rtol=1e-6)
        streamed = case.build()  # whose noise has not been drawn from
        fit(streamed, case, stream())
        fit(other, case)
        same(streamed.get_weights(), other.get_weights())


def test_labels_may_be_a_column():
    case = KINDS["CellAnnotator"]
    adata, one, other = as_adata(case), case.build(), case.build()
    fit(one, case, adata, "label")
    fit(other, case)
    same(one.get_weights(), other.get_weights())
    by_name, by_array = (lambda y=y: one.evaluate(adata, y, verbose=0) for y in ("label", case.y()))
    same(*replay(one, by_name, by_array))
    refused(
        lambda: one.evaluate(adata, "type"),
        r"^y='type' is no column of obs: choose from \['label', 'batch'\]",
    )


# -- refusals ---------------------------------------------------------------------------------------------------------


def bad_cells(case):
    """Kind -> the values, and the message."""
    x = case.x
    nan, negative = x.copy(), x.copy()
    nan[3, 2], negative[3, 2] = np.nan, -1
    z_scores = (x - x.mean(axis=0)) / x.std(axis=0)
    unit = "log1p data" if case.values == "log1p" else "counts"
    bad = {
        "z-scores": (z_scores, rf"^x must hold {unit} .*: looks like z-scores"),
        "negative": (negative, rf"^x must hold {unit} .*got -1: looks like z-scores"),
        "NaN": (nan, r"^x must be finite, got nan \(1 of"),
        "too few genes": (x[:, 1:], rf"^x has {GENES - 1} genes, expected {GENES}: select the genes"),
    }
    if case.values == "counts":
        empty = x * (np.arange(CELLS) != 3)[:, None]
        bad["log1p"] = np.log1p(x), "^x must hold counts .*: looks like log1p data"
        bad["an empty cell"] = empty, r"^x has 1 cells with a total of 0 \(the first has index \d+\)"
    else:
        bad["counts"] = np.rint(10 * x), "^x must hold log1p data .*: looks like counts"
    return bad


@pytest.mark.parametrize("form", FORMS)
def test_bad_cells_are_refused_by_every_method(case, trained, form):
    before = trained.get_weights()
    for x, message in bad_cells(case).values():
        for call in (calls(trained, case, form, x) | training_calls(trained, case, form, x)).values():
            refused(call, message)
    same(trained.get_weights(), before)


@pytest.mark.parametrize("cells", [None, "cells.h5ad", b"cells", 3, {"counts"}], ids=repr)
def test_what_holds_no_cells_is_refused(case, trained, cells):
    for call in (trained.fit, trained.evaluate, trained.predict, trained.encode, trained.predict_on_batch):
        with pytest.raises((TypeError, ValueError)) as refusal:
            call(cells)
        assert "\n" not in str(refusal.value) and "latentcells" in str(refusal.traceback[-1].path)


# -- genes by name ----------------------------------------------------------------------------------------------------


@pytest.fixture(params=["as it was", "loaded", "weights loaded"])
def again(request, case, named, tmp_path):
    """The model that knows its genes, and what comes out of its files."""
    if request.param == "as it was":
        return named
    if request.param == "loaded":
        named.save(tmp_path / "model.keras")
        return keras.models.load_model(tmp_path / "model.keras")
    named.save_weights(tmp_path / "model.weights.h5")
    other = case.build()
    other.load_weights(tmp_path / "model.weights.h5")
    return other


def test_genes_are_matched_by_name(case, named, again):
    """Another order is put right, genes that the model does not know are left out."""
    adata, expected = as_adata(case), named.encode(as_adata(case))
    reverse = adata[:, ::-1].copy()
    unknown = as_adata(case)[:, :2].copy()
    unknown.var_names = ["MT-1", "MT-2"]
    more = anndata.concat([unknown, adata], axis=1, merge="first")
    for cells in (adata, reverse, more):
        same(again.encode(cells), expected)
    table = pd.DataFrame(case.x, CELL_NAMES, GENE_NAMES)[GENE_NAMES[::-1]]
    same(again.encode(case.cells(table)), expected)
    one, other = (
        lambda cells=cells: again.evaluate(cells, case.y(), verbose=0) for cells in (adata, reverse)
    )
    same(*replay(again, one, other))


def test_missing_genes_are_refused_unless_they_are_filled(case, named, again):
    lacking = as_adata(case)[:, [i for i in range(GENES) if i != 4]].copy()
    message = rf"^x lacks 1 of the model's {GENES} genes \(gene 4\): pass fill=0"
    zero = case.x.copy()
    zero[:, 4] = 0
    for name in ("predict", *case.methods):
        call = getattr(again, name)
        refused(lambda call=call: call(lacking), message)
        filled, as_zero = (lambda: call(lacking, fill=0)), (lambda: call(case.cells(zero)))  # noqa: B023
        same(*replay(again, filled, as_zero), rtol=1e-6, atol=1e-6)
    refused(lambda: again.evaluate(lacking, case.y()), message)
    filled = lambda: again.evaluate(lacking, case.y(), fill=0, verbose=0)  # noqa: E731
    same(*replay(again, filled, lambda: again.evaluate(case.cells(zero), case.y(), verbose=0)), rtol=1e-6)
    for call in (again.fit, again.train_on_batch):
        with pytest.raises(
            ValueError, match=rf"^x lacks 1 of the model's {GENES} genes \(gene 4\)"
        ) as refusal:
            call(lacking, case.y())
        assert "fill" not in str(refusal.value), "which they do not take"


def test_a_repeated_gene_is_refused(case, named):
    adata = as_adata(case)
    adata.var_names = ["gene 1", *GENE_NAMES[1:]]
    for call in (named.encode, named.predict):
        refused(lambda call=call: call(adata), "^gene 'gene 1' is there twice|^1 gene names repeat")
    fresh = case.build()
    refused(lambda: fresh.fit(adata, case.y()), "^gene 'gene 1' is there twice|^1 gene names repeat")


# -- tables that name other cells -------------------------------------------------------------------------------------


def test_an_index_of_other_cells_is_refused(case, trained):
    """Labels, batches and weights, beside a table and beside an AnnData."""
    table = pd.DataFrame(case.x, CELL_NAMES, GENE_NAMES)
    backwards = CELL_NAMES[::-1]
    ones = pd.Series(1.0, backwards)
    methods = [trained.fit, trained.evaluate, trained.train_on_batch, trained.test_on_batch]
    for x in (case.cells(table), as_adata(case)):
        for call in methods:
            message = r"^row 0 is cell 'cell 23' in sample_weight and 'cell 0' in x: pass the same cells"
            refused(lambda call=call, x=x: call(x, case.y(), sample_weight=ones), message)
            if case.labelled:
                y = pd.Series(case.y(), backwards)
                message = "^row 0 is cell 'cell 23' in y and 'cell 0' in x: pass the same cells"
                refused(lambda call=call, x=x, y=y: call(x, y), message)
    if case.by_batch:
        cells = {"x": table, "batch": pd.Series(case.cells(case.x)["batch"], backwards)}
        message = "^row 0 is cell 'cell 23' in batch and 'cell 0' in x: pass the same cells"
        for call in [*methods, trained.predict, *(getattr(trained, name) for name in case.methods)]:
            refused(lambda call=call: call(cells), message)
