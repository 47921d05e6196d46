"""What the likelihoods of counts have in common."""

import numpy as np
from keras import ops

from latentcells import _checks
from latentcells.likelihoods._likelihood import Likelihood, sum_over_cells


class CountLikelihood(Likelihood):
    r"""A `Likelihood` of counts, with the mean :math:`\mu_{ij} = \ell_i \, \mathrm{softmax}_j(\cdot)`.

    A cell's library size :math:`\ell_i` is shared out over its genes (Lopez et al. 2018,
    doi:10.1038/s41592-018-0229-2).
    """

    @staticmethod
    def _check(x):
        _checks.counted_cells(x, "x")

    def _start_at(self, x):
        # one more molecule: a gene without any starts as the rarest, and not at a share of 0
        total = sum_over_cells(x).astype("float32") + 1.0
        self.dense.bias.assign(np.log(total / total.sum()))

    @staticmethod
    def _encoder_input(x):
        return ops.log1p(x)

    def call(self, hidden, library):
        share = ops.softmax(self.dense(hidden))
        # 1e-8: a gene that the decoder has ruled out keeps a finite log-probability
        return {"mean": ops.cast(library, "float32") * share + 1e-8}

    def mean(self, parameters):
        return parameters["mean"]
