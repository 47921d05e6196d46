"""The models and the cells of the contract, and what its two test files share."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import anndata
import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from scipy import sparse

import latentcells as lc
from tests.helpers import EAGER

CELLS, GENES = 24, 12
RNG = np.random.default_rng(0)
COUNTS = (RNG.poisson(RNG.gamma(2.0, 2.0, (2, GENES))[np.arange(CELLS) % 2]) + np.eye(CELLS, GENES)).astype(
    "float32"
)
SHARE = COUNTS / COUNTS.sum(axis=1, keepdims=True)
VALUES = {"counts": COUNTS, "log1p": np.log1p(100 * SHARE), "unit": np.sqrt(SHARE)}
LABEL = np.array(["B", "T"])[np.arange(CELLS) % 2]
PLATE = np.array(["plate 1", "plate 2"])[np.arange(CELLS) // 2 % 2]
CELL_NAMES = [f"cell {i}" for i in range(CELLS)]
GENE_NAMES = [f"gene {i}" for i in range(GENES)]


@dataclass(frozen=True)
class Kind:
    """A model: how it is built, and what it takes."""

    make: Callable
    methods: tuple
    values: str = "counts"
    by_batch: bool = False
    labelled: bool = False

    def build(self):
        model = self.make()
        # SGD: its step is proportional to the loss, so that a factor in it shows
        model.compile(optimizer=keras.optimizers.SGD(0.001), run_eagerly=EAGER, steps_per_execution=1)
        return model

    @property
    def x(self):
        return VALUES[self.values]

    @property
    def walks(self):
        """Whether `fit` draws neighbours along with the order, so that it takes neither streams nor no shuffle."""
        return self.make.func is lc.models.NeighbourVAE

    def cells(self, x):
        """x in any form as the model takes it."""
        if not self.by_batch or hasattr(x, "obs_names"):
            return x
        n_cells = len(x) if isinstance(x, list) else x.shape[0]
        return {"x": x, "batch": PLATE[:n_cells]}

    def y(self, n_cells=CELLS):
        return LABEL[:n_cells] if self.labelled else None

    def tensors(self):
        """The cells as `call` takes them."""
        x = tf.constant(self.x) if EAGER else keras.ops.convert_to_tensor(self.x)
        one_hot = (PLATE[:, None] == np.array(["plate 1", "plate 2"])).astype("float32")
        return {"x": x, "batch": keras.ops.convert_to_tensor(one_hot)} if self.by_batch else x


SMALL = {"n_genes": GENES, "latent_dim": 2, "hidden": (4,), "seed": 0}
BY_BATCH = {**SMALL, "batches": ["plate 1", "plate 2"]}
TRANSFORMER = {"n_genes": GENES, "n_tokens": 4, "dim": 4, "n_heads": 2, "depth": 1, "seed": 0}
OF_VAE = "encode", "elbo", "reconstruct"


def kind(name, methods, values="counts", by_batch=False, labelled=False, **config):
    return Kind(partial(getattr(lc.models, name), **config), methods, values, by_batch, labelled)


KINDS = {
    "VAE": kind("VAE", OF_VAE, **SMALL),
    "VAE, zero-inflated": kind("VAE", OF_VAE, **SMALL, likelihood="zero_inflated_negative_binomial"),
    "VAE, Gaussian": kind("VAE", OF_VAE, "log1p", **SMALL, likelihood="gaussian"),
    "VAE, Bernoulli": kind("VAE", OF_VAE, "unit", **SMALL, likelihood="bernoulli"),
    "BatchVAE": kind("BatchVAE", OF_VAE, by_batch=True, **BY_BATCH),
    "BatchVAE, domain": kind("BatchVAE", OF_VAE, by_batch=True, **BY_BATCH, normalization="domain"),
    "BatchVAE, adversary": kind("BatchVAE", OF_VAE, by_batch=True, **BY_BATCH, adversary=1.0),
    "NeighbourVAE": kind("NeighbourVAE", OF_VAE, by_batch=True, **BY_BATCH, n_neighbors=3, n_mutual=2),
    "MaskedAutoencoder": kind("MaskedAutoencoder", ("encode", "predict_hidden"), **SMALL),
    "ContrastiveEncoder": kind("ContrastiveEncoder", ("encode",), **SMALL, projection=4),
    "MaskedGeneTransformer": kind(
        "MaskedGeneTransformer", ("encode", "attention", "attention_maps"), **TRANSFORMER, rate=0.5
    ),
    "CellAnnotator": kind(
        "CellAnnotator", ("encode", "attention", "predict_labels"), labelled=True, **TRANSFORMER, labels=["B", "T"]
    ),
}  # fmt: skip
STATES = "fresh", "trained", "reloaded"


def fit(model, case, x=None, y=None, **keywords):
    """The history of an epoch in order, where the model can keep it; the good cells by default."""
    if x is None:
        x, y = case.cells(case.x), case.y()
    order = {} if case.walks else {"shuffle": False}
    return model.fit(x, y, **{"batch_size": CELLS // 2, "verbose": 0, **order, **keywords}).history


def noise(model):
    """The state of the model's random numbers, and a function that puts it back."""
    states = [variable for variable in model.variables if variable.name == "seed_generator_state"]
    values = [np.array(keras.ops.convert_to_numpy(state)) for state in states]

    def restore():
        for state, value in zip(states, values, strict=True):
            state.assign(value)

    return restore


