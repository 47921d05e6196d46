"""How each public function is called, and how it must answer each form and kind of input."""

from dataclasses import dataclass
from functools import cache, partial

import keras
import numpy as np
from matplotlib.figure import Figure

import latentcells as lc
from tests.inputs import refusals
from tests.inputs.forms import (
    ADATA_FORMS,
    ADATA_KINDS,
    BATCH,
    COUNTS,
    GENES,
    LABEL,
    LOG1P,
    MATRIX_FORMS,
    MATRIX_KINDS,
    MISALIGNED,
    N_CELLS,
    N_GENES,
    Z,
    as_adata,
    rows_like,
)  # fmt: skip

NUMBERS_OF_ANY_UNIT = "-1", "z-scores", "another unit"
NO_NAMES_READ = "repeated gene names", "repeated cell names"
ANY_SHAPE = "one cell", "one gene"
ANY_X = "NaN", "infinity", *NUMBERS_OF_ANY_UNIT


@dataclass(frozen=True)
class Entry:
    """A public function of cells.

    Every form except those in ``refuses`` must give the same answer as float32; every kind except those in ``allows``
    must be refused.

    Args:
        call: a function of the input and, with ``rows``, of a function that limits an array to the input's cells.
        good: the key in `tests.inputs.forms.GOOD` of its valid input.
        refuses: form or kind -> the pattern of the error.
        allows: kinds that give a result.
        adata: whether it takes an AnnData rather than a matrix.
        rows: whether it takes another argument with one value per cell.
        slow: whether a result takes seconds because numba or JAX compile.
    """

    call: object
    good: str
    refuses: dict
    allows: tuple = ()
    adata: bool = False
    rows: bool = False
    slow: bool = False
    tolerance: float = 1e-5

    @property
    def forms(self):
        return ADATA_FORMS if self.adata else MATRIX_FORMS

    @property
    def kinds(self):
        if self.adata:
            return ADATA_KINDS
        return MATRIX_KINDS | MISALIGNED if self.rows else MATRIX_KINDS

    @property
    def accepts(self):
        return [form for form in self.forms if form not in self.refuses]

    def convert(self, form_or_kind, x):
        if form_or_kind in self.kinds:
            return self.kinds[form_or_kind](x)
        form = self.forms[form_or_kind]
        return form.convert(form.numbers(x))

    def reference_input(self, numbers):
        """A float32 array in the form that the function takes."""
        return as_adata(numbers) if self.adata else numbers

    def answer(self, x):
        return self.call(x, partial(rows_like, x)) if self.rows else self.call(x)


# -- functions of an AnnData ------------------------------------------------------------------------------------------


def _of_adata(call, good, refuses, allows, **keywords):
    return Entry(call, good, refusals.ADATA | refuses, allows, adata=True, **keywords)


ESTIMATORS = {
    "LibrarySize": (lc.preprocess.LibrarySize, COUNTS),
    "MinMax": (lc.preprocess.MinMax, LOG1P),
    "HighlyVariableGenes": (partial(lc.preprocess.HighlyVariableGenes, 2, "pearson_residuals"), COUNTS),
    "GeneModules": (partial(lc.preprocess.GeneModules, 2), LOG1P),
    "GeneSets": (partial(lc.preprocess.GeneSets, {"one": GENES[:3]}, min_size=2), COUNTS),
}


@cache
def _fitted(estimator):
    make, train = ESTIMATORS[estimator]
    return make().fit(as_adata(train))


def _fit(estimator, refuses, allows):
    good = "counts" if ESTIMATORS[estimator][1] is COUNTS else "log1p"
    return _of_adata(lambda adata: ESTIMATORS[estimator][0]().fit(adata), good, refuses, allows)


def _transform(estimator, refuses, allows):
    good = "counts" if ESTIMATORS[estimator][1] is COUNTS else "log1p"
    return _of_adata(lambda adata: _fitted(estimator).transform(adata), good, refuses, allows)


_NO_LAYER = r'X \(there is no layers\["counts"\]\)'
_COUNTS_IN_X = refusals.counts("X") | refusals.X_NEEDED
_LOG1P_IN_X = refusals.log1p("X") | refusals.X_NEEDED

