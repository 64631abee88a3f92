"""Figures of the chapter on measuring: annealing, gaps, information, activity, neighbours."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.families import color_of
from vaestudy.figures.measuring_data import (
    GAPS,
    INFORMATION,
    LIKELIHOOD,
    by_run,
    final_activity,
    find_neighbours,
    n_images,
    of_one_scale,
)
from vaestudy.figures.mosaics import labelled_rows
from vaestudy.figures.style import INK, MUTED, PALETTE, TEXT_WIDTH
from vaestudy.information import activity_density
from vaestudy.stats import mean_interval, number
from vaestudy.study import EmptySelectionError, Study

#: Inches: of a family's row, and of axis and legend.
_ROW, _FRAME = 0.3, 0.85
_LIGHT = "#a9cfe6"
_STROKES = ("-", "--", ":", "-.")
#: Name, marker, colour and place in its row of each count of dimensions.
_COUNTS = {
    "active_units": ("active", "o", INK, -0.22),
    "effective_dimensions": ("$D_1$", "D", PALETTE[0], 0.0),
    "participation_ratio": ("$D_2$", "s", PALETTE[2], 0.22),
}


def annealed(study: Study) -> Drawing:
    """Draw plain and annealed NLL of the same images, and how far annealing may yet be."""
    runs = by_run(study, LIKELIHOOD)
    labels = list(dict.fromkeys(runs["label"]))
    figure, axes = _rows(labels, width=0.85)
    for position, label in enumerate(labels):
        seeds = runs[runs["label"] == label]
        offsets = np.linspace(-0.28, 0.28, len(seeds)) if len(seeds) > 1 else [0.0]
        for offset, run in zip(offsets, seeds.itertuples(), strict=True):
            y = position + offset
            ends = [run.ais_nll - max(run.bdmc_gap, 0.0), run.ais_nll]
            axes.plot([run.ais_nll, run.is_nll], [y, y], color=MUTED, lw=0.7, zorder=1)
            axes.plot(ends, [y, y], color=PALETTE[0], lw=4, alpha=0.35, solid_capstyle="butt")
            axes.plot(run.ais_nll, y, "o", color=PALETTE[0], ms=4.5)
            axes.plot(run.is_nll, y, "o", mfc="white", mec=INK, ms=4.5)
    axes.set_xlabel("test NLL (nats); lower is better")
    handles = [
        Line2D([], [], ls="", marker="o", mfc="white", mec=INK, label="importance sampling"),
        Line2D([], [], ls="", marker="o", color=PALETTE[0], label="annealed"),
        Line2D([], [], color=PALETTE[0], lw=4, alpha=0.35, label="within the BDMC gap"),
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=3)
    return Drawing(figure, runs, tuple(runs["run_id"]))


def inference_gaps(study: Study) -> Drawing:
    """Draw what keeps the ELBO below log p(x), as stacked bars of each family's means."""
    runs = by_run(study, GAPS)
    means = runs.groupby("label", sort=False)[list(GAPS)].mean()
    figure, axes = _rows(list(means.index), width=0.85)
    _stack(axes, means, {"approximation_gap": PALETTE[0], "amortization_gap": PALETTE[4]})
    _ends(axes, means["inference_gap"])
    drawn = _whiskers(axes, runs, {"approximation_gap": 0.1, "inference_gap": 0.2})
    axes.set_xlabel("nats between the ELBO and the annealed log-likelihood")
    handles = [
        Patch(color=PALETTE[0], label="approximation gap"),
        Patch(color=PALETTE[4], label="amortization gap"),
    ]
    figure.legend(handles=[*handles, *drawn], loc="outside upper center", ncols=3)
    return Drawing(figure, runs, tuple(runs["run_id"]))


def information(study: Study) -> Drawing:
    """Draw how the KL term divides, against ln N, and three counts of the dimensions in use."""
    runs = by_run(study, INFORMATION)
    means = runs.groupby("label", sort=False)[list(INFORMATION)].mean()
    labels = list(means.index)
    figure = Figure(figsize=(TEXT_WIDTH, _FRAME + _ROW * len(labels)))
    left, right = figure.subplots(1, 2, sharey=True, width_ratios=[1.5, 1])
    _stack(left, means, {"mutual_information": PALETTE[0], "marginal_kl": _LIGHT})
    ceiling = np.log(n_images(study, "mutual_information"))
    left.axvline(ceiling, color=PALETTE[1], lw=1.1)
    left.set_xlabel("mean KL of the code (nats)")
    total = runs.assign(kl=runs["mutual_information"] + runs["marginal_kl"])
    drawn = _whiskers(left, total, {"mutual_information": 0.1, "kl": 0.2})
    counts = _counts(right, runs)
    for axes in (left, right):
        axes.grid(axis="x")
        axes.spines["left"].set_visible(False)
        axes.tick_params(axis="y", length=0)
    left.set_yticks(range(len(labels)), labels)
    left.set_ylim(len(labels) - 0.5, -0.5)
    handles = [
        Patch(color=PALETTE[0], label="mutual information"),
        Patch(color=_LIGHT, label="marginal KL"),
        Line2D([], [], color=PALETTE[1], lw=1.1, label=r"$\ln N$"),
        *counts,
        *drawn,
    ]
    figure.legend(handles=handles, loc="outside upper center", ncols=7, columnspacing=1.0)
    return Drawing(figure, runs, tuple(runs["run_id"]))


