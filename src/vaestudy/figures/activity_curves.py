"""Active units through training, along the warm-up's length and along the latent dimension."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, MaxNLocator

from vaestudy.figures.activity_data import (
    Family,
    count_active,
    find_families,
    find_family,
    importance_weighted,
    over_seeds,
)
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.families import label_of, marker_of
from vaestudy.figures.style import INK, MUTED, TEXT_WIDTH
from vaestudy.stats import mean_interval
from vaestudy.study import EmptySelectionError, Study

# Light to dark: longer warm-ups are darker. Read on paper as on a screen.
_SHADES = ("#98a4ae", "#7cc4a8", "#2f9e78", "#0a6b4d", "#063b2b")


def draw_through_training(study: Study) -> Drawing:
    """Draw active units at every epoch, VAE and IWAE side by side, with every addition."""
    families = find_families(study)
    sides = [
        [family for family in families if (family.runs["objective"].iloc[0] == "iwae") == weighted]
        for weighted in (False, True)
    ]
    sides = [side for side in sides if side]
    figure = Figure(figsize=(TEXT_WIDTH, 2.55), layout="constrained")
    axes = figure.subplots(1, len(sides), sharey=True, squeeze=False)[0]
    parts = []
    for axis, side, letter in zip(axes, sides, "ab", strict=False):
        parts += [_draw_counts(axis, study, f, f.color, f.line) for f in side]
        objective = label_of(side[0].runs.iloc[0][["objective", "k"]])
        _finish(axis, f"({letter}) {objective}", [family.warmup for family in side])
        axis.legend([axis.lines[i] for i in range(len(side))], [f.label for f in side])
    _set_top(axes, families)
    axes[0].set_ylabel("active units")
    return Drawing(figure, pd.concat(parts, ignore_index=True), _run_ids(families))


def draw_warmup_lengths(study: Study) -> Drawing:
    """Draw active units at every epoch for each length of the warm-up, VAE and IWAE."""
    objectives = [{}, importance_weighted(study)] if importance_weighted(study) else [{}]
    sweeps = [_sweep(study, objective) for objective in objectives]
    sweeps = [sweep for sweep in sweeps if len(sweep) > 1]
    if not sweeps:
        raise EmptySelectionError(f"{study.config.study!r} has trained one length of warm-up only")
    figure = Figure(figsize=(TEXT_WIDTH if len(sweeps) > 1 else 0.62 * TEXT_WIDTH, 2.55),
                    layout="constrained")  # fmt: skip
    axes = figure.subplots(1, max(len(sweeps), 1), sharey=True, squeeze=False)[0]
    lengths = {family.warmup for sweep in sweeps for family in sweep}
    parts, shades = [pd.DataFrame()], warmup_shades(lengths)
    for axis, sweep, letter in zip(axes, sweeps, "ab", strict=False):
        parts += [_draw_counts(axis, study, f, shades[f.warmup], "-") for f in sweep]
        title = sweep[0].label if len(sweeps) == 1 else f"({letter}) {sweep[0].label}"
        _finish(axis, title, [])
        axis.legend(
            [axis.lines[i] for i in range(len(sweep))],
            [str(family.warmup) for family in sweep],
            title="warm-up (epochs)",
        )
    families = [family for sweep in sweeps for family in sweep]
    _set_top(axes, families)
    axes[0].set_ylabel("active units")
    return Drawing(figure, pd.concat(parts, ignore_index=True), _run_ids(families))


def draw_latent_dimension(study: Study) -> Drawing:
    """Draw active units, and the KL, at the end against the number of latent dimensions."""
    families = [
        family for family in find_families(study) if len(_dimensions(study, family.parameters)) > 1
    ]
    if not families:
        raise EmptySelectionError(f"{study.config.study!r} has trained one number of dimensions")
    figure = Figure(figsize=(TEXT_WIDTH, 2.75), layout="constrained")
    left, right = figure.subplots(1, 2)
    parts = [pd.DataFrame()]
    levels: set[int] = set()
    for position, family in enumerate(families):
        n_z = _dimensions(study, family.parameters)
        levels |= set(n_z)
        runs = study.runs(**{**family.parameters, "n_z": n_z})
        # Side by side, or the intervals of two models at one n_z hide each other.
        shift = 0.011 * max(n_z) * (position - (len(families) - 1) / 2)
        for axis, metric in ((left, "active_units"), (right, "kl")):
            parts.append(_draw_against_n_z(axis, study, runs, metric, family, shift))
    _identity(left, sorted(levels))
    for axis, title in ((left, "(a) Active units"), (right, "(b) KL from the prior (nats)")):
        _dimension_axis(axis, sorted(levels), title)
    left.legend(loc="upper left")
    data = pd.concat(parts, ignore_index=True)
    return Drawing(figure, data, _run_ids(families))


def _sweep(study: Study, objective: dict[str, Any]) -> list[Family]:
    if not study.has(warmup=..., **objective):
        return []
    lengths = study.levels("warmup", **objective)
    found = [find_family(study, **{**objective, "warmup": int(length)}) for length in lengths]
    return [family for family in found if family is not None]


def warmup_shades(lengths: Iterable[int]) -> dict[int, str]:
    """Return a shade for every length of the warm-up, the same in whatever panel it is drawn."""
    ordered = sorted(lengths)
    steps = np.linspace(0, len(_SHADES) - 1, len(ordered)).round()
    return {n: _SHADES[int(step)] for n, step in zip(ordered, steps, strict=True)}


def _dimensions(study: Study, parameters: dict[str, Any]) -> list[int]:
    return [int(n_z) for n_z in study.levels("n_z", **parameters)]


def _run_ids(families: Sequence[Family]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(run for family in families for run in family.runs["run_id"]))


def _draw_counts(axis: Axes, study: Study, family: Family, color: str, line: Any) -> pd.DataFrame:
    rows = over_seeds(count_active(study, family.runs))
    axis.plot(rows["epoch"], rows["mean"], color=color, ls=line)
    axis.fill_between(rows["epoch"], rows["low"], rows["high"], color=color, alpha=0.18, lw=0)
    return rows.assign(model=family.label, warmup=family.warmup)


def _finish(axis: Axes, title: str, warmups: Sequence[int]) -> None:
    axis.set(title=title, xlabel="epoch")
    axis.margins(x=0)
    axis.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(6, integer=True))
    axis.grid(axis="y")
    for warmup in {w for w in warmups if w}:
        axis.axvline(warmup, color=MUTED, lw=0.7, ls=(0, (1, 2)))


def _set_top(axes: Sequence[Axes], families: Sequence[Family]) -> None:
    top = max((int(family.runs["n_z"].max()) for family in families), default=1)
    for axis in axes:
        axis.set_ylim(0, 1.04 * top)


def _draw_against_n_z(
    axis: Axes, study: Study, runs: pd.DataFrame, metric: str, family: Family, shift: float
) -> pd.DataFrame:
    values = study.final(runs, metric)
    rows = []
    for n_z, at in values.groupby("n_z"):
        interval = mean_interval(at["value"])
        rows.append((n_z, interval.mean, interval.low, interval.high, interval.n))
        axis.plot(at["n_z"] + shift, at["value"], "o", ms=2.2, mew=0, alpha=0.45, c=family.color)
    told = pd.DataFrame(rows, columns=["n_z", "mean", "low", "high", "n"])
    axis.errorbar(
        told["n_z"] + shift,
        told["mean"],
        yerr=(told["high"] - told["mean"]).fillna(0),
        color=family.color,
        ls=family.line,
        marker=marker_of(family.runs.iloc[0]),
        ms=3.5,
        elinewidth=0.8,
        label=family.label,
    )
    return told.assign(metric=metric, model=family.label)


def _identity(axis: Axes, levels: Sequence[int]) -> None:
    if not levels:
        return
    ends = [min(levels), max(levels)]
    # On top: what keeps every dimension lies on it.
    axis.plot(ends, ends, color=INK, lw=0.9, ls=(0, (1, 2)), zorder=4)
    axis.annotate(
        "all active", (ends[1], ends[1]), xytext=(-20, 0), textcoords="offset points",
        ha="right", va="top", fontsize=7.5, color=MUTED,
    )  # fmt: skip


def _dimension_axis(axis: Axes, levels: Sequence[int], title: str) -> None:
    axis.xaxis.set_major_locator(FixedLocator(list(levels)))
    axis.set(title=title, xlabel="latent dimensions $n_z$")
    # An interval of two seeds may be wider than all there is to see: the points set the range.
    drawn = [y for line in axis.lines for y in np.asarray(line.get_ydata(), dtype=float)]
    high = max([y for y in drawn if np.isfinite(y)], default=1.0)
    axis.set_ylim(0, 1.12 * high)
    axis.grid(axis="y")
