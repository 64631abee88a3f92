"""Intervals cut to what a measurement can be."""

from __future__ import annotations

import math

import pandas as pd
import pytest

from vaestudy.claims.metrics import METRICS
from vaestudy.figures.spans import _FURTHER, difference_within, mean_within, span_of
from vaestudy.stats import mean_interval


def test_what_claims_say_of_a_metric_is_said_once() -> None:
    assert not set(_FURTHER) & set(METRICS)
    assert span_of("trustworthiness") == METRICS["trustworthiness"].span == (0, 1)
    assert span_of("mutual_information") == (0, math.inf)
    assert span_of("nll") == span_of("of no table") == (-math.inf, math.inf)


@pytest.mark.parametrize(
    ("metric", "values", "said"),
    [
        ("trustworthiness", [0.99, 1.0], "0.995 [0.931, 1.000]"),
        ("conditional_accuracy_of_means", [0.4, 0.66], "0.530 [0.000, 1.000]"),
        ("kl", [2.0, 2.5], "2.250 [0.000, 5.427]"),
        ("energy_distance_to_prior", [0.0, 0.001], "0.001 [\N{MINUS SIGN}0.006, 0.007]"),
    ],
)
def test_no_interval_reaches_beyond_what_can_be(
    metric: str, values: list[float], said: str
) -> None:
    assert mean_within(values, metric).text(3, n=False) == said


def test_counts_of_dimensions_end_with_the_dimensions() -> None:
    runs = pd.DataFrame({"n_z": [50, 50]})
    assert mean_within([33, 45], "active_units", runs).text(1, n=False) == "39.0 [0.0, 50.0]"
    few = pd.DataFrame({"n_z": [10]})
    more, less = pd.Series([33.0, 45.0]), pd.Series([5.0, 4.0])
    cut = difference_within(more, less, "active_units", (runs, few))
    assert (cut.low, cut.high) == (-10, 50)


def test_a_difference_keeps_what_decides_it() -> None:
    a, b = pd.Series([0.99, 0.98]), pd.Series([0.1, 0.12])
    cut, uncut = difference_within(a, b, "class_purity"), mean_interval(a - b)
    assert cut.sign == uncut.sign == "higher"
    assert (cut.low, cut.high) == (uncut.low, 1)
