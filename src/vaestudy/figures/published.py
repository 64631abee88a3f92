"""The dot plot of published figures beside ours."""

from __future__ import annotations

from collections.abc import Callable

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.families import color_of
from vaestudy.figures.published_data import find_comparison, layers_text, runs_of
from vaestudy.figures.style import GRID, INK, TEXT_WIDTH
from vaestudy.study import EmptySelectionError, Study


def dots(study: Study) -> Drawing:
    """Draw each model's published NLL and ours on one line.

    Raises
    ------
    EmptySelectionError
        If neither the study nor the project has figures of ours.
    """
    table, source = find_comparison(study)
    if source == "none":
        raise EmptySelectionError(f"{study.config.study!r} has no run of a published protocol")
    table = table[table["layers"].isin(table.loc[table["nll"].notna(), "layers"])]
    panels = [rows for _, rows in table.groupby("layers")]
    heights = [len(rows) for rows in panels]
    figure = Figure(figsize=(TEXT_WIDTH, 0.9 + 0.27 * sum(heights) + 0.25 * len(panels)))
    axes = figure.subplots(len(panels), 1, sharex=True, squeeze=False, height_ratios=heights)[:, 0]
    for panel, rows in zip(axes, panels, strict=True):
        _panel(panel, rows)
    axes[-1].set_xlabel("test NLL (nats)")
    marks = [
        Line2D([], [], ls="", color=INK, marker="o", ms=6.5, mfc="white", label="published"),
        Line2D([], [], ls="", color=INK, marker="o", ms=5.5, label="ours"),
    ]
    figure.legend(handles=marks, loc="outside lower center", ncols=2)
    return Drawing(figure, table, tuple(runs_of(table)))


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    for place, (_, row) in enumerate(rows.iterrows()):
        color, theirs, ours = color_of(row), float(row["published_nll"]), float(row["nll"])
        axes.plot([theirs, ours], [place, place], color=color, lw=1.2, alpha=0.6)
        axes.plot(theirs, place, "o", color=color, mfc="white", ms=6.5, mew=1.3)
        axes.plot(ours, place, "o", color=color, ms=5.5)
    title = layers_text(int(rows["layers"].iloc[0])).capitalize()
    axes.set(title=title, ylim=(len(rows) - 0.4, -0.6))
    axes.set_yticks(range(len(rows)), _names(rows))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="y", color=GRID)


def _names(rows: pd.DataFrame) -> list[str]:
    """Name the models, with the passes where one was trained for several lengths."""
    several = rows["model"].duplicated(keep=False)
    return [
        f"{model}, {passes:,} passes" if twice else str(model)
        for model, passes, twice in zip(rows["model"], rows["passes"], several, strict=True)
    ]


FIGURES: dict[str, Callable[[Study], Drawing]] = {"published": dots}
