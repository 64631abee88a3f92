r"""Means over seeds with their intervals: nothing in the report stands without one.

With n values of mean m and standard deviation s, the 95 % interval of the mean is

.. math:: m \pm t_{0.975,\,n-1}\, s / \sqrt n

A difference between two models is taken seed by seed before it is averaged.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

EQUALS = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"

Verdict = Literal["higher", "lower", "undecided"]


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval; the ends are NaN for a single value."""

    mean: float
    low: float
    high: float
    n: int

    @property
    def sign(self) -> Verdict:
        """Whether the interval lies above zero, below it, or holds it."""
        if self.low > 0:
            return "higher"
        return "lower" if self.high < 0 else "undecided"

    def text(self, digits: int = 2, *, signed: bool = False, n: bool = True) -> str:
        """Return ``mean [low, high] (n = …)`` with real minus signs, for prose and tables.

        The spaces around = do not break, so that no line starts with the number.
        """
        mean = number(self.mean, digits, signed=signed)
        if math.isnan(self.low):
            return f"{mean} (n{EQUALS}{self.n}, no interval)" if n else mean
        low, high = (number(end, digits, signed=signed) for end in (self.low, self.high))
        return f"{mean} [{low}, {high}]" + (f" (n{EQUALS}{self.n})" if n else "")


def number(value: float, digits: int = 2, *, signed: bool = False) -> str:
    """Return ``value`` for a reader: grouped thousands, a real minus sign, – if there is none."""
    if not math.isfinite(value):
        return "–"
    text = f"{value:+,.{digits}f}" if signed else f"{value:,.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def mean_interval(values: Iterable[float], level: float = 0.95) -> Interval:
    """Return the mean and its t interval.

    Raises
    ------
    ValueError
        If there are no values.
    """
    x = np.asarray(list(values), dtype=float)
    if x.size == 0:
        raise ValueError("no values to average: were these runs part of the study?")
    if x.size == 1:
        return Interval(float(x[0]), math.nan, math.nan, 1)
    half = float(stats.t.ppf(0.5 + level / 2, x.size - 1) * x.std(ddof=1) / math.sqrt(x.size))
    return Interval(float(x.mean()), float(x.mean()) - half, float(x.mean()) + half, x.size)


def paired_difference(a: pd.Series, b: pd.Series, level: float = 0.95) -> Interval:
    """Return the interval of a − b over the seeds (the index) that both have."""
    return mean_interval((a - b).dropna(), level)
