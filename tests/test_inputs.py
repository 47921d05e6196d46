"""Every public function meets every kind of bad input: the right result, or one line of ours that says what to do.

`PUBLIC` is read off the library, `ENTRIES` says how each is called; a new function without an entry is a failure. The
same numbers in another form (float64, CSC, a view …) give what dense float32 gives, or are refused; numbers that are
none of what is due (NaN, z-scores for counts …) are refused, unless the entry says that it takes them.
"""

import inspect
from dataclasses import dataclass
from functools import cache

import anndata
import keras
import matplotlib.figure
import numpy as np
import pandas as pd
import pytest
from scipy import sparse

import latentcells as lc

rng = np.random.default_rng(0)
CELLS, GENES = 24, 6
COUNTS = (rng.poisson(4.0, (CELLS, GENES)) + np.eye(CELLS, GENES) + (np.arange(CELLS) % GENES == 0)[:, None]).astype(
    "float32"
)  # fmt: skip
LOG1P = np.log1p(1e2 * COUNTS / COUNTS.sum(axis=1, keepdims=True)).astype("float32")
UNIT = (COUNTS / COUNTS.max()).astype("float32")
Z = (rng.normal(size=(CELLS, 2)) + 3 * (np.arange(CELLS) % 2)[:, None]).astype("float32")
LABEL = np.array(["B", "T"])[np.arange(CELLS) % 2]
PLATE = np.array(["plate 1", "plate 2"])[np.arange(CELLS) // 2 % 2]
NAMES = [f"gene {i}" for i in range(GENES)]
GOOD = {"counts": COUNTS, "log1p": LOG1P, "unit": UNIT, "z": Z}

# -- what is public ---------------------------------------------------------------------------------------------------

# Keras and scikit-learn call these, or the library does; a person calls what they serve
HOOKS = {
    "build", "call", "check", "compile", "compile_from_config", "compute_loss", "from_config", "from_log1p",
    "get_config", "log1p", "logits", "posterior", "prepare", "view", "compare", "codes", "start_at", "encoder_input",
    "log_prob", "mean", "batches", "draw", "mask", "hide", "adapt", "compute_output_shape", "compute_output_spec",
    "weights_of", "save_own_variables", "load_own_variables",
}  # fmt: skip


def names_of(module):
    """What a module names in ``__all__``, or else what it defines without an underscore."""
    if hasattr(module, "__all__"):
        return module.__all__
    own = (n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__)
    return [name for name in own if not name.startswith("_") and callable(getattr(module, name))]


def methods_of(of):
    """The public methods of a class that the library defines."""
    inside = [c for c in of.__mro__ if c.__module__.startswith("latentcells")]
    found = {name for c in inside for name, value in vars(c).items() if inspect.isfunction(value)}
    return sorted(name for name in found - HOOKS if not name.startswith("_"))


def public():
    """Dotted name -> the function, the class or the method."""
    found = {}
    for name in lc.__all__:
        thing = getattr(lc, name)
        if not inspect.ismodule(thing):
            found[name] = thing
            continue
        for inner in names_of(thing):
            value = getattr(thing, inner)
            if callable(value):
                found[f"{name}.{inner}"] = value
            if inspect.isclass(value):
                found |= {f"{name}.{inner}.{m}": getattr(value, m) for m in methods_of(value)}
    return found


PUBLIC = public()

# -- how each is called -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Entry:
    """``call(data)``, where data stand for the good ones of a kind; ``takes`` bad kinds that it is right to take."""

    call: object
    data: str
    takes: tuple = ()
    adata: bool = False
    forms: tuple | None = None  # None: all of them
    slow: bool = False  # a result takes seconds: numba or JAX compile for it


TRANSFORMERS = "MaskedGeneTransformer", "CellAnnotator"
TRANSFORMER = {"n_tokens": 3, "dim": 4, "n_heads": 2, "depth": 1}
MODELS = "VAE", "BatchVAE", "NeighbourVAE", "ContrastiveEncoder", "MaskedAutoencoder", *TRANSFORMERS


@cache
def model(name):
    """A small model that was never trained."""
    common = {"n_genes": GENES, "latent_dim": 2, "hidden": (4,), "seed": 0}
    own = {
        "BatchVAE": {"batches": ["plate 1", "plate 2"]},
        "NeighbourVAE": {"batches": ["plate 1", "plate 2"], "n_neighbors": 2},
        "ContrastiveEncoder": {"projection": 4},
        "MaskedGeneTransformer": TRANSFORMER,
        "CellAnnotator": {"labels": ["B", "T"], **TRANSFORMER},
    }
    if name in TRANSFORMERS:
        common = {"n_genes": GENES, "seed": 0}
    return getattr(lc.models, name)(**common, **own.get(name, {}))


def n_of(x):
    return (getattr(x, "shape", ()) or [len(x) if isinstance(x, list) else CELLS])[0]


def cells_of(name, x):
    """x as the model takes it."""
    return (
        {"x": x, "batch": PLATE[: n_of(x)]}
        if "batches" in inspect.signature(PUBLIC[f"models.{name}"]).parameters
        else x
    )


def fitted(name, x):
    """The loss and z after a step of training."""
    net = model.__wrapped__(name)
    net.compile(optimizer="sgd", run_eagerly=True, steps_per_execution=1)
    label = [LABEL[: n_of(x)]] if name == "CellAnnotator" else []
    history = net.fit(cells_of(name, x), *label, epochs=1, verbose=0)
    return history.history["loss"], net.encode(cells_of(name, COUNTS))


def on_cells(name, method, **keywords):
    return lambda x: getattr(model(name), method)(cells_of(name, x), **keywords)


def decoded(name):
    return lambda z: model(name).decode(z)


def fit(estimator):
    return lambda adata: estimator().fit(adata)


def transform(estimator, data="counts"):
    return lambda adata: estimator().fit(as_adata(GOOD[data])).transform(adata)


def as_adata(x):
    """The AnnData with this matrix, whose cells are labelled as the good ones are."""
    n, genes = x.shape
    adata = anndata.AnnData(
        x, pd.DataFrame({"label": LABEL[:n], "batch": PLATE[:n]}, [f"cell {i}" for i in range(n)])
    )
    adata.var_names = NAMES[:genes]
    adata.obsm["z"] = np.resize(Z, (n, 2))
    return adata


def linear(x):
    """A function of a cell's genes with two logits."""
    weight = np.arange(2.0 * GENES, dtype="float32").reshape(GENES, 2)[: x.shape[1]]
    return keras.ops.matmul(x, keras.ops.convert_to_tensor(weight))


def many(adata):
    """The same cells five times, for scores that need a hundred of them."""
    return adata[np.resize(np.arange(adata.n_obs), 5 * CELLS)].copy() if getattr(adata, "n_obs", 0) else adata


def axes():
    return matplotlib.figure.Figure().subplots()


def drawn(x):
    ax = axes()
    lc.course.plots.embedding(ax, x, LABEL[: n_of(x)], "z")
    return [points.get_offsets().data for points in ax.collections]


def read_only(x):
    x = x.copy()
    x.flags.writeable = False
    return x


FORMS = {
    "float64": lambda x: x.astype("float64"),
    "float16": lambda x: x.astype("float16"),
    "uint16": lambda x: x.astype("uint16"),
    "int64": lambda x: x.astype("int64"),
    "Fortran's order": np.asfortranarray,
    "every other row of a larger one": lambda x: np.repeat(x, 2, axis=0)[::2],
    "read-only": read_only,
    "big-endian": lambda x: x.astype(">f4"),
    "CSR": sparse.csr_matrix,
    "CSC": sparse.csc_matrix,
    "a sparse array": sparse.csr_array,
    "a DataFrame": pd.DataFrame,
    "a list": lambda x: x.tolist(),
}
WHOLE = "uint16", "int64", "float16"  # of whole numbers alone: else they are other numbers
MATRICES_ONLY = "a DataFrame", "a list"
SPARSE = "CSR", "CSC", "a sparse array"  # `fit` hands them to Keras as they are

STATES = "z-scores", "-1", "another state"
ANY = (*STATES, "repeated gene names", "repeated cell names", "one cell", "one gene")  # names do not matter
CELL_NAMES = "repeated cell names", "one cell", "one gene"
TARGET = np.arange(CELLS) % 2
AMOUNT = np.arange(CELLS) % 7
hvg, modules = (
    (lambda: lc.preprocess.HighlyVariableGenes(2, "pearson_residuals")),
    lambda: lc.preprocess.GeneModules(2),
)
sets = lambda: lc.preprocess.GeneSets({"one": NAMES[:3]}, min_size=2)  # noqa: E731
FEW = "float64", "uint16"

ENTRIES = {
    "inputs": Entry(lc.inputs, "counts", ("NaN", "infinity", *ANY), adata=True),
    "preprocess.inputs": Entry(lc.inputs, "log1p", ("NaN", "infinity", *ANY), adata=True),
    "preprocess.split": Entry(lc.preprocess.split, "counts", ("NaN", "infinity", *ANY), adata=True),
    "preprocess.LibrarySize.fit": Entry(fit(lc.preprocess.LibrarySize), "counts", ANY[3:], adata=True),
    "preprocess.LibrarySize.transform": Entry(transform(lc.preprocess.LibrarySize), "counts", ANY[3:], adata=True),
    "preprocess.MinMax.fit": Entry(fit(lc.preprocess.MinMax), "log1p", ANY, adata=True),
    "preprocess.MinMax.transform": Entry(
        transform(lc.preprocess.MinMax, "log1p"), "log1p", (*STATES, *CELL_NAMES), adata=True
    ),
    "preprocess.HighlyVariableGenes.fit": Entry(fit(hvg), "counts", CELL_NAMES, adata=True),
    "preprocess.HighlyVariableGenes.transform": Entry(
        transform(hvg), "counts", ("NaN", "infinity", *STATES, *CELL_NAMES), adata=True
    ),
    "preprocess.GeneModules.fit": Entry(fit(modules), "log1p", CELL_NAMES, adata=True),
    "preprocess.GeneSets.fit": Entry(fit(sets), "counts", ("NaN", "infinity", *STATES, *CELL_NAMES), adata=True),
    "evaluate.integration": Entry(
        lambda a: lc.evaluate.integration(many(a), "z"), "log1p", ("repeated gene names", *CELL_NAMES), adata=True,
        forms=(), slow=True,
    ),
    "markers.differential_expression": Entry(
        lc.markers.differential_expression, "log1p", CELL_NAMES, adata=True, slow=True
    ),
    "checks.state": Entry(lc._checks.state, "counts", (*STATES, "no cells", "no genes", "one row", *CELL_NAMES)),
    "checks.finite": Entry(lc._checks.finite, "counts", (*STATES, "no cells", "no genes", "one row", *CELL_NAMES)),
    "checks.counts": Entry(lc._checks.counts, "counts", ("no cells", "no genes", "one row", *CELL_NAMES)),
    "checks.log1p": Entry(lc._checks.log1p, "log1p", ("no cells", "no genes", "one row", *CELL_NAMES)),
    "checks.unit": Entry(lc._checks.unit, "unit", ("no cells", "no genes", "one row", *CELL_NAMES)),
    "checks.not_empty": Entry(lc._checks.not_empty, "counts", (*STATES, "NaN", "infinity", *CELL_NAMES)),
    "evaluate.annotation": Entry(
        lambda z: lc.evaluate.annotation(z, LABEL[: n_of(z)], 3, 2), "z", (*STATES, "one gene")
    ),
    "evaluate.few_labels": Entry(
        lambda z: lc.evaluate.few_labels(z, LABEL[: n_of(z)], np.arange(n_of(z)) > 11), "z", (*STATES, "one gene")
    ),
    "evaluate.clustering": Entry(
        lambda z: lc.evaluate.clustering(z, LABEL[: n_of(z)], 2, 5), "z", (*STATES, "one gene"), slow=True
    ),
    "evaluate.overcorrection": Entry(
        lambda z: lc.evaluate.overcorrection(z, LABEL[: n_of(z)], "B", 5), "z", (*STATES, "one gene")
    ),
    "evaluate.across_batches": Entry(
        lambda z: lc.evaluate.across_batches(z, AMOUNT[: n_of(z)], PLATE[: n_of(z)], 3), "z", (*STATES, "one gene")
    ),
    "evaluate.canonical_correlations": Entry(
        lambda z: lc.evaluate.canonical_correlations(z, Z[: n_of(z)]), "z", (*STATES, "one gene")
    ),
    "evaluate.neighbourhood_preservation": Entry(
        lambda z: lc.evaluate.neighbourhood_preservation(z, Z[: n_of(z)], 3), "z", (*STATES, "one gene")
    ),
    "preprocess.split_counts": Entry(
        lc.preprocess.split_counts, "counts", ("no cells", "no genes", "one row", *CELL_NAMES)
    ),
    "markers.rank": Entry(lambda x: lc.markers.rank(x, LABEL, NAMES), "log1p", STATES),
    "markers.ablation": Entry(
        lambda x: lc.markers.ablation(linear, x, TARGET[: n_of(x)], [0, 1]), "log1p", (*STATES, "one cell")
    ),
    "markers.gradient_times_input": Entry(
        lambda x: lc.markers.gradient_times_input(linear, x, TARGET[: n_of(x)]),
        "log1p", (*STATES, "one cell", "one gene"),
    ),
    "markers.integrated_gradients": Entry(
        lambda x: lc.markers.integrated_gradients(linear, x, TARGET[: n_of(x)], 2),
        "log1p", (*STATES, "one cell", "one gene"),
    ),
    "plots.embedding": Entry(drawn, "z", (*STATES, "one cell")),
    **{
        f"models.{name}.{method}": Entry(on_cells(name, method), "counts", ("one cell",))
        for name, methods in {
            "VAE": ("encode", "elbo", "reconstruct"),
            "BatchVAE": ("encode", "elbo", "reconstruct"),
            "NeighbourVAE": ("encode", "elbo", "reconstruct"),
            "ContrastiveEncoder": ("encode",),
            "MaskedAutoencoder": ("encode", "predict_hidden"),
            "MaskedGeneTransformer": ("encode", "attention", "attention_maps"),
            "CellAnnotator": ("encode", "predict_labels", "attention", "attention_maps"),
        }.items()
        for method in methods
    },
    **{
        f"models.{name}.decode": Entry(decoded(name), "z", (*STATES, "one cell"), forms=("float64",))
        for name in ("VAE", "BatchVAE", "NeighbourVAE")
    },
    **{
        f"models.{name}.fit": Entry(
            lambda x, name=name: fitted(name, x), "counts", ("one cell",),
            forms=tuple(form for form in FORMS if form not in SPARSE) if name == "VAE" else FEW,
        )
        for name in MODELS
    },
}  # fmt: skip

# no array goes in: names, numbers, paths or nothing; or tensors of a graph, whose values cannot be looked at
ELSEWHERE = {
    "checks.in_memory": "tests/test_checks.py", "checks.unique_genes": "tests/test_checks.py",
    "checks.choice": "tests/test_checks.py", "checks.names": "tests/test_checks.py",
    "checks.at_least": "tests/test_checks.py", "checks.share": "tests/test_checks.py",
    "checks.not_negative": "tests/test_checks.py", "checks.positive": "tests/test_checks.py",
    "checks.same_genes": "tests/test_checks.py", "claim": "tests/test_claims.py",
    "checks.proportions": "tests/test_checks.py", "evaluate.proportions": "tests/evaluate/test_across_batches.py",
    "plots.ternary": "tests/test_plots.py", "plots.name_places": "tests/test_plots.py",
    "results.read": "tests/test_results.py", "results.values": "tests/test_results.py",
    "results.table": "tests/test_results.py",
    "models.load": "tests/test_strangers.py",
    **{f"models.{name}.start_from": "tests/models/test_gene_transformer.py" for name in TRANSFORMERS},
    "evaluate.calibration": "tests/evaluate/test_calibration.py",
    "evaluate.draw_labels": "tests/evaluate/test_few_labels.py",
    "markers.canonical": "tests/markers/test_canonical.py",
    "markers.precision_at": "tests/markers/test_agreement.py",
    "markers.rank_agreement": "tests/markers/test_agreement.py",
    "markers.stability": "tests/markers/test_agreement.py",
    "plots.use_style": "tests/test_plots.py", "plots.seeds": "tests/test_plots.py",
    "plots.confusion": "tests/test_plots.py",
    "datasets.DataUnavailable": "tests/datasets/test_faults.py", "datasets.load": "tests/datasets/test_load.py",
    **{f"datasets.{name}": "tests/datasets" for name in (
        "cell_mixture", "kang", "names", "pbmc3k", "pbmc3k_processed", "pbmc_facs", "pbmc_reference", "reactome",
        "rna_mixture", "simulate", "stream",
    )},
}  # fmt: skip
CLASSES = {name for name, value in PUBLIC.items() if inspect.isclass(value)}  # their numbers, below
TENSORS = {
    name for name in PUBLIC if name.startswith(("objectives.", "likelihoods."))
} - CLASSES  # test_numbers.py


def test_everything_public_is_tried():
    assert sorted(PUBLIC.keys() - ENTRIES.keys() - ELSEWHERE.keys() - CLASSES - TENSORS) == []
    assert sorted((ENTRIES.keys() | ELSEWHERE.keys()) - PUBLIC.keys()) == []


# -- the same numbers in another form ---------------------------------------------------------------------------------


def case(name, kind, computes):
    """A case of a function, slow where it computes a result that takes long."""
    return pytest.param(
        name, kind, id=f"{name}-{kind}", marks=[pytest.mark.slow] * (computes and ENTRIES[name].slow)
    )


def forms():
    for name, entry in ENTRIES.items():
        for form in FORMS if entry.forms is None else entry.forms:
            if not (form in WHOLE and entry.data != "counts") and not (entry.adata and form in MATRICES_ONLY):
                yield case(name, form, computes=True)


@cache
def due(name):
    """What dense float32 gives."""
    entry = ENTRIES[name]
    good = GOOD[entry.data].copy()
    return flat(entry.call(as_adata(good) if entry.adata else good))


def flat(result):
    """The arrays in a result, in order."""
    if isinstance(result, anndata.AnnData):
        return [*flat(result.X), *flat(list(result.obs_names)), *flat(list(result.var_names))]
    if isinstance(result, dict):
        return [a for key in result for a in flat(result[key])]
    if isinstance(result, tuple | list) and not all(np.isscalar(r) for r in result):
        return [a for item in result for a in flat(item)]
    if hasattr(result, "get_params"):
        return [
            a
            for key, value in vars(result).items()
            if key.endswith("_") and key != "scaler_"
            for a in flat(value)
        ]
    return [np.asarray(result.toarray() if sparse.issparse(result) else result)]


def equal(one, other, tolerance=1e-5):
    if len(one) != len(other):
        return False
    return all(
        a.shape == b.shape
        and (
            np.allclose(a, b, tolerance, tolerance, equal_nan=True)
            if a.dtype.kind in "fiub"
            else (a == b).all()
        )
        for a, b in zip(one, other, strict=True)
    )


def outcome(call):
    """The flat result, or the message of an error of ours."""
    try:
        return flat(call())
    except Exception as error:
        refusal_of_ours(error)
        return str(error)


def refusal_of_ours(error):
    """One line from the library, not from what it calls, which says more than that something is wrong."""
    assert isinstance(error, ValueError | TypeError | MemoryError), repr(error)
    last = error.__traceback__
    while last.tb_next:
        last = last.tb_next
    assert "latentcells" in last.tb_frame.f_code.co_filename, repr(error)
    message = str(error)
    assert (
        "\n" not in message
        and error.__cause__ is None
        and (error.__context__ is None or error.__suppress_context__)
    )
    assert (": " in message or "must" in message) and len(message) > 25, message


@pytest.mark.parametrize(("name", "form"), list(forms()))
def test_another_form(name, form, found):
    entry = ENTRIES[name]
    x = FORMS[form](GOOD[entry.data].copy())
    got = outcome(lambda: entry.call(as_adata(x) if entry.adata else x))
    assert isinstance(got, str) or equal(got, due(name))
    found(
        "inputs", function=name, input=form, answer="refused" if isinstance(got, str) else "as dense float32"
    )


@pytest.mark.parametrize(
    ("name", "form"),
    [
        case(name, form, computes=True)
        for name, entry in ENTRIES.items()
        for form in ("a view", "backed by a file")
        if entry.adata and entry.forms is None
    ],
)
def test_another_anndata(name, form, tmp_path, found):
    entry = ENTRIES[name]
    adata = as_adata(GOOD[entry.data].copy())
    if form == "a view":
        more = adata[:3].copy()
        more.obs_names = ["one more", "and one", "and one more"]
        adata = anndata.concat([adata, more])[:CELLS]
        assert adata.is_view
    else:
        adata.write_h5ad(tmp_path / "x.h5ad")
        adata = anndata.read_h5ad(tmp_path / "x.h5ad", backed="r")
    got = outcome(lambda: entry.call(adata))
    if form == "backed by a file":
        adata.file.close()
    assert isinstance(got, str) or equal(got, due(name))
    found(
        "inputs", function=name, input=form, answer="refused" if isinstance(got, str) else "as dense float32"
    )


# -- other numbers ----------------------------------------------------------------------------------------------------


def with_value(value):
    def put(x):
        x = x.copy()
        x[1, 1] = value
        return x

    return put


def another_state(x):
    """log1p data where counts are due, counts where log1p data or values in [0, 1] are."""
    return np.log1p(x) if x is COUNTS else 9.0 * COUNTS[:, : x.shape[1]]


def repeated(names):
    def put(adata):
        values = list(getattr(adata, names))
        setattr(adata, names, [values[1], *values[1:]])
        return adata

    return put


BAD = {  # what the message has to show
    "NaN": (with_value(np.nan), "nan"),
    "infinity": (with_value(np.inf), "inf"),
    "-1": (with_value(-1.0), "-1"),
    "z-scores": (lambda x: (x - x.mean(axis=0)) / x.std(axis=0), r"-\d"),
    "another state": (another_state, r"\d"),
    "no cells": (lambda x: x[:0], r"\b0\b|no cell"),
    "no genes": (lambda x: x[:, :0], r"\b0\b"),
    "one cell": (lambda x: x[:1], r"\b1\b|for all cells"),
    "one gene": (lambda x: x[:, :1], r"\b1\b"),
    "one row": (lambda x: x[0], r"\(\d+,\)|\b1\b"),
    "text": (lambda x: np.full(x.shape, "many"), "<U4|many"),
    "objects": (lambda x: np.full(x.shape, None, object), "object|None"),
    "None": (lambda x: None, r"None|\(\)|object"),
}
BAD_ADATA = {
    "a matrix": (lambda adata: adata.X, "ndarray"),
    "None": (lambda adata: None, "NoneType"),
    "repeated gene names": (repeated("var_names"), "gene 1"),
    "repeated cell names": (repeated("obs_names"), "cell 1"),
}


def bad():
    for name, entry in ENTRIES.items():
        for kind in BAD | BAD_ADATA if entry.adata else BAD:
            if not (entry.adata and kind in ("one row", "text", "objects")):
                yield case(name, kind, computes=kind in entry.takes)


@pytest.mark.filterwarnings("ignore:Observation names are not unique:UserWarning")
@pytest.mark.filterwarnings("ignore:Variable names are not unique:UserWarning")
@pytest.mark.parametrize(("name", "kind"), list(bad()))
def test_bad_numbers(name, kind, found):
    entry = ENTRIES[name]
    if entry.adata and kind in BAD_ADATA:
        change, shows = BAD_ADATA[kind]
        x = change(as_adata(GOOD[entry.data].copy()))
    else:
        change, shows = BAD[kind]
        x = change(GOOD[entry.data])
        x = as_adata(x) if entry.adata else x
    if kind in entry.takes:
        got = outcome(lambda: entry.call(x))
        answer = "refused" if isinstance(got, str) else "a result"
        if not isinstance(got, str) and kind not in ("NaN", "infinity"):
            assert all(np.isfinite(a).all() for a in got if a.dtype.kind == "f")
    else:
        with pytest.raises((ValueError, TypeError), match=shows) as caught:
            entry.call(x)
        refusal_of_ours(caught.value)
        answer = "refused"
    found("inputs", function=name, input=kind, answer=answer)


# -- numbers among the arguments --------------------------------------------------------------------------------------

NUMBERS = {"text": "many", "NaN": float("nan"), "-1": -1, "a list": [1]}
WAYS = {  # how to reach an argument: all others are good
    "datasets.simulate": lambda **k: lc.datasets.simulate(**{"n_cells": 10, "n_genes": 60, **k}),
    "preprocess.split": lambda **k: lc.preprocess.split(as_adata(COUNTS), **k),
    "preprocess.HighlyVariableGenes": lambda **k: lc.preprocess.HighlyVariableGenes(**{"n": 2, **k}),
    "preprocess.GeneModules": lambda **k: lc.preprocess.GeneModules(**{"n": 2, **k}),
    "preprocess.GeneSets": lambda **k: lc.preprocess.GeneSets(**{"sets": {"one": NAMES[:3]}, **k}),
    "preprocess.LibrarySize": lc.preprocess.LibrarySize,
    "evaluate.annotation": lambda **k: lc.evaluate.annotation(Z, LABEL, **{"n_neighbors": 3, "folds": 2, **k}),
    "evaluate.few_labels": lambda **k: lc.evaluate.few_labels(Z, LABEL, np.arange(CELLS) > 11, **k),
    "evaluate.draw_labels": lambda **k: lc.evaluate.draw_labels(LABEL, np.arange(CELLS) > 11, **k),
    "evaluate.clustering": lambda **k: lc.evaluate.clustering(Z, LABEL, **{"n_neighbors": 5, **k}),
    "evaluate.overcorrection": lambda **k: lc.evaluate.overcorrection(Z, LABEL, "B", **k),
    "evaluate.across_batches": lambda **k: lc.evaluate.across_batches(Z, AMOUNT, PLATE, **k),
    "evaluate.neighbourhood_preservation": lambda **k: lc.evaluate.neighbourhood_preservation(Z, Z, **k),
    "preprocess.split_counts": lambda **k: lc.preprocess.split_counts(COUNTS, **k),
    "evaluate.calibration": lambda **k: lc.evaluate.calibration(np.full((CELLS, 2), 0.5), LABEL, ["B", "T"], **k),
    "markers.ablation": lambda **k: lc.markers.ablation(linear, LOG1P, TARGET, [0], **k),
    "markers.gradient_times_input": lambda **k: lc.markers.gradient_times_input(linear, LOG1P, TARGET, **k),
    "markers.integrated_gradients": lambda **k: lc.markers.integrated_gradients(linear, LOG1P, TARGET, **k),
    "markers.precision_at": lambda **k: lc.markers.precision_at({"B": pd.Series(1.0, NAMES)}, {"B": NAMES}, **k),
    "markers.stability": lambda **k: lc.markers.stability([{"B": pd.Series(1.0, NAMES)}] * 2, **k),
    "objectives.info_nce": lambda **k: lc.objectives.info_nce(Z, Z, **k),
    "objectives.barlow_twins": lambda **k: lc.objectives.barlow_twins(Z, Z, **k),
    "objectives.vicreg": lambda **k: lc.objectives.vicreg(Z, Z, **k),
    **{
        f"models.{name}": lambda name=name, **k: PUBLIC[f"models.{name}"](
            **{"n_genes": GENES, **({"batches": ["a", "b"]} if "VAE" in name and name != "VAE" else {}), **k}
        )
        for name in MODELS
    },
    **{f"layers.{name}": getattr(lc.layers, name) for name in (
        "BatchNormalization", "CellToken", "CountThinning", "GeneMasking", "GradientReversal", "LayerNormalization",
        "Sampling",
    )},
    "layers.DomainBatchNormalization": lambda **k: lc.layers.DomainBatchNormalization(**{"n_domains": 2, **k}),
    "layers.ExpressionEmbedding": lambda **k: lc.layers.ExpressionEmbedding(**{"dim": 4, **k}),
    "layers.GeneDropout": lambda **k: lc.layers.GeneDropout(**{"mean": [1.0, 2.0], **k}),
    "layers.GeneSetTokens": lambda **k: lc.layers.GeneSetTokens(**{"members": [[0]], "dim": 4, **k}),
    "layers.NeighbourMixing": lc.layers.NeighbourMixing,
    "layers.GroupNormalization": lambda **k: lc.layers.GroupNormalization(**{"groups": 2, **k}),
    "layers.TransformerBlock": lambda **k: lc.layers.TransformerBlock(**{"dim": 4, "n_heads": 2, **k}),
    **{
        f"likelihoods.{name}": lambda name=name, **k: getattr(lc.likelihoods, name)(**{"n_genes": GENES, **k})
        for name in ("Likelihood", "Bernoulli", "Gaussian", "NegativeBinomial", "ZeroInflatedNegativeBinomial")
    },
    **{
        f"models.{name}.{method}": lambda name=name, method=method, **k: on_cells(name, method, **k)(COUNTS)
        for name, method in (
            ("VAE", "encode"), ("VAE", "elbo"), ("VAE", "reconstruct"), ("BatchVAE", "encode"),
            ("MaskedAutoencoder", "encode"), ("MaskedAutoencoder", "predict_hidden"), ("ContrastiveEncoder", "encode"),
            ("MaskedGeneTransformer", "encode"), ("MaskedGeneTransformer", "attention"), ("CellAnnotator", "encode"),
            ("CellAnnotator", "predict_labels"), ("CellAnnotator", "attention"),
        )
    },
    "models.VAE.decode": lambda **k: model("VAE").decode(Z, **k),
    "models.BatchVAE.decode": lambda **k: model("BatchVAE").decode(Z, **k),
}  # fmt: skip
INHERITED = (
    "models.NeighbourVAE.",
    "models.BatchVAE.elbo",
    "models.BatchVAE.reconstruct",
    "models.NeighbourVAE.decode",
)
BOUND = {"n_genes", "n", "dim", "n_heads", "n_domains"}  # numbers without a default
LISTS = {("layers.GroupNormalization", "groups"), ("datasets.simulate", "library"), ("models.VAE.decode", "library"),
         ("models.BatchVAE.decode", "library")}  # fmt: skip


def is_number(name, parameter):
    default = parameter.default
    return name in BOUND or (isinstance(default, int | float) and not isinstance(default, bool))


def numbers():
    """Every argument whose default is a number."""
    for name in sorted(PUBLIC.keys() - {"datasets.DataUnavailable"}):
        for argument, parameter in inspect.signature(PUBLIC[name]).parameters.items():
            if is_number(argument, parameter) and not name.startswith(INHERITED):
                yield name, argument


def test_every_number_can_be_reached():
    fit_ = {name for name, _ in numbers() if name.endswith(".fit")}  # Keras's own: epochs
    assert (
        sorted({name for name, _ in numbers()} - WAYS.keys() - fit_ - ELSEWHERE.keys() - {"models.load"})
        == []
    )


@pytest.mark.parametrize("kind", NUMBERS)
@pytest.mark.parametrize(("name", "argument"), [case for case in numbers() if case[0] in WAYS])
def test_bad_arguments(name, argument, kind, found):
    if kind == "a list" and (name, argument) in LISTS:
        pytest.skip("a list is allowed here")
    with pytest.raises((ValueError, TypeError), match=r"many|<U4|nan|-1|\[1\]") as caught:
        WAYS[name](**{argument: NUMBERS[kind]})
    refusal_of_ours(caught.value)
    found("arguments", argument=f"{name}({argument})", input=kind, answer="refused")
