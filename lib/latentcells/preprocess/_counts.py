"""Where an AnnData has its counts."""

from contextlib import suppress

from latentcells import _checks

X, LAYER = "adata.X", 'adata.layers["counts"]'


def check_counts(adata, place, name):
    """Refuse an AnnData without counts in ``place``, and say where else it has some.

    Args:
        adata: AnnData.
        place: ``X`` or ``LAYER``.
        name: what the message calls it.

    Raises:
        ValueError: with the first value that is no count and what the matrix looks like.
    """
    x = _matrices(adata)[place]
    if not _is_counts(x):
        remedy = remedy_for(adata, place) or "start from the counts, this AnnData holds none"
        _checks.counts(x, name, remedy)


def remedy_for(adata, place):
    """How the counts come into ``place``, or None where there are none."""
    for source, x in _matrices(adata).items():
        if source != place and _is_counts(x):
            return f"set {place} = {source}.copy()"
    return None


def _matrices(adata):
    """What may hold the counts of the genes: how it is written -> the matrix, or None."""
    raw = adata.raw is not None and adata.var_names.isin(adata.raw.var_names).all()
    return {
        LAYER: adata.layers.get("counts"),
        X: adata.X,
        "adata.raw[:, adata.var_names].X": adata.raw.X if raw else None,
    }


def _is_counts(x):
    with suppress(ValueError, TypeError):
        _checks.counts(x, "x", "")
        return True
    return False
