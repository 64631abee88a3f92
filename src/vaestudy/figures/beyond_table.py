"""Tables of the chapter beyond the paper: every objective, and its difference to its reference."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from vaestudy.figures.beyond_data import (
    QUANTITIES,
    Member,
    compare,
    find_members,
    mean_of,
    reference_of,
)
from vaestudy.figures.cells import mean_cell
from vaestudy.study import EmptySelectionError, Study

#: Likelihoods of grey pixels, with the metric that is a density for each.
_DENSITIES = {
    "bernoulli": "nll_continuous",
    "gaussian": "nll",
    "continuous-bernoulli": "nll",
    "beta": "nll",
}


def objectives_table(study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every objective's quantities with intervals: for reading, and as numbers.

    The numbers have the paired differences to the reference as well.
    """
    members, shown = find_members(study), []
    for member in members:
        cells = {"Objective": member.label, "n": str(len(member.runs))}
        for quantity in QUANTITIES:
            found = mean_of(study, member, quantity.metric)
            cells[quantity.title] = mean_cell(found, quantity.digits)
        shown.append(cells)
    return pd.DataFrame(shown), numbers(study, members)


def differences_table(study: Study) -> pd.DataFrame:
    """Return the paired difference of every objective to its reference, in every quantity."""
    members, rows = find_members(study), []
    for member in members:
        reference = reference_of(member, members)
        if reference is None:
            continue
        n = len({*member.runs["seed"]} & {*reference.runs["seed"]})
        cells = {"Objective": member.label, "Against": reference.label, "n": str(n)}
        for quantity in QUANTITIES:
            gap = compare(study, member, reference, quantity.metric)
            cells[quantity.title] = mean_cell(gap, quantity.digits, signed=True)
        rows.append(cells)
    return pd.DataFrame(rows)


def numbers(study: Study, members: Sequence[Member]) -> pd.DataFrame:
    """Return one row an objective × quantity: mean, paired difference, their intervals and n."""
    rows = []
    for member in members:
        reference = reference_of(member, members)
        for quantity in QUANTITIES:
            found = mean_of(study, member, quantity.metric)
            if found is None:
                continue
            gap = compare(study, member, reference, quantity.metric)
            ends = (gap.mean, gap.low, gap.high, gap.n) if gap else (None, None, None, None)
            name = reference.label if reference else None
            mean = (found.mean, found.low, found.high, found.n)
            rows.append((member.label, quantity.metric, *mean, name, *ends))
    interval = ["low", "high", "n"]
    names = ["objective", "metric", "mean", *interval, "against", "difference"]
    return pd.DataFrame(rows, columns=[*names, *(f"difference_{end}" for end in interval)])


def grey_table(study: Study) -> tuple[pd.DataFrame, list[str]]:
    """Return what each likelihood makes of grey pixels, and the runs.

    Raises
    ------
    EmptySelectionError
        If none has been trained on grey pixels.
    """
    rows, runs = [], []
    for likelihood, metric in _DENSITIES.items():
        if not study.has(binarization="none", likelihood=likelihood):
            continue
        member = Member(study.runs(binarization="none", likelihood=likelihood))
        runs += member.runs["run_id"].tolist()
        cells = {"Decoder": likelihood.replace("-", " ").title(), "n": str(len(member.runs))}
        for title, name, digits in (
            ("NLL as a density", metric, 1),
            ("NLL, clipped pixels", "nll_clipped", 1),
            ("Squared error", "squared_error", 2),
            ("Active units", "active_units", 1),
        ):
            found = mean_of(study, member, name)
            cells[title] = mean_cell(found, digits)
        rows.append(cells)
    if not rows:
        raise EmptySelectionError(f"{study.config.study!r} has no model of grey pixels")
    return pd.DataFrame(rows), runs
