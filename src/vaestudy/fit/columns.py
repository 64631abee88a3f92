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
from vaestudy.fit.texts import ANY_COMMA, FileError, commas_in

#: A column of text with more different values than this is taken for names, not categories.
MOST_CATEGORIES: Final = 20
#: What is remarked of a column of text.
ONE_HOT: Final = "one column of 0 and 1 for each of"


def numbers(
    path: Path, features: pd.DataFrame, remedies: Remedies
) -> tuple[pd.DataFrame, list[str]]:
    """Return a frame without missing values as floats, and a sentence for each encoded column.

    Raises
    ------
    FileError
        If a column holds neither finite numbers nor a few categories; ``path`` is its name.
    """
    parts, remarks = [], []
    for name in features.columns:
        part, remark = _as_numbers(f"{path}: column {name!r}", features[name], remedies)
        parts.append(part)
        remarks += remark
    _refuse_same(path, list(features.columns), parts, remedies)
    table = pd.concat(parts, axis=1)
    infinite = [name for name in table.columns if not np.isfinite(table[name]).all()]
    if infinite:
        raise FileError(f"{path}: column {infinite[0]!r} holds infinity; expected finite numbers")
    return table, remarks


def _as_numbers(
    where: str, column: pd.Series, remedies: Remedies
) -> tuple[pd.DataFrame, list[str]]:
    leave_out = f"leave it out with {remedies.drop.replace('NAME', repr(column.name))}"
    _refuse_values(where, column, leave_out)
    if _is_real(column):
        try:
            return column.astype(float).to_frame(), []
        except OverflowError:
            raise FileError(
                f"{where} holds numbers too large to compute with; expected less than 1.8e308: "
                f"{leave_out}, or divide it by a constant"
            ) from None
    n = column.nunique()
    if types.is_datetime64_any_dtype(column) or n > MOST_CATEGORIES:
        raise FileError(
            f"{where} holds {column.dtype} with {n} different values, such as "
            f"{str(column.iloc[0])!r}; expected numbers, or at most {MOST_CATEGORIES} "
            f"categories: {leave_out}, or {remedies.color}"
        )
    encoded = pd.get_dummies(column, prefix=str(column.name), prefix_sep="=", dtype=float)
    said = f"column {column.name!r} is text: {ONE_HOT} {n} values"
    return encoded, [said]


def _refuse_same(
    path: Path, sources: list[str], parts: list[pd.DataFrame], remedies: Remedies
) -> None:
    """Refuse columns that would have one name, as a category's may be another column's."""
    given_by: dict[str, str] = {}
    for source, part in zip(sources, parts, strict=True):
        for name in part.columns:
            if name in given_by:
                raise FileError(
                    f"{path}: columns {given_by[name]!r} and {source!r} both give a column "
                    f"{name!r}, as text becomes one of 0 and 1 for each value; expected columns of "
                    f"different names: rename one, or leave it out with {remedies.drop}"
                )
            given_by[name] = source


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
    written = commas_in(column, ANY_COMMA)
    if written is not None:
        raise FileError(
            f"{where} holds numbers with commas, such as {written!r}; expected 0.5 and 1200.5, or, "
            "where semicolons part the columns, 0,5 and 1200,5: write them so, without signs of "
            f"thousands, or {leave_out}"
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
    if isinstance(value, Real):
        return 0j  # Of any size, too: it has no imaginary part.
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
