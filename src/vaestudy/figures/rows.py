"""Rows of a plot of intervals: seeds, their mean and its 95 % interval, one row a model."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vaestudy.figures.style import INK
from vaestudy.stats import mean_interval

#: Height in inches of a row, and of what stands around all rows.
ROW, FRAME = 0.32, 1.05


def seed_row(axes: Axes, place: float, values: pd.Series, color: str) -> None:
    """Draw the replicates of one model at height ``place``."""
    mean = mean_interval(values)
    axes.plot([mean.low, mean.high], [place] * 2, color=color, lw=1.1)
    axes.plot(mean.mean, place, "D", color=color, ms=5, mec="white", mew=0.5, zorder=4)
    axes.scatter(values, [place + 0.22] * len(values), s=9, color=color, lw=0, alpha=0.7)


def frame_rows(axes: Axes, names: Sequence[str], values: pd.Series, *also: float) -> None:
    """Name the rows, fit the axis as :func:`fit_rows` does, and say what the marks are."""
    fit_rows(axes, names, values, *also)
    figure = axes.figure
    assert isinstance(figure, Figure)
    interval_legend(figure)


def fit_rows(axes: Axes, names: Sequence[str], values: pd.Series, *also: float) -> None:
    """Name the rows, and fit the axis to the values and to what else it is to show.

    Intervals of two seeds may be far wider than all there is to see: they do not set the range.
    """
    low, high = min(values.min(), *also, values.max()), max(values.max(), *also, values.min())
    margin = 0.12 * (high - low) or 0.1
    axes.set(xlim=(low - margin, high + margin), ylim=(len(names) - 0.5, -0.5))
    axes.set_yticks(range(len(names)), names)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)


def interval_legend(figure: Figure) -> None:
    """Say beneath a figure what :func:`seed_row` draws."""
    handles = [
        Line2D([], [], color=INK, marker="D", ms=4.5, lw=1.1, label="mean, 95 % interval"),
        Line2D([], [], color=INK, marker="o", ms=3, lw=0, label="seeds"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