OF_ADATA = {
    "inputs": _of_adata(lc.inputs, "counts", refusals.X_NEEDED, (*ANY_X, *ANY_SHAPE, *NO_NAMES_READ)),
    "preprocess.split": _of_adata(
        lc.preprocess.split, "counts",
        {"one cell": r"ValueError: label 'B' has 1 cell, a stratified split needs 2 of each label: drop it"},
        (*ANY_X, "masked values", "no X", "one gene", *NO_NAMES_READ),
    ),
    "preprocess.LibrarySize.fit": _fit("LibrarySize", _COUNTS_IN_X, (*ANY_SHAPE, *NO_NAMES_READ)),
    "preprocess.LibrarySize.transform": _transform("LibrarySize", _COUNTS_IN_X, (*ANY_SHAPE, *NO_NAMES_READ)),
    "preprocess.MinMax.fit": _fit(
        "MinMax", refusals.finite("X") | refusals.X_NEEDED, (*NUMBERS_OF_ANY_UNIT, *ANY_SHAPE, *NO_NAMES_READ)
    ),
    "preprocess.MinMax.transform": _transform(
        "MinMax",
        refusals.finite("X") | refusals.X_NEEDED | {
            "one gene": r"ValueError: adata has 1 genes, expected 6: select the genes",
            "repeated gene names": r"ValueError: adata has gene 'gene 1' at position 0, expected 'gene 0': reorder",
        },
        (*NUMBERS_OF_ANY_UNIT, "one cell", "repeated cell names"),
    ),
    "preprocess.HighlyVariableGenes.fit": _fit(
        "HighlyVariableGenes",
        refusals.counts(_NO_LAYER) | refusals.UNIQUE_GENES | {
            "masked values": refusals.X_NEEDED["masked values"],
            "one cell": r"ValueError: n=2 is more than the 0 genes that vary in these cells \(6 genes in all\)",
            "one gene": r"ValueError: n=2 is more than the 1 genes that vary in these cells \(1 genes in all\)",
        },
        ("repeated cell names", "no X"),
    ),
    "preprocess.HighlyVariableGenes.transform": _transform(
        "HighlyVariableGenes",
        refusals.UNIQUE_GENES | {"one gene": r"ValueError: 2 of the 2 chosen genes are missing \(gene \d, gene \d\)"},
        (*ANY_X, "masked values", "no X", "one cell", "repeated cell names"),
    ),
    "preprocess.GeneModules.fit": _fit(
        "GeneModules",
        _LOG1P_IN_X | refusals.UNIQUE_GENES | {
            "one cell": r"ValueError: 6 genes are constant over these cells \(the first is 'gene 0'\)",
            "one gene": r"ValueError: n=2 modules of 1 genes would leave genes alone: lower n",
        },
        ("repeated cell names",),
    ),
    "preprocess.GeneSets.fit": _fit(
        "GeneSets",
        refusals.UNIQUE_GENES | {"one gene": r"ValueError: none of the 1 sets has min_size=2 of the 1 genes"},
        (*ANY_X, "masked values", "no X", "one cell", "repeated cell names"),
    ),
    "markers.differential_expression": _of_adata(
        lc.markers.differential_expression, "log1p",
        _LOG1P_IN_X | refusals.UNIQUE_GENES | {
            "one cell": r"ValueError: label is 'B' for all cells: ranking genes needs at least 2 labels"
        },
        ("one gene", "repeated cell names"), slow=True,
    ),
}  # fmt: skip

# -- functions of an embedding ----------------------------------------------------------------------------------------

TARGET = np.arange(N_CELLS) % 2
AMOUNT = np.arange(N_CELLS) % 7
HELD_OUT = np.arange(N_CELLS) % 3 == 0
BEFORE = Z + 3 * (BATCH == "plate 2")[:, None]
PARTS = np.stack([AMOUNT, 7 - AMOUNT], axis=1) / 7


def _of_embedding(call, one_cell=None, one_gene=None, name="z", **keywords):
    limits = {"one cell": one_cell, "one gene": one_gene}
    refused = {kind: message for kind, message in limits.items() if message}
    allows = (*NUMBERS_OF_ANY_UNIT, *(kind for kind in limits if kind not in refused))
    refuses = refusals.dense(name, "cells, dimensions") | refusals.MISALIGNED | refused
    return Entry(call, "embedding", refuses, allows, rows=True, **keywords)


