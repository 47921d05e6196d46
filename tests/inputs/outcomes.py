"""The outcome of a call: the arrays of its result, or the text of an error that the library raised for its user."""

import anndata
import numpy as np
import pandas as pd
from scipy import sparse


def outcome(call):
    """The flattened result, or an error as ``"ValueError: its line"``, prefixed if it is not the library's own."""
    try:
        return flatten(call())
    except Exception as error:
        return f"{'' if is_ours(error) else 'not for users: '}{type(error).__name__}: {error}"


def is_ours(error):
    """Whether the library itself raised the error, in one informative line."""
    last = error.__traceback__
    while last.tb_next:
        last = last.tb_next
    raised_here = "latentcells" in last.tb_frame.f_code.co_filename
    unchained = error.__cause__ is None and (error.__context__ is None or error.__suppress_context__)
    says_something = "\n" not in str(error) and len(str(error)) > 25
    return isinstance(error, ValueError | TypeError) and raised_here and unchained and says_something


def flatten(result):
    """The arrays in a result, in order."""
    if isinstance(result, anndata.AnnData):
        return [*flatten(result.X), np.array(result.obs_names), np.array(result.var_names)]
    if isinstance(result, pd.Series):
        return [np.array(result.index), result.to_numpy()]
    if isinstance(result, dict):
        return [array for value in result.values() for array in flatten(value)]
    if isinstance(result, tuple | list) and not all(np.isscalar(item) for item in result):
        return [array for item in result for array in flatten(item)]
    if hasattr(result, "get_params"):  # a fitted estimator; its scikit-learn scaler is left out
        fitted = (value for name, value in vars(result).items() if name.endswith("_") and name != "scaler_")
        return [array for value in fitted for array in flatten(value)]
    return [np.asarray(result.toarray() if sparse.issparse(result) else result)]


def are_equal(one, other, tolerance):
    return len(one) == len(other) and all(
        a.shape == b.shape
        and (np.allclose(a, b, tolerance, tolerance) if a.dtype.kind in "biuf" else (a == b).all())
        for a, b in zip(one, other, strict=True)
    )


def are_finite(arrays):
    return all(np.isfinite(array).all() for array in arrays if array.dtype.kind == "f")
