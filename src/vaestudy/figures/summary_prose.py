"""Tables and sentences of the chapter on Kingma & Welling, whose wording the numbers decide."""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from typing import Any

import pandas as pd

from vaestudy.figures.aevb import aevb_runs
from vaestudy.figures.cells import mean_cell
from vaestudy.figures.spans import NOT_NEGATIVE, mean_within
from vaestudy.figures.summary_data import (
    WINDOW,
    kl_course,
    late_loss,
    own_log,
    source_log,
    summary_runs,
)
from vaestudy.latent_plane import METRICS
from vaestudy.report.phrases import change
from vaestudy.stats import Interval, mean_interval, number, paired_difference
from vaestudy.study import EmptySelectionError, Study

NOT_REACHED = "–"
_LOGGED = {"loss": "Loss", "rec": "Reconstruction", "kl": "KL"}


def log_table(study: Study) -> pd.DataFrame:
    """Return the source's rows that training has reached, ours beside them, and its last row."""
    log = own_log(study, summary_runs(study, 10))
    source = source_log()
    shown = source["step"].isin(log["step"]) | (source.index == source.index[-1])
    return pd.DataFrame(
        _log_row(theirs, log[log["step"] == theirs["step"]])
        for theirs in source[shown].to_dict("records")
    )


def _log_row(theirs: Mapping[Hashable, Any], own: pd.DataFrame) -> dict[str, str]:
    ours = {
        f"Ours: {title}": mean_cell(_not_negative(own[name]), 2) if len(own) else NOT_REACHED
        for name, title in _LOGGED.items()
    }
    printed = {title: number(theirs[name], 2) for name, title in _LOGGED.items()}
    return {"Step": f"{theirs['step']:,.0f}", **printed, **ours}


def _not_negative(values: pd.Series) -> Interval:
    """Return the mean of what the log prints: of masses, whose logarithms have one sign."""
    return mean_interval(values).within(*NOT_NEGATIVE)


def read_rows_left_out(study: Study) -> str:
    """Say which of the source's rows the table leaves out; nothing where training reached all."""
    last = own_log(study, summary_runs(study, 10))["step"].max()
    beyond = source_log()["step"][lambda steps: steps > last]
    if beyond.empty:
        return ""
    return (
        f" Training here ends before step {beyond.iloc[0]:,}: of the source's {len(beyond)} rows "
        f"from there on only the last is given ({NOT_REACHED}: not reached); @fig:summary-log has "
        "them all."
    )


def read_log(study: Study) -> str:
    """Hold our late losses against the source's; say so if training was shorter than its log."""
    runs = summary_runs(study, 10)
    late = source_log().iloc[-10:]
    theirs = number(late["loss"].mean(), 1)
    since = f"{late['step'].iloc[0]:,} to {late['step'].iloc[-1]:,}"
    told = f"The source's last ten rows, steps {since}, have a mean loss of {theirs} nats"
    try:
        gap = mean_interval(late_loss(study, runs) - late["loss"].mean())
    except EmptySelectionError:
        last = own_log(study, runs)["step"].max()
        return f"{told}; in this study training ends before those, and the log at step {last:,}."
    text = change(gap, "higher by", "lower by", "nats", 1)
    return f"{told}; against it ours of the same steps is {text}."


def read_course(study: Study) -> str:
    """Tell how the KL leaps, falls, where it is lowest, and how it rises while the loss falls."""
    course = kl_course(study, summary_runs(study, 10))
    start, lowest, single, last = (
        _not_negative(course[name]).text(2, n=False)
        for name in ("start", "lowest", "lowest_batch", "last")
    )
    falls = mean_interval(course["loss_falls"]).text(2, n=False)
    below = mean_interval(course["start"] - course["lowest"])
    untrained = {
        "higher": "less than",
        "lower": "more than",
        "undecided": "not to be told from",
    }[below.sign]
    return (
        f"The untrained model has a KL of {start} nats on its first batch. {_leap(course)}Where it "
        f"has fallen furthest, around {_steps(course['lowest_at'])}, the KL is {lowest} on average "
        f"over {WINDOW} steps, which is {untrained} what it was before training; the lowest single "
        f"batch has {single}. At step {course['last_step'].max():,} it is {last}; since that "
        f"lowest average the loss has fallen by {falls} nats ($n = {len(course)}$)."
    )


def _leap(course: pd.DataFrame) -> str:
    """Say of how many seeds the KL goes up first, and how far: of single batches, by seed."""
    up = course[course["highest_batch_at"] > 0].sort_values("highest_batch")
    if up.empty:
        return ""
    ends = [number(value, 2) for value in up["highest_batch"].iloc[[0, -1]]]
    reach = ends[0] if ends[0] == ends[1] else f"between {ends[0]} and {ends[1]}"
    return (
        f"It goes up first for {len(up)} of {len(course)} seeds, whose highest batches, at "
        f"{_steps(up['highest_batch_at'])}, have {reach} nats. "
    )


