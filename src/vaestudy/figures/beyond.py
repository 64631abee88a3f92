"""Figures of the chapter beyond the paper: other objectives and estimators, at equal budget."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vaestudy.figures.beyond_curves import annealing, curves
from vaestudy.figures.beyond_data import (
    Member,
    betas,
    by_seed,
    find_members,
    n_draws,
    runs_of,
)
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.style import GRID, INK, MUTED, TEXT_WIDTH
from vaestudy.stats import mean_interval
from vaestudy.study import EmptySelectionError, Study


def nll_and_units(study: Study) -> Drawing:
    """Draw test NLL over active units of all objectives of KL weight 1: means and seeds."""
    members = [m for m in find_members(study) if m.is_(beta=1.0) and len(by_seed(study, m, "nll"))]
    if not members:
        raise EmptySelectionError(f"{study.config.study!r} has no objective of KL weight 1")
    figure = Figure(figsize=(TEXT_WIDTH, 3.4))
    axes = figure.subplots()
    data = _seeds(study, members, ("active_units", "nll"))
    for member in members:
        own = data[data["objective"] == member.label]
        _star(axes, member, own["active_units"], own["nll"])
    _limits(axes.set_xlim, data["active_units"], 0.12, least=1.0)
    _limits(axes.set_ylim, data["nll"], 0.12)
    axes.set(xlabel="active units", ylabel="test NLL (nats)")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    _key(axes, members)
    return Drawing(figure, data, runs_of(members))


def signal_to_noise(study: Study) -> Drawing:
    """Draw the signal-to-noise ratio of each objective's gradient, encoder and decoder."""
    members = [m for m in find_members(study) if len(by_seed(study, m, "gradient_snr_encoder"))]
    if not members:
        raise EmptySelectionError(f"{study.config.study!r} has measured no gradient")
    floor = noise_ratio(n_draws(study))
    figure = Figure(figsize=(TEXT_WIDTH, 1.15 + 0.21 * len(members)))
    panels = figure.subplots(1, 2, sharey=True)
    rows = []
    for axes, part in zip(panels, ("encoder", "decoder"), strict=True):
        top = floor
        for place, member in enumerate(members):
            values = by_seed(study, member, f"gradient_snr_{part}")
            mean = mean_interval(values)
            axes.barh(place, mean.mean, height=0.66, color=member.color, alpha=0.55, lw=0)
            axes.plot([mean.low, mean.high], [place] * 2, color=INK, lw=0.9)
            axes.scatter(values, [place] * len(values), s=9, color=INK, lw=0, zorder=3)
            rows += [(member.label, part, seed, value) for seed, value in values.items()]
            top = max(top, float(values.max()))
        axes.axvline(floor, color=MUTED, lw=0.9, ls=(0, (3, 2)))
        axes.set(title=part.capitalize(), xlabel="signal-to-noise ratio", xlim=(0, 1.12 * top))
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
    panels[0].set_yticks(range(len(members)), [m.label for m in members])
    panels[0].set_ylim(len(members) - 0.4, -0.6)
    strokes = [
        Line2D([], [], color=INK, marker="o", ms=3, ls="", label="seeds"),
        Line2D([], [], color=INK, lw=0.9, label="95 % interval"),
        Line2D([], [], color=MUTED, lw=0.9, ls=(0, (3, 2)), label="noise alone"),
    ]
    figure.legend(handles=strokes, loc="outside lower center", ncols=3)
    data = pd.DataFrame(rows, columns=["objective", "part", "seed", "ratio"])
    return Drawing(figure, data.assign(of_noise=floor), runs_of(members))


def rate_distortion(study: Study) -> Drawing:
    """Draw the sweep of beta in the plane of rate and distortion, and the NLL over beta."""
    members = find_members(study)
    sweep = betas(members)
    others = [m for m in members if m not in sweep and not m.is_(objective="elbo-sampled")]
    figure = Figure(figsize=(TEXT_WIDTH, 3.3))
    plane, line = figure.subplots(1, 2, width_ratios=[1.5, 1])
    data = _seeds(study, [*sweep, *others], ("kl", "reconstruction", "elbo", "nll"))
    data = data.assign(distortion=-data["reconstruction"], negative_elbo=-data["elbo"])
    near = [m for m in members if m.is_(beta=1.0) and m in [*sweep, *others]]
    _marks(plane, data, [*others, *sweep])
    _sweep(plane, data, sweep)
    _limits(plane.set_xlim, data["kl"], 0.12)
    _limits(plane.set_ylim, data["distortion"], 0.12)
    _levels(plane)
    plane.set(xlabel="rate: KL (nats)", ylabel="distortion: −reconstruction (nats)")
    _key(plane, near, below=True)
    if others and near:
        _closer(plane, data, near)
    _over_beta(line, data, sweep)
    return Drawing(figure, data, runs_of([*sweep, *others]))


def _marks(axes: Axes, data: pd.DataFrame, members: Sequence[Member]) -> None:
    for member in members:
        own = data[data["objective"] == member.label]
        axes.plot(
            own["kl"].mean(), own["distortion"].mean(), member.marker, color=member.color,
            ms=5.5, mec="white", mew=0.5, zorder=3,
        )  # fmt: skip