def _counts(axes: Axes, runs: pd.DataFrame) -> list[Line2D]:
    """Draw the counts of dimensions with their intervals; return the key to their marks."""
    means = runs.groupby("label", sort=False)[list(_COUNTS)].mean()
    axes.set(xlabel="dimensions", xlim=(0, 1.08 * means.to_numpy().max()))
    for name, (_, marker, color, shift) in _COUNTS.items():
        axes.plot(means[name], np.arange(len(means)) + shift, marker, color=color, ms=4)
        _whiskers(axes, runs, {name: shift}, color)
    return [
        Line2D([], [], ls="", marker=marker, color=color, ms=4, label=title)
        for title, marker, color, _ in _COUNTS.values()
    ]


def density(study: Study) -> Drawing:
    """Draw the density of A_u over the dimensions of all runs of each objective."""
    runs = of_one_scale(study)
    figure = Figure(figsize=(TEXT_WIDTH, 2.4))
    left, right = figure.subplots(1, 2, sharex=True)
    parts = []
    drawn: Counter[str] = Counter()
    for label, members in runs.groupby("label", sort=False):
        objective = members["objective"].iloc[0]
        # An objective has one colour: its further K are told apart by their strokes.
        color, stroke = color_of({"objective": objective}), _STROKES[drawn[objective] % 4]
        drawn[objective] += 1
        curve = activity_density(final_activity(study, members)["activity"])
        name = f"{label}, {len(members)} runs"
        left.plot(curve["activity"], curve["density"], color=color, ls=stroke, label=name)
        left.fill_between(curve["activity"], curve["density"], fc=color, alpha=0.15, lw=0)
        right.plot(curve["activity"], curve["share_above"], color=color, ls=stroke)
        parts.append(curve.assign(model=label, n_runs=len(members)))
    threshold = study.config.evaluation.activity_threshold
    for axes in (left, right):
        axes.axvline(threshold, color=INK, lw=0.9)
        axes.set(xscale="log", xlabel="activity $A_u$")
        axes.set_ylim(0)
    left.set_ylabel("density a decade")
    right.set_ylabel("share with more activity")
    figure.legend(loc="outside upper center", ncols=3)
    return Drawing(figure, pd.concat(parts, ignore_index=True), tuple(runs["run_id"]))


def nearest_training_image(study: Study) -> Drawing:
    """Draw, of each class, the sample and the test image that come closest to a training image."""
    if study.config.base.labels != "none":
        raise EmptySelectionError(f"{study.config.study!r} has no samples without a class")
    run_id = study.runs().sort_values("seed")["run_id"].iloc[0]
    memory = find_neighbours(study, run_id)
    # A class to which no sample is nearest has no column.
    classes = np.intersect1d(memory.samples.label, memory.held_out.label)
    pairs = [found.closest(classes) for found in (memory.samples, memory.held_out)]
    images = np.stack([x for pair in pairs for x in (pair.images, pair.training)])
    names = ["closest sample", "nearest training", "closest test image", "nearest training"]
    spans = [f"{number(p.distance.min(), 1)}–{number(p.distance.max(), 1)}" for p in pairs]
    figure = labelled_rows(
        images.reshape(4, len(classes), *study.dataset.image_shape),
        names,
        ["", spans[0], "", spans[1]],
        breaks=[2],
        head="distance",
    )
    rows = [
        (kind, label, distance, index, run_id)
        for kind, pair in zip(("sample", "test"), pairs, strict=True)
        for label, distance, index in zip(pair.label, pair.distance, pair.index, strict=True)
    ]
    columns = ["kind", "digit", "distance", "training_image", "run_id"]
    return Drawing(figure, pd.DataFrame(rows, columns=columns), (run_id,))


def _rows(labels: list[str], width: float) -> tuple[Figure, Axes]:
    """Return a figure with a row for each label."""
    figure = Figure(figsize=(TEXT_WIDTH * width, _FRAME + _ROW * len(labels)))
    axes = figure.subplots()
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0)
    axes.grid(axis="x")
    return figure, axes


def _stack(axes: Axes, means: pd.DataFrame, colors: dict[str, str]) -> None:
    left = np.zeros(len(means))
    for name, color in colors.items():
        # Noise may leave an estimate of a gap below zero: a bar has no negative length.
        width = means[name].clip(lower=0).to_numpy()
        axes.barh(range(len(means)), width, 0.62, left=left, color=color)
        left += width


def _whiskers(
    axes: Axes, runs: pd.DataFrame, shifts: Mapping[str, float], color: str = INK
) -> list[Line2D]:
    """Draw the 95 % intervals of families of several seeds, cut where they leave the panel.

    Parameters
    ----------
    axes
        With a row a family, and the limits that the means have set.
    runs
        With ``label``, and a column for each quantity.
    shifts
        Where in its row each quantity's interval lies.
    color
        Of the lines.

    Returns
    -------
    list
        The key to them; empty if no family has several seeds.
    """
    left, right = axes.get_xlim()
    for position, (_, seeds) in enumerate(runs.groupby("label", sort=False)):
        for name, shift in shifts.items():
            found = mean_interval(seeds[name])
            if found.n > 1:
                ends = np.clip([found.low, found.high], left, right)
                axes.plot(ends, [position + shift] * 2, color=color, lw=0.9, zorder=3)
    axes.set_xlim(left, right)
    several = runs["label"].duplicated().any()
    return [Line2D([], [], color=color, lw=0.9, label="95 % interval")] if several else []


def _ends(axes: Axes, totals: pd.Series) -> None:
    """Write each bar's total behind it."""
    for position, total in enumerate(totals):
        axes.annotate(
            number(total, 1), (max(total, 0), position), xytext=(4, 2),
            textcoords="offset points", va="center", fontsize=8,
        )  # fmt: skip
    axes.set_xlim(0, 1.12 * max(totals.max(), 1e-9))


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "annealed": annealed,
    "inference-gaps": inference_gaps,
    "information": information,
    "activity-density": density,
    "nearest-training-image": nearest_training_image,
}
