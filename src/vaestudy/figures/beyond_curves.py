"""Figures of the chapter beyond the paper that follow training, epoch by epoch."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator

from vaestudy.figures.activity_data import count_active, over_seeds
from vaestudy.figures.beyond_data import find_members, of_one_k, runs_of, schedules
from vaestudy.figures.curves import DASHES, Curve, draw_curves, focus, summarize
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.style import MUTED, TEXT_WIDTH
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
        drawn = draw_curves(axes, study, lines, metric)
        # The dips of cyclical annealing may leave the panel: what tells the others apart is small.
        steady = [m.label for m in group if m.first["warmup_cycles"] == 1]
        focus(axes, drawn[drawn["curve"].isin(steady)], share=0.25)
        data.append(drawn)
        axes.set_title(title)
        axes.set_ylabel("nats")
        handles = [Line2D([], [], color=m.color, label=m.label, lw=2) for m in group]
        axes.legend(
            handles=[*handles, *(_strokes() if group is single else ())], loc="upper left",
            bbox_to_anchor=(-0.02, -0.2), ncols=2, columnspacing=1.0, handlelength=1.3,
        )  # fmt: skip
    return Drawing(figure, pd.concat(data), runs_of([*single, *weighted]))


def _strokes() -> list[Line2D]:
    names = {"train": "training", "test": "test"}
    return [Line2D([], [], color=MUTED, ls=DASHES[s], label=name) for s, name in names.items()]


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
    return Drawing(figure, pd.concat(data, ignore_index=True), runs_of(members))
