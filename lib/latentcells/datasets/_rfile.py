"""R files, read without R."""

from pathlib import Path

import rdata
from scipy import sparse


def read_r(path: Path) -> dict:
    """Read a saved R workspace: name -> pandas, NumPy or SciPy object."""
    return rdata.conversion.convert(rdata.parser.parse_file(path), _CONSTRUCTORS)


def _sparse(_, slots) -> sparse.csc_matrix:
    """R's compressed sparse column matrix, in its own (rows, columns)."""
    return sparse.csc_matrix((slots["x"], slots["i"], slots["p"]), shape=tuple(slots["Dim"]))


def _plain(value, _):
    """A class that only decorates a list or a vector."""
    return value


_CONSTRUCTORS = {
    **rdata.conversion.DEFAULT_CLASS_MAP,
    "dgCMatrix": _sparse,
    "collector": _plain,
    "collector_character": _plain,
    "collector_guess": _plain,
    "col_spec": _plain,
    "multinom_topic_model_fit": _plain,
}