def _draw(z, rows):
    ax = Figure().subplots()
    lc.course.plots.embedding(ax, z, rows(LABEL), "z")
    return [points.get_offsets().data for points in ax.collections]


_COLLAPSED = r"ValueError: z is \[.*\] for all 1 cells: it has collapsed"
_ONE_LABEL = r"ValueError: label is 'B' for all cells: {} needs at least 2 labels"

OF_EMBEDDING = {
    "evaluate.annotation": _of_embedding(
        lambda z, rows: lc.evaluate.annotation(z, rows(LABEL), 3, 2), _ONE_LABEL.format("annotation")
    ),
    "evaluate.few_labels": _of_embedding(
        lambda z, rows: lc.evaluate.few_labels(z, rows(LABEL), rows(HELD_OUT)), _ONE_LABEL.format("few_labels")
    ),
    "evaluate.clustering": _of_embedding(
        lambda z, rows: lc.evaluate.clustering(z, rows(LABEL), 2, 5),
        "ValueError: n_clusters=2 is more than the 1 cells: lower it", slow=True,
    ),
    "evaluate.integration": _of_embedding(
        lambda z, rows: lc.evaluate.integration(z, rows(BATCH), rows(LABEL), rows(BEFORE)),
        r"ValueError: batch is 'plate 1' for all cells: one batch needs no integration", slow=True,
    ),
    "evaluate.overcorrection": _of_embedding(
        lambda z, rows: lc.evaluate.overcorrection(z, rows(LABEL), "B", 5),
        "ValueError: label 'B' has 1 cells, too few for n_neighbors=5 of its own kind: lower it",
    ),
    "evaluate.across_batches": _of_embedding(
        lambda z, rows: lc.evaluate.across_batches(z, rows(AMOUNT), rows(BATCH), 3), _COLLAPSED
    ),
    "evaluate.proportions": _of_embedding(
        lambda z, rows: lc.evaluate.proportions(z, rows(PARTS), rows(BATCH), 3), _COLLAPSED
    ),
    "evaluate.canonical_correlations": _of_embedding(
        lambda z, rows: lc.evaluate.canonical_correlations(z, rows(Z)), _COLLAPSED
    ),
    "evaluate.neighbourhood_preservation": _of_embedding(
        lambda z, rows: lc.evaluate.neighbourhood_preservation(z, rows(Z), 3), _COLLAPSED
    ),
    "preprocess.mutual_neighbours": _of_embedding(
        lambda z, rows: lc.preprocess.mutual_neighbours(z, rows(BATCH), 2)
    ),
    "course.plots.embedding": _of_embedding(
        _draw, one_gene=r"ValueError: coordinates must be \(cells, 2\), got shape", name="coordinates"
    ),
}  # fmt: skip

# -- functions of another matrix --------------------------------------------------------------------------------------


def linear(x):
    """A function of a cell's genes with two logits."""
    weight = np.arange(2.0 * N_GENES, dtype="float32").reshape(N_GENES, 2)[: x.shape[1]]
    return keras.ops.matmul(x, keras.ops.convert_to_tensor(weight))


def _attribution(call, **one_gene):
    allows = NUMBERS_OF_ANY_UNIT + (("one cell",) if one_gene else ANY_SHAPE)
    refuses = refusals.dense("x", "cells, genes") | refusals.MISALIGNED | one_gene
    return Entry(call, "log1p", refuses, allows, rows=True)


_OF_COUNTS = refusals.counts("counts") | refusals.numbers("counts") | {
    "AnnData": "TypeError: got a whole AnnData: pass a matrix",
    "None": "TypeError: counts must hold numbers, got values of dtype object",
}  # fmt: skip
_NOT_2_D = r"ValueError: counts has shape \(\d,\), expected \(cells, genes\): pass a matrix, one row a cell"
_TOO_FEW = r"ValueError: counts has shape \(\d+, \d\): components need two cells and two genes, or more"

