"""Sentences and captions of the chapter on measuring, whose wording the intervals decide.

The slower measurements are often taken of one seed only. What is said of that is said of one run.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import pandas as pd

from vaestudy.figures.cells import means
from vaestudy.figures.measuring_data import yardstick
from vaestudy.figures.spans import NOT_NEGATIVE, difference_within, mean_within
from vaestudy.report.phrases import by_seed, change, difference, is_nothing
from vaestudy.stats import EQUALS, Interval, mean_interval, number
from vaestudy.study import EmptySelectionError, Study, tried

#: Mutual information above this share of its ceiling has no room left to tell models apart.
NEARLY_ALL = 0.95


def compared(runs: pd.DataFrame, *, paired: bool = False) -> str:
    """Say in a caption what a table of families holds, by how many seeds they have.

    Parameters
    ----------
    runs
        As from :func:`vaestudy.figures.measuring_data.by_run`.
    paired
        Whether the cells are differences, seed by seed.
    """
    text = means("$n$ paired" if paired else "$n$")
    if runs["label"].duplicated(keep=False).all():
        return text
    single = "± is the Monte Carlo standard error, where it is known"
    if paired:
        single += ", as of two independent estimates"
    if runs["label"].duplicated().any():
        return f"{text}; of one seed {single}"
    return f"of one run each, which has no interval: {single}"


def told(study: Study, metric: str, digits: int, scale: float = 1) -> str:
    """Tell the base model's mean of a measurement; of one seed with its Monte Carlo error.

    Raises
    ------
    EmptySelectionError
        If it was not measured of the base model.
    """
    runs = study.runs()
    final = study.final(runs, metric)
    if final.empty:
        raise EmptySelectionError(f"{study.config.study!r} has not measured {metric} of its base")
    found = mean_within(final["value"], metric, runs).times(scale)
    errors = final["standard_error"].astype(float) * scale
    return tell(found, float(errors.iloc[0]), digits)


def tell(found: Interval, error: float, digits: int) -> str:
    """Tell a mean with its interval, or a single value with its Monte Carlo error if known."""
    if found.n > 1 or not math.isfinite(error):
        return found.text(digits)
    value = number(found.mean, digits)
    return f"{value} (n{EQUALS}1, Monte Carlo error {number(error, digits)})"


def read_weighting(study: Study, metric: str, say: Callable[[Interval], str]) -> str:
    """Say what importance weighting changes in a measurement, if both models have it; else nothing.

    Parameters
    ----------
    study
        The study.
    metric
        The measurement.
    say
        From the paired difference of IWAE and VAE to a sentence, the space before it included.
    """
    gap = tried(difference, study, metric, study.iwae, {})
    return "" if gap is None else say(gap)


def read_check(own: pd.DataFrame) -> str:
    """Say how the gap of the bidirectional check stands to what importance sampling left.

    ``own`` are the runs of one family, as from ``by_run``.
    """
    gap = mean_interval(own["bdmc_gap"] - own["left"])
    return _compared(gap, "more than that", "less than that", "that")


def read_costs(own: pd.DataFrame) -> str:
    """Say which of the two gaps of one family's runs is the larger."""
    gap = mean_interval(own["amortization_gap"] - own["approximation_gap"])
    if gap.n == 1:
        larger = "second" if gap.mean > 0 else "first"
        return f"in this one run the {larger} is the larger"
    return {
        "higher": "the encoder, not the family, is what costs most",
        "lower": "the family costs more than the encoder",
        "undecided": f"{gap.n} seeds cannot tell which is the larger",
    }[gap.sign]


def read_counts(own: pd.DataFrame) -> str:
    """Say whether one family's runs have more active dimensions than effective ones."""
    counts = own["active_units"], own["effective_dimensions"]
    more = difference_within(*counts, "active_units", (own, own))
    if more.mean == 0:
        average = "" if is_nothing(more) else ", on average"
        return f"It has as many active dimensions as effective ones, $D_1${average}."
    ones = "the effective ones, $D_1$, by"
    text = change_of_number(more, f"outnumber {ones}", f"are fewer than {ones}", 1)
    little = ": the threshold counts dimensions that carry little"
    return f"Its active dimensions {text}{little if more.sign == 'higher' else ''}."


def read_ceiling(runs: pd.DataFrame, n: int) -> str:
    """Say where the mutual information of all runs lies, and what room its ceiling leaves."""
    least, most = runs["mutual_information"].min(), runs["mutual_information"].max()
    room = (
        f"All reach {100 * NEARLY_ALL:.0f} % of that ceiling, which leaves little room for models "
        "to differ in it; the marginal KL has no ceiling"
        if least > NEARLY_ALL * math.log(n)
        else "Below that ceiling there is room for models to differ in how well their codes tell "
        "images apart"
    )
    return (
        f"Mutual information lies between {number(least, 2)} and {number(most, 2)} nats over all "
        f"runs, where $\\ln N$ is {math.log(n):.2f} (@fig:information, @tbl:information). {room}."
    )


def read_distance(study: Study) -> str:
    """Say how far samples of the base model lie from training images, beside test images."""
    distances = by_seed(study, "fid", {}) / yardstick(study, "fid_floor")
    ratio = mean_interval(distances).within(*NOT_NEGATIVE)
    text = f"{ratio.text(1)} times as much"
    if ratio.n == 1:
        return f"{text}, in this one run"
    if ratio.low > 1:
        return f"{text}: samples from the prior lie further from training images than digits do"
    if ratio.high < 1:
        return f"{text}: samples from the prior lie nearer to training images than digits do"
    return f"{text}, which {ratio.n} seeds cannot tell from equal"


def change_of_number(interval: Interval, more: str, less: str, digits: int) -> str:
    """Say how a pure number changes, which has no unit."""
    return change(interval, more, less, unit="", digits=digits).replace("  ", " ")


def _compared(gap: Interval, more: str, less: str, equal: str) -> str:
    if gap.n == 1:
        return f"which is {more if gap.mean > 0 else less} in this one run"
    undecided = f"which {gap.n} seeds cannot tell from {equal}"
    return {"higher": more, "lower": less, "undecided": undecided}[gap.sign]
