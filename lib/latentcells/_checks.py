"""Is this counts, log1p or z-scores? Checks that refuse, and name the remedy.

Every refusal is one line that gives the received value and the remedy: a ``ValueError``, or a
``TypeError`` for something that is not a matrix, a number or a name at all. Matrices are
(cells, genes), dense or sparse; a sparse one is never made dense.
"""

from numbers import Integral, Real

import numpy as np
from scipy import sparse

_REMEDIES = {
    "counts": 'pass raw counts, often kept in adata.layers["counts"] or adata.raw.X',
    "log1p": "use lc.preprocess.LibrarySize().fit(train).transform(adata).X",
    "unit": "use lc.preprocess.MinMax().fit(train).transform(adata).X",
}
_LOOKS = {"unit": "unit-scaled data", "log1p": "log1p data", "normalised": "normalised data"}


def state(x) -> str:
    """Say what kind of numbers a matrix holds, from its values alone.

    Args:
        x: (cells, genes), dense or sparse, finite.

    Returns:
        ``"counts"`` (whole numbers >= 0), ``"unit"`` (within [0, 1], not all whole), ``"log1p"``
        (>= 0, maximum under 20), ``"normalised"`` (>= 0, maximum 20 or more) or ``"z-scores"``
        (some value below 0). The bound of 20 is safe: e^20 is half a billion molecules.

    Raises:
        ValueError: if a value is NaN or infinite.
        TypeError: if ``x`` is not a matrix of numbers.

    Example:
        >>> state([[0, 3], [1, 0]]), state([[0.0, 1.4]]), state([[-0.3, 1.4]])
        ('counts', 'log1p', 'z-scores')
    """
    finite(x)
    values = _values(x)
    low, high = (values.min(), values.max()) if values.size else (0, 0)
    if low < 0:
        return "z-scores"
    if _is_whole(values):
        return "counts"
    if high <= 1:
        return "unit"
    return "log1p" if high < 20 else "normalised"


def matrix(x, name="X"):
    """Return ``x`` as it is if it is sparse, or else as an array of numbers.

    Raises:
        TypeError: for an AnnData, and for values that are not numbers.
        ValueError: for a masked array.
    """
    if hasattr(x, "obs_names"):
        raise TypeError('got a whole AnnData: pass a matrix, adata.X or adata.layers["counts"]')
    not_masked(x, name)
    x = x if sparse.issparse(x) else np.asarray(x)
    if x.dtype.kind not in "biuf":
        raise TypeError(f"{name} must hold numbers, got values of dtype {x.dtype}")
    return x


def finite(x, name="X") -> None:
    """Refuse NaN and infinite values.

    Raises:
        ValueError: with the first such value and how many there are.
    """
    values = _values(x, name)
    bad = values[~np.isfinite(values)]
    if bad.size:
        raise ValueError(
            f"{name} must be finite, got {bad.flat[0]} ({bad.size} of {values.size} stored values): "
            "drop or fill them; scaling a gene that never varies makes them, sc.pp.filter_genes drops it"
        )


def counts(x, name="X", remedy=None) -> None:
    """Refuse all but counts: whole numbers >= 0, of any dtype.

    Args:
        x: (cells, genes), dense or sparse.
        name: what the message calls ``x``.
        remedy: what the message ends with, for the place that ``x`` was read from.

    Raises:
        ValueError: with the first value that is no count and what the matrix looks like; for a masked array.
    """
    values = _values(x, name)
    if not values.size or (values.min() >= 0 and values.max() < np.inf and _is_whole(values)):
        return
    looks = _finite_state(x, name)
    bad = values[(values < 0) if looks == "z-scores" else (values != np.rint(values))].flat[0]
    _refuse(name, "counts (whole numbers, 0 or more)", bad, looks, remedy or _REMEDIES["counts"])


def counted_cells(x, name="X") -> None:
    """Refuse all but counts, and cells without a molecule: `counts` and `not_empty` in one pass over the values.

    Raises:
        ValueError: as the two.
    """
    x = matrix(x, name)
    if x.dtype != np.float32 or x.ndim != 2 or not x.size or not _are_counted(x):
        counts(x, name)
        not_empty(x, name, genes=False)