def _closer(axes: Axes, data: pd.DataFrame, members: Sequence[Member]) -> None:
    """Enlarge, where the falling path leaves room, the place where all but the sweep lie."""
    inset = axes.inset_axes((0.5, 0.5, 0.5, 0.5))
    _marks(inset, data, members)
    means = data.groupby("objective")[["kl", "distortion"]].mean().loc[[m.label for m in members]]
    _limits(inset.set_xlim, means["kl"], 0.25)
    _limits(inset.set_ylim, means["distortion"], 0.25)
    _levels(inset)
    inset.tick_params(labelsize=7)
    inset.spines[["top", "right"]].set_visible(True)
    axes.indicate_inset_zoom(inset, edgecolor=MUTED, alpha=0.7)


def noise_ratio(draws: int) -> float:
    """Return the ratio that gradients of noise alone seem to have, from so many draws."""
    return math.sqrt(2 / (math.pi * draws))


def _over_beta(axes: Axes, data: pd.DataFrame, sweep: Sequence[Member]) -> None:
    weights = [float(m.first["beta"]) for m in sweep]
    for metric, name, stroke in (("negative_elbo", "−ELBO", "--"), ("nll", "NLL", "-")):
        found = [data.loc[data["objective"] == m.label, metric] for m in sweep]
        color = sweep[0].color
        axes.plot(
            weights, [v.mean() for v in found], ls=stroke, marker="o", color=color, label=name
        )
        axes.vlines(
            weights, [v.min() for v in found], [v.max() for v in found], color=color, lw=0.9
        )
    axes.set(xscale="log", xlabel=r"KL weight $\beta$", ylabel="nats")
    axes.set_xlim(0.8 * weights[0], 1.25 * weights[-1])
    axes.set_xticks(weights, [f"{w:g}" for w in weights])
    axes.minorticks_off()
    drawn = data[data["objective"].isin([m.label for m in sweep])]
    _limits(axes.set_ylim, pd.concat([drawn["nll"], drawn["negative_elbo"]]), 0.12)
    axes.legend(loc="upper left")


def _seeds(study: Study, members: Sequence[Member], metrics: Sequence[str]) -> pd.DataFrame:
    parts = []
    for member in members:
        wide = pd.DataFrame({metric: by_seed(study, member, metric) for metric in metrics})
        parts.append(wide.rename_axis("seed").reset_index().assign(objective=member.label))
    return pd.concat(parts, ignore_index=True)


def _star(axes: Axes, member: Member, x: pd.Series, y: pd.Series) -> None:
    """Mark the mean, and join it with the seeds."""
    for across, up in zip(x, y, strict=True):
        axes.plot([x.mean(), across], [y.mean(), up], color=member.color, lw=0.8, alpha=0.6)
    axes.scatter(x, y, s=7, color=member.color, lw=0, alpha=0.8)
    axes.plot(
        x.mean(), y.mean(), member.marker, color=member.color, ms=6.5, mec="white", mew=0.6,
        zorder=4,
    )  # fmt: skip


def _sweep(axes: Axes, data: pd.DataFrame, sweep: Sequence[Member]) -> None:
    """Join the means of the VAEs of all KL weights, and name those of another than 1."""
    means = data.groupby("objective")[["kl", "distortion"]].mean().loc[[m.label for m in sweep]]
    axes.plot(
        means["kl"], means["distortion"], color=sweep[0].color, lw=1, ls=(0, (1, 1.5)), zorder=2
    )
    for member, (rate, distortion) in zip(sweep, means.to_numpy(), strict=True):
        if not member.is_(beta=1.0):
            axes.annotate(
                rf"$\beta = {member.first['beta']:g}$", (rate, distortion), xytext=(6, 4),
                textcoords="offset points", fontsize=8, color=member.color,
            )  # fmt: skip


def _levels(axes: Axes) -> None:
    """Draw lines of equal ELBO, rate + distortion, behind everything."""
    (left, right), (low, high) = axes.get_xlim(), axes.get_ylim()
    step = _nice((right - left + high - low) / 7)
    for total in np.arange(step * math.ceil((left + low) / step), right + high, step):
        axes.plot([left, right], [total - left, total - right], color=GRID, lw=0.8, zorder=0)
    axes.set(xlim=(left, right), ylim=(low, high))


def _nice(step: float) -> float:
    power = 10.0 ** math.floor(math.log10(step))
    return float(power * min((1, 2, 5, 10), key=lambda m: abs(m * power - step)))


def _key(axes: Axes, members: Sequence[Member], *, below: bool = False) -> None:
    handles = [
        Line2D([], [], ls="", marker=m.marker, color=m.color, label=m.label, ms=5.5)
        for m in members
    ]
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.03)}
    if below:
        place = {"loc": "upper left", "bbox_to_anchor": (-0.05, -0.2), "ncols": 2}
    axes.legend(handles=handles, handletextpad=0.4, columnspacing=1.0, **place)


def _limits(
    set_limits: Callable[[float, float], object],
    values: pd.Series,
    share: float,
    least: float = 0.0,
) -> None:
    # Intervals of two seeds may be far wider than all there is to see: the values set the range.
    low, high = float(values.min()), float(values.max())
    margin = max(share * (high - low), least) or 1.0
    set_limits(low - margin, high + margin)


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "beyond-curves": curves,
    "beyond-units": nll_and_units,
    "gradient-signal": signal_to_noise,
    "annealing": annealing,
    "rate-distortion": rate_distortion,
}
