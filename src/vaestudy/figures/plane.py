"""Figures of the chapter on points of the plane: what goes in, its code, what comes out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import NDArray

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.mosaics import placed_figure
from vaestudy.figures.plane_data import (
    COLORS,
    SQUARE,
    colors_of,
    first_run,
    levels,
    other_shapes,
    passage,
    plane_runs,
    points_table,
    run_ids,
)
from vaestudy.figures.plane_maps import draw_annealing, draw_line_maps, draw_plane_maps
from vaestudy.figures.style import INK, MUTED, TEXT_WIDTH
from vaestudy.plane import Passage, decoder_curve
from vaestudy.study import Study

#: Points a panel: enough to see a shape, few enough to see points.
N_POINTS = 800
_QUADRANTS = ("lower left", "lower right", "upper left", "upper right")
#: Limits of every panel of codes, and of every panel of the square.
_CODES, _SQUARE = (-3.4, 3.4), (-0.1, 1.1)


def draw_plane(study: Study) -> Drawing:
    """Draw input, latent image and reconstruction of the square for every β and λ, n_z = 2."""
    return _draw_grid(study, 2)


def draw_line(study: Study) -> Drawing:
    """Draw the same with one latent dimension, jittered across."""
    return _draw_grid(study, 1)


def _draw_grid(study: Study, n_z: int) -> Drawing:
    """Draw the grid of the source."""
    runs = plane_runs(study, n_z=n_z)
    return draw_pairs(study, n_z, levels(runs, "beta"), levels(runs, "weight_decay"))


def draw_pairs(study: Study, n_z: int, betas: Sequence[float], decays: Sequence[float]) -> Drawing:
    """Draw rows of weight decay, and for every KL weight a pair of panels: codes and outputs."""
    figure, grid = _paired_panels(len(decays), len(betas))
    shown, data = [], []
    for row, decay in enumerate(decays):
        for column, beta in enumerate(betas):
            run = first_run(study, n_z=n_z, beta=beta, weight_decay=decay)
            found = passage(study, run)
            left, right = grid[row][column]
            _codes(left, found)
            _scatter(right, found.decoded, found.classes, _SQUARE)
            shown.append(run)
            data.append(points_table(run, found, N_POINTS))
            if row == 0:
                left.set_title("code", fontsize=7.5, loc="center", pad=2, color=MUTED)
                right.set_title("output", fontsize=7.5, loc="center", pad=2, color=MUTED)
        grid[row][0][0].set_ylabel(f"$\\lambda = {decay:g}$", fontsize=9)
    _beta_titles(figure, grid, betas)
    _inset_of_input(figure, passage(study, shown[0]))
    return Drawing(figure, pd.concat(data, ignore_index=True), run_ids(shown))


#: Inches of the grid: below the input, left of it, between pairs.
_TOP, _LEFT, _GAP, _PAD = 1.28, 0.3, 0.12, 0.03


def _paired_panels(n_rows: int, n_pairs: int) -> tuple[Figure, list[list[tuple[Axes, Axes]]]]:
    side = (TEXT_WIDTH - _LEFT - _GAP * (n_pairs - 1)) / (2 * n_pairs) - _PAD
    side = min(side, 1.1 if n_rows < 5 else 0.95)
    height = _TOP + n_rows * (side + _PAD + 0.03)
    figure = placed_figure(TEXT_WIDTH, height)
    grid = []
    for row in range(n_rows):
        bottom = height - _TOP - (row + 1) * side - row * (_PAD + 0.03)
        pairs = []
        for pair in range(n_pairs):
            left = _LEFT + pair * (2 * (side + _PAD) + _GAP)
            size = (bottom / height, side / TEXT_WIDTH, side / height)
            first, second = left / TEXT_WIDTH, (left + side + _PAD) / TEXT_WIDTH
            pairs.append((figure.add_axes((first, *size)), figure.add_axes((second, *size))))
        grid.append(pairs)
    return figure, grid


def _beta_titles(
    figure: Figure, grid: Sequence[Sequence[tuple[Axes, Axes]]], betas: Sequence[float]
) -> None:
    for (left, right), beta in zip(grid[0], betas, strict=True):
        a, b = left.get_position(), right.get_position()
        at = a.y1 + 0.16 / figure.get_figheight()
        figure.text((a.x0 + b.x1) / 2, at, f"$\\beta = {beta:g}$", ha="center", va="bottom")


def _inset_of_input(figure: Figure, found: Passage) -> None:
    """Draw the square itself above the grid, with the names of its colours beside it."""
    side, height = 0.82, figure.get_figheight()
    place = (_LEFT / TEXT_WIDTH, 1 - (side + 0.02) / height, side / TEXT_WIDTH, side / height)
    axes = figure.add_axes(place)
    _scatter(axes, found.points, found.classes, _SQUARE)
    dots = [
        Line2D([], [], ls="", marker="o", ms=4, color=COLORS[i], label=name)
        for i, name in enumerate(_QUADRANTS)
    ]
    figure.legend(
        handles=dots, loc="upper left", title="input, by quadrant", alignment="left",
        bbox_to_anchor=(place[0] + place[2] + 0.01, 0.99), fontsize=8, title_fontsize=8.5,
        handletextpad=0.1, labelspacing=0.25, borderaxespad=0,
    )  # fmt: skip


def _codes(axes: Axes, found: Passage) -> None:
    """Draw codes; those on a line with a jitter across that is the same for all models."""
    codes = found.codes
    if codes.shape[1] == 1:
        across = np.random.default_rng(0).uniform(-1.5, 1.5, len(codes))
        codes = np.stack([codes[:, 0], across], 1)
    _scatter(axes, codes, found.classes, _CODES)


def _scatter(
    axes: Axes, points: NDArray[Any], classes: NDArray[Any], limits: tuple[float, float]
) -> None:
    """Draw points in their classes' colours on a panel without ticks."""
    x, y = points[:N_POINTS].T
    axes.scatter(x, y, c=colors_of(classes[:N_POINTS]), s=1.3, lw=0, rasterized=True)
    _frame(axes, limits)