def _are_counted(x) -> bool:
    """Whether, quickly told, all values of a float32 matrix are counts and no cell is empty; False if in doubt."""
    if not sparse.issparse(x):
        return _all_counted(x, x.shape[1], lambda bits: bits.max(axis=1))
    if x.format != "csr" or not np.diff(x.indptr).all():
        return False
    return _all_counted(x.data, 1, lambda bits: bits)  # no stored 0


def _all_counted(values, width, of_each, size=2**16) -> bool:
    """Whether all values are counts and ``of_each`` is positive: ``size`` at a time, which a processor's cache holds.

    The bits of a float32, read as a whole number, grow with the value; those of a negative one
    are beyond those of infinity. So one maximum tells whether a cell is empty, negative or infinite.

    Args:
        values: float32; (cells, genes), or the stored values of a CSR matrix.
        width: values a row.
        of_each: the bits of some rows -> the largest of each.
        size: values at a time.
    """
    step, beyond = max(1, size // width), np.float32(np.inf).view(np.uint32)
    whole = np.empty((step, *values.shape[1:]), values.dtype)
    equal = np.empty(whole.shape, bool)
    for start in range(0, len(values), step):
        block = values[start : start + step]
        n = len(block)
        np.equal(np.rint(block, out=whole[:n]), block, out=equal[:n])
        top = of_each(block.view(np.uint32))
        if not (equal[:n].all() and top.min() > 0 and top.max() < beyond):
            return False
    return True


def log1p(x, name="X") -> None:
    """Refuse all but log1p-transformed expression: >= 0, fractional, maximum under 20.

    Values within [0, 1] pass, for shallow log1p data look like that.

    Raises:
        ValueError: with the value that is out of place and what the matrix looks like.
    """
    looks = _finite_state(x, name)
    if looks not in ("log1p", "unit"):
        values = _values(x)
        bad = values.min() if looks == "z-scores" else values.max(initial=0)
        _refuse(name, "log1p data (0 to 20, fractional)", bad, looks, _REMEDIES["log1p"])


def unit(x, name="X") -> None:
    """Refuse values outside [0, 1].

    Raises:
        ValueError: with the value that is farthest out and what the matrix looks like.
    """
    looks, values = _finite_state(x, name), _values(x)
    low, high = values.min(initial=0), values.max(initial=0)
    if low < 0 or high > 1:
        _refuse(name, "values within [0, 1]", low if low < 0 else high, looks, _REMEDIES["unit"])


def proportions(x, name="proportions", slack=0.02) -> None:
    """Refuse rows that are no proportions: 0 or more, summing to 1.

    Args:
        x: (cells, parts).
        name: what the message calls ``x``.
        slack: how far a sum may be from 1, for rounded values.

    Raises:
        ValueError: with the first row that is none and its sum.

    Example:
        >>> proportions([[0.33, 0.33, 0.33], [1, 0, 0]])
    """
    finite(x, name)
    x = np.asarray(x)
    if x.ndim != 2 or x.shape[1] < 2:
        raise ValueError(f"{name} must have the shape (cells, parts), got {x.shape}: one column per part")
    wrong = (x < 0).any(axis=1) | (np.abs(x.sum(axis=1) - 1) > slack)
    if wrong.any():
        row = int(wrong.argmax())
        raise ValueError(
            f"each row of {name} must be 0 or more and sum to 1, row {row} is {x[row].tolist()} with the sum "
            f"{x[row].sum():.3g}: divide each row by its sum"
        )


def not_empty(x, name="X", cells=True, genes=True) -> None:
    """Refuse cells without a molecule and genes that no cell expresses.

    Args:
        x: (cells, genes), counts.
        name: what the message calls ``x``.
        cells: look at the rows.
        genes: look at the columns.

    Raises:
        ValueError: with how many are empty, the first one's index and the scanpy call that drops them.
    """
    x = matrix(x, name)
    if x.ndim != 2:
        raise ValueError(
            f"{name} has shape {x.shape}, expected (cells, genes): pass a matrix, one row a cell"
        )
    for wanted, axis, kind in ((cells, 1, "cell"), (genes, 0, "gene")):
        empty = np.flatnonzero(np.asarray(x.astype(bool).sum(axis=axis)).ravel() == 0)
        if wanted and empty.size:
            raise ValueError(
                f"{name} has {empty.size} {kind}s with a total of 0 (the first has index {empty[0]}): "
                f"drop them, sc.pp.filter_{kind}s(adata, min_counts=1)"
            )


def in_memory(adata) -> None:
    """Refuse what is no AnnData, one that is backed by a file, and one without cells or genes.

    Raises:
        TypeError: for anything that is no AnnData.
        ValueError: for a backed one, with its file, and for an empty one, with its shape.
    """
    if not hasattr(adata, "obs_names"):
        raise TypeError(f"got {type(adata).__name__}: pass an AnnData, a matrix alone has no names")
    if adata.isbacked:
        raise ValueError(f"the AnnData is backed by {adata.filename}: pass adata.to_memory()")
    if 0 in adata.shape:
        raise ValueError(f"the AnnData has {adata.n_obs} cells and {adata.n_vars} genes: keep one at least")


def has_x(adata) -> None:
    """Refuse an AnnData without ``X``, and one whose ``X`` is masked.

    Raises:
        ValueError: with the layer that can become ``X``, if there is one.
    """
    if adata.X is None:
        layer = "counts" if "counts" in adata.layers else next(filter(None, adata.layers), None)
        source = "a matrix (cells, genes)" if layer is None else f"adata.layers[{layer!r}].copy()"
        raise ValueError(f"the AnnData has no X: set adata.X = {source}")
    not_masked(adata.X)


def not_masked(x, name="X") -> None:
    """Refuse a masked array: what it hides would be read as if it were measured.

    Raises:
        ValueError: with the number of masked values.
    """
    if np.ma.isMaskedArray(x):
        raise ValueError(
            f"{name} is a masked array ({np.ma.count_masked(x)} of {x.size} values masked): "
            "fill it, x.filled(0), or drop those cells"
        )


def unique_genes(adata) -> None:
    """Refuse an AnnData whose gene names repeat.

    Raises:
        ValueError: with the first repeated names.
    """
    unique_names(adata.var_names)


def unique_names(names) -> None:
    """Refuse gene names (a pandas Index) that repeat.

    Raises:
        ValueError: with the first repeated names.
    """
    repeated = names[names.duplicated()].unique()
    if len(repeated):
        shown = ", ".join(map(str, repeated[:3])) + (", …" if len(repeated) > 3 else "")
        raise ValueError(f"{len(repeated)} gene names repeat ({shown}): call adata.var_names_make_unique()")


def choice(value, allowed, name):
    """Return ``value`` if it is one of ``allowed``.

    Raises:
        ValueError: with the value and the choices.

    Example:
        >>> choice("relu", ("relu", "gelu"), "activation")
        'relu'
    """
    if value not in tuple(allowed):
        raise ValueError(f"{name}={value!r} is unknown: choose from {', '.join(map(repr, allowed))}")
    return value


def names(values, name, remedy="") -> list[str]:
    """Return ``values`` as a list of strings if they are two different names or more.

    Args:
        values: of what is to be told apart: labels, batches.
        name: what the message calls them.
        remedy: what the message ends with.

    Raises:
        ValueError: for a single name and for a repeated one, with what was received.

    Example:
        >>> names(("B", "T"), "labels")
        ['B', 'T']
    """
    texts = [str(value) for value in values]
    if len(texts) < 2 or len(set(texts)) < len(texts):
        end = f": {remedy}" if remedy else ""
        raise ValueError(f"{name} must be two different names or more, got {texts}{end}")
    return texts


def at_least(value, minimum, name) -> int:
    """Return ``value`` as an int if it is a whole number >= ``minimum``.

    Raises:
        TypeError: for a bool, a float, a string or anything else that is not an integer.
        ValueError: for an integer below ``minimum``.

    Example:
        >>> at_least(10, 1, "latent_dim")
        10
    """
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name} must be an integer, got {value!r} ({type(value).__name__})")
    if value < minimum:
        raise ValueError(f"{name} must be at least {minimum}, got {value}")
    return int(value)


