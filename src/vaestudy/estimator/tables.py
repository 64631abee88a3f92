"""What is no table of finite numbers is refused by name: which columns, what they hold, what to do.

scikit-learn finds the same faults, but names no column and knows nothing of :meth:`VAE.impute`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import validate_data

Array = NDArray[np.float64]

#: Columns that a message names.
_MOST_NAMED: Final = 5
_OF_TEXT: Final = (
    "expected numbers: make columns of 0 and 1 of categories (pd.get_dummies(X, prefix_sep='=', "
    "dtype=float), whose names are those of `vaestudy fit`, or OneHotEncoder(sparse_output=False)),"
    " leave out the others"
)


def numbers(estimator: BaseEstimator, X: Any, *, reset: bool, missing: bool = False) -> Array:
    """Return ``X`` as float64 [N, D]; the parameters are those of ``inputs.check``.

    Raises
    ------
    ValueError
        If it is no table, or a value is no number, not finite (NaN may be ``missing``), or there
        are other features than before.
    """
    if isinstance(X, pd.DataFrame):
        _refuse_text(X)
        X = _without_na(X)
    shape = np.shape(X) if isinstance(X, np.ndarray) else ()
    if len(shape) > 2:
        raise ValueError(
            f"X is of shape {shape}; expected a table (N, D): give images as rows of pixels, "
            f"X.reshape(len(X), -1), of shape ({shape[0]}, {int(np.prod(shape[1:]))})"
        )
    try:
        checked: Array = validate_data(
            estimator,
            X,
            dtype=np.float64,
            reset=reset,
            ensure_min_samples=2 if reset else 1,
            ensure_all_finite=False,
        )
    except ValueError as error:
        if "could not convert string" not in str(error):
            raise
        raise ValueError(f"X: {error}; {_OF_TEXT}") from None
    names = getattr(estimator, "feature_names_in_", None)
    refuse_not_finite(checked, missing=missing, names=names)
    return checked


def refuse_not_finite(
    block: Array,
    *,
    missing: bool = False,
    names: Sequence[str] | None = None,
    some: bool = False,
) -> None:
    """Refuse infinity, and NaN unless values may be ``missing``.

    Parameters
    ----------
    block
        Rows [N, D].
    missing
        Whether NaN may stand for a missing value.
    names
        The features'; None for their numbers.
    some
        Whether the rows are some of a file's, so that the message counts no others.

    Raises
    ------
    ValueError
        If there is one; the message names its columns.
    """
    infinite = np.isinf(block)
    if infinite.any():
        raise ValueError(
            f"X contains infinity in {_where(infinite, names, some)}; expected finite numbers"
            f"{', or NaN where a value is missing' if missing else ''}"
        )
    holes = np.isnan(block)
    if holes.any() and not missing:
        raise ValueError(
            f"X contains NaN in {_where(holes, names, some)}; expected finite numbers: leave these "
            "rows out, or fill them in first (a model fitted to whole rows does: VAE.impute)"
        )


def _where(bad: NDArray[np.bool_], names: Sequence[str] | None, some: bool) -> str:
    columns = np.flatnonzero(bad.any(axis=0))
    named = [str(i) if names is None else repr(str(names[i])) for i in columns[:_MOST_NAMED]]
    more = f" and {len(columns) - _MOST_NAMED} more" if len(columns) > _MOST_NAMED else ""
    word = "column" if len(columns) == 1 else "columns"
    rows = f"{len(bad)} rows{' read together' if some else ''}"
    return f"{int(bad.any(axis=1).sum())} of {rows} ({word} {', '.join(named)}{more})"


def _refuse_text(X: pd.DataFrame) -> None:
    # By place: names may stand twice.
    for name, (_, column) in zip(X.columns, X.items(), strict=True):
        if pd.api.types.is_numeric_dtype(column) or _are_numbers(column):
            continue
        example = next(iter(column.dropna()), None)
        raise ValueError(
            f"X: column {name!r} holds {column.dtype}, such as {str(example)!r}; {_OF_TEXT}"
        )


def _without_na(X: pd.DataFrame) -> pd.DataFrame:
    """Return columns of objects, which may hold ``pd.NA``, as floats with NaN."""
    objects = [pd.api.types.is_object_dtype(dtype) for dtype in X.dtypes]
    if not any(objects):
        return X
    columns = [
        pd.to_numeric(column).astype(float) if as_object else column
        for (_, column), as_object in zip(X.items(), objects, strict=True)
    ]
    return pd.concat(columns, axis=1)


def _are_numbers(column: pd.Series) -> bool:
    """Whether a column of objects holds nothing but numbers, as words may stand for them too."""
    if isinstance(column.dtype, pd.DatetimeTZDtype | pd.PeriodDtype) or column.dtype.kind in "mM":
        return False
    try:
        pd.to_numeric(column)
    except (ValueError, TypeError):
        return False
    return True
