"""Figures of a grid of the user's own data: training, results and KL of every combination.

One small panel, or one row, a combination: a grid has any parameters, for which there are no
colours to be agreed on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, MaxNLocator

from vaestudy.figures.activity_data import at_the_end
from vaestudy.figures.curves import DASHES, Curve, draw_curves, focus, summarize
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.grid_data import Scale, find_grid
from vaestudy.figures.packaged_data import Variant
from vaestudy.figures.rows import FRAME, ROW, fit_rows, interval_legend, seed_row
from vaestudy.figures.style import GRID, INK, MUTED, PALETTE, TEXT_WIDTH
from vaestudy.objectives import NO_BOUNDS
from vaestudy.study import Study

#: Panels in a row, and the height in inches of one.
MOST_COLUMNS, PANEL = 3, 1.5
#: Letters in a line of a panel's title, and of a row's name.
_TITLE, _NAME = 30, 26


def results(study: Study) -> Drawing:
    """Draw test NLL, active units and KL of each combination: seeds, means, intervals."""
    scales = find_grid(study)
    sizes = [len(scale.drawn) for scale in scales]
    titles = [
        {scale.nll: f"{scale.nll_name} (nats)", "active_units": "active units", "kl": "KL (nats)"}
        for scale in scales
    ]
    figure = Figure(figsize=(TEXT_WIDTH, FRAME + ROW * sum(sizes) + 0.55 * (len(scales) - 1)))
    panels = figure.subplots(
        len(scales), len(titles[0]), squeeze=False, height_ratios=[n + 0.6 for n in sizes]
    )
    parts = []
    for line, scale, shown in zip(panels, scales, titles, strict=True):
        for axes, (metric, title) in zip(line, shown.items(), strict=True):
            parts.append(_rows(axes, study, scale, metric))
            axes.set_xlabel(title)
            whole = {"integer": True, "min_n_ticks": 1} if metric == "active_units" else {}
            axes.xaxis.set_major_locator(MaxNLocator(3, **whole))
        for axes in line[1:]:
            axes.set_yticklabels([])
    interval_legend(figure)
    return Drawing(figure, pd.concat(parts, ignore_index=True), _run_ids(scales))


def _rows(axes: Axes, study: Study, scale: Scale, metric: str) -> pd.DataFrame:
    parts = []
    for place, member in enumerate(scale.drawn):
        values = study.final(member.runs, metric).set_index("seed")["value"].astype(float)
        if len(values):
            seed_row(axes, place, values, PALETTE[0])
        parts.append(values.reset_index().assign(combination=member.label, metric=metric))
    data = pd.concat(parts, ignore_index=True)
    names = [_broken(member.label, _NAME) for member in scale.drawn]
    counted = data["value"] if metric == "active_units" else data["value"].head(0)
    # A count that all share is seen as one: half a unit of room on either side.
    fit_rows(axes, names, data["value"], *(counted - 0.5), *(counted + 0.5))
    axes.grid(axis="x")
    return data[["combination", "metric", "seed", "value"]]


def curves(study: Study) -> Drawing:
    """Draw the bound through training of each combination, before the others of its scale."""
    scales = find_grid(study)
    figure, panels = _panels(scales)
    metric = _metric(scales)
    parts = []
    for scale, own in zip(scales, panels, strict=True):
        everything = [Curve(m.label, GRID, m.runs) for m in scale.drawn]
        summary = summarize(study, everything, metric, ("train", "test"))
        tested = summary[summary["split"] == "test"]
        for axes, member in zip(own, scale.drawn, strict=True):
            for label, other in tested.groupby("curve"):
                if label != member.label:
                    axes.plot(other["epoch"], other["mean"], color=GRID, lw=0.9, zorder=0)
            draw_curves(axes, study, [Curve(member.label, PALETTE[0], member.runs)], metric)
            axes.set(xlabel="", ylabel="")
            axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
            focus(axes, summary)
        parts.append(summary)
    handles = [
        Line2D([], [], color=PALETTE[0], ls=DASHES["train"], label="training"),
        Line2D([], [], color=PALETTE[0], ls=DASHES["test"], label="test"),
    ]
    if max(len(scale.drawn) for scale in scales) > 1:
        handles.append(Line2D([], [], color=GRID, lw=0.9, label="the others, test"))
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    _label(figure, "epoch", f"{'ELBO' if metric == 'elbo' else 'bound'} (nats)")
    return Drawing(figure, pd.concat(parts, ignore_index=True), _run_ids(scales))


def kl_profiles(study: Study) -> Drawing:
    """Draw the KL of every latent dimension at the end, the largest first, of each combination."""
    scales = find_grid(study)
    figure, panels = _panels(scales)
    threshold = study.config.evaluation.activity_threshold
    parts = []
    for scale, own in zip(scales, panels, strict=True):
        for axes, member in zip(own, scale.drawn, strict=True):
            profile = _profile(study, member)
            _draw_profile(axes, profile, threshold)
            parts.append(profile.assign(combination=member.label))
    data = pd.concat(parts, ignore_index=True)
    top, last = 1.06 * float(data["kl"].max()), int(data["rank"].max())
    for axes in (axes for own in panels for axes in own):
        axes.set(ylim=(-0.03 * top, top or 1.0), xlim=(0.5 - 0.02 * last, last + 0.5 + 0.02 * last))
        few = FixedLocator(list(range(1, last + 1)))
        axes.xaxis.set_major_locator(few if last <= 6 else MaxNLocator(4, integer=True))
    marks = [
        Line2D([], [], color=INK, lw=0.9, label="mean"),
        Line2D([], [], ls="", marker="o", ms=4, color=PALETTE[0], label="active"),
        Line2D([], [], ls="", marker="o", ms=4, mfc="white", mec=MUTED, label="inactive"),
    ]
    figure.legend(handles=marks, loc="outside upper center", ncols=3)
    _label(figure, "latent dimension, by KL", "KL (nats)")
    names = ["combination", "seed", "rank", "unit", "kl", "activity"]
    return Drawing(figure, data[names], _run_ids(scales))


def _profile(study: Study, member: Variant) -> pd.DataFrame:
    units = at_the_end(study, member.runs).sort_values("kl", ascending=False, kind="stable")
    return units.assign(rank=units.groupby("run_id").cumcount() + 1)


def _draw_profile(axes: Axes, profile: pd.DataFrame, threshold: float) -> None:
    mean = profile.groupby("rank")["kl"].mean()
    axes.plot(mean.index, mean, color=INK, lw=0.9, zorder=1)
    active = profile["activity"] > threshold
    size = 4 if profile["rank"].max() <= 20 else 2.5
    for rows, fill, edge in (
        (profile[~active], "white", MUTED),
        (profile[active], PALETTE[0], "white"),
    ):
        axes.plot(rows["rank"], rows["kl"], "o", ms=size, mfc=fill, mec=edge, mew=0.5, zorder=2)


def _panels(scales: Sequence[Scale]) -> tuple[Figure, list[list[Axes]]]:
    """Return a panel a combination, named; each scale begins a row."""
    most = max(len(scale.drawn) for scale in scales)
    # Four are two rows of two, not three and a single one.
    columns = 2 if most == 4 else min(most, MOST_COLUMNS)
    rows = [math.ceil(len(scale.drawn) / columns) for scale in scales]
    width = {1: 0.62, 2: 0.85}.get(columns, 1.0)
    height = (PANEL if columns > 1 else 1.9) * sum(rows) + 0.65
    figure = Figure(figsize=(TEXT_WIDTH * width, height))
    grid: np.ndarray = figure.subplots(sum(rows), columns, squeeze=False)
    panels, start = [], 0
    for scale, n in zip(scales, rows, strict=True):
        flat = list(grid[start : start + n].ravel())
        for position, axes in enumerate(flat):
            if position >= len(scale.drawn):
                axes.set_visible(False)
                continue
            axes.set_title(_broken(scale.drawn[position].label, _TITLE), fontsize=8.5)
            axes.tick_params(labelleft=position % columns == 0)
        panels.append(flat[: len(scale.drawn)])
        start += n
    return figure, panels


def _label(figure: Figure, x: str, y: str) -> None:
    figure.supxlabel(x, fontsize=9, color=INK)
    figure.supylabel(y, fontsize=9, color=INK)


def _broken(name: str, width: int) -> str:
    """Break a name between its parts, where a line would be too long."""
    lines = [""]
    for part in name.split(", "):
        longer = f"{lines[-1]}, {part}" if lines[-1] else part
        if lines[-1] and len(longer.replace("$", "")) > width:
            lines[-1] += ","
            lines.append(part)
        else:
            lines[-1] = longer
    return "\n".join(lines)


def _metric(scales: Sequence[Scale]) -> str:
    """Return what every objective has a course of: its bound, unless it bounds nothing."""
    objectives = {member.first["objective"] for scale in scales for member in scale.drawn}
    return "elbo" if objectives & set(NO_BOUNDS) else "bound"


def _run_ids(scales: Sequence[Scale]) -> tuple[str, ...]:
    return tuple(r for scale in scales for m in scale.drawn for r in m.runs["run_id"])


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "own-results": results,
    "own-curves": curves,
    "own-kl": kl_profiles,
}