def truth(value, name) -> bool:
    """Return ``value`` as a bool if it is True or False, of Python or NumPy.

    Raises:
        TypeError: for anything else: a string, even "no", would count as True.

    Example:
        >>> truth(np.True_, "noise")
        True
    """
    if not isinstance(value, bool | np.bool_):
        raise TypeError(f"{name}={value!r} is no truth value: pass True or False")
    return bool(value)


def share(value, name, zero=False) -> float:
    """Return ``value`` as a float if it lies between 0 and 1.

    Args:
        value: a number.
        name: what the message calls it.
        zero: whether 0 is allowed, too.

    Raises:
        ValueError: for 0, unless it is allowed, for 1 and for anything outside.
        TypeError: for anything that is not a number.

    Example:
        >>> share(0.3, "rate")
        0.3
    """
    _number(value, name)
    if not (0 < value < 1 or (zero and value == 0)):
        bounds = "at least 0 and less than 1" if zero else "above 0 and below 1"
        raise ValueError(f"{name} must be {bounds}, got {value!r}")
    return float(value)


def not_negative(value, name, remedy="") -> float:
    """Return ``value`` as a float if it is 0 or more, and finite.

    Args:
        value: a number.
        name: what the message calls it.
        remedy: what the message ends with.

    Raises:
        ValueError: for a negative or infinite value, or NaN.
        TypeError: for anything that is not a number.

    Example:
        >>> not_negative(2, "beta")
        2.0
    """
    _number(value, name)
    if not 0 <= value < float("inf"):
        raise ValueError(f"{name} must be 0 or more, got {value!r}" + (f": {remedy}" if remedy else ""))
    return float(value)


