"""Cells of tables: a mean over seeds with both of its intervals."""

from __future__ import annotations

import math

from vaestudy.stats import Interval, number

NOT_MEASURED = "–"


def means(over: str | int = "$n$") -> str:
    """Say in a caption what :func:`mean_cell` writes, of how many seeds."""
    mean = f"mean over {over} seeds ± half of the 95 % $t$ interval"
    return f"{mean}, and beneath it the bootstrap interval"


def mean_cell(interval: Interval | None, digits: int = 2, *, signed: bool = False) -> str:
    """Return ``mean ± half of the t interval``, and on a second line the bootstrap interval.

    The narrow form of both intervals. One seed has neither; where all seeds agree to so many
    decimals, resampling has nothing to add and the second line is left out.

    Parameters
    ----------
    interval
        A mean or a paired difference; None if it has not been measured.
    digits
        Decimals.
    signed
        Whether positive numbers have a sign, as differences do.
    """
    if interval is None:
        return NOT_MEASURED
    mean = number(interval.mean, digits, signed=signed)
    if not math.isfinite(interval.low):
        return mean
    first = f"{mean} ± {number(interval.high - interval.mean, digits)}"
    resampled = interval.bootstrap
    if resampled is None:
        return first
    low, high = (number(end, digits, signed=signed) for end in (resampled.low, resampled.high))
    return first if low == high else f"{first}\n[{low}, {high}]"