OF_MATRIX = {
    "preprocess.split_counts": Entry(
        lc.preprocess.split_counts, "counts", _OF_COUNTS, ("no cells", "no genes", "one row, 1-D", *ANY_SHAPE)
    ),
    "preprocess.shared_space": Entry(
        lc.preprocess.shared_space, "counts",
        _OF_COUNTS | {"one row, 1-D": _NOT_2_D} | dict.fromkeys(("no cells", "no genes", *ANY_SHAPE), _TOO_FEW),
        tolerance=1e-4,
    ),
    "evaluate.generation": Entry(
        lambda drawn: lc.evaluate.generation(drawn, COUNTS, 3), "counts",
        refusals.dense("drawn", "cells, genes") | refusals.counts("drawn") | {
            "one gene": "ValueError: drawn has 1 genes, real has 6: pass the same genes",
            "one cell": "ValueError: drawn has 1 cells, needed are 10: draw or hold out more",
        },
    ),
    "evaluate.calibration": Entry(
        lambda p, rows: lc.evaluate.calibration(p, rows(LABEL), ["B", "T"]), "probabilities",
        refusals.dense("probability", "cells, labels") | refusals.MISALIGNED | {
            "one gene": r"ValueError: probability must have the shape \(cells, 2\), got \(96, 1\): a column for each",
            **dict.fromkeys(
                NUMBERS_OF_ANY_UNIT, "ValueError: probability must be at least 0 and sum to 1 in each cell, got"
            ),
        },
        ("one cell",), rows=True,
    ),
    "markers.rank": Entry(
        lambda x, rows: lc.markers.rank(x, rows(LABEL), GENES), "log1p",
        refusals.dense("scores", "cells, genes") | refusals.MISALIGNED | {
            "one gene": r"ValueError: scores has shape \(96, 1\), expected \(96, 6\): pass one row per label",
            "one cell": _ONE_LABEL.format("ranking genes"),
        },
        NUMBERS_OF_ANY_UNIT, rows=True,
    ),
    "markers.ablation": _attribution(
        lambda x, rows: lc.markers.ablation(linear, x, rows(TARGET), [0, 1]),
        **{"one gene": "ValueError: genes holds 1, the function has 1 genes: pass codes from 0 to 0"},
    ),
    "markers.gradient_times_input": _attribution(
        lambda x, rows: lc.markers.gradient_times_input(linear, x, rows(TARGET))
    ),
    "markers.integrated_gradients": _attribution(
        lambda x, rows: lc.markers.integrated_gradients(linear, x, rows(TARGET), 2)
    ),
}  # fmt: skip

ENTRIES = OF_ADATA | OF_EMBEDDING | OF_MATRIX

# These take no cells, but numbers, names, paths or nothing.
ELSEWHERE = {
    "claim": "tests/course/test_claim.py",
    "course.claim": "tests/course/test_claim.py",
    "course.show": "tests/course/test_show.py",
    **{f"course.plots.{name}": "tests/course/test_plots.py"
       for name in ("colour", "confusion", "name_places", "seeds", "ternary", "use_style")},
    **{f"course.results.{name}": "tests/course/test_results.py"
       for name in ("load", "read", "row", "table", "validate", "values", "write")},
    "datasets.DataUnavailable": "tests/datasets/test_faults.py",
    "datasets.load": "tests/datasets/test_load.py",
    "datasets.names": "tests/datasets/test_load.py",
    "datasets.stream": "tests/datasets/test_stream.py",
    "datasets.simulate": "tests/datasets/test_simulate.py",
    "datasets.reactome": "tests/datasets/test_reactome.py",
    **{f"datasets.{name}": f"tests/datasets/test_{name}.py"
       for name in ("cell_mixture", "kang", "pbmc3k", "pbmc_facs", "pbmc_reference", "rna_mixture")},
    "datasets.pbmc3k_processed": "tests/datasets/test_pbmc3k.py",
    "evaluate.draw_labels": "tests/evaluate/test_few_labels.py",
    "layers.GeneTokens.adapt": "tests/layers/tokens/test_gene_tokens.py",
    "markers.canonical": "tests/markers/test_canonical.py",
    **{f"markers.{name}": "tests/markers/test_agreement.py"
       for name in ("precision_at", "rank_agreement", "stability")},
    "models.load": "tests/test_strangers.py",
}  # fmt: skip
