"""Figures of the chapter on implementing VAEs: what each change to the base model does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from matplotlib.transforms import ScaledTranslation

from vaestudy.figures.activity_curves import warmup_shades
from vaestudy.figures.curves import Curve, draw_curves, focus, legend, outer_legend, run_ids
from vaestudy.figures.diagrams import architecture, initialization
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.families import color_of, label_of
from vaestudy.figures.style import TEXT_WIDTH
from vaestudy.objectives import warmup_beta
from vaestudy.stats import mean_interval
from vaestudy.study import EmptySelectionError, Study

#: Light to dark: more latent dimensions are darker.
_OF_IWAE = LinearSegmentedColormap.from_list("iwae", ["#fbe3d3", "#f09a5f", "#D55E00", "#4a1f00"])
#: Of readings of the source that no family has a colour for.
_OF_READINGS = {"adam_beta2": "#7A8B00", "encoder_heads": "#A0285A", "batch_norm": "#4B0092"}


def _curve(study: Study, label: str, color: Any, **parameters: Any) -> Curve:
    return Curve(label, color, study.runs(**parameters))


def _families(study: Study, *selections: dict[str, Any]) -> list[Curve]:
    """Return a curve for each selection, named and coloured as everywhere in the report."""
    tables = [study.runs(**selection) for selection in selections]
    return [Curve(label_of(t.iloc[0]), color_of(t.iloc[0]), t) for t in tables]


def _draw_bounds(
    axes: Axes, study: Study, curves: Sequence[Curve], splits: Sequence[str] = ("train", "test")
) -> pd.DataFrame:
    """Draw the bounds from the second epoch on; return all.

    After the first, a model on its warm-up may be hundreds of nats below where all end.
    """
    summary = draw_curves(axes, study, curves, splits=splits)
    focus(axes, summary[summary["epoch"] >= min(2, summary["epoch"].max())])
    return summary


def draw_final(
    axes: Axes, study: Study, curves: Sequence[Curve], metric: str = "nll"
) -> pd.DataFrame:
    """Draw every seed's final value and the mean with its 95 % interval; return the values.

    Models stand below one another, each name beside a mark in the colour of its curve, so that the
    names can be read and serve the curves beside them as a legend.
    """
    rows = []
    for position, curve in enumerate(curves):
        values = study.final(curve.runs, metric)["value"]
        interval = mean_interval(values)
        axes.plot([interval.low, interval.high], [position] * 2, color=curve.color, lw=1, alpha=0.7)
        axes.plot(interval.mean, position, "|", color=curve.color, ms=11, mew=1.6)
        axes.scatter(values, [position] * len(values), s=12, color=curve.color, lw=0, zorder=3)
        rows += [(curve.label, metric, value) for value in values]
    axes.set_yticks(range(len(curves)), [c.label for c in curves])
    _mark_names(axes, curves)
    axes.set_ylim(len(curves) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, pad=15)
    data = pd.DataFrame(rows, columns=["curve", "metric", "value"])
    _frame(axes.set_xlim, data["value"])
    return data


def _mark_names(axes: Axes, curves: Sequence[Curve]) -> None:
    """Draw each row's colour between its name and the axis."""
    left = ScaledTranslation(-9 / 72, 0, axes.figure.dpi_scale_trans)
    place = axes.get_yaxis_transform() + left
    for position, curve in enumerate(curves):
        axes.plot(0, position, "s", color=curve.color, ms=6, transform=place, clip_on=False)


def _frame(set_limits: Callable[[float, float], object], values: pd.Series) -> None:
    """Fit an axis to the values: the interval of two seeds can be twenty times as wide."""
    low, high = values.min(), values.max()
    margin = 0.3 * (high - low) or 1.0
    set_limits(low - margin, high + margin)


def _curves_and_nll(study: Study, curves: Sequence[Curve]) -> Drawing:
    """Draw the bound through training, and the test NLL that decides, side by side."""
    figure = Figure(figsize=(TEXT_WIDTH, 2.8))
    left, right = figure.subplots(1, 2, width_ratios=[1.7, 1])
    data = _draw_bounds(left, study, curves)
    outer_legend(figure, [])
    final = draw_final(right, study, curves)
    right.set(xlabel="test NLL (nats)", title="lower is better")
    left.set_title("higher is better")
    return Drawing(figure, pd.concat([data, final]), run_ids(curves))


def likelihood(study: Study) -> Drawing:
    """Fig. 1a of the source: each decoder's own training bound, on its own scale."""
    figure = Figure(figsize=(TEXT_WIDTH, 2.75))
    panels = figure.subplots(1, 2)
    drawn, everything = [], []
    for axes, name in zip(panels, ("bernoulli", "gaussian"), strict=True):
        curves = [
            Curve(label_of(runs.iloc[0]), color_of(runs.iloc[0]), runs)
            for objective in ({}, study.iwae)
            if study.has(likelihood=name, **objective)
            for runs in [study.runs(likelihood=name, **objective)]
        ]
        summary = _draw_bounds(axes, study, curves)
        axes.set_title(f"{name.capitalize()}: log {'mass' if name == 'bernoulli' else 'density'}")
        drawn.append(summary.assign(likelihood=name))
        everything += curves
    outer_legend(figure, everything)
    return Drawing(figure, pd.concat(drawn), run_ids(everything))


def importance_weighting(study: Study) -> Drawing:
    """Fig. 1b of the source: bounds of VAE and IWAE, and the test NLL that compares them."""
    return _curves_and_nll(study, _families(study, {}, study.iwae))


