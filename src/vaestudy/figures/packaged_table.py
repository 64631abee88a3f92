"""Tables: variants of the packaged model, the data it is fitted to, a user's own grid."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from vaestudy.figures.cells import NOT_MEASURED, mean_cell
from vaestudy.figures.grid_data import grid_runs, name_of, varied_in
from vaestudy.figures.packaged import by_seed, training_seconds
from vaestudy.figures.packaged_data import Fitted, Variant, find_variants
from vaestudy.figures.spans import mean_within
from vaestudy.stats import Interval, mean_interval, number, paired_difference
from vaestudy.study import Study

_ERRORS = {
    "Model": "squared_error",
    "Principal components": "pca_squared_error",
    "Training mean": "mean_squared_error",
}
_OWN = {
    "Test NLL": ("nll", 2),
    "Given label": ("nll_given_label", 2),
    "Squared error": ("squared_error", 2),
    "Active units": ("active_units", 1),
}


def variants_table(study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the variants of the packaged model: for reading, and as numbers."""
    variants = find_variants(study)
    packaged = by_seed(study, variants[0], "nll")
    shown, told = [], []
    for variant in variants:
        nll = by_seed(study, variant, "nll")
        mean, gap = mean_interval(nll), paired_difference(nll, packaged)
        error = mean_within(by_seed(study, variant, "squared_error"), "squared_error")
        seconds = mean_within(training_seconds(study, variant), "seconds")
        shown.append(
            {
                "Model": variant.label,
                "n": str(mean.n),
                "Test NLL": mean_cell(mean, 2),
                "Difference": mean_cell(gap if variant is not variants[0] else None, signed=True),
                "Squared error": mean_cell(error, 2),
                "Time (s)": mean_cell(seconds, 1),
            }
        )
        told.append((variant.label, *_numbers(mean), *_numbers(gap), error.mean, seconds.mean))
    names = ["model", "nll", "low", "high", "n", "difference", "difference_low"]
    names += ["difference_high", "difference_n", "squared_error", "seconds"]
    return pd.DataFrame(shown), pd.DataFrame(told, columns=names)


def datasets_table(study: Study, fitted: Sequence[Fitted]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the errors of nearest representations of each data set: for reading, as numbers."""
    shown, told = [], []
    for one in fitted:
        variant = Variant(one.title, one.runs)
        cells = {"Data": one.title, "n": str(len(one.runs))}
        for title, metric in _ERRORS.items():
            values = by_seed(study, variant, metric)
            cells[title] = _mean(values, 2, metric, one.runs)
            told += [(one.title, metric, seed, value) for seed, value in values.items()]
        shown.append(cells)
    return pd.DataFrame(shown), pd.DataFrame(told, columns=["data", "metric", "seed", "value"])


def combinations_table(study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every combination of a user's own grid: for reading, and as numbers."""
    runs = grid_runs(study)
    varied = varied_in(runs)
    shown, told = [], []
    for name, part in runs.groupby("combination_id", sort=False):
        variant = Variant(str(name), part)
        # As figures call it.
        cells = {"Model": name_of(study, variant.first, varied)}
        cells["n"] = str(len(part))
        for title, (metric, digits) in _OWN.items():
            values = by_seed(study, variant, metric)
            cells[title] = _mean(values, digits, metric, part)
            told += [(name, metric, seed, value) for seed, value in values.items()]
        shown.append(cells)
    table = pd.DataFrame(shown)
    empty = [title for title in _OWN if table[title].eq(NOT_MEASURED).all()]
    columns = ["combination_id", "metric", "seed", "value"]
    return table.drop(columns=empty), pd.DataFrame(told, columns=columns)


def _mean(values: pd.Series, digits: int, metric: str, runs: pd.DataFrame) -> str:
    if not len(values):
        return NOT_MEASURED
    # Principal components are the same for every seed.
    alike = (values == values.iloc[0]).all()
    if alike:
        return number(values.iloc[0], digits)
    return mean_cell(mean_within(values, metric, runs), digits)


def _numbers(interval: Interval) -> tuple[float, float, float, int]:
    return interval.mean, interval.low, interval.high, interval.n
