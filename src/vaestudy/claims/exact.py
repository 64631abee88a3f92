r"""Exact intervals of shares and rates, which keep a width where all seeds agree.

Five models of five without an event do not show that there are none: Student's t and the bootstrap,
which know of no spread but that between seeds, would say so. Of x events in n models the exact
interval of their rate ends where

.. math:: P(X \ge x \mid \text{low}) = P(X \le x \mid \text{high}) = \alpha / 2

with X binomial if a model has one event or none, and Poisson if it may have several.

References
----------
Clopper and Pearson (1934), The use of confidence or fiducial limits. Biometrika.
Garwood (1936), Fiducial limits for the Poisson distribution. Biometrika.
"""

from __future__ import annotations

from collections.abc import Collection

from scipy import stats

from vaestudy.stats import Interval


def share_interval(values: Collection[float], level: float) -> Interval:
    """Return the share of models, a value 0 or 1 each, with Clopper and Pearson's interval."""
    x, n, tail = sum(values), len(values), (1 - level) / 2
    low = float(stats.beta.ppf(tail, x, n - x + 1)) if x > 0 else 0.0
    high = float(stats.beta.isf(tail, x + 1, n - x)) if x < n else 1.0
    return Interval(x / n, low, high, n)


def rate_interval(values: Collection[float], level: float) -> Interval:
    """Return the mean number of events a model with Garwood's interval."""
    x, n, tail = sum(values), len(values), (1 - level) / 2
    low = float(stats.gamma.ppf(tail, x)) / n if x > 0 else 0.0
    return Interval(x / n, low, float(stats.gamma.isf(tail, x + 1)) / n, n)
