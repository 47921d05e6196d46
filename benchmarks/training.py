"""Train the networks of the benchmarks with Adam, for a number of epochs or of steps."""

import latentcells as lc  # noqa: F401  before Keras, because it silences TensorFlow's log

import keras  # isort: skip


def train(model, x, y=None, *, epochs, batch_size, learning_rate, jit_compile="auto", **options):
    """Train a model and return it.

    Args:
        model: a model of `latentcells.models`, or any Keras model.
        x: the cells, in a form that the model takes.
        y: the labels, for a model that learns them.
        epochs: passes over the cells.
        batch_size: cells in a mini-batch.
        learning_rate: a number or a schedule.
        jit_compile: as in `keras.Model.compile`.
        options: further arguments of `fit`.
    """
    model.compile(keras.optimizers.Adam(learning_rate), jit_compile=jit_compile)
    model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, **options)
    return model


def train_steps(model, x, y=None, *, steps, batch_size, learning_rate):
    """`train` for a whole number of epochs, at least 1, closest to ``steps`` full mini-batches of cells."""
    n_cells = len(x["x"] if isinstance(x, dict) else x)
    epochs = max(1, round(steps * batch_size / n_cells))
    return train(model, x, y, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
