"""Intervals, and the wording that they decide."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from vaestudy.report.phrases import change, seconds_text
from vaestudy.stats import (
    Interval,
    bootstrap_interval,
    decimals,
    mean_interval,
    number,
    paired_difference,
    two_one_sided_tests,
)


def test_interval_is_student_t() -> None:
    values = [1.0, 2.5, 0.5, 3.0, 2.0]
    found = mean_interval(values)
    low, high = stats.t.interval(0.95, 4, loc=np.mean(values), scale=stats.sem(values))
    assert (found.mean, found.low, found.high, found.n) == pytest.approx((1.8, low, high, 5))


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits = 0
    for sample in rng.normal(3.0, 2.0, size=(2000, 5)):
        interval = mean_interval(sample)
        hits += interval.low <= 3.0 <= interval.high
    assert 0.935 < hits / 2000 < 0.965


@pytest.mark.parametrize("value", [0.0755, 0.0215, 0.0155, 2.675])
def test_a_number_reads_the_same_whatever_library_holds_it(value: float) -> None:
    assert number(np.float64(value), 3) == number(value, 3) == f"{value:.3f}"


@pytest.mark.parametrize(
    ("value", "least", "expected"),
    [
        (12.3, 0, 0), (1.23, 0, 1), (0.0123, 0, 3), (-0.0123, 2, 3), (0.0996, 0, 3), (12.3, 2, 2),
        (0.0, 2, 2), (1e-9, 2, 2), (math.nan, 1, 1), (math.inf, 1, 1),
    ],
)  # fmt: skip
def test_two_digits_of_a_number_are_significant(value: float, least: int, expected: int) -> None:
    assert decimals(value, least) == expected


def test_one_value_has_no_interval_and_none_is_an_error() -> None:
    assert math.isnan(mean_interval([4.0]).low)
    assert mean_interval([4.0]).text() == "4.00 (n\u00a0=\u00a01, no interval)"
    with pytest.raises(ValueError, match="no values to average"):
        mean_interval([])


def test_bootstrap_covers_the_mean_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    hits, plain = 0, 0
    for sample in rng.normal(3.0, 2.0, size=(800, 5)):
        interval = bootstrap_interval(sample)
        hits += interval.low <= 3.0 <= interval.high
        means = sample[rng.integers(5, size=(500, 5))].mean(axis=1)
        plain += np.quantile(means, 0.025) <= 3.0 <= np.quantile(means, 0.975)
    assert 0.90 < hits / 800 < 0.97
    # What the widened percentiles are for: the usual ones miss one time in six.
    assert plain / 800 < 0.87


def test_bootstrap_is_the_same_each_time_and_stays_within_the_values() -> None:
    values = [1.0, 2.5, 0.5, 3.0, 2.0]
    found = bootstrap_interval(values)
    assert found == bootstrap_interval(np.array(values))
    assert found.mean == pytest.approx(1.8)
    assert 0.5 <= found.low < 1.8 < found.high <= 3.0
    assert bootstrap_interval(values, 0.5).high < found.high
    assert bootstrap_interval([2.0] * 5) == Interval(2, 2, 2, 5)
    assert math.isnan(bootstrap_interval([2.0]).low)


def test_two_one_sided_tests_are_the_worse_of_two_t_tests() -> None:
    values = [0.1, -0.2, 0.3, 0.05, 0.0]
    above = stats.ttest_1samp(values, -0.5, alternative="greater").pvalue
    below = stats.ttest_1samp(values, 0.4, alternative="less").pvalue
    assert two_one_sided_tests(values, -0.5, 0.4) == pytest.approx(max(above, below))
    assert two_one_sided_tests(values, -math.inf, 0.4) == pytest.approx(below)
    assert two_one_sided_tests([0.1] * 5, -0.5, 0.5) == 0
    assert two_one_sided_tests([0.7] * 5, -0.5, 0.5) == 1


def test_equivalence_by_two_tests_is_the_interval_within_the_margin() -> None:
    rng = np.random.default_rng(0)
    outcomes = set()
    for sample in rng.normal(0.1, 0.3, size=(300, 5)):
        interval = mean_interval(sample)
        within = interval.low > -0.5 and interval.high < 0.5
        assert (two_one_sided_tests(sample, -0.5, 0.5) < 0.025) == within
        outcomes.add(within)
    assert outcomes == {True, False}


def test_difference_is_taken_seed_by_seed() -> None:
    a = pd.Series({0: 101.0, 1: 90.0, 2: 110.0})
    b = pd.Series({2: 109.0, 0: 100.0, 1: 89.0, 7: 5.0})
    found = paired_difference(a, b)
    # Seeds differ by twenty nats, the pairs by none: only pairing sees that a is 1 higher.
    assert (found.mean, found.low, found.high, found.n) == pytest.approx((1.0, 1.0, 1.0, 3))


def test_numbers_have_real_minus_signs() -> None:
    assert number(-1234.5, 1) == "\N{MINUS SIGN}1,234.5"
    assert number(0.5, 1, signed=True) == "+0.5"
    assert number(float("nan")) == "–"
    assert number(-0.0004, 2) == "0.00"
    assert number(0.004, 2, signed=True) == "0.00"
    assert Interval(-1, -2, 0.5, 5).text(1) == "−1.0 [−2.0, 0.5] (n\u00a0=\u00a05)"


@pytest.mark.parametrize(
    ("interval", "start"),
    [
        (Interval(1, 0.5, 1.5, 5), "rises by 1.00 nats [0.50, 1.50]"),
        (Interval(-1, -1.5, -0.5, 5), "falls by 1.00 nats [0.50, 1.50]"),
        (
            Interval(1, -0.5, 2.5, 5),
            "rises by 1.00 nats [−0.50, 2.50] (n\u00a0=\u00a05: undecided)",
        ),
        (
            Interval(-1, -2.5, 0.5, 2),
            "falls by 1.00 nats [−0.50, 2.50] (n\u00a0=\u00a02: undecided)",
        ),
        (mean_interval([1.0]), "rises by 1.00 nats (n\u00a0=\u00a01, no interval: undecided)"),
        (Interval(0, 0, 0, 5), "makes no difference"),
    ],
)
def test_change_is_worded_by_its_interval(interval: Interval, start: str) -> None:
    assert change(interval, "rises by", "falls by").startswith(start)


def test_durations() -> None:
    assert [seconds_text(s) for s in (5, 300, 7200)] == ["5 s", "5 min", "2.0 h"]


def test_an_interval_is_cut_to_what_its_mean_can_be() -> None:
    cut = Interval(0.9, 0.3, 1.5, 3, (0.8, 0.9, 1.0)).within(0, 1)
    assert cut == Interval(0.9, 0.3, 1, 3)
    alone = mean_interval([2.0]).within(0, 1)
    assert alone.text() == mean_interval([2.0]).text()