def _steps(at: pd.Series) -> str:
    low, high = int(at.min()), int(at.max())
    return f"step {low}" if low == high else f"steps {low} to {high}"


def plane_table(study: Study) -> pd.DataFrame:
    """Return what the plane knows, one row a quantity, in per cent."""
    names = {
        "neighbour_accuracy": "digits whose five nearest codes' majority has their class",
        "slant_explained": "variance of the slant that the code explains",
        "slant_explained_within_class": "the same, of slants about their class's mean",
    }
    runs = summary_runs(study, 2)
    rows = [
        {"Share": text, "%": mean_cell(_percent(study, runs, name), 1)}
        for name, text in names.items()
    ]
    return pd.DataFrame(rows)


def _percent(study: Study, runs: pd.DataFrame, metric: str) -> Interval:
    return mean_within(study.final(runs, metric)["value"], metric).times(100)


def read_plane(study: Study) -> str:
    """Say how much of slant and class the plane knows."""
    runs = summary_runs(study, 2)
    accuracy, slant, within = (_percent(study, runs, name) for name in METRICS)
    beyond = {
        "higher": "it encodes slant beyond what the class tells",
        "lower": "a digit's neighbours say less of it than its class's mean would",
        "undecided": "these seeds cannot tell that from nothing",
    }[within.sign]
    return (
        f"Of the slant's variance the plane explains {slant.text(1)} per cent, and of what is left "
        f"within classes {within.text(1)} per cent: {beyond}. The class itself is that of most of "
        f"the nearest codes for {accuracy.text(1)} per cent of digits."
    )


def aevb_table(study: Study) -> pd.DataFrame:
    """Return last training and test ELBO, their gap, test NLL and active units, a row a n_z."""
    rows = []
    for n_z in aevb_runs(study)["n_z"].unique():
        ends = _last_elbo(study, int(n_z))
        runs = aevb_runs(study, int(n_z))
        nll, units = (study.final(runs, name)["value"] for name in ("nll", "active_units"))
        rows.append(
            {
                "$n_z$": str(n_z),
                "Training ELBO": mean_cell(mean_interval(ends["train"]), 2),
                "Test ELBO": mean_cell(mean_interval(ends["test"]), 2),
                "Training − test": mean_cell(mean_interval(ends["train"] - ends["test"]), 2),
                "Test NLL": mean_cell(mean_interval(nll), 2),
                "Active units": mean_cell(mean_within(units, "active_units", runs), 1),
            }
        )
    return pd.DataFrame(rows)


def read_overfitting(study: Study) -> str:
    """Say whether the largest latent space overfits more than the next: by their gaps."""
    levels = [int(n_z) for n_z in aevb_runs(study)["n_z"].unique()]
    if len(levels) < 2:
        return "This study has one latent space only."
    smaller, largest = levels[-2:]
    many, few = (_last_elbo(study, n_z) for n_z in (largest, smaller))
    gap: Interval = paired_difference(many["train"] - many["test"], few["train"] - few["test"])
    bound: Interval = paired_difference(many["test"], few["test"])
    runs = aevb_runs(study, largest)
    units = mean_within(study.final(runs, "active_units")["value"], "active_units", runs)
    return (
        f"Of the {largest} dimensions of the largest model {units.text(1)} are active. "
        f"From $n_z = {smaller}$ to {largest} the excess of the training ELBO over the test ELBO "
        f"{_moves(gap, 'grows by', 'shrinks by')}, and the test ELBO "
        f"{_moves(bound, 'rises by', 'falls by')}. Training values are "
        "means over the last epoch's batches, of a model that changes meanwhile; test values "
        f"are of the model at its end.{_too_low([many, few])}"
    )


def _moves(gap: Interval, more: str, less: str) -> str:
    return change(gap, more, less).replace("makes no difference", "stays the same")


def _too_low(ends: Sequence[pd.DataFrame]) -> str:
    """Say what a mean gap below zero means; empty if there is none."""
    if all((end["train"] - end["test"]).mean() >= 0 for end in ends):
        return ""
    return (
        " Where that difference is below zero, training values lag or the test images are the "
        "easier ones: it is no sign of overfitting, nor of its absence."
    )


def _last_elbo(study: Study, n_z: int) -> pd.DataFrame:
    """Return the last epoch's ELBO of both splits, a row a seed."""
    history = study.curves(aevb_runs(study, n_z), ["elbo"])
    last = history[history["epoch"] == history["epochs"]]
    return last.pivot_table(index="seed", columns="split", values="value")
