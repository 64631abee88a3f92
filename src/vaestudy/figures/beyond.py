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

from vaestudy.figures.activity_data import count_active, over_seeds
from vaestudy.figures.beyond_data import (
    Member,
    betas,
    by_seed,
    find_members,
    n_draws,
    of_one_k,
    schedules,
)
from vaestudy.figures.curves import DASHES, Curve, draw_curves, summarize
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.style import GRID, INK, MUTED, TEXT_WIDTH
from vaestudy.stats import mean_interval
from vaestudy.study import EmptySelectionError, Study


def curves(study: Study) -> Drawing:
    """Draw training and test curves: ELBO of the objectives of one sample, bounds of those of K."""
    members = find_members(study)
    single = [m for m in members if not m.weighted and m.is_(k=1, beta=1.0)]
    k, weighted = of_one_k(members)
    figure = Figure(figsize=(TEXT_WIDTH, 3.9))
    panels = figure.subplots(1, 2)
    data = []
    for axes, group, metric, title in (
        (panels[0], single, "elbo", "One sample: the ELBO"),
        (panels[1], weighted, "bound", f"{k} samples: each its own bound"),
    ):
        lines = [Curve(m.label, m.color, m.runs) for m in group]
        data.append(draw_curves(axes, study, lines, metric))
        axes.set_title(title)
        axes.set_ylabel("nats")
        handles = [Line2D([], [], color=m.color, label=m.label, lw=2) for m in group]
        axes.legend(
            handles=handles, loc="upper left", bbox_to_anchor=(-0.02, -0.2), ncols=2,
            columnspacing=1.0, handlelength=1.1,
        )  # fmt: skip
    strokes = [
        Line2D([], [], color=MUTED, ls=DASHES[s], label=n)
        for s, n in (("train", "training"), ("test", "test"))
    ]
    panels[0].add_artist(panels[0].get_legend())
    panels[0].legend(handles=strokes, loc="lower right")
    return Drawing(figure, pd.concat(data), _runs([*single, *weighted]))


def nll_and_units(study: Study) -> Drawing:
    """Draw every objective's test NLL over its active units: means, 95 % intervals, seeds."""
    members = find_members(study)
    figure = Figure(figsize=(TEXT_WIDTH, 3.4))
    axes = figure.subplots()
    data = _seeds(study, members, ("active_units", "nll"))
    for member in members:
        own = data[data["objective"] == member.label]
        _cross(axes, member, own["active_units"], own["nll"])
    _sweep(axes, data, members, "active_units", "nll")
    _fit(axes, data["active_units"], data["nll"])
    axes.set(xlabel="active units", ylabel="test NLL (nats)")
    _key(axes, members)
    return Drawing(figure, data, _runs(members))


def signal_to_noise(study: Study) -> Drawing:
    """Draw the signal-to-noise ratio of each objective's gradient, encoder and decoder."""
    members = [m for m in find_members(study) if len(by_seed(study, m, "gradient_snr_encoder"))]
    if not members:
        raise EmptySelectionError(f"{study.config.study!r} has measured no gradient")
    floor = noise_ratio(n_draws(study))
    figure = Figure(figsize=(TEXT_WIDTH, 0.9 + 0.21 * len(members)))
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
    panels[1].annotate(
        "noise alone", (floor, 1.0), xycoords=("data", "axes fraction"), xytext=(3, 0),
        textcoords="offset points", ha="left", va="bottom", fontsize=7.5, color=MUTED,
    )  # fmt: skip
    data = pd.DataFrame(rows, columns=["objective", "part", "seed", "ratio"])
    return Drawing(figure, data.assign(of_noise=floor), _runs(members))


def annealing(study: Study) -> Drawing:
    """Draw the KL weight's course, and what it does to the KL and to active units."""
    members = schedules(study, find_members(study))
    if len(members) < 2:
        raise EmptySelectionError(f"{study.config.study!r} has no annealed model")
    figure = Figure(figsize=(TEXT_WIDTH, 2.75))
    weight, kl, units = figure.subplots(1, 3)
    data = []
    lines = [Curve(m.label, m.color, m.runs) for m in members]
    weights = summarize(study, lines, "beta", ("train",))
    kls = summarize(study, lines, "kl", ("test",))
    for member in members:
        course = weights[weights["curve"] == member.label]
        active = over_seeds(count_active(study, member.runs))
        own = kls[(kls["curve"] == member.label) & (kls["epoch"] > 0)]
        weight.plot(course["epoch"], course["mean"], color=member.color, label=member.label)
        for axes, rows in ((kl, own), (units, active)):
            axes.plot(rows["epoch"], rows["mean"], color=member.color)
            axes.fill_between(
                rows["epoch"], rows["low"], rows["high"], color=member.color, alpha=0.18, lw=0
            )
        data += [
            rows.drop(columns=["curve", "split"], errors="ignore").assign(
                objective=member.label, metric=metric
            )
            for rows, metric in ((course, "beta"), (own, "kl"), (active, "active_units"))
        ]
    weight.set(title=r"KL weight $\beta$", ylim=(-0.03, 1.06))
    kl.set(title="test KL (nats)")
    kl.set_ylim(0, None)
    units.set(title="active units", ylim=(0, 1.06 * study.config.base.n_z))
    for axes in (weight, kl, units):
        axes.set_xlabel("epoch")
        axes.set_xlim(0, study.config.base.epochs)
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    figure.legend(handles=weight.lines, loc="outside lower center", ncols=len(members))
    return Drawing(figure, pd.concat(data, ignore_index=True), _runs(members))