def replay(model, *calls):
    """What each call gives, all from the same state of the model's noise."""
    restore, answers = noise(model), []
    for call in calls:
        restore()
        answers.append(call())
    return answers


def same(one, other, rtol=0.0, atol=0.0):
    """Two nests of arrays, numbers and names are the same, to the bit by default."""
    keras.tree.assert_same_structure(one, other)
    for a, b in zip(*map(keras.tree.flatten, (one, other)), strict=True):
        a, b = np.asarray(a), np.asarray(b)
        if a.dtype.kind in "OU":
            np.testing.assert_array_equal(a, b)
        else:
            np.testing.assert_allclose(a, b, rtol=rtol, atol=atol)


def as_adata(case, x=None):
    """An AnnData with the values where the model looks for them, and other ones where it does not."""
    x = case.x if x is None else x
    n = x.shape[0]
    adata = anndata.AnnData(
        np.log1p(np.abs(x)) if case.values == "counts" else x,
        obs=pd.DataFrame({"label": LABEL[:n], "batch": PLATE[:n]}, CELL_NAMES[:n]),
        var=pd.DataFrame(index=GENE_NAMES[: x.shape[1]]),
    )
    adata.layers["counts"] = x if case.values == "counts" else COUNTS[:n, : x.shape[1]]
    return adata


def unsorted(x):
    """CSR whose rows name their genes from the last to the first, each in two parts that add up to its value."""
    csr = sparse.csr_matrix(x)
    genes, values, ends = [], [], [0]
    for start, end in zip(csr.indptr, csr.indptr[1:], strict=False):
        value = csr.data[start:end][::-1]
        genes.append(np.tile(csr.indices[start:end][::-1], 2))
        values.append(np.concatenate([np.floor(value / 2), value - np.floor(value / 2)]))
        ends.append(ends[-1] + len(genes[-1]))
    return sparse.csr_matrix((np.concatenate(values), np.concatenate(genes), ends), shape=x.shape)


IN_MEMORY = {
    "float64": lambda x: x.astype("float64"),
    "a list": lambda x: x.tolist(),
    "a DataFrame": lambda x: pd.DataFrame(x, CELL_NAMES[: len(x)], GENE_NAMES[: x.shape[1]]),
    "CSR": sparse.csr_matrix,
    "CSR, unsorted, in parts": unsorted,
    "CSC": sparse.csc_matrix,
    "COO": sparse.coo_matrix,
    "a sparse array": sparse.csr_array,
}


class Batches(keras.utils.PyDataset):
    """Mini-batches of half of the cells."""

    def __init__(self, data):
        super().__init__()
        self.data = data

    def __len__(self):
        return 2

    def __getitem__(self, index):
        half = slice(index * CELLS // 2, (index + 1) * CELLS // 2)
        return keras.tree.map_structure(lambda array: array[half], self.data)


STREAMS = {
    "tf.data.Dataset": lambda data: tf.data.Dataset.from_tensor_slices(data).batch(CELLS // 2),
    "PyDataset": Batches,
}
FORMS = "AnnData", *IN_MEMORY, *STREAMS


def given(case, form, x=None, target=True):
    """The cells in a form, and their labels where the model has some and they do not come along."""
    x = case.x if x is None else x
    y = case.y(x.shape[0]) if target else None
    if form == "AnnData":
        return as_adata(case, x), y
    if form in IN_MEMORY:
        return case.cells(IN_MEMORY[form](x)), y
    return STREAMS[form]((case.cells(x),) if y is None else (case.cells(x), y)), None


def calls(model, case, form, x=None):
    """Name of a method -> a call of it with the cells in that form; those that train are not among them."""
    half = {"batch_size": CELLS // 2}
    pair, cells = partial(given, case, form, x), lambda: given(case, form, x, target=False)[0]
    named = {
        "evaluate": lambda: model.evaluate(*pair(), **half, verbose=0),
        "predict": lambda: model.predict(cells(), **half, verbose=0),
    }
    named |= {
        name: lambda name=name: getattr(model, name)(cells(), **({} if name == "attention_maps" else half))
        for name in case.methods
    }
    if form not in STREAMS:  # which is no mini-batch
        named["test_on_batch"] = lambda: model.test_on_batch(*pair())
        named["predict_on_batch"] = lambda: model.predict_on_batch(cells())
    return named


def training_calls(model, case, form, x=None):
    """Name of a method that trains -> a call of it; it leaves the weights."""

    def trained(call):
        call()
        return model.get_weights()

    named = {}
    if not (case.walks and form in STREAMS):
        named["fit"] = lambda: trained(lambda: fit(model, case, *given(case, form, x)))
    if form not in STREAMS:
        named["train_on_batch"] = lambda: trained(lambda: model.train_on_batch(*given(case, form, x)))
    return named
