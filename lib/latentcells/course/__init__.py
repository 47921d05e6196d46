"""What only the course needs: claims that a cell checks, plots in one style, and the stored runs."""

from latentcells.course import plots, results
from latentcells.course._claim import claim

__all__ = ["claim", "plots", "results"]


def __dir__():
    return __all__