def draw_snake(study: Study) -> Drawing:
    """Draw the decoder's curve through the square for every KL weight, without weight decay."""
    runs = plane_runs(study, n_z=1, weight_decay=0.0)
    betas = levels(runs, "beta")
    figure = Figure(figsize=(TEXT_WIDTH, TEXT_WIDTH / len(betas) + 0.72), layout="constrained")
    panels = figure.subplots(1, len(betas), squeeze=False)[0]
    shown, data = [], []
    for axes, beta in zip(panels, betas, strict=True):
        run = first_run(study, n_z=1, beta=beta, weight_decay=0.0)
        found = passage(study, run)
        z, curve = decoder_curve(study.model(str(run["run_id"])), found.codes)
        x, y = found.points[:N_POINTS].T
        axes.scatter(x, y, c="#d5dbe0", s=1.2, lw=0, rasterized=True)
        # A thousand pieces, each of its own colour, would be most of a megabyte of the report.
        lines = LineCollection(
            list(np.stack([curve[:-1], curve[1:]], 1)),
            cmap="viridis", lw=1.8, capstyle="round", rasterized=True,
        )  # fmt: skip
        lines.set_array((z[1:] + z[:-1]) / 2)
        lines.set_clim(-2.5, 2.5)
        axes.add_collection(lines)
        _frame(axes, _SQUARE)
        axes.set_title(f"$\\beta = {beta:g}$")
        shown.append(run)
        table = pd.DataFrame({"z": z, "x_1": curve[:, 0], "x_2": curve[:, 1]}).round(4)
        data.append(table.assign(run_id=run["run_id"], beta=beta))
    figure.colorbar(
        lines, ax=list(panels), location="bottom", shrink=0.4, aspect=30, label="$z$", pad=0.02
    )
    return Drawing(figure, pd.concat(data, ignore_index=True), run_ids(shown))


def _frame(axes: Axes, limits: tuple[float, float]) -> None:
    axes.set(xlim=limits, ylim=limits, xticks=[], yticks=[], aspect="equal")
    for spine in axes.spines.values():
        spine.set(visible=True, color="#c9d0d6", linewidth=0.5)


def draw_shapes(study: Study) -> Drawing:
    """Draw other shapes: input; code, output and samples at the two lowest KL weights."""
    there = [SQUARE, *other_shapes(study)]
    betas = levels(plane_runs(study, dataset=there[1]), "beta")[:2]
    wide = (TEXT_WIDTH - 0.25) / (1 + 3 * len(betas))
    figure = Figure(figsize=(TEXT_WIDTH, wide * len(there) + 0.62), layout="constrained")
    grid = figure.subplots(len(there), 1 + 3 * len(betas), squeeze=False)
    shown, data = [], []
    for row, name in zip(grid, there, strict=True):
        for beta, panels in zip(betas, row[1:].reshape(-1, 3), strict=True):
            run = first_run(study, dataset=name, n_z=2, beta=beta, weight_decay=0.0)
            found = passage(study, run)
            _passage_panels(panels, found)
            shown.append(run)
            data.append(points_table(run, found, N_POINTS))
        _scatter(row[0], found.points, found.classes, _limits(found.points))
        row[0].set_ylabel(name)
    for axes, title in zip(grid[0], ("input", *_STATIONS * len(betas)), strict=True):
        axes.set_title(title, loc="center", fontsize=8)
    for beta, axes in zip(betas, grid[0][2::3], strict=True):
        axes.set_title(f"$\\beta = {beta:g}$\n{_STATIONS[1]}", loc="center", fontsize=8)
    return Drawing(figure, pd.concat(data, ignore_index=True), run_ids(shown))


_STATIONS = ("code", "output", "samples")


def _passage_panels(panels: Sequence[Axes], found: Passage) -> None:
    """Draw code, output, and outputs at draws of the prior."""
    limits = _limits(found.points)
    _codes(panels[0], found)
    _scatter(panels[1], found.decoded, found.classes, limits)
    x, y = found.drawn[:N_POINTS].T
    panels[2].scatter(x, y, c=INK, s=1, lw=0, alpha=0.6, rasterized=True)
    _frame(panels[2], limits)


def _limits(points: NDArray[Any]) -> tuple[float, float]:
    """Return limits of a square panel that holds all points."""
    low, high = float(points.min()), float(points.max())
    margin = 0.08 * (high - low)
    return low - margin, high + margin


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "square-plane": draw_plane,
    "square-line": draw_line,
    "square-snake": draw_snake,
    "square-plane-statistics": draw_plane_maps,
    "square-line-statistics": draw_line_maps,
    "square-annealing": draw_annealing,
    "shapes": draw_shapes,
}
