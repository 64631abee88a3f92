"""Tables of the chapter on points of the plane: statistics with their intervals."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import pandas as pd

from vaestudy.figures.cells import mean_cell
from vaestudy.figures.plane_data import (
    DIAMOND,
    EDGE,
    OF_SAMPLES,
    ON_THE_LINE,
    PURITY,
    SQUARE,
    SQUARED_ERROR,
    TO_PRIOR,
    TRUST,
    ZERO,
    Statistic,
    cells,
    levels,
    mean_of,
    other_shapes,
    plane_runs,
)
from vaestudy.study import Study

#: What of the plane's statistics a page has room for, what claims rest on first; the heat maps
#: have all, and the prose has the squared error.
_PLANE = (EDGE, ZERO, TO_PRIOR, DIAMOND, TRUST, PURITY)
_LINE = ON_THE_LINE
_SHAPES = (SQUARED_ERROR, TO_PRIOR, OF_SAMPLES, TRUST, PURITY)


def square_table(study: Study, n_z: int) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the statistics of every β and λ: for reading, as numbers, and their runs."""
    named = ((_names(cell), cell) for cell in cells(study, n_z))
    shown, numbers = statistics_table(study, named, _PLANE if n_z == 2 else _LINE)
    return shown, numbers, plane_runs(study, n_z=n_z)["run_id"].tolist()


def shapes_table(study: Study) -> tuple[pd.DataFrame, pd.DataFrame, list[str]]:
    """Return the statistics of every shape and β without weight decay.

    Raises
    ------
    EmptySelectionError
        If there is no shape beside the square.
    """
    found = other_shapes(study)
    named, runs = [], []
    betas = levels(plane_runs(study, dataset=found[0], n_z=2), "beta")
    for name in (SQUARE, *found):
        for beta in betas:
            cell = {"dataset": name, "n_z": 2, "beta": beta, "weight_decay": 0.0}
            named.append(({"Shape": name, "$\\beta$": f"{beta:g}"}, cell))
            runs += plane_runs(study, **cell)["run_id"].tolist()
    shown, numbers = statistics_table(study, named, _SHAPES)
    return shown.rename(columns={_title(PURITY): "Class purity"}), numbers, runs


def statistics_table(
    study: Study,
    named: Iterable[tuple[dict[str, str], dict[str, Any]]],
    statistics: Sequence[Statistic],
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return statistics of named combinations of parameters: for reading, and as numbers."""
    shown, numbers = [], []
    for names, cell in named:
        found = {s: mean_of(study, s.metric, **cell) for s in statistics}
        n = str(max(interval.n for interval in found.values()))
        shown.append(
            {**names, "n": n, **{_title(s): mean_cell(i, s.digits) for s, i in found.items()}}
        )
        numbers += [
            {**cell, "metric": s.metric, "mean": i.mean, "low": i.low, "high": i.high, "n": i.n}
            for s, i in found.items()
        ]
    return pd.DataFrame(shown), pd.DataFrame(numbers)


def _title(statistic: Statistic) -> str:
    return statistic.title[0].upper() + statistic.title[1:]


def _names(cell: dict[str, Any]) -> dict[str, str]:
    return {"$\\beta$": f"{cell['beta']:g}", "$\\lambda$": f"{cell['weight_decay']:g}"}
