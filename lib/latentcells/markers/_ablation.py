"""How far does a logit fall when a gene is set to zero?"""

from functools import partial

import numpy as np

from latentcells._batching import in_batches
from latentcells.markers._gradients import check_cells_and_targets, check_codes, target_logit


def ablation(function, x, target, genes, batch_size=64) -> np.ndarray:
    r"""Set one gene after another to zero, and measure how far the target's logit falls.

    .. math:: a_{ig} = f_{t_i}(x_i) - f_{t_i}(x_i \odot (1 - e_g))

    The logit, because that is what `gradient_times_input` and `integrated_gradients` attribute to the genes: for a
    linear function all three agree. It does not saturate, as a probability near 1 does. A logit may fall for all
    labels alike, though: for the log-probability, let ``function`` return ``keras.ops.log_softmax`` of the logits.

    Args:
        function: (cells, genes) float32 tensor -> (cells, labels) logits, of each cell by itself, without dropout.
        x: (cells, genes), in the unit that ``function`` takes; 0 must mean that a gene is not expressed.
        target: (cells,), integers, the column of the logits that is explained.
        genes: (n,), integers, the columns of ``x`` to set to zero, one at a time.
        batch_size: cells in a mini-batch.

    Returns:
        (cells, n) float32, in the unit of the logits, positive for a gene that supports the target; 0 in cells that
        do not express the gene, which are not computed again.

    Raises:
        ValueError: for NaN, different cells (by number, or by the index of two pandas objects), target codes or genes
            that are out of range.
        TypeError: for target codes, genes or a batch size that are not integers.

    References:
        Zeiler and Fergus 2014, occlusion, https://arxiv.org/abs/1311.2901

    Example:
        >>> import keras, numpy as np
        >>> function = lambda x: keras.ops.matmul(x, np.float32([[2, 0], [0, 5]]))
        >>> ablation(function, [[3.0, 1.0], [0.0, 1.0]], [0, 1], genes=[0, 1]).tolist()
        [[6.0, 0.0], [0.0, 5.0]]
    """
    x, target = check_cells_and_targets(function, x, target, batch_size)
    genes = check_codes(genes, x.shape[1], "genes", "genes")
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
