"""The summary of a study: no mean without its n and its intervals."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from vaestudy.stats import bootstrap_interval, mean_interval
from vaestudy.tables import summarise


def test_every_mean_has_its_n_and_both_intervals() -> None:
    runs = pd.DataFrame({"run_id": list("abcdef"), "combination_id": ["x"] * 5 + ["y"]})
    values = [1.0, 2.5, 0.5, 3.0, 2.0, 7.0]
    rows = [
        (run, metric, sign * value)
        for run, value in zip("abcdef", values, strict=True)
        for metric, sign in (("nll", 1), ("elbo", -1))
    ]
    evaluation = pd.DataFrame(rows, columns=["run_id", "metric", "value"])
    summary = summarise(runs, evaluation).set_index(["combination_id", "metric"])
    assert list(summary.index) == [("x", "nll"), ("x", "elbo"), ("y", "nll"), ("y", "elbo")]
    told = summary.loc[("x", "nll")]
    t, bootstrap = mean_interval(values[:5]), bootstrap_interval(values[:5])
    assert told["n"] == 5
    assert (told["mean"], told["low"], told["high"]) == pytest.approx((t.mean, t.low, t.high))
    assert (told["bootstrap_low"], told["bootstrap_high"]) == (bootstrap.low, bootstrap.high)
    assert summary.loc[("x", "elbo"), "mean"] == pytest.approx(-t.mean)
    # One seed has a value, and no interval.
    assert summary.loc[("y", "nll"), "mean"] == 7
    assert np.isnan(summary.loc[("y", "nll"), "low"])