def batch_norm(study: Study) -> Drawing:
    """Fig. 2 of the source: with and without batch normalization."""
    hidden: dict[str, Any] = {"batch_norm": "hidden"}
    return _curves_and_nll(
        study, _families(study, {}, hidden, study.iwae, {**study.iwae, **hidden})
    )


def warmup(study: Study) -> Drawing:
    """Fig. 3a of the source: with and without warm-up."""
    return _curves_and_nll(
        study, _families(study, {}, study.warmup, study.iwae, {**study.iwae, **study.warmup})
    )


def warmup_sweep(study: Study) -> Drawing:
    """Draw lengths of the warm-up: schedule, bound, and the NLL each ends at."""
    lengths = study.levels("warmup")
    if not any(lengths):
        raise EmptySelectionError(f"the base model of {study.config.study!r} has no warm-up")
    curves = [
        _curve(study, f"{n} epochs" if n else "none", color, warmup=n)
        for n, color in warmup_shades(lengths).items()
    ]
    figure = Figure(figsize=(TEXT_WIDTH, 2.5))
    schedule, bounds, final = figure.subplots(1, 3, width_ratios=[0.9, 1.3, 1])
    epochs = range(1, study.config.base.epochs + 1)
    for n, curve in zip(lengths, curves, strict=True):
        schedule.plot(epochs, [warmup_beta(e, n) for e in epochs], color=curve.color)
    schedule.xaxis.set_major_locator(MaxNLocator(4, integer=True))
    schedule.set(xlabel="epoch", ylabel=r"KL weight $\beta$", ylim=(-0.03, 1.06))
    data = _draw_bounds(bounds, study, curves, splits=("test",))
    bounds.set_ylabel("test bound (nats)")
    ends = draw_final(final, study, curves)
    final.set(xlabel="test NLL (nats)")
    return Drawing(figure, pd.concat([data, ends]), run_ids(curves))


def _by_dimension(study: Study, objective: dict[str, Any]) -> list[Curve]:
    """Return a curve for each latent dimension, in shades of the IWAE's colour."""
    levels = study.levels("n_z", **objective)
    colors = [_OF_IWAE(0.25 + 0.75 * i / max(1, len(levels) - 1)) for i in range(len(levels))]
    return [
        _curve(study, f"$n_z = {n_z}$", color, n_z=n_z, **objective)
        for n_z, color in zip(levels, colors, strict=True)
    ]


def latent_dimension(study: Study) -> Drawing:
    """Fig. 3b of the source, and the figure its margin asks for: latent dimension and NLL."""
    curves = _by_dimension(study, study.iwae)
    figure = Figure(figsize=(TEXT_WIDTH, 2.75))
    left, right = figure.subplots(1, 2, width_ratios=[1.5, 1])
    data = _draw_bounds(left, study, curves, splits=("test",))
    left.set_ylabel(f"test bound, K = {study.iwae['k']} (nats)")
    legend(left, curves)
    parts, runs = [data], list(run_ids(curves))
    objectives: tuple[dict[str, Any], ...] = ({}, study.iwae)
    for objective in objectives:
        rows = nll_by_dimension(study, objective)
        first = study.runs(n_z=..., **objective).iloc[0]
        right.errorbar(
            rows["n_z"],
            rows["mean"],
            yerr=rows["high"] - rows["mean"],
            marker="o",
            capsize=2.5,
            lw=1.1,
            color=color_of(first),
            label=label_of(first),
        )
        parts.append(rows)
        runs += study.runs(n_z=..., **objective)["run_id"].tolist()
    levels = study.levels("n_z", **study.iwae)
    right.set(xlabel="latent dimensions", ylabel="test NLL (nats)", xscale="log")
    right.set_xticks(levels, [str(n) for n in levels])
    right.minorticks_off()
    _frame(right.set_ylim, pd.concat(parts[1:])["mean"])
    right.legend()
    return Drawing(figure, pd.concat(parts), tuple(dict.fromkeys(runs)))


def nll_by_dimension(study: Study, objective: dict[str, Any]) -> pd.DataFrame:
    """Return the test NLL and its interval for every latent dimension."""
    rows = []
    for n_z in study.levels("n_z", **objective):
        final = study.final(study.runs(n_z=n_z, **objective), "nll")
        interval = mean_interval(final["value"])
        rows.append((n_z, interval.mean, interval.low, interval.high, interval.n))
    table = pd.DataFrame(rows, columns=["n_z", "mean", "low", "high", "n"])
    return table.assign(metric="nll", curve=label_of(study.runs(n_z=..., **objective).iloc[0]))


def literal_variants(study: Study) -> Drawing:
    """Draw the source's printed settings beside the choices made here."""
    candidates: dict[str, dict[str, Any]] = {
        "base": {},
        r"Adam $\beta_2 = 0.9$": {"adam_beta2": 0.9},
        "bounded heads": {"encoder_heads": "bounded"},
        "BN, hidden": {"batch_norm": "hidden"},
        "BN, heads too": {"batch_norm": "all"},
    }
    curves = [
        _curve(study, label, _color_of_reading(study, selection), **selection)
        for label, selection in candidates.items()
        if study.has(**selection)
    ]
    return _curves_and_nll(study, curves)


def _color_of_reading(study: Study, selection: dict[str, Any]) -> str:
    if selection in ({}, {"batch_norm": "hidden"}):
        return color_of(study.runs(**selection).iloc[0])
    return _OF_READINGS[next(iter(selection))]


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "architecture": architecture,
    "initialization": initialization,
    "likelihood": likelihood,
    "importance-weighting": importance_weighting,
    "batch-norm": batch_norm,
    "warmup": warmup,
    "warmup-sweep": warmup_sweep,
    "latent-dimension": latent_dimension,
    "literal-variants": literal_variants,
}
