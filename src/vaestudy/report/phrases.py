"""Sentences whose wording the numbers decide, for the chapters' prose."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from vaestudy.stats import SEEDS_FOR_A_VERDICT, Interval, mean_interval, paired_difference
from vaestudy.study import Study

Parameters = Mapping[str, Any]


def by_seed(study: Study, metric: str, parameters: Parameters) -> pd.Series:
    """Return the final values of ``metric``, one a seed, of one combination."""
    final = study.final(study.runs(**parameters), metric)
    return final.set_index("seed")["value"].astype(float)


def final_mean(study: Study, metric: str, parameters: Parameters | None = None) -> Interval:
    """Return the mean over seeds of a final measurement."""
    return mean_interval(by_seed(study, metric, parameters or {}))


def difference(study: Study, metric: str, a: Parameters, b: Parameters) -> Interval:
    """Return the paired difference a − b of a final measurement."""
    return paired_difference(by_seed(study, metric, a), by_seed(study, metric, b))


def change(interval: Interval, more: str, less: str, unit: str = "nats", digits: int = 2) -> str:
    """Say in which direction a difference goes, no stronger than its interval.

    Parameters
    ----------
    interval
        A paired difference.
    more, less
        What to say if it is surely positive or surely negative, e.g. ``"raises the NLL by"``.
    unit, digits
        How the number is written.

    Returns
    -------
    str
        e.g. ``lowers the NLL by 1.20 nats [0.80, 1.60] (n = 5)``, or ``… (n = 5: undecided)``.
    """
    if interval.mean == 0:
        return f"makes no difference ({interval.text(digits)})"
    size = _absolute(interval).text(digits)
    value, rest = size.split(" ", 1)
    if interval.sign == "higher":
        return f"{more} {value} {unit} {rest}"
    if interval.sign == "lower":
        return f"{less} {value} {unit} {rest}"
    lean, (ends, _, seeds) = more if interval.mean > 0 else less, rest.partition("(")
    return f"{lean} {value} {unit} {ends}({seeds.removesuffix(')')}: undecided)"


def _absolute(interval: Interval) -> Interval:
    if interval.mean >= 0:
        return interval
    return Interval(-interval.mean, -interval.high, -interval.low, interval.n)


def verdict(interval: Interval, expected: str) -> str:
    """Say what an interval means for a statement that expects ``higher`` or ``lower``.

    With fewer than five seeds what speaks for or against it is called an estimate.
    """
    if interval.sign == "undecided":
        return "leaves the statement undecided"
    verb = "supports" if interval.sign == expected else "contradicts"
    if interval.n < SEEDS_FOR_A_VERDICT:
        return f"{verb}, as an estimate from {interval.n} seeds and not a verdict, the statement"
    return f"{verb} the statement"


def scope(study: Study) -> str:
    """Return what was trained, in words."""
    runs, seeds = study.table("runs"), len(study.config.seeds)
    text = (
        f"{len(runs)} models of {runs['combination_id'].nunique()} combinations, "
        f"{seeds} seed{'s' if seeds > 1 else ''} each"
    )
    sizes = study.table("datasets").set_index("dataset")["n_train"]
    name = study.base["dataset"]
    if name not in sizes:  # A part of a study may train on other data alone.
        return text
    rows = "rows" if study.config.of_own_data else "images"
    return f"{text}, the base model {study.config.base.epochs} epochs of {sizes[name]:,} {rows}"


def seconds_text(seconds: float) -> str:
    """Return a duration for a reader."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
