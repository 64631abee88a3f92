"""Numbers of the chapter on activity: its tables, and what its sentences are decided by."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from vaestudy.config import ModelParameters
from vaestudy.figures.activity_data import MARGIN, Family, at_the_end, fates
from vaestudy.figures.families import label_of, order_of
from vaestudy.stats import Interval, mean_interval, number
from vaestudy.study import Study

_METRICS = {"active_units": ("Active units", 1), "nll": ("Test NLL", 2), "kl": ("KL", 2)}
# What the table gives a column or the model's name; any other departure from base is spelt out.
_NAMED = {"dataset", "likelihood", "objective", "k", "n_z", "batch_norm", "warmup", "encoder_heads"}
_SYMBOLS = {"adam_beta1": "$\\beta_1$", "adam_beta2": "$\\beta_2$", "adam_eps": "$\\epsilon$"}


@dataclass(frozen=True)
class Shares:
    """How dimensions divide at the threshold, as shares of all.

    ``between`` lie within `MARGIN` of it on either side, the others are clear.
    """

    below: float
    between: float
    above: float
    n: int


def shares(activity: pd.Series, threshold: float) -> Shares:
    """Return the shares of dimensions clearly below, about and clearly above the threshold."""
    below = float((activity <= threshold / MARGIN).mean())
    above = float((activity > threshold * MARGIN).mean())
    return Shares(below, 1 - below - above, above, len(activity))


def plateau(study: Study, family: Family, tolerance: float = 1.0) -> tuple[float, float]:
    """Return the thresholds about the study's within which the mean count stays within tolerance."""
    final = at_the_end(study, family.runs)
    threshold = study.config.evaluation.activity_threshold
    grid = threshold * 10 ** np.arange(-3, 3.0001, 0.02)
    counts = (final["activity"].to_numpy()[:, None] > grid).sum(axis=0) / len(family.runs)
    middle = int(np.argmin(np.abs(np.log(grid / threshold))))
    near = np.abs(counts - counts[middle]) <= tolerance
    off_below = np.flatnonzero(~near[:middle])
    off_above = np.flatnonzero(~near[middle:])
    low = off_below[-1] + 1 if len(off_below) else 0
    high = middle + off_above[0] - 1 if len(off_above) else len(grid) - 1
    return float(grid[low]), float(grid[high])


def plus_minus(interval: Interval, digits: int) -> str:
    """Return ``mean ± half-width``, the narrow form of an interval for a table's cell."""
    mean = number(interval.mean, digits)
    if not np.isfinite(interval.low):
        return mean
    return f"{mean} ± {number(interval.high - interval.mean, digits)}"


def combinations(study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every combination's active units, NLL and KL: for reading, and as numbers."""
    runs = study.table("runs")
    values = study.table("evaluation").merge(runs, on="run_id")
    values = values[values["metric"].isin(_METRICS)]
    heads = [group.iloc[0] for _, group in runs.groupby("combination_id", sort=False)]
    shown, told = [], []
    for head in sorted(heads, key=lambda row: _order(study, row)):
        cells = _describe(study, head)
        own = values[values["combination_id"] == head["combination_id"]]
        plain: dict[Hashable, object] = {"combination_id": head["combination_id"], **cells}
        cells["n"] = str(own["run_id"].nunique())
        for metric, (title, digits) in _METRICS.items():
            of_seeds = own.loc[own["metric"] == metric, "value"].astype(float)
            if of_seeds.empty:
                cells[title] = "diverged"
                continue
            interval = mean_interval(of_seeds)
            cells[title] = plus_minus(interval, digits)
            plain |= {metric: interval.mean, f"{metric}_low": interval.low,
                      f"{metric}_high": interval.high, "n": interval.n}  # fmt: skip
        shown.append(cells)
        told.append(plain)
    return pd.DataFrame(shown), pd.DataFrame(told)


def _departures(study: Study, row: pd.Series) -> list[str]:
    """Name what this combination changes beyond what the columns say."""
    names = [name for name in ModelParameters.model_fields if name not in _NAMED]
    return [
        f"{_SYMBOLS.get(name, name)} = {row[name]}"
        for name in names
        if row[name] != study.base[name]
    ]


def _describe(study: Study, row: pd.Series) -> dict[str, str]:
    plain = {"objective": row["objective"], "k": row["k"], "encoder_heads": row["encoder_heads"]}
    return {
        "Decoder": str(row["likelihood"]).capitalize(),
        "Model": ", ".join([label_of(plain), *_departures(study, row)]),
        "BN": {"none": "–", "hidden": "hidden", "all": "all"}[row["batch_norm"]],
        "WU": str(row["warmup"]) if row["warmup"] else "–",
        "$n_z$": str(row["n_z"]),
    }


def _order(study: Study, row: pd.Series) -> tuple[Hashable, ...]:
    literal = row["encoder_heads"] != "linear" or row["batch_norm"] == "all"
    return (bool(literal or _departures(study, row)), *order_of(row))


def fate_table(study: Study, families: Sequence[Family]) -> pd.DataFrame:
    """Return what became of the dimensions of each family, means over seeds with intervals."""
    rows = []
    for family in families:
        exact, clear = fates(study, family.runs), fates(study, family.runs, margin=MARGIN)
        rows.append(
            {
                "Model": family.label,
                "n": str(len(exact)),
                "Fewest active": plus_minus(mean_interval(exact["lowest"]), 1),
                "in epoch": plus_minus(mean_interval(exact["lowest_epoch"]), 1),
                "Pruned": plus_minus(mean_interval(exact["pruned"]), 1),
                "returned": plus_minus(mean_interval(exact["returned"]), 1),
                "Pruned clearly": plus_minus(mean_interval(clear["pruned"]), 1),
                "returned clearly": plus_minus(mean_interval(clear["returned"]), 1),
            }
        )
    return pd.DataFrame(rows)
