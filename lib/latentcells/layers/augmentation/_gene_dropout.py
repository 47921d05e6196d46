"""Dropout as in sequencing: weakly expressed genes are lost most often."""

import keras
import numpy as np
from keras import ops

from latentcells import _checks
from latentcells.layers.augmentation._augmentation import Augmentation


@keras.saving.register_keras_serializable(package="latentcells")
class GeneDropout(Augmentation):
    r"""Set each value to 0 with a probability that falls with the mean of its gene.

    .. math::
        p_j = \frac{K}{K + m_j}

    with :math:`m_j` the gene's mean count over the training cells: across genes dropouts follow this
    Michaelis-Menten curve (Andrews & Hemberg 2019, doi:10.1093/bioinformatics/bty1044).

    Args:
        mean: (genes,), m, in counts, 0 or more.
        half: K, the mean count at which a gene is lost in half of the cells, positive.
        seed: whole number.

    Call arguments:
        x: (cells, genes), counts.
        training: whether to drop values; False returns x.

    Returns:
        (cells, genes), counts.

    Raises:
        ValueError: for a negative or missing mean, a ``half`` of 0 or less, another number of genes.

    Example:
        >>> import numpy as np
        >>> from latentcells.layers import GeneDropout
        >>> x = np.ones((1000, 3), "float32")
        >>> np.asarray(GeneDropout([0.0, 1.0, 1e9], half=1.0)(x)).mean(axis=0).round(1).tolist()
        [0.0, 0.5, 1.0]
    """

    def __init__(self, mean, half=0.1, seed=0, **kwargs):
        super().__init__(seed, **kwargs)
        self.mean = [float(m) for m in np.ravel(mean)]
        for value in self.mean:
            if not 0 <= value < float("inf"):
                raise ValueError(f"mean must be 0 or more for each gene, got {value!r}: counts.mean(axis=0)")
        self.half = _checks.positive(half, "half", "it is a mean count")

    def build(self, input_shape):
        if input_shape[-1] != len(self.mean):
            raise ValueError(
                f"x has {input_shape[-1]} genes, mean has {len(self.mean)}: take the means of the same genes"
            )

    def _draw(self, x):
        dropout_rate = self.half / (self.half + ops.convert_to_tensor(self.mean, dtype="float32"))
        return x * ops.cast(self._uniform(ops.shape(x)) >= dropout_rate, "float32")

    def get_config(self):
        return {**super().get_config(), "mean": self.mean, "half": self.half}
