"""Figures of the chapter on latent dimension activity: its metric here, the rest beside."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vaestudy.figures import activity_curves, activity_heatmaps
from vaestudy.figures.activity_data import (
    MARGIN,
    Family,
    at_the_end,
    base_networks,
    figure_four,
    with_usual_warmup,
    without_free_bits,
)
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.style import INK, MUTED, PALETTE, TEXT_WIDTH
from vaestudy.study import Study

# Variances below this are rounding of a mean that does not move.
_LEAST = 1e-7


def draw_histogram(study: Study) -> Drawing:
    """Draw how A_u is distributed, and how many units are active as a function of the threshold."""
    runs = without_free_bits(base_networks(study))
    final = at_the_end(study, runs)
    threshold = study.config.evaluation.activity_threshold
    figure = Figure(figsize=(TEXT_WIDTH, 2.7), layout="constrained")
    left, right = figure.subplots(1, 2, width_ratios=(1.1, 1))
    counts = _draw_bins(left, final["activity"].to_numpy(), threshold)
    left.set(title="(a) All dimensions", ylabel="latent dimensions")
    steps = _draw_steps(right, study, figure_four(study))
    right.set(title="(b) Active units by threshold", ylabel="units with $A_u$ above it")
    figure.legend(handles=right.lines, loc="outside lower right", ncols=4)
    for axis, label in ((left, "activity $A_u$"), (right, "threshold")):
        axis.set(xscale="log", xlabel=label)
        axis.axvspan(threshold / MARGIN, threshold * MARGIN, color=INK, alpha=0.07, lw=0)
        axis.axvline(threshold, color=INK, lw=0.9)
    right.set_xlim(threshold / 100, float(final["activity"].max()) * 1.2)
    data = pd.concat([counts.assign(panel="a"), steps.assign(panel="b")], ignore_index=True)
    return Drawing(figure, data, tuple(runs["run_id"]))


def draw_price(study: Study) -> Drawing:
    """Draw each dimension's KL against its activity, with what activity costs at least."""
    families = with_usual_warmup(study)[:4]
    figure = Figure(figsize=(TEXT_WIDTH, 3.0), layout="constrained")
    axis = figure.subplots()
    parts = []
    for family, marker in zip(families, "os^D", strict=False):
        final = at_the_end(study, family.runs)
        axis.plot(final["activity"].clip(lower=_LEAST), final["kl"].clip(lower=_LEAST), ls="",
                  marker=marker, ms=3.2, mew=0, alpha=0.6, color=family.color,
                  label=family.label)  # fmt: skip
        parts.append(final[["run_id", "seed", "unit", "activity", "kl"]].assign(model=family.label))
    data = pd.concat(parts, ignore_index=True)
    _draw_costs(axis, float(data["activity"].clip(lower=_LEAST).min()))
    axis.axvline(study.config.evaluation.activity_threshold, color=INK, lw=0.9)
    axis.set(
        xscale="log", yscale="log", xlabel="activity $A_u$", ylabel="KL of the dimension (nats)"
    )
    figure.legend(loc="outside right center")
    return Drawing(figure, data, tuple(data["run_id"].unique()))


def _draw_bins(axis: Axes, activity: np.ndarray, threshold: float) -> pd.DataFrame:
    shown = activity.clip(_LEAST)
    # Bins are laid out from the threshold, so that none holds values from both its sides.
    step = 0.125
    first = np.floor((np.log10(shown.min()) - np.log10(threshold)) / step)
    last = np.ceil((np.log10(shown.max()) - np.log10(threshold)) / step)
    edges = threshold * 10 ** (step * np.arange(first, max(last, first + 1) + 1))
    counts, _ = np.histogram(shown, edges)
    middle = np.sqrt(edges[:-1] * edges[1:])
    colors = [PALETTE[0] if at > threshold else "#c8b48a" for at in middle]
    axis.bar(edges[:-1], counts, np.diff(edges), align="edge", color=colors, ec="white", lw=0.3)
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    return pd.DataFrame({"low": edges[:-1], "high": edges[1:], "count": counts})


def _draw_steps(axis: Axes, study: Study, families: list[Family]) -> pd.DataFrame:
    """Draw, for each family, the mean over seeds of the units above any threshold."""
    grid = np.logspace(-5, 1, 241)
    parts = []
    for family in families:
        final = at_the_end(study, family.runs)
        above = [
            (run["activity"].to_numpy()[:, None] > grid).sum(axis=0)
            for _, run in final.groupby("run_id")
        ]
        mean = np.mean(above, axis=0)
        axis.plot(grid, mean, color=family.color, ls=family.line, label=family.label)
        parts.append(pd.DataFrame({"threshold": grid, "mean": mean, "model": family.label}))
    axis.set_ylim(0)
    return pd.concat(parts, ignore_index=True)


def _draw_costs(axis: Axes, least: float) -> None:
    """Draw the least KL that a variance of the mean can have, and the linear model's."""
    # The linear model's cost is infinite at 1, where the least may be, too.
    activity = np.logspace(np.log10(min(least, 0.9)), np.log10(0.9999), 300)
    axis.plot(activity, activity / 2, color=MUTED, lw=1, label=r"least: $A_u/2$", zorder=0)
    axis.plot(activity, -np.log1p(-activity) / 2, color=MUTED, lw=1, ls=(0, (4, 2)), zorder=0,
              label=r"linear model: $-\frac{1}{2}\ln(1-A_u)$")  # fmt: skip


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "activity-histogram": draw_histogram,
    "activity-kl": draw_price,
    "activity-heatmaps": activity_heatmaps.draw_activity,
    "kl-heatmaps": activity_heatmaps.draw_kl,
    "active-units": activity_curves.draw_through_training,
    "active-units-warmup": activity_curves.draw_warmup_lengths,
    "active-units-n-z": activity_curves.draw_latent_dimension,
}
