"""Figures 2 and 5 of Kingma & Welling (2014): the bound against images evaluated, and samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import NullFormatter

from vaestudy.figures.codes import decode
from vaestudy.figures.curves import DASHES
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.lattices import prior_codes
from vaestudy.figures.mosaics import show, tile, trim
from vaestudy.figures.style import PALETTE, TEXT_WIDTH
from vaestudy.figures.summary_data import TRAINING
from vaestudy.study import Study

#: The paper's model of MNIST, but for the number of latent dimensions.
MODEL: dict[str, Any] = {"hidden": "500", "activation": "tanh"}
#: Latent dimensions of the models whose samples the paper draws.
DRAWN = (2, 5, 10, 20)
SIDE = 10
_COLORS = {"train": PALETTE[0], "test": PALETTE[1]}


def aevb_runs(study: Study, n_z: Any = ...) -> pd.DataFrame:
    """Return the runs of the paper's model, by latent dimensions and seed.

    Raises
    ------
    EmptySelectionError
        If the study has none.
    """
    runs = study.runs(**MODEL, **TRAINING, n_z=n_z)
    return runs.sort_values(["n_z", "seed"], ignore_index=True)


def bound_curves(study: Study) -> pd.DataFrame:
    """Return the ELBO against images evaluated: a row a n_z × split × epoch, over seeds.

    The training value of an epoch is the mean over its batches, the test value is taken at its end.
    """
    runs = aevb_runs(study)
    history = study.curves(runs, ["elbo"])
    n_train = len(study.dataset.train)
    sizes = history["batch_size"].clip(upper=n_train)
    history = history.assign(images=history["epoch"] * (n_train // sizes) * sizes)
    grouped = history[history["epoch"] > 0].groupby(["n_z", "split", "images"])["value"]
    return grouped.agg(mean="mean", low="min", high="max", n="count").reset_index()


def draw_bounds(study: Study) -> Drawing:
    """Draw training and test ELBO against images evaluated, a panel for each n_z."""
    rows = bound_curves(study)
    levels = sorted(rows["n_z"].unique())
    # Four make two even rows; three and one would leave panels without ticks below them.
    columns = 2 if len(levels) == 4 else min(3, len(levels))
    lines = -(-len(levels) // columns)
    figure = Figure(figsize=(TEXT_WIDTH, 0.55 + 1.75 * lines))
    grid = figure.subplots(lines, columns, sharex=True, sharey=True, squeeze=False)
    for axes, n_z in zip(grid.flat, levels, strict=False):
        for split, own in rows[rows["n_z"] == n_z].groupby("split"):
            style = {"color": _COLORS[split], "ls": DASHES[split]}
            axes.plot(own["images"], own["mean"], **style)
            axes.fill_between(
                own["images"], own["low"], own["high"], color=_COLORS[split], alpha=0.2, lw=0
            )
        axes.set(xscale="log", title=f"$n_z = {n_z}$")
    for axes in grid.flat[len(levels) :]:
        axes.set_visible(False)
    for axes in grid[:, 0]:
        axes.set_ylabel("ELBO (nats)")
    ticks = image_ticks(rows["images"].min(), rows["images"].max())
    for axes in grid[-1]:
        axes.set_xlabel("images evaluated")
        axes.set_xticks(list(ticks), list(ticks.values()))
        axes.xaxis.set_minor_formatter(NullFormatter())
    # The first epochs' climb is long and the same for all: what tells models apart comes later.
    later = rows[rows["images"] >= rows["images"].max() ** 0.5 * rows["images"].min() ** 0.5]
    margin = 0.06 * (later["high"].max() - later["low"].min())
    grid[0, 0].set_ylim(later["low"].min() - margin, later["high"].max() + margin)
    names = {"train": "training", "test": "test"}
    handles = [
        Line2D([], [], color=_COLORS[split], ls=DASHES[split], label=name)
        for split, name in names.items()
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=2)
    return Drawing(figure, rows, tuple(aevb_runs(study)["run_id"]))


def image_ticks(low: float, high: float) -> dict[float, str]:
    """Return ticks of a logarithmic axis of counts: powers of ten, more where there are few."""
    powers = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    decades = {10.0**p: f"$10^{p}$" for p in powers if low <= 10.0**p <= high}
    if len(decades) > 2:
        return decades
    finer = [step * 10.0**p for p in powers for step in (1, 2, 5)]
    return {tick: f"{tick:,.0f}" for tick in finer if low <= tick <= high}


def drawn_levels(study: Study) -> list[int]:
    """Return the numbers of latent dimensions whose samples are drawn."""
    return [int(n_z) for n_z in aevb_runs(study)["n_z"].unique() if n_z in DRAWN]


def draw_samples(study: Study) -> Drawing:
    """Draw means of codes from the prior, for each of the paper's small latent spaces."""
    levels = drawn_levels(study)
    columns = min(2, len(levels))
    lines = -(-len(levels) // columns)
    side = TEXT_WIDTH / max(columns, 2)
    figure = Figure(figsize=(columns * side, lines * (side + 0.12)))
    grid = figure.subplots(lines, columns, squeeze=False)
    data, used = [], []
    for axes, n_z in zip(grid.flat, levels, strict=False):
        run_id = aevb_runs(study, n_z)["run_id"].iloc[0]
        images = decode(study.model(run_id), prior_codes(n_z, SIDE**2))
        show(axes, tile(trim(images.reshape(SIDE, SIDE, *study.dataset.image_shape)), pad=1))
        axes.set(xticks=[], yticks=[], title=f"$n_z = {n_z}$")
        ink = images.sum(1, dtype=np.float64).round(2)
        data.append(
            pd.DataFrame({"run_id": run_id, "n_z": n_z, "sample": range(SIDE**2), "ink": ink})
        )
        used.append(run_id)
    for axes in grid.flat[len(levels) :]:
        axes.set_visible(False)
    return Drawing(figure, pd.concat(data, ignore_index=True), tuple(used))


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "aevb-bounds": draw_bounds,
    "aevb-samples": draw_samples,
}