def rate_distortion(study: Study) -> Drawing:
    """Draw the sweep of beta in the plane of rate and distortion, and the NLL over beta."""
    members = find_members(study)
    sweep = betas(members)
    others = [m for m in members if m not in sweep and not m.is_(objective="elbo-sampled")]
    figure = Figure(figsize=(TEXT_WIDTH, 3.3))
    plane, line = figure.subplots(1, 2, width_ratios=[1.5, 1])
    data = _seeds(study, [*sweep, *others], ("kl", "reconstruction", "elbo", "nll"))
    data = data.assign(distortion=-data["reconstruction"], negative_elbo=-data["elbo"])
    for member in [*others, *sweep]:
        own = data[data["objective"] == member.label]
        plane.plot(
            own["kl"].mean(), own["distortion"].mean(), member.marker, color=member.color,
            ms=5.5, mec="white", mew=0.5, zorder=3,
        )  # fmt: skip
    _sweep(plane, data, members, "kl", "distortion")
    _fit(plane, data["kl"], data["distortion"])
    _levels(plane)
    plane.set(xlabel="rate: KL (nats)", ylabel="distortion: −reconstruction (nats)")
    _key(plane, [base for base in sweep if base.is_(beta=1.0)] + others, below=True)
    _over_beta(line, data, sweep)
    return Drawing(figure, data, _runs([*sweep, *others]))


def noise_ratio(draws: int) -> float:
    """Return the ratio that gradients of noise alone seem to have, from so many draws."""
    return math.sqrt(2 / (math.pi * draws))


def _over_beta(axes: Axes, data: pd.DataFrame, sweep: Sequence[Member]) -> None:
    weights = [float(m.first["beta"]) for m in sweep]
    for metric, name, stroke in (("negative_elbo", "−ELBO", "--"), ("nll", "NLL", "-")):
        found = [mean_interval(data.loc[data["objective"] == m.label, metric]) for m in sweep]
        color = sweep[0].color
        axes.plot(weights, [i.mean for i in found], ls=stroke, marker="o", color=color, label=name)
        for weight, interval in zip(weights, found, strict=True):
            axes.plot([weight] * 2, [interval.low, interval.high], color=color, lw=0.9, alpha=0.7)
    axes.set(xscale="log", xlabel=r"KL weight $\beta$", ylabel="nats")
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


def _cross(axes: Axes, member: Member, x: pd.Series, y: pd.Series) -> None:
    across, up = mean_interval(x), mean_interval(y)
    thin: dict[str, Any] = {"color": member.color, "lw": 0.9, "alpha": 0.6}
    axes.plot([across.low, across.high], [up.mean] * 2, **thin)
    axes.plot([across.mean] * 2, [up.low, up.high], **thin)
    axes.scatter(x, y, s=7, color=member.color, lw=0, alpha=0.6)
    axes.plot(
        across.mean, up.mean, member.marker, color=member.color, ms=6.5, mec="white", mew=0.6,
        zorder=4,
    )  # fmt: skip


def _sweep(axes: Axes, data: pd.DataFrame, members: Sequence[Member], x: str, y: str) -> None:
    """Join the means of the VAEs of all KL weights, and name each by its weight."""
    try:
        sweep = betas(members)
    except EmptySelectionError:
        return
    means = data.groupby("objective")[[x, y]].mean().loc[[m.label for m in sweep]]
    axes.plot(means[x], means[y], color=sweep[0].color, lw=1, ls=(0, (1, 1.5)), zorder=2)
    for member, (_, row) in zip(sweep, means.iterrows(), strict=True):
        axes.annotate(
            rf"$\beta = {member.first['beta']:g}$", (row[x], row[y]), xytext=(6, 4),
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
        if m.is_(beta=1.0)
    ]
    place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.01, 1.03)}
    if below:
        place = {"loc": "upper left", "bbox_to_anchor": (-0.05, -0.2), "ncols": 2}
    axes.legend(handles=handles, handletextpad=0.4, columnspacing=1.0, **place)


def _fit(axes: Axes, x: pd.Series, y: pd.Series) -> None:
    _limits(axes.set_xlim, x, 0.12)
    _limits(axes.set_ylim, y, 0.12)


def _limits(set_limits: Callable[[float, float], object], values: pd.Series, share: float) -> None:
    # Intervals of two seeds may be far wider than all there is to see: the values set the range.
    low, high = float(values.min()), float(values.max())
    margin = share * (high - low) or 1.0
    set_limits(low - margin, high + margin)


def _runs(members: Sequence[Member]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(run_id for m in members for run_id in m.runs["run_id"]))


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "beyond-curves": curves,
    "beyond-units": nll_and_units,
    "gradient-signal": signal_to_noise,
    "annealing": annealing,
    "rate-distortion": rate_distortion,
}
