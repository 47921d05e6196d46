"""How the networks of the benchmarks are trained: Adam, for a number of epochs or of steps."""

import latentcells as lc  # noqa: F401  before Keras: it holds TensorFlow's log lines back

import keras  # isort: skip


def train(model, x, y=None, *, epochs, batch_size, learning_rate, jit_compile="auto", **options):
    """The model after its training.

    Args:
        model: of `latentcells.models`, or any Keras model.
        x: the cells, as the model takes them.
        y: their labels, if it learns them.
        epochs: passes over the cells.
        batch_size: cells in a mini-batch.
        learning_rate: a number or a schedule.
        jit_compile: as in `keras.Model.compile`.
        options: for `fit`.
    """
    model.compile(keras.optimizers.Adam(learning_rate), jit_compile=jit_compile)
    model.fit(x, y, batch_size=batch_size, epochs=epochs, verbose=0, **options)
    return model


def train_steps(model, x, y=None, *, steps, batch_size, learning_rate):
    """`train` for as many whole epochs, at least 1, as show the model about ``steps`` full mini-batches of cells."""
    n_cells = len(x["x"] if isinstance(x, dict) else x)
    epochs = max(1, round(steps * batch_size / n_cells))
    return train(model, x, y, epochs=epochs, batch_size=batch_size, learning_rate=learning_rate)
