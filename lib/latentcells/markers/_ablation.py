"""What does a function lose when a gene is taken away?"""

from functools import partial

import numpy as np

from latentcells._batching import in_batches
from latentcells.markers._logits import checked, in_range, target_logit


def ablation(function, x, target, genes, batch_size=64) -> np.ndarray:
    r"""Set one gene after the other to zero, and measure how far the target's logit falls.

    .. math:: a_{ig} = f_{t_i}(x_i) - f_{t_i}(x_i \odot (1 - e_g))

    The logit, since that is what `gradient_times_input` and `integrated_gradients` attribute to the genes: for a
    linear function all three agree. It does not saturate, as a probability near 1 does. A logit may fall for all
    labels alike, though: to ask for the log-probability, let ``function`` return that, ``keras.ops.log_softmax``.

    Args:
        function: (cells, genes) float32 tensor -> (cells, labels) logits, of each cell by itself, without dropout.
        x: (cells, genes), in the unit that ``function`` takes; 0 must mean that a gene is not expressed.
        target: (cells,), integers, the column of the logits that is asked for.
        genes: (n,), integers, the columns of ``x`` to set to zero, each by itself.
        batch_size: cells at once.

    Returns:
        (cells, n) float32, in the unit of the logits, positive for a gene that speaks for the target; 0 in cells
        that do not express the gene, which are not computed again.

    Raises:
        ValueError: for NaN, shapes that differ, target codes or genes that are out of range.
        TypeError: for target codes, genes or a batch size that are no integers.

    References:
        Zeiler and Fergus 2014, occlusion, https://arxiv.org/abs/1311.2901

    Example:
        >>> import keras, numpy as np
        >>> function = lambda x: keras.ops.matmul(x, np.float32([[2, 0], [0, 5]]))
        >>> ablation(function, [[3.0, 1.0], [0.0, 1.0]], [0, 1], genes=[0, 1]).tolist()
        [[6.0, 0.0], [0.0, 5.0]]
    """
    x, target = checked(function, x, target, batch_size)
    genes = in_range(genes, x.shape[1], "genes", "genes")
    logit = partial(target_logit, function)
    before = in_batches(logit, x, target, batch_size=batch_size)
    fall = np.zeros((len(x), len(genes)), np.float32)
    for column, gene in enumerate(genes):
        cells = np.flatnonzero(x[:, gene])
        if not len(cells):
            continue
        without = x[cells]
        without[:, gene] = 0
        after = in_batches(logit, without, target[cells], batch_size=batch_size)
        fall[cells, column] = before[cells] - after
    return fall