def positive(value, name, remedy="") -> float:
    """Return ``value`` as a float if it is above 0, and finite.

    Args:
        value: a number.
        name: what the message calls it.
        remedy: what the message ends with.

    Raises:
        ValueError: for 0, a negative or infinite value, or NaN.
        TypeError: for anything that is not a number.

    Example:
        >>> positive(0.5, "temperature")
        0.5
    """
    _number(value, name)
    if not 0 < value < float("inf"):
        raise ValueError(f"{name} must be positive, got {value!r}" + (f": {remedy}" if remedy else ""))
    return float(value)


def _number(value, name) -> None:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name} must be a number, got {value!r} ({type(value).__name__})")


def same_genes(got, expected, name="X") -> None:
    """Refuse data whose genes are not those that something was built for.

    Args:
        got: the number of genes, or their names in order.
        expected: the same, of the same kind.
        name: what the message calls the data.

    Raises:
        ValueError: with both numbers, or with the first name that differs.
    """
    n_got, n_expected = _length(got), _length(expected)
    if n_got != n_expected:
        raise ValueError(
            f"{name} has {n_got} genes, expected {n_expected}: select the genes that it was built for, adata[:, genes]"
        )
    if isinstance(got, Integral) or isinstance(expected, Integral):
        return
    for i, (a, b) in enumerate(zip(got, expected, strict=True)):
        if a != b:
            raise ValueError(
                f"{name} has gene {a!r} at position {i}, expected {b!r}: reorder by adata[:, genes]"
            )


def _length(genes) -> int:
    return int(genes) if isinstance(genes, Integral) else len(genes)


def _values(x, name="X") -> np.ndarray:
    """The stored values: all of a dense matrix, the non-zeros of a sparse one."""
    x = matrix(x, name)
    return x.data if sparse.issparse(x) else x


def _is_whole(values) -> bool:
    return values.dtype.kind in "biu" or bool((values == np.rint(values)).all())


def _finite_state(x, name) -> str:
    finite(x, name)
    return state(x)


def _refuse(name, expected, bad, looks, remedy):
    raise ValueError(
        f"{name} must hold {expected}, got {bad:.6g}: looks like {_LOOKS.get(looks, looks)}; {remedy}"
    )
