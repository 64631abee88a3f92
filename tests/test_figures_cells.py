"""Cells of tables: both intervals of a mean over seeds."""

from __future__ import annotations

import numpy as np
import pytest

from vaestudy.figures.cells import NO_BREAK, mean_cell, means
from vaestudy.stats import Interval, bootstrap_interval, mean_interval


def test_a_cell_has_both_intervals() -> None:
    values = [90.0, 91.0, 92.0]
    # t(0.975, 2) / sqrt(3) = 2.4841
    assert mean_cell(mean_interval(values)) == "91.00 ± 2.48\n[90.00, 92.00]"
    assert mean_cell(mean_interval(np.subtract(values, 90)), 1, signed=True) == (
        "+1.0 ± 2.5\n[0.0, +2.0]"
    )


@pytest.mark.parametrize(
    ("interval", "cell"),
    [
        (None, "–"),
        (mean_interval([3.0]), "3.00"),
        (mean_interval([2.0, 2.0]), "2.00 ± 0.00"),
        (mean_interval([2.0, 2.0 + 1e-9]), "2.00 ± 0.00"),
        # The t interval is 12.7 times as wide as the bootstrap's, which rounds to one number.
        (mean_interval([2.0, 2.001]), "2.00 ± 0.01\n[2.00, 2.00]"),
        (Interval(1, 0, 2, 5), "1.00 ± 1.00"),
        # What would read as nothing, and is not, has more decimals, as far as they are known.
        (Interval(0.0013, -0.0114, 0.014, 2), "0.001 ± 0.013"),
        (Interval(2.4e-5, 2.1e-5, 2.7e-5, 2), "0.000024 ± 0.000003"),
        (Interval(-0.0013, -0.3013, 0.2987, 2), "0.00 ± 0.30"),
        (Interval(1e-17, 0, 2e-17, 5), "0.00 ± 0.00"),
        # Cut to what it can be.
        (
            mean_interval([33.0, 45.0]).within(0, 50),
            f"39.00 [0.00,{NO_BREAK}50.00]\n[33.00, 45.00]",
        ),
        (mean_interval([33.0, 35.0]).within(0, 50), "34.00 ± 12.71\n[33.00, 35.00]"),
        (Interval(1, 0, 2, 5).within(0, 2), "1.00 ± 1.00"),
    ],
)
def test_a_cell_says_no_more_than_there_is(interval: Interval | None, cell: str) -> None:
    assert mean_cell(interval) == cell


def test_one_seed_has_its_monte_carlo_error_and_more_have_their_spread() -> None:
    assert mean_cell(mean_interval([3.0]), error=0.125) == "3.00 ± 0.12"
    assert mean_cell(mean_interval([3.0]), 1, error=float("nan")) == "3.0"
    assert mean_cell(mean_interval([0.001]), error=0.0011) == "0.0010 ± 0.0011"
    assert mean_cell(mean_interval([2.0, 4.0]), error=0.125).startswith("3.00 ± 12.71\n")


def test_an_interval_keeps_what_it_is_resampled_from() -> None:
    values = [1.0, 2.0, 4.0, 8.0, 16.0]
    interval = mean_interval(values)
    assert interval.bootstrap == bootstrap_interval(values)
    assert interval.times(100).bootstrap == bootstrap_interval([100 * value for value in values])
    assert interval.times(100).low == pytest.approx(100 * interval.low)


def test_captions_say_what_cells_hold() -> None:
    assert "over 5 seeds" in means(5)
    assert "bootstrap" in means()
