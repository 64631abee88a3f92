"""Figures of the chapter on points of the plane: statistics by KL weight and weight decay."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Colormap, Normalize, TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vaestudy.figures.curves import Curve, summarize
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.plane_data import (
    DIAMOND,
    ON_THE_LINE,
    ON_THE_PLANE,
    Statistic,
    cells,
    levels,
    mean_of,
    plane_runs,
)
from vaestudy.figures.style import DIVERGING, INK, PALETTE, SEQUENTIAL, TEXT_WIDTH
from vaestudy.stats import number
from vaestudy.study import EmptySelectionError, Study


def draw_plane_maps(study: Study) -> Drawing:
    """Draw the mean of every statistic over β and λ, two latent dimensions."""
    return _draw_maps(study, 2, ON_THE_PLANE, columns=4)


def draw_line_maps(study: Study) -> Drawing:
    """Draw the mean of every statistic over β and λ, one latent dimension."""
    return _draw_maps(study, 1, ON_THE_LINE, columns=3)


def _draw_maps(study: Study, n_z: int, statistics: Sequence[Statistic], columns: int) -> Drawing:
    rows = []
    for cell in cells(study, n_z):
        for statistic in statistics:
            found = mean_of(study, statistic.metric, **cell)
            interval = {"mean": found.mean, "low": found.low, "high": found.high, "n": found.n}
            rows.append({**cell, "metric": statistic.metric, **interval})
    data = pd.DataFrame(rows)
    n_rows = math.ceil(len(statistics) / columns)
    figure = Figure(figsize=(TEXT_WIDTH, 1.62 * n_rows + 0.3), layout="constrained")
    grid = figure.subplots(n_rows, columns, squeeze=False)
    for index, statistic in enumerate(statistics):
        axes = grid.ravel()[index]
        wide = data[data["metric"] == statistic.metric].pivot_table(
            index="weight_decay", columns="beta", values="mean"
        )
        _draw_map(axes, wide, statistic)
        if index % columns == 0:
            axes.set_ylabel(r"weight decay $\lambda$")
        else:
            axes.set_yticklabels([])
        if index + columns >= len(statistics):
            axes.set_xlabel(r"KL weight $\beta$")
        else:
            axes.set_xticklabels([])
    return Drawing(figure, data, tuple(plane_runs(study, n_z=n_z)["run_id"]))


def _draw_map(axes: Axes, wide: pd.DataFrame, statistic: Statistic) -> None:
    values = wide.to_numpy()
    norm, cmap = _scale(values, statistic)
    image = axes.imshow(values, cmap=cmap, norm=norm, aspect="auto")
    for (row, column), value in np.ndenumerate(values):
        red, green, blue, _ = image.cmap(image.norm(value))
        dark = 0.299 * red + 0.587 * green + 0.114 * blue < 0.55
        axes.text(
            column, row, number(value, statistic.digits), ha="center", va="center", fontsize=6.5,
            color="white" if dark else INK,
        )  # fmt: skip
    axes.set_xticks(range(wide.shape[1]), [f"{beta:g}" for beta in wide.columns], fontsize=7.5)
    axes.set_yticks(range(wide.shape[0]), [f"{decay:g}" for decay in wide.index], fontsize=7.5)
    axes.tick_params(length=0, pad=1.5)
    axes.spines[:].set_visible(False)
    axes.set_title(statistic.title, fontsize=8.5, pad=3)


def _scale(values: np.ndarray, statistic: Statistic) -> tuple[Normalize, str | Colormap]:
    """Return white for zero where values may lie on both sides of it, else white to deep blue."""
    low, high = float(values.min()), float(values.max())
    if statistic == DIAMOND:
        reach = max(abs(low), abs(high), 1e-6)
        return TwoSlopeNorm(0, -reach, reach), DIVERGING
    return Normalize(low, high if high > low else low + 1), SEQUENTIAL


def draw_annealing(study: Study) -> Drawing:
    """Draw KL weight, squared error and KL through training, annealed beside fixed weights."""
    curves = _schedules(study)
    figure = Figure(figsize=(TEXT_WIDTH, 2.6), layout="constrained")
    panels = figure.subplots(1, 3)
    data = []
    for axes, metric, split, title in (
        (panels[0], "beta", "train", r"KL weight $\beta$"),
        (panels[1], "reconstruction", "test", "squared error"),
        (panels[2], "kl", "test", "KL (nats)"),
    ):
        rows = summarize(study, curves, metric, (split,))
        if metric == "reconstruction":
            # The likelihood's constant off, its sign turned.
            ends = -rows[["mean", "low", "high"]] - math.log(math.pi)
            rows = rows.assign(mean=ends["mean"], low=ends["high"], high=ends["low"])
        for curve in curves:
            own = rows[(rows["curve"] == curve.label) & (rows["epoch"] > 0)]
            style = "--" if curve.runs["warmup"].iloc[0] else "-"
            axes.plot(own["epoch"], own["mean"], color=curve.color, ls=style, label=curve.label)
            axes.fill_between(
                own["epoch"], own["low"], own["high"], color=curve.color, alpha=0.18, lw=0
            )
        axes.set_title(title)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(4, integer=True))
        data.append(rows.assign(metric=title))
    # Weights of a thousandth and of one, and the 0 that some rise from, on one axis.
    weights = sorted({float(beta) for curve in curves for beta in curve.runs["beta"] if beta})
    panels[0].set_yscale("symlog", linthresh=weights[0], linscale=0.5)
    panels[0].set_ylim(-0.1 * weights[0], 2 * weights[-1])
    panels[0].set_yticks([0.0, *weights], [f"{weight:g}" for weight in (0.0, *weights)])
    panels[1].set_yscale("log")
    figure.legend(handles=panels[0].lines, loc="outside lower center", ncols=3)
    runs = tuple(dict.fromkeys(run_id for curve in curves for run_id in curve.runs["run_id"]))
    return Drawing(figure, pd.concat(data, ignore_index=True), runs)


def _schedules(study: Study) -> list[Curve]:
    """Return annealed models of the square and those of fixed weights, for comparison."""
    everything = plane_runs(study, n_z=2, weight_decay=0.0, warmup=...)
    annealed = everything[everything["warmup"] > 0]
    if annealed.empty:
        raise EmptySelectionError(f"{study.config.study!r} has no annealed model of the square")
    fixed = everything[everything["warmup"] == 0]
    there, ends = levels(fixed, "beta"), levels(annealed, "beta")
    betas = [beta for beta in there if beta in (there[0], *ends)]
    curves = [
        Curve(f"fixed at {beta:g}", color, fixed[fixed["beta"] == beta])
        for beta, color in zip(betas, PALETTE, strict=False)
    ]
    colors = {curve.label: curve.color for curve in curves}
    return curves + [
        Curve(
            f"0 to {beta:g}",
            colors.get(f"fixed at {beta:g}", INK),
            annealed[annealed["beta"] == beta],
        )
        for beta in ends
    ]
