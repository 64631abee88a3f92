"""Training curves: a mean over seeds, the seeds' range as a band, train solid and test dashed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vaestudy.figures.style import MUTED
from vaestudy.study import EmptySelectionError, Study

DASHES = {"train": "-", "test": (0, (3, 1.5))}


@dataclass(frozen=True)
class Curve:
    """One line of a figure: what it is called, its colour, and whose history it shows."""

    label: str
    color: Any
    runs: pd.DataFrame


def summarize(
    study: Study, curves: Sequence[Curve], metric: str, splits: Sequence[str]
) -> pd.DataFrame:
    """Return one row a curve × split × epoch: mean, lowest and highest seed, n.

    Raises
    ------
    EmptySelectionError
        If there are no curves.
    """
    if not curves:
        raise EmptySelectionError(f"{study.config.study!r} has no model whose {metric} to draw")
    parts = []
    for curve in curves:
        history = study.curves(curve.runs, [metric], splits)
        grouped = history.groupby(["split", "epoch"])["value"]
        summary = grouped.agg(mean="mean", low="min", high="max", n="count").reset_index()
        parts.append(summary.assign(curve=curve.label, metric=metric))
    return pd.concat(parts, ignore_index=True)


def draw_curves(
    axes: Axes,
    study: Study,
    curves: Sequence[Curve],
    metric: str = "bound",
    splits: Sequence[str] = ("train", "test"),
) -> pd.DataFrame:
    """Draw the curves on ``axes``; return what is drawn."""
    summary = summarize(study, curves, metric, splits)
    for curve in curves:
        for split in splits:
            rows = summary[(summary["curve"] == curve.label) & (summary["split"] == split)]
            axes.plot(rows["epoch"], rows["mean"], color=curve.color, ls=DASHES[split])
            axes.fill_between(
                rows["epoch"], rows["low"], rows["high"], color=curve.color, alpha=0.18, lw=0
            )
    axes.set(xlabel="epoch", ylabel="bound (nats)")
    axes.set_xlim(0, summary["epoch"].max())
    axes.xaxis.set_major_locator(MaxNLocator(6, integer=True))
    focus(axes, summary)
    return summary


def focus(axes: Axes, summary: pd.DataFrame, share: float = 0.08) -> None:
    """Set the vertical range so that the first epochs' climb does not flatten the rest.

    The lowest value shown is the lowest any curve has after the first ``share`` of the epochs.
    """
    later = summary[summary["epoch"] >= max(1, share * summary["epoch"].max())]
    low, high = later["low"].min(), later["high"].max()
    margin = 0.06 * (high - low) or 1.0
    axes.set_ylim(low - margin, high + margin)


def legend(axes: Axes, curves: Sequence[Curve], *, loc: Any = "lower right") -> None:
    """Draw a legend of colours."""
    axes.legend(handles=_colors(curves), loc=loc)


def outer_legend(figure: Figure, curves: Sequence[Curve]) -> None:
    """Draw beneath a figure, where no curve runs, its legend of colours, and of train and test."""
    handles = [
        *_colors(curves),
        Line2D([], [], color=MUTED, ls=DASHES["train"], label="training"),
        Line2D([], [], color=MUTED, ls=DASHES["test"], label="test"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=5 if len(handles) < 6 else 3)


def _colors(curves: Sequence[Curve]) -> list[Line2D]:
    return [Line2D([], [], color=c.color, label=c.label) for c in curves]


def run_ids(curves: Sequence[Curve]) -> tuple[str, ...]:
    """Return the ids of all runs behind the curves."""
    return tuple(dict.fromkeys(run_id for c in curves for run_id in c.runs["run_id"]))
