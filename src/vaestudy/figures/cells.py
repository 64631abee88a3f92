"""Cells of tables: a mean over seeds with both of its intervals."""

from __future__ import annotations

import math

from vaestudy.stats import Interval, decimals, number

NOT_MEASURED = "–"
NO_BREAK = "\N{NO-BREAK SPACE}"


def means(over: str | int = "$n$") -> str:
    """Say in a caption what :func:`mean_cell` writes, of how many seeds."""
    mean = f"mean over {over} seeds ± half of the 95 % $t$ interval, or its ends where it is cut"
    return f"{mean}, and beneath it, where seeds differ, the bootstrap interval"


def mean_cell(
    interval: Interval | None,
    digits: int = 2,
    *,
    signed: bool = False,
    error: float = math.nan,
) -> str:
    """Return ``mean ± half of the t interval``, and on a second line the bootstrap interval.

    The narrow form of both intervals. One that is cut to what the mean can be, so that the mean is
    not its middle, is written ``mean [low, high]``. One seed has neither interval, but maybe a
    Monte Carlo error; where all seeds agree to so many decimals, resampling has nothing to add and
    the second line is left out.

    Parameters
    ----------
    interval
        A mean or a paired difference; None if it has not been measured.
    digits
        Decimals. A mean that they would show as zero has more: as many as give it, or what stands
        behind ±, two significant digits, whichever takes fewer.
    signed
        Whether positive numbers have a sign, as differences do.
    error
        The Monte Carlo standard error of a single seed's value; more seeds show their spread.
    """
    if interval is None:
        return NOT_MEASURED
    below, above = interval.mean - interval.low, interval.high - interval.mean
    half, resampled = max(below, above), interval.bootstrap
    if round(interval.mean, digits) == 0 and interval.mean:
        spread = half if math.isfinite(half) else error
        digits = decimals(max(abs(interval.mean), spread if spread > 0 else 0.0), digits)
    mean = number(interval.mean, digits, signed=signed)
    if not math.isfinite(interval.low):
        return f"{mean} ± {number(error, digits)}" if math.isfinite(error) else mean
    cut = not math.isclose(below, above, rel_tol=1e-6, abs_tol=0.1**digits / 2)
    # A narrow column breaks before the interval, and not within.
    ends = _ends(interval, digits, signed).replace(" ", NO_BREAK)
    first = f"{mean} {ends if cut else f'± {number(half, digits)}'}"
    if resampled is None or round(half, digits) == 0:
        return first
    return f"{first}\n{_ends(resampled, digits, signed)}"


def _ends(interval: Interval, digits: int, signed: bool) -> str:
    low, high = (number(end, digits, signed=signed) for end in (interval.low, interval.high))
    return f"[{low}, {high}]"
