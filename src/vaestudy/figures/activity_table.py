"""Numbers of the chapter on activity: its tables, and what its sentences are decided by."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from itertools import combinations as combinations_of

import numpy as np
import pandas as pd

from vaestudy.config import ModelParameters
from vaestudy.figures.activity_data import (
    MARGIN,
    Family,
    at_the_end,
    count_paying,
    fates,
    find_family,
)
from vaestudy.figures.cells import mean_cell
from vaestudy.figures.families import NAMED, label_of, order_of
from vaestudy.figures.run_notes import written
from vaestudy.figures.spans import mean_within
from vaestudy.stats import mean_interval
from vaestudy.study import Study

#: Of the Gaussian kernel that `find_valley` smooths with, in decades.
BANDWIDTH = 0.12
#: Thresholds that `plateau` tries, as multiples of the study's.
PLATEAU_RANGE = (1e-3, 1e3)

_LEAST = 1e-7
_METRICS = {"active_units": ("Active units", 1), "nll": ("Test NLL", 2), "kl": ("KL", 2)}
# What the model's name tells, or a column does; any other departure from base is spelt out.
_LABELLED = {*NAMED} - {"batch_norm"}
_COLUMNS = {"dataset", "n_z", "batch_norm", "warmup"}
# What a table of combinations holds fixed.
_SETTING = ("dataset", "binarization", "hidden", "activation")


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


@dataclass(frozen=True)
class Valley:
    """Two modes of a distribution on a logarithmic axis, and the least dense place between."""

    low: float
    bottom: float
    high: float
    depth: float
    """Density at the bottom over that of the less dense mode: 0 is a perfect gap."""

    def holds(self, threshold: float) -> bool:
        """Whether the threshold lies between the modes and as good as at the bottom."""
        inside = self.low < threshold < self.high
        return inside and abs(np.log(threshold / self.bottom)) <= np.log(MARGIN)


def find_valley(activity: pd.Series, bandwidth: float = BANDWIDTH) -> Valley | None:
    """Return the two highest modes of log10 activity and the valley, or None if there is one mode.

    Modes are those of a Gaussian kernel estimate; one counts if it rises to a tenth of the highest
    and by a quarter of itself above the valley.
    """
    values = np.log10(activity.clip(lower=_LEAST).to_numpy())
    grid = np.arange(values.min() - 0.5, values.max() + 0.5, 0.02)
    density = np.exp(-0.5 * ((grid[:, None] - values) / bandwidth) ** 2).mean(axis=1)
    inner = density[1:-1]
    peaks = 1 + np.flatnonzero((inner > density[:-2]) & (inner >= density[2:]))
    peaks = peaks[density[peaks] >= 0.1 * density.max()]
    best: Valley | None = None
    for first, second in combinations_of(peaks.tolist(), 2):
        bottom = first + int(np.argmin(density[first : second + 1]))
        depth = float(density[bottom] / min(density[first], density[second]))
        if depth <= 0.75 and (best is None or depth < best.depth):
            low, at, high = (float(10 ** grid[i]) for i in (first, bottom, second))
            best = Valley(low, at, high, depth)
    return best


def still_falling(study: Study, runs: pd.DataFrame, below: float) -> float:
    """Return by what factor activities under ``below`` have changed in the last quarter, median.

    Only dimensions that are above the threshold: those that may yet fall under it.
    """
    units = study.units(runs)
    threshold = study.config.evaluation.activity_threshold
    earlier = units[units["epoch"] == (0.75 * units["epochs"]).round()]
    both = at_the_end(study, runs).merge(earlier, on=["run_id", "unit"], suffixes=("", "_before"))
    undecided = both[both["activity"].between(threshold, below)]
    return float((undecided["activity"] / undecided["activity_before"]).median())


def plateau(study: Study, family: Family, tolerance: float = 1.0) -> tuple[float, float]:
    """Return how far the threshold can move before the mean count of active units does.

    Lowest and highest threshold, connected to the study's, whose count is within ``tolerance``.
    """
    final = at_the_end(study, family.runs)
    threshold = study.config.evaluation.activity_threshold
    grid = threshold * np.geomspace(*PLATEAU_RANGE, 301)
    counts = (final["activity"].to_numpy()[:, None] > grid).sum(axis=0) / len(family.runs)
    middle = int(np.argmin(np.abs(np.log(grid / threshold))))
    near = np.abs(counts - counts[middle]) <= tolerance
    off_below = np.flatnonzero(~near[:middle])
    off_above = np.flatnonzero(~near[middle:])
    low = off_below[-1] + 1 if len(off_below) else 0
    high = middle + off_above[0] - 1 if len(off_above) else len(grid) - 1
    return float(grid[low]), float(grid[high])


def combinations(study: Study) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return every combination's active units, NLL and KL: for reading, and as numbers.

    Of the base model's pixels, elsewhere an NLL is of something else, and of its networks.
    """
    runs = study.table("runs")
    for name in _SETTING:
        runs = runs[runs[name] == study.base[name]]
    values = study.table("evaluation").merge(runs, on="run_id")
    values = values[values["metric"].isin(_METRICS)]
    heads = [group.iloc[0] for _, group in runs.groupby("combination_id", sort=False)]
    shown, told = [], []
    for head in sorted(heads, key=lambda row: _order(study, row)):
        cells = _describe(study, head)
        own = values[values["combination_id"] == head["combination_id"]]
        plain: dict[str, object] = {"combination_id": head["combination_id"]}
        plain |= cells
        cells["n"] = str(own["run_id"].nunique())
        for metric, (title, digits) in _METRICS.items():
            of_seeds = own.loc[own["metric"] == metric, "value"].astype(float)
            if of_seeds.empty:
                cells[title] = "diverged" if own.empty else "–"
                continue
            interval = mean_within(of_seeds, metric, own)
            cells[title] = mean_cell(interval, digits)
            plain |= {metric: interval.mean, f"{metric}_low": interval.low,
                      f"{metric}_high": interval.high, "n": interval.n}  # fmt: skip
        shown.append(cells)
        told.append(plain)
    return pd.DataFrame(shown), pd.DataFrame(told)


