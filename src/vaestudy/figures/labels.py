"""Figures of models that are told classes: what they draw when asked, and how often rightly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from vaestudy.figures.beyond_data import Member, by_seed, runs_of
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.labels_data import (
    COLORS,
    MARKERS,
    as_images,
    compared,
    every_class,
    find_told,
    first_seed,
    kind_of,
    name_of,
    of_kind,
    plain,
    share_of,
    side_by_side,
)
from vaestudy.figures.mosaics import Mosaic, placed_figure, show, tile
from vaestudy.figures.networks import networks
from vaestudy.figures.style import MUTED, TEXT_WIDTH
from vaestudy.figures.told import FIGURES as TOLD
from vaestudy.stats import mean_interval
from vaestudy.study import EmptySelectionError, Study

#: Pictures of a class by each model.
_N_CODES = 6
#: Side by side where shares are the same.
_ASIDE = {"condition": 1.0, "blanked": 0.94, "m2": 1.06}
_NAMES = {"condition": "all labels", "blanked": "else blank", "m2": "else inferred (M2)"}


def samples_by_class(study: Study) -> Drawing:
    """Draw what each model makes of every class: rows are classes, columns share their codes."""
    members = side_by_side(find_told(study))
    mosaics, data, runs = [], [], []
    for member in members:
        run, name = first_seed(member), name_of(study, member)
        means = every_class(study, run["run_id"], _N_CODES)
        images = as_images(study, run["dataset"], means.flatten(0, 1))
        mosaics.append(tile(images.reshape(*means.shape[:2], *images.shape[1:])))
        runs.append(run["run_id"])
        data += [
            (name, run["run_id"], label, column, float(picture.sum()))
            for label, row in enumerate(means)
            for column, picture in enumerate(row)
        ]
    figure = _side_by_side([name_of(study, m) for m in members], mosaics)
    columns = ["model", "run_id", "asked", "column", "mean_ink"]
    return Drawing(figure, pd.DataFrame(data, columns=columns), tuple(runs))


def _side_by_side(names: list[str], mosaics: list[Mosaic]) -> Figure:
    """Draw a block of pictures for each model, the classes' numbers at the left of the first."""
    left, gap, top, bottom = 0.2, 0.14, 0.22, 0.03
    wide = (TEXT_WIDTH - left - gap * (len(names) - 1)) / max(len(names), 3)
    height, width = mosaics[0].pixels.shape
    tall = wide * height / width
    total = tall + top + bottom
    figure = placed_figure(TEXT_WIDTH, total)
    for place, (name, mosaic) in enumerate(zip(names, mosaics, strict=True)):
        x = left + place * (wide + gap)
        axes = figure.add_axes((x / TEXT_WIDTH, bottom / total, wide / TEXT_WIDTH, tall / total))
        show(axes, mosaic, aspect="auto")
        axes.set_title(name, fontsize=8.5, pad=3)
        axes.set_xticks([])
        numbers = [] if place else [str(label) for label in range(len(mosaic.rows))]
        axes.set_yticks(mosaic.rows[: len(numbers)] - 0.5, numbers)
    return figure


#: Panels of the figure over label shares: metric, title, whether it is a share.
_PANELS = (
    ("conditional_accuracy_of_means", "Samples of the right class", True),
    ("label_accuracy", "Test labels inferred rightly", True),
    ("nll_given_label", "Test NLL given the label (nats)", False),
)


def accuracy_by_share(study: Study) -> Drawing:
    """Draw, over the share of labels known, how often samples and labels are right, and the NLL."""
    members, rows = find_told(study), []
    figure = Figure(figsize=(TEXT_WIDTH, 2.6))
    panels = figure.subplots(1, 3)
    for axes, (metric, title, is_share) in zip(panels, _PANELS, strict=True):
        drawn = [
            row
            for kind in COLORS
            for row in _line(axes, study, of_kind(members, kind), kind, metric)
        ]
        values = [row[-1] for row in drawn]
        if metric == "nll_given_label":
            values += _without_labels(axes, study)
        _limits(axes, values, is_share)
        _shares(axes, sorted({share_of(m) for m in members}))
        axes.set_title(title, fontsize=8.5)
        rows += drawn
    if not rows:
        raise EmptySelectionError(
            f"{study.config.study!r} has measured no model that is told labels"
        )
    handles = [*panels[0].get_lines(), *panels[2].get_lines()]
    keys = {str(h.get_label()): h for h in handles if not str(h.get_label()).startswith("_")}
    figure.legend(keys.values(), keys.keys(), loc="outside lower center", ncols=4)
    data = pd.DataFrame(rows, columns=["told", "metric", "label_share", "seed", "value"])
    return Drawing(figure, data, runs_of(compared(study)))


def _without_labels(axes: Axes, study: Study) -> list[float]:
    """Draw the plain model's NLL, which is given none, as a level, if it was trained."""
    base = plain(study)
    if base is None:
        return []
    level = float(by_seed(study, base, "nll").mean())
    axes.axhline(level, color=MUTED, lw=0.9, ls=(0, (3, 2)), label="no labels", zorder=1)
    return [level]


def _shares(axes: Axes, shares: list[float]) -> None:
    axes.set(xscale="log", xlabel="training labels known")
    axes.set_xticks(shares, [f"{100 * share:g} %" for share in shares])
    axes.minorticks_off()
    axes.set_xlim(shares[0] / 1.5, 1.5)
    axes.grid(axis="y")


def _line(
    axes: Axes, study: Study, members: list[Member], kind: str, metric: str
) -> list[tuple[str, str, float, Any, float]]:
    """Draw one kind's means with intervals over its shares, and the seeds; return what is drawn."""
    rows, points = [], []
    for member in members:
        values = by_seed(study, member, metric)
        if values.empty:
            continue
        share, mean = share_of(member), mean_interval(values)
        x = share * _ASIDE[kind]
        points.append((x, mean.mean))
        if np.isfinite(mean.low):
            axes.plot([x] * 2, [mean.low, mean.high], color=COLORS[kind], lw=1, alpha=0.6)
        axes.scatter([x] * len(values), values, s=8, color=COLORS[kind], lw=0, zorder=3)
        rows += [(kind_of(member), metric, share, seed, v) for seed, v in values.items()]
    if points:
        axes.plot(
            *zip(*sorted(points), strict=True), MARKERS[kind], ls="-", color=COLORS[kind],
            ms=5.5, mec="white", mew=0.5, lw=1.1, label=_name(study, members[0]), zorder=2,
        )  # fmt: skip
    return rows


def _name(study: Study, member: Member) -> str:
    epochs = int(member.first["epochs"])
    cut = "" if epochs == study.config.base.epochs else f", {epochs} epochs"
    return _NAMES[kind_of(member)] + cut


def _limits(axes: Axes, values: list[float], is_share: bool) -> None:
    # Intervals of two seeds may be far wider than all there is to see: the values set the range.
    if not values:
        axes.text(0.5, 0.5, "not in this study", transform=axes.transAxes, ha="center", color=MUTED)
        axes.set_yticks([])
        return
    margin = max(0.02, 0.25 * (max(values) - min(values)))
    low, high = min(values) - margin, max(values) + margin
    if is_share:
        low, high = max(0.0, low), min(1.005, high)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{100 * y:.0f} %"))
    axes.set_ylim(low, high)


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "labels-samples": samples_by_class,
    "labels-accuracy": accuracy_by_share,
    **TOLD,
    "networks": networks,
}
