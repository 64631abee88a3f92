"""What a measurement can be: the t interval of few seeds reaches beyond, and is cut there.

A share of 97 % from two seeds has no interval up to 110 %. What can be said of a metric that claims
are decided by stands with it, in :mod:`vaestudy.claims.metrics`; here stands the rest.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import pandas as pd

from vaestudy.stats import Interval, mean_interval, paired_difference

Span = tuple[float, float]

ANY: Span = (-math.inf, math.inf)
NOT_NEGATIVE: Span = (0.0, math.inf)
OF_SHARES: Span = (0.0, 1.0)
OF_PERCENT: Span = (0.0, 100.0)

#: Of metrics that no claim is decided by.
_FURTHER = {
    **dict.fromkeys(
        (
            "ais_acceptance",
            "class_balance",
            "class_balance_of_means",
            "conditional_accuracy",
            "label_accuracy",
            "memorised",
            "sample_confidence",
            "test_accuracy",
            "test_confidence",
            "test_confidence_of_means",
        ),
        OF_SHARES,
    ),
    **dict.fromkeys(
        (
            "ais_effective_chains",
            "effective_dimensions",
            "fid",
            "gradient_snr_decoder",
            "gradient_snr_encoder",
            "gradient_variance_decoder",
            "gradient_variance_encoder",
            "importance_effective_samples",
            "marginal_kl",
            "mean_squared_error",
            "mutual_information",
            "participation_ratio",
            "seconds",
        ),
        NOT_NEGATIVE,
    ),
}
#: Of a model with n_z latent dimensions these are n_z at most.
_OF_DIMENSIONS = ("active_units", "effective_dimensions", "participation_ratio")


def span_of(metric: str, runs: pd.DataFrame | None = None) -> Span:
    """Return the lowest and the highest number that a metric can be, of runs with ``n_z``."""
    # Metrics of claims are computed from what figures show.
    from vaestudy.claims.metrics import METRICS

    known = METRICS.get(metric)
    low, high = known.span if known else _FURTHER.get(metric, ANY)
    if metric in _OF_DIMENSIONS and runs is not None and "n_z" in runs:
        high = float(runs["n_z"].max())
    return low, high


def mean_within(values: Iterable[float], metric: str, runs: pd.DataFrame | None = None) -> Interval:
    """Return the mean of a metric's values and its interval, cut to what the metric can be."""
    return mean_interval(values).within(*span_of(metric, runs))


def difference_within(
    a: pd.Series,
    b: pd.Series,
    metric: str,
    runs: tuple[pd.DataFrame | None, pd.DataFrame | None] = (None, None),
) -> Interval:
    """Return the interval of a − b by seed, cut to what a difference of the metric can be.

    ``runs`` are those of ``a`` and of ``b``.
    """
    (least, most), (least_b, most_b) = (span_of(metric, own) for own in runs)
    return paired_difference(a, b).within(least - most_b, most - least_b)