def _departures(study: Study, row: pd.Series) -> list[str]:
    """Name what this combination changes beyond what the columns say."""
    names = [name for name in ModelParameters.model_fields if name not in _COLUMNS | _LABELLED]
    return [written(name, row[name]) for name in names if row[name] != study.base[name]]


def _describe(study: Study, row: pd.Series) -> dict[str, str]:
    plain = {name: row[name] for name in _LABELLED}
    if row["warmup_cycles"] > 1:
        # Of a warm-up once a column has the length.
        plain |= {name: row[name] for name in ("warmup", "warmup_cycles")}
    return {
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
    columns = {
        "Fewest active": "lowest",
        "in epoch": "lowest_epoch",
        "Pruned": "pruned",
        "returned": "returned",
        "clearly": "clearly",
        "to stay": "stayed",
    }
    rows = []
    for family in families:
        told = fates(study, family.runs)
        n_z, epochs = (int(family.runs[name].max()) for name in ("n_z", "epochs"))
        spans = dict.fromkeys(columns.values(), (0, n_z)) | {"lowest_epoch": (1, epochs)}
        cells = {
            title: mean_cell(mean_interval(told[name]).within(*spans[name]), 1)
            for title, name in columns.items()
        }
        rows.append({"Model": family.label, "n": str(len(told)), **cells})
    return pd.DataFrame(rows)


def size_table(study: Study, families: Sequence[Family], nats: float) -> pd.DataFrame:
    """Return, by number of latent dimensions, units active and units that cost over ``nats``."""
    sizes = sorted({n for f in families for n in study.levels("n_z", **f.parameters)})
    rows = []
    for n_z in sizes:
        cells = {"$n_z$": str(n_z)}
        for family in families:
            sized = find_family(study, **{**family.parameters, "n_z": n_z})
            active = f"{family.label}, active"
            costly = f"{family.label}, over {nats:g} nats"
            if sized is None:
                cells |= {active: "–", costly: "–"}
                continue
            counts = fates(study, sized.runs)["active"]
            paying = count_paying(study, sized.runs, nats)
            cells[active] = mean_cell(mean_interval(counts).within(0, n_z), 1)
            cells[costly] = mean_cell(mean_interval(paying).within(0, n_z), 1)
        rows.append(cells)
    return pd.DataFrame(rows)
