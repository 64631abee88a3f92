"""What models are shown of a table's values: 8-bit intensities, values in [0, 1], or standardised.

Binary columns and pixels become intensities. Values in [0, 1] stay as they are; all others become

    y = (x - m) / s

column by column, where m and s are mean and standard deviation of the rows of training.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from vaestudy.dataset import DataError
from vaestudy.estimator.support import Scaling

Array = NDArray[np.float64]

#: Smaller numbers have no full mantissa in float32, and far smaller ones are 0.
_SMALLEST: Final = float(np.finfo(np.float32).tiny)


def shown(
    name: str, values: Array, train: NDArray[np.intp], columns: Sequence[str], *, images: bool
) -> NDArray[Any]:
    """Return what models are shown, [N, D], of ``values`` [N, D].

    Parameters
    ----------
    name
        Of the data set, for messages.
    values
        Finite.
    train
        Which rows are trained on.
    columns
        Names, [D].
    images
        Whether rows are images.

    Raises
    ------
    DataError
        If numbers are too large to standardise, or too far from those of training.
    """
    pixels = _as_bytes(values, images)
    if pixels is not None:
        return pixels
    if values.min() >= 0 and _SMALLEST <= values.max() <= 1:
        return values.astype(np.float32)
    return _standardised(name, values, train, columns)


def _as_bytes(values: Array, images: bool) -> NDArray[np.uint8] | None:
    """Return intensities 0..255 if that is what the values are, exactly; else None."""
    if ((values == 0) | (values == 1)).all():
        return (255 * values).astype(np.uint8)
    if not images or values.min() < 0 or values.max() > 255:
        return None
    pixels = values if values.max() > 1 else 255 * values
    rounded = np.rint(pixels)
    return rounded.astype(np.uint8) if np.allclose(pixels, rounded, atol=1e-6) else None


def _standardised(
    name: str, values: Array, train: NDArray[np.intp], columns: Sequence[str]
) -> NDArray[np.float32]:
    try:
        constant = Scaling.of(values[train], names=columns).scale == 0
    except ValueError as error:
        raise DataError(f"{name}: {str(error).removeprefix('X: ')}") from None
    mean, scale = _moments(values[train].T)
    mean, scale = np.where(constant, values[train[0]], mean), np.where(constant, 1.0, scale)
    with np.errstate(over="ignore"):
        scaled: NDArray[np.float32] = ((values - mean) / scale).astype(np.float32)
    finite = np.isfinite(scaled)
    if not finite.all():
        row, column = np.argwhere(~finite)[0]
        raise DataError(
            f"{name}: column {columns[column]!r} holds {values[row, column]:g} in a row of the "
            f"test, but {mean[column]:g} with a spread of {scale[column]:g} in those of training; "
            "expected numbers that can be standardised as these are: leave out that row, or drop "
            "the column"
        )
    return scaled


def _moments(columns: Array) -> tuple[Array, Array]:
    """Return mean and standard deviation of each of ``columns`` [D, N].

    By exact sums: the same data have the same checksum on every processor.
    """
    mean = np.array([math.fsum(column) / len(column) for column in columns])
    off = columns - mean[:, None]
    scale = np.sqrt([math.fsum(column) / len(column) for column in off**2])
    # Squares of the smallest numbers are 0, though these are not equal.
    return mean, np.where(scale > 0, scale, np.abs(off).max(axis=1))


def treatment(scaled: NDArray[Any]) -> str:
    """Return a sentence on what was done to values for a model to be shown them."""
    if scaled.dtype == np.uint8:
        return "8-bit intensities."
    inside = scaled.min() >= 0 and scaled.max() <= 1
    return "Values as they are." if inside else "Standardised by the training rows."
