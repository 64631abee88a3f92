"""The summary of a study: no mean without its n and its intervals."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from builders import CPU, run_config, tiny_dataset
from vaestudy.config import Run
from vaestudy.groups import group_runs
from vaestudy.jobs import train_group
from vaestudy.run_files import MissingResultError
from vaestudy.stats import bootstrap_interval, mean_interval
from vaestudy.tables import build_tables, summarise


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


def test_a_study_whose_every_run_diverged_says_so(tmp_path: Path) -> None:
    runs = [run_config(learning_rate=1e30, seed=seed, epochs=1) for seed in (0, 1)]
    data = tiny_dataset()
    for run in runs:
        train_group(
            [run], data, tmp_path / "runs", device=CPU, checkpoint_every=9, compile_policy="never"
        )
    declared = [Run(run, ("made-up",)) for run in runs]
    told = f"none of the study's 2 runs can be measured.*{runs[0].run_id} diverged in epoch 1 of 1"
    with pytest.raises(MissingResultError, match=told):
        build_tables(declared, group_runs(runs, 1), [data], tmp_path)
