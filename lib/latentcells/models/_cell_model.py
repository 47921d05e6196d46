"""What every model of the course shares: Keras's methods behind one door for cells, seeded and quick."""

import json

import keras
import numpy as np
import pandas as pd
import tensorflow as tf
from keras import ops

from latentcells import _checks
from latentcells._batching import Shuffle, batches
from latentcells._cells import choose_rows, n_cells, to_dense
from latentcells._streams import from_all_workers, is_stream, with_plain_refusals
from latentcells.models._door import Door


class CellModel(Door, keras.Model):
    """A `keras.Model` whose rows are cells.

    Every method that takes cells takes them in any form, and checks them: AnnData (the layer that the model needs, or
    ``X``), array, pandas table, list of rows, scipy sparse matrix of any kind, `tf.data.Dataset` (as
    `latentcells.datasets.stream` gives it), `keras.utils.PyDataset`, or an iterator over mini-batches. Sparse cells
    are made dense a mini-batch at a time. Genes that come with names (``var_names``, a table's columns) are remembered
    by `fit`, saved with the model, and matched by name from then on.

    Args:
        n_genes: genes a cell; input with another number is refused.
        seed: whole number; of the weights, of the noise and of the order of the cells in `fit`.

    Attributes:
        lone_cell: for a model that cannot learn from one cell: the reason, and another remedy than a larger
            mini-batch; None for others.
        compares_cells: whether held-out cells need company, too.
    """

    compares_cells = False

    def __init__(self, n_genes, seed=0, **kwargs):
        # no autocast: a library size summed in half precision is wrong or infinite
        super().__init__(autocast=False, **kwargs)
        self.n_genes = _checks.at_least(n_genes, 1, "n_genes")
        self.seed = _checks.at_least(seed, 0, "seed")
        self.lone_cell = None

    @property
    def built(self):
        """True: the networks are built with the model."""
        return True

    @built.setter
    def built(self, value):
        pass  # Keras says what is known already

    def build(self, input_shape=None):
        """Nothing to do: the networks are built with the model."""

    def compile(self, optimizer="adam", steps_per_execution=None, **kwargs):
        """Keras's `compile`; eight training steps a Python call by default, one on PyTorch, which takes no more.

        On two cores the Python between the steps costs a quarter of a small model's time. Callbacks'
        batch methods are called every ``steps_per_execution`` mini-batches, their epoch methods as always.
        """
        if steps_per_execution is None:
            steps_per_execution = 1 if keras.backend.backend() == "torch" else 8
        super().compile(optimizer=optimizer, steps_per_execution=steps_per_execution, **kwargs)

    def compile_from_config(self, config):
        """Compile a loaded model as it was; Keras leaves that to a model with a `compile` of its own."""
        self.compile(**keras.saving.deserialize_keras_object(config))
        self.optimizer.build(self.trainable_variables)

    def fit(
        self, x=None, y=None, batch_size=None, epochs=1, verbose="auto", callbacks=None, validation_split=0.0,
        validation_data=None, shuffle=True, class_weight=None, sample_weight=None, initial_epoch=0,
        steps_per_epoch=None, validation_steps=None, validation_batch_size=None, validation_freq=1,
    ):  # fmt: skip
        """Keras's `fit`; the cells are checked, and shuffled by the model's own seed.

        Args:
            x: the cells, in any form; a dictionary where the model says so.
            y: target, where the model has one; beside an AnnData possibly the name of a column of ``obs``.
            batch_size: cells a step, 128 by default; a stream has its own.
            epochs: passes over the cells.
            validation_split: the share of the cells, the last ones as they lie, that is held out, in [0, 1).
            validation_data: held-out cells, ``x``, ``(x, y)`` or ``(x, y, sample_weight)``, or a stream;
                ``validation_split`` is ignored beside it, as in Keras.
            shuffle: draw a new order of the cells at each epoch.
            class_weight: for `CellAnnotator` alone, the others have no classes.
            sample_weight: (cells,), the weight of each cell's loss, 0 or more.
            validation_batch_size: ``batch_size`` by default.
            verbose, callbacks, initial_epoch, steps_per_epoch, validation_steps, validation_freq: as in Keras.

        Returns:
            keras.callbacks.History.

        Raises:
            ValueError: for data that the model is not meant for, with the remedy.
            TypeError: for what holds no cells.
        """
        if class_weight is not None:
            raise ValueError("class_weight needs a model with classes: pass sample_weight, one weight a cell")
        self._build_optimizer()
        batch_size = _checks.at_least(128 if batch_size is None else batch_size, 1, "batch_size")
        share = _checks.share(validation_split, "validation_split", zero=True)
        held_out, shuffler = None, None
        if validation_data is not None:
            held_out, share = self._held_out(validation_data, validation_batch_size or batch_size), 0.0
        if is_stream(x):
            data = self._prepare_stream(x, y, sample_weight, share)
        else:
            cells = self._take_all(x, y, sample_weight, training=True)
            if share:
                cells, last = _cut(cells, share)
                size = validation_batch_size or batch_size
                self._check_held_out(n_cells(last), size, "validation_batch_size")
                held_out = batches(last, size)
            self._check_batches(n_cells(cells), batch_size)
            self._remember_genes(x)
            self._prepare_from(cells)
            shuffler = self._shuffler(cells[0], epochs) if shuffle else None
            data = self._dataset(cells, batch_size, shuffler)
        fit, extra = super().fit, [] if shuffler is None else [shuffler]
        return with_plain_refusals(
            lambda: fit(
                data, epochs=epochs, verbose=verbose, callbacks=[*keras.tree.flatten(callbacks or []), *extra],
                shuffle=shuffle and isinstance(x, keras.utils.PyDataset),  # Keras cannot shuffle the others
                validation_data=held_out, initial_epoch=initial_epoch, steps_per_epoch=steps_per_epoch,
                validation_steps=validation_steps, validation_freq=validation_freq,
            )
        )  # fmt: skip

    def evaluate(
        self, x=None, y=None, batch_size=None, verbose="auto", sample_weight=None, steps=None, callbacks=None,
        return_dict=False, *, fill=None, **kwargs,
    ):  # fmt: skip
        """Keras's `evaluate` of cells in any form; ``fill=0`` takes genes that they lack as 0."""
        evaluate = super().evaluate
        if "_use_cached_eval_dataset" in kwargs:  # by Keras, within `fit`: the cells are checked
            return evaluate(x, steps=steps, callbacks=callbacks, return_dict=return_dict, **kwargs)
        data = self._feed(x, y, sample_weight, batch_size, fill)
        return with_plain_refusals(
            lambda: evaluate(data, verbose=verbose, steps=steps, callbacks=callbacks, return_dict=return_dict)
        )

    def predict(self, x, batch_size=None, verbose="auto", steps=None, callbacks=None, *, fill=None):
        """Keras's `predict` of cells in any form, each output with a row a cell; ``fill`` as in `evaluate`."""
        data, predict = self._feed_cells(x, batch_size, fill), super().predict
        return with_plain_refusals(lambda: predict(data, verbose=verbose, steps=steps, callbacks=callbacks))

    def predict_step(self, *args):
        """Keras's step; a parameter that all cells share gets a row for each of them."""
        result, n = super().predict_step(*args), ops.shape(keras.tree.flatten(args[-1])[0])[0]
        if keras.backend.backend() == "jax":
            outputs, state = result
            return _row_a_cell(outputs, n), state
        return _row_a_cell(result, n)

    def train_on_batch(self, x, y=None, sample_weight=None, class_weight=None, return_dict=False):
        """Keras's `train_on_batch` of a mini-batch in any form."""
        if class_weight is not None:
            raise ValueError("class_weight is for fit: pass sample_weight, one weight a cell")
        self._build_optimizer()
        data = to_dense(self._take_all(x, y, sample_weight, training=True))
        self._check_batches(n_cells(data), n_cells(data))
        self._remember_genes(x)
        self._prepare_from(data)
        return super().train_on_batch(*data, return_dict=return_dict)

    def test_on_batch(self, x, y=None, sample_weight=None, return_dict=False, *, fill=None):
        """Keras's `test_on_batch` of a mini-batch in any form; ``fill`` as in `evaluate`."""
        data = to_dense(self._take_all(x, y, sample_weight, fill=fill))
        return super().test_on_batch(*data, return_dict=return_dict)

    def predict_on_batch(self, x, *, fill=None):
        """Keras's `predict_on_batch` of a mini-batch in any form; ``fill`` as in `evaluate`."""
        return super().predict_on_batch(to_dense(self._take(x, fill=fill).matrix))

    def export(self, filepath, format="tf_saved_model", verbose=None, input_signature=None, **kwargs):
        """Keras's `export`; the signature is the model's own by default: float32, any number of cells."""
        signature = [self._cells_spec()] if input_signature is None else input_signature
        super().export(filepath, format=format, verbose=verbose, input_signature=signature, **kwargs)

    def _cells_spec(self):
        return keras.InputSpec(shape=(None, self.n_genes), dtype="float32")

    def save_own_variables(self, store):
        """The model's own weights, the names of its genes, and how far its noise has come."""
        super().save_own_variables(store)
        for i, state in enumerate(self._noise()):
            store[f"noise {i}"] = state
        if self._genes is not None:
            store["genes"] = np.frombuffer(json.dumps(self.genes).encode(), np.uint8)

    def load_own_variables(self, store):
        """What `save_own_variables` saved; a file from before it knew noise or genes leaves them as they are."""
        stored = {name: store[name] for name in list(store.keys())}
        noise = {name: stored.pop(name) for name in list(stored) if name.startswith("noise")}
        genes = stored.pop("genes", None)
        super().load_own_variables(stored)
        for i, state in enumerate(self._noise()):
            if f"noise {i}" in noise:
                state.assign(noise[f"noise {i}"])
        if genes is not None:
            self._genes = pd.Index(json.loads(np.asarray(genes, np.uint8).tobytes()))

    def _noise(self):
        """The state of each generator of random numbers in the model, in order."""
        return [variable for variable in self.variables if variable.name == "seed_generator_state"]

    def _build_optimizer(self):
        optimizer = getattr(self, "optimizer", None)  # Keras says what to do where `compile` was not called
        if optimizer is not None and not optimizer.built:
            optimizer.build(self.trainable_variables)  # else TensorFlow traces the first step twice

    def _mean_loss(self, loss, sample_weight=None):
        """The loss of a training step: the (weighted) mean over cells.

        Where several replicas take the step, their gradients are added up: each takes its share of the loss.
        """
        weighted = loss if sample_weight is None else loss * ops.cast(sample_weight, loss.dtype)
        return ops.mean(weighted) / tf.distribute.get_strategy().num_replicas_in_sync

    def _prepare_stream(self, x, y, sample_weight, share):
        """A checked stream; its first mini-batches prepare the model."""
        if share:
            raise ValueError(f"validation_split={share} needs cells in memory: pass validation_data")
        data, first = self._check_stream(x, y, sample_weight)
        if first:
            cells = keras.tree.map_structure(lambda *parts: np.concatenate(parts), *first)
            self._prepare_from(from_all_workers(cells))
        return data

    def _prepare_from(self, data):
        """Neither held-out cells nor cells of weight 0 prepare a model."""
        self._prepare(choose_rows(data[0], data[2] > 0) if len(data) > 2 else data[0])

    def _prepare(self, x):
        """Take over what the model needs of its training cells, (cells, genes), dense or CSR, before the first step."""

    def _held_out(self, data, batch_size):
        x, y, weight = (*(data if isinstance(data, tuple) else (data,)), None, None)[:3]
        return self._feed(x, y, weight, batch_size, argument="validation_batch_size")

    def _shuffler(self, x, epochs):
        """The callback that orders the training cells anew."""
        return Shuffle(n_cells(x), self.seed)

    def _dataset(self, data, batch_size, shuffler):
        """The mini-batches of a training; ``shuffler`` is None where the cells keep their order."""
        return batches(data, batch_size, None if shuffler is None else shuffler.order)

    def _check_held_out(self, n, batch_size, argument):
        if self.compares_cells:
            self._check_batches(n, batch_size, argument, "held-out")

    def _check_batches(self, n, batch_size, argument="batch_size", kind="training"):
        """Some models cannot take a step on one cell, not even the last one, and some not even a held-out one."""
        if self.lone_cell and (n % batch_size or min(n, batch_size)) == 1:
            reason, otherwise = self.lone_cell
            size = next((size for size in range(batch_size + 1, n + 1) if n % size != 1), None)
            remedy = f"take {argument}={size}" if size else "take more cells"
            raise ValueError(
                f"{argument}={batch_size} leaves a {kind} batch of 1 of the {n} cells, which {reason}: "
                f"{remedy}{otherwise}"
            )


def _cut(data, share):
    """All cells but the last, and the last ones: a share of them."""
    n = int(n_cells(data) * (1 - share))
    return choose_rows(data, slice(n)), choose_rows(data, slice(n, None))


def _row_a_cell(outputs, n):
    """The outputs of a call with what is the same for all cells repeated for each."""
    return keras.tree.map_structure(
        lambda values: ops.broadcast_to(values, (n, *values.shape)) if len(values.shape) == 1 else values,
        outputs,
    )
