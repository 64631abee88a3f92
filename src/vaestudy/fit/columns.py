"""A frame's columns as numbers.

Columns of text become one column of 0 and 1 a category (one-hot) if there are few categories, else
they are refused: no number stands for a name.
"""

from __future__ import annotations

from collections.abc import Hashable
from decimal import Decimal
from numbers import Complex, Real
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
from pandas.api import types

from vaestudy.fit.choices import Remedies
from vaestudy.fit.texts import FileError

#: A column of text with more different values than this is taken for names, not categories.
MOST_CATEGORIES: Final = 20


def numbers(
    path: Path, features: pd.DataFrame, remedies: Remedies
) -> tuple[pd.DataFrame, list[str]]:
    """Return a frame without missing values as floats, and a sentence for each encoded column.

    Raises
    ------
    FileError
        If a column holds neither finite numbers nor a few categories; ``path`` is its name.
    """
    parts: list[pd.DataFrame | pd.Series] = []
    remarks = []
    for name in features.columns:
        column = features[name]
        leave_out = f"leave it out with {remedies.drop.replace('NAME', repr(name))}"
        _refuse_values(f"{path}: column {name!r}", column, leave_out)
        if _is_real(column):
            parts.append(column.astype(float))
            continue
        n = column.nunique()
        if types.is_datetime64_any_dtype(column) or n > MOST_CATEGORIES:
            raise FileError(
                f"{path}: column {name!r} holds {column.dtype} with {n} different values, such as "
                f"{str(column.iloc[0])!r}; expected numbers, or at most {MOST_CATEGORIES} "
                f"categories: {leave_out}, or {remedies.color}"
            )
        parts.append(pd.get_dummies(column, prefix=name, prefix_sep="=", dtype=float))
        remarks.append(f"column {name!r} is text: one column of 0 and 1 for each of {n} values")
    table = pd.concat(parts, axis=1)
    infinite = [name for name in table.columns if not np.isfinite(table[name]).all()]
    if infinite:
        raise FileError(f"{path}: column {infinite[0]!r} holds infinity; expected finite numbers")
    return table, remarks


def _refuse_values(where: str, column: pd.Series, leave_out: str) -> None:
    """Refuse values that are neither one number each nor a name."""
    nested = next((v for v in _objects(column) if not isinstance(v, Hashable)), None)
    if nested is not None:
        raise FileError(
            f"{where} holds several values a row, such as {_short(nested)}; expected one number a "
            f"row: {leave_out}, or make a column of each"
        )
    if types.is_complex_dtype(column) or _is_text_of_complex(column):
        raise FileError(
            f"{where} holds complex numbers, such as {str(column.iloc[0])!r}; expected real ones: "
            f"{leave_out}, or save real and imaginary parts as two columns"
        )


def _is_real(column: pd.Series) -> bool:
    if types.is_bool_dtype(column) or types.is_numeric_dtype(column):
        return True
    # Decimals, and numbers beside which a value was missing, come as objects.
    objects = _objects(column)
    return bool(objects) and all(isinstance(value, Real | Decimal) for value in objects)


def _is_text_of_complex(column: pd.Series) -> bool:
    """Whether all values, or the first of many, are numbers, some with an imaginary part."""
    found = [_as_complex(value) for value in column.unique()[:MOST_CATEGORIES]]
    return bool(found) and None not in found and any(z is not None and z.imag for z in found)


def _as_complex(value: object) -> complex | None:
    if isinstance(value, Complex):
        return complex(value)
    # A lone j is a name.
    if not isinstance(value, str) or not any(sign.isdigit() for sign in value):
        return None
    try:
        return complex(value.replace(" ", ""))
    except ValueError:
        return None


def _objects(column: pd.Series) -> list[Any]:
    """Return the values of a column of objects; of another, none."""
    return list(column) if column.dtype == object else []


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return repr(text if len(text) <= 40 else f"{text[:39]}…")
