r"""Means over seeds with their intervals: nothing in the report stands without one.

With n values of mean m and standard deviation s, the 95 % interval of the mean is

.. math:: m \pm t_{0.975,\,n-1}\, s / \sqrt n

A difference between two models is taken seed by seed before it is averaged. Beside the t interval
stands a bootstrap one, which does not lean on the normal distribution; a claim's verdict asks both.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from functools import cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import stats

EQUALS = "\N{NO-BREAK SPACE}=\N{NO-BREAK SPACE}"

Verdict = Literal["higher", "lower", "undecided"]

#: No number is shown with more, whatever its size.
MOST_DECIMALS = 6

#: Fewer paired seeds than this give estimates, not verdicts.
SEEDS_FOR_A_VERDICT = 5


@dataclass(frozen=True)
class Interval:
    """A mean over seeds with its 95 % interval; the ends are NaN for a single value.

    ``values`` are what the mean is taken of, one a seed; empty if they are not at hand.
    """

    mean: float
    low: float
    high: float
    n: int
    values: tuple[float, ...] = field(default=(), repr=False, compare=False)

    @property
    def bootstrap(self) -> Interval | None:
        """The same mean with its bootstrap interval; None without values, or with one."""
        return bootstrap_interval(self.values) if len(self.values) > 1 else None

    def times(self, factor: float) -> Interval:
        """Return the interval of ``factor`` times the values."""
        ends = (factor * self.low, factor * self.high)
        low, high = ends if factor >= 0 else ends[::-1]
        values = tuple(factor * value for value in self.values)
        return Interval(factor * self.mean, low, high, self.n, values)

    def within(self, least: float, most: float) -> Interval:
        """Return it cut to what the mean can be; the interval of few seeds goes beyond."""
        low, high = (max(least, min(most, end)) for end in (self.low, self.high))
        return replace(self, low=low, high=high) if not math.isnan(self.low) else self

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
    # Rounded first: what is nothing to so many decimals has no sign. NumPy's scalars round half-way
    # cases by a product with a power of ten, unlike Python's and unlike the format below.
    value = round(float(value), digits) + 0.0
    text = f"{value:+,.{digits}f}" if signed and value else f"{value:,.{digits}f}"
    return text.replace("-", "\N{MINUS SIGN}")


def decimals(value: float, least: int = 0) -> int:
    """Return how many decimals show two significant digits of a value; ``least`` or more.

    What would take more than ``MOST_DECIMALS`` is nothing to a reader, and has the least.
    """
    if value == 0 or not math.isfinite(value):
        return least
    needed = 1 - math.floor(math.log10(abs(value)))
    return least if needed > MOST_DECIMALS else max(least, needed)


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
        return Interval(float(x[0]), math.nan, math.nan, 1, tuple(x.tolist()))
    half = float(stats.t.ppf(0.5 + level / 2, x.size - 1) * x.std(ddof=1) / math.sqrt(x.size))
    mean = float(x.mean())
    return Interval(mean, mean - half, mean + half, x.size, tuple(x.tolist()))


def paired_difference(a: pd.Series, b: pd.Series, level: float = 0.95) -> Interval:
    """Return the interval of a − b over the seeds (the index) that both have."""
    return mean_interval((a - b).dropna(), level)


def bootstrap_interval(
    values: Iterable[float], level: float = 0.95, resamples: int = 10_000
) -> Interval:
    r"""Return the mean and its expanded percentile bootstrap interval.

    The percentile interval of so few values is too narrow, by a factor that is known for normal
    ones; the percentiles are therefore taken at

    .. math:: \alpha' / 2 = \Phi\Bigl(-\sqrt{n / (n - 1)}\; t_{1 - \alpha/2,\,n-1}\Bigr)

    and its mirror. The same values give the same interval: the resampling has a fixed seed.

    Parameters
    ----------
    values
        One a seed.
    level
        Coverage.
    resamples
        How often the values are drawn anew.

    Raises
    ------
    ValueError
        If there are no values.

    References
    ----------
    Hesterberg (2015), What teachers should know about the bootstrap. The American Statistician.
    """
    x = np.asarray(list(values), dtype=float)
    if x.size < 2:
        return mean_interval(x, level)
    t = stats.t.ppf(0.5 + level / 2, x.size - 1)
    tail = float(stats.norm.cdf(-math.sqrt(x.size / (x.size - 1)) * t))
    means = _resamplings(x.size, resamples) @ x / x.size
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(x.mean()), float(low), float(high), x.size)


@cache
def _resamplings(n: int, resamples: int) -> NDArray[np.float64]:
    """Return how often each of n values stands in each resampling, [resamples, n]."""
    counts = np.random.default_rng(0).multinomial(n, [1 / n] * n, size=resamples)
    return counts.astype(np.float64)


def two_one_sided_tests(values: Iterable[float], low: float, high: float) -> float:
    """Return the p value of the statement that the mean lies between ``low`` and ``high``.

    It is the larger of those of two one-sided t tests, one at each end; an end may be infinite.
    At p < 0.025 the 95 % interval of the mean lies between them.

    References
    ----------
    Schuirmann (1987), A comparison of the two one-sided tests procedure.
    """
    x = np.asarray(list(values), dtype=float)
    if x.size < 2:
        return math.nan
    error = float(x.std(ddof=1)) / math.sqrt(x.size)
    room = min(float(x.mean()) - low, high - float(x.mean()))
    if error == 0:
        return 0.0 if room > 0 else 1.0
    return float(stats.t.sf(room / error, x.size - 1))
