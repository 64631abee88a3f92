"""Figures of the summary of Kingma & Welling that need no image: its ring, and its log."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle
from matplotlib.ticker import FuncFormatter, NullFormatter
from numpy.typing import NDArray

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.style import INK, MUTED, PALETTE, TEXT_WIDTH
from vaestudy.figures.summary_data import kl_course, own_log, source_log, summary_runs
from vaestudy.rng import stream_seed
from vaestudy.study import Study

POINTS = 1000
OURS, THEIRS = PALETTE[0], PALETTE[1]
_TITLES = {"loss": "loss", "rec": "reconstruction", "kl": "KL"}


def ring(z: NDArray[np.float64]) -> NDArray[np.float64]:
    r"""Return :math:`g(z) = z / 10 + z / \lVert z \rVert` of every row.

    A point at distance r goes to distance :math:`1 + r/10` in the same direction.
    """
    return np.asarray(z / 10 + z / np.linalg.norm(z, axis=-1, keepdims=True))


def draw_ring(study: Study) -> Drawing:
    """Draw samples of a Gaussian in the plane, and the same samples mapped to a ring."""
    z = np.random.default_rng(stream_seed(0, "ring")).standard_normal((POINTS, 2))
    mapped = ring(z)
    figure = Figure(figsize=(TEXT_WIDTH, TEXT_WIDTH / 2 + 0.15))
    left, right = figure.subplots(1, 2)
    # The hue is the direction, which g keeps: each point can be found again.
    hue = np.arctan2(z[:, 1], z[:, 0])
    titles = r"$z \sim \mathcal{N}(0, I)$", "$g(z)$"
    for axes, points, title in zip((left, right), (z, mapped), titles, strict=True):
        axes.scatter(*points.T, c=hue, cmap="twilight", s=7, ec=MUTED, lw=0.15, rasterized=True)
        axes.set_title(title)
        axes.set_aspect("equal")
    left.set(xlim=(-3.6, 3.6), ylim=(-3.6, 3.6))
    right.set(xlim=(-1.6, 1.6), ylim=(-1.6, 1.6), xticks=(-1, 0, 1), yticks=(-1, 0, 1))
    right.add_patch(Circle((0, 0), 1, fill=False, ec=INK, lw=0.7, ls=(0, (4, 2))))
    names = ["z_x", "z_y", "g_x", "g_y"]
    return Drawing(figure, pd.DataFrame(np.hstack([z, mapped]).round(4), columns=names))


def draw_log(study: Study) -> Drawing:
    """Draw loss, reconstruction and KL of single steps: the source's rows, and ours."""
    runs = summary_runs(study, n_z=10)
    log = own_log(study, runs)
    figure = Figure(figsize=(TEXT_WIDTH, 2.55))
    panels = figure.subplots(1, 3)
    for axes, (name, title) in zip(panels, _TITLES.items(), strict=True):
        _draw_ours(axes, log, name)
        theirs = source_log()
        axes.plot(theirs["step"], theirs[name], ls="", marker="x", ms=4, color=THEIRS, zorder=1)
        axes.set(title=f"{title} (nats)")
        _step_axis(axes, [0, 1, 10, 100, 1000, 10_000], 15_000)
        axes.tick_params(axis="x", labelsize=7.5)
        axes.set_yscale("log")
    for axes in panels[:2]:
        axes.set_yticks([100, 200, 400], ["100", "200", "400"])
        axes.yaxis.set_minor_formatter(NullFormatter())
    panels[2].yaxis.set_major_formatter(_plain_numbers())
    figure.legend(handles=_log_legend(), loc="outside lower center", ncols=3)
    wide = log.assign(source="this study")
    data = pd.concat([wide, source_log().assign(source="the summary")], ignore_index=True)
    return Drawing(figure, data, tuple(runs["run_id"]))


def _draw_ours(axes: Axes, log: pd.DataFrame, name: str) -> None:
    grouped = log.groupby("step")[name]
    rows = grouped.agg(mean="mean", low="min", high="max").reset_index()
    each = rows["step"] == rows.index
    head, rest = rows[each], rows[~each]
    axes.fill_between(head["step"], head["low"], head["high"], color=OURS, alpha=0.22, lw=0)
    axes.plot(head["step"], head["mean"], color=OURS, lw=1.1)
    axes.vlines(rest["step"], rest["low"], rest["high"], color=OURS, lw=1, alpha=0.5)
    axes.plot(rest["step"], rest["mean"], ls="", marker="o", ms=2.6, color=OURS)


def _step_axis(axes: Axes, steps: Sequence[int], most: float) -> None:
    """Count steps as the source does, from 0, on an axis that is logarithmic from 1 on."""
    axes.set_xscale("symlog", linthresh=1, linscale=0.3)
    axes.set(xlabel="step", xlim=(-0.12, most))
    axes.set_xticks(steps, [f"{step:,}" for step in steps])


def _plain_numbers() -> FuncFormatter:
    return FuncFormatter(lambda value, _: f"{value:g}")


def _log_legend() -> list[Line2D]:
    return [
        Line2D([], [], color=OURS, label="ours, every step"),
        Line2D([], [], color=OURS, ls="", marker="o", ms=3, label="ours, one step in 500"),
        Line2D([], [], color=THEIRS, ls="", marker="x", ms=4.5, label="the summary's log"),
    ]


def draw_early(study: Study) -> Drawing:
    """Draw the KL of each of the first steps, and beside it against the reconstruction term."""
    runs = summary_runs(study, n_z=10)
    log, course = own_log(study, runs), kl_course(study, runs)
    figure = Figure(figsize=(TEXT_WIDTH, 2.6))
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1))
    for number, (_, own) in enumerate(log.groupby("run_id", sort=False)):
        first = own[own["step"].to_numpy() == np.arange(len(own))]
        color = PALETTE[number % len(PALETTE)]
        left.plot(first["step"], first["kl"], color=color, lw=0.9)
        right.plot(first["rec"], first["kl"], color=color, lw=0.6, alpha=0.8)
    lows = course["lowest_at"], course["lowest"]
    left.plot(*lows, ls="", marker="v", color=INK, ms=5, label="lowest")
    left.set(yscale="log", title="KL (nats)")
    _step_axis(left, [0, 1, 10, 100, 500], 600)
    left.legend(loc="upper right")
    right.set(yscale="log", xlabel="reconstruction (nats)", title="KL against reconstruction")
    right.invert_xaxis()
    for axes in (left, right):
        axes.yaxis.set_major_formatter(_plain_numbers())
    right.annotate(
        "training", (0.97, 0.05), (0.6, 0.05), xycoords="axes fraction", ha="center", va="center",
        fontsize=8, color=MUTED, arrowprops={"arrowstyle": "->", "color": MUTED, "lw": 0.7},
    )  # fmt: skip
    return Drawing(figure, log, tuple(runs["run_id"]))


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "gaussian-to-ring": draw_ring,
    "summary-log": draw_log,
    "summary-first-steps": draw_early,
}
