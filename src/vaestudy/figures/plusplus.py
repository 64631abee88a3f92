"""Plots of the chapter on VAE++: codes, losses, posterior variance, the search over dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.latent_space import MAX_POINTS, class_legend, scatter
from vaestudy.figures.mosaics import placed_figure
from vaestudy.figures.plusplus_data import (
    PRINTED,
    Pictures,
    few_dimensions,
    other_dataset,
    pictures,
    plus_runs,
)
from vaestudy.figures.plusplus_pictures import PICTURES
from vaestudy.figures.style import CLASS_COLORS, MUTED, PALETTE, TEXT_WIDTH
from vaestudy.information import encode_all
from vaestudy.latent_plane import encode_means
from vaestudy.study import Study


def codes_and_losses(study: Study) -> Drawing:
    """Draw the two-dimensional codes, and losses by epoch of two and three dimensions."""
    shown = pictures(study)
    figure = Figure(figsize=(TEXT_WIDTH, 3.3))
    left, right = figure.subplots(1, 2, width_ratios=[1.1, 1])
    means = encode_means(shown.model, shown.pixels)
    scatter(left, means, shown.classes, names=True)
    left.set(xlabel="$z_0$", ylabel="$z_1$", aspect="equal", title="(a) codes, two dimensions")
    losses, runs = _losses(study, "n_z", [2, 3])
    _draw_losses(right, losses)
    right.set(title="(b) loss by epoch", xlabel="epoch", ylabel="−ELBO (nats)")
    class_legend(figure, shown.classes)
    points = pd.DataFrame(means[:MAX_POINTS], columns=["z_0", "z_1"]).assign(
        run_id=shown.run_id, digit=shown.classes[:MAX_POINTS], panel="codes"
    )
    data = pd.concat([points, losses.assign(panel="losses")], ignore_index=True)
    return Drawing(figure, data, (shown.run_id, *runs))


def _losses(study: Study, factor: str, chosen: list[int], **others: Any) -> tuple[Any, list[str]]:
    """Return the mean −bound by epoch and split of some models, beside the printed ones."""
    metric = "elbo" if factor == "n_z" else "bound"
    rows, ids = [], []
    for level in chosen:
        runs = plus_runs(study, **{factor: level, **others})
        ids += runs["run_id"].tolist()
        curves = study.curves(runs, [metric])
        for split, own in curves[curves["epoch"] > 0].groupby("split"):
            means = -own.groupby("epoch")["value"].mean()
            rows += [
                (factor, level, str(split), e, v) for e, v in zip(means.index, means, strict=True)
            ]
        printed = enumerate(PRINTED.get((factor, level), ()), 1)
        rows += [(factor, level, "printed", epoch, value) for epoch, value in printed]
    return pd.DataFrame(rows, columns=["factor", "level", "split", "epoch", "loss"]), ids


def _draw_losses(axes: Axes, losses: pd.DataFrame) -> None:
    strokes = {"train": (":", "", 1.3), "test": ("-", "", 1.5), "printed": ("", "x", 1.0)}
    for color, (level, of_one) in zip(PALETTE, losses.groupby("level"), strict=False):
        for split, (stroke, marker, width) in strokes.items():
            own = of_one[of_one["split"] == split].sort_values("epoch")
            label = f"{level} dimensions, {split}"
            axes.plot(own["epoch"], own["loss"], ls=stroke, marker=marker, color=color,
                      lw=width, ms=5, label=label)  # fmt: skip
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.legend(fontsize=7, loc="upper right")


def cloud(study: Study) -> Drawing:
    """Draw the three-dimensional codes."""
    return draw_cloud(*cloud_of(study))


def draw_cloud(shown: Pictures, means: NDArray[np.float32]) -> Drawing:
    """Draw codes of three dimensions in their classes' colours."""
    figure = placed_figure(TEXT_WIDTH * 0.72, TEXT_WIDTH * 0.56)
    axes: Any = figure.add_axes((-0.04, 0.05, 0.94, 0.95), projection="3d")
    points, classes = means[:MAX_POINTS], shown.classes[:MAX_POINTS]
    colors = np.array(CLASS_COLORS)[classes]
    axes.scatter(*points.T, c=colors, s=6, lw=0, alpha=0.85, depthshade=False, rasterized=True)
    axes.set(xlabel="$z_0$", ylabel="$z_1$", zlabel="$z_2$")
    axes.set_box_aspect(np.ptp(points, axis=0), zoom=0.95)
    axes.view_init(elev=22, azim=-58)
    for axis in (axes.xaxis, axes.yaxis, axes.zaxis):
        axis.pane.set(facecolor="white", edgecolor="#d5dade")
        axis.set_major_locator(MaxNLocator(4))
        axis.set_tick_params(pad=-3, labelsize=7.5)
        axis.labelpad = -6
    class_legend(figure, shown.classes, columns=1)
    data = pd.DataFrame(points, columns=["z_0", "z_1", "z_2"]).round(3)
    return Drawing(figure, data.assign(run_id=shown.run_id, digit=classes), (shown.run_id,))


def cloud_of(study: Study) -> tuple[Pictures, NDArray[np.float32]]:
    """Return the three-dimensional model and its codes of the test images."""
    shown = pictures(study, n_z=3)
    return shown, encode_means(shown.model, shown.pixels)


def posterior_variance(study: Study) -> Drawing:
    """Draw the mean posterior variance of every latent dimension over their number."""
    rows = []
    for n_z in few_dimensions(study):
        for _, run in plus_runs(study, n_z=n_z).iterrows():
            shown = study.model(run["run_id"])
            _, logvar = encode_all(shown, pictures(study).pixels)
            variances = logvar[0].exp().mean(0).tolist()
            rows += [(run["run_id"], n_z, run["seed"], u, v) for u, v in enumerate(variances, 1)]
    data = pd.DataFrame(rows, columns=["run_id", "n_z", "seed", "dimension", "variance"])
    figure = Figure(figsize=(TEXT_WIDTH * 0.8, 2.9))
    axes = figure.subplots()
    jitter = 0.2 * (data["dimension"] / data["n_z"] - 0.5)
    axes.scatter(data["n_z"] + jitter, data["variance"], s=9, color=PALETTE[5], lw=0, alpha=0.8,
                 label="one dimension of one seed")  # fmt: skip
    means = data.groupby(["n_z", "seed"])["variance"].mean().groupby("n_z").mean()
    axes.plot(means.index, means, marker="o", color=PALETTE[0], label="mean")
    axes.set(xlabel="latent dimensions $n_z$", ylabel="posterior variance")
    axes.set(ylim=(0, 1.25 * data["variance"].max()), xticks=means.index)
    axes.legend(loc="upper center", ncols=2)
    return Drawing(figure, data, tuple(dict.fromkeys(data["run_id"])))


def search(study: Study) -> Drawing:
    """Draw NLL, squared error and active units over the latent dimension, on both data sets."""
    figure = Figure(figsize=(TEXT_WIDTH, 2.6))
    panels = figure.subplots(1, 3)
    parts = []
    names = [str(study.base["dataset"]), other_dataset(study)]
    for color, marker, name in zip(PALETTE, "os", names, strict=False):
        runs = plus_runs(study, dataset=name, n_z=...)
        for axes, metric in zip(panels, ("nll", "squared_error", "active_units"), strict=True):
            final = study.final(runs, metric)[["run_id", "dataset", "n_z", "seed", "value"]]
            if metric == "squared_error":
                metric, final = "squared_error_left", _over_the_smallest(final)
            parts.append(final.assign(metric=metric))
            _with_range(axes, final, color, marker, title_of(name))
    data = pd.concat(parts, ignore_index=True)
    ticks = sorted(data["n_z"].unique())
    panels[0].set(title="(a)", ylabel="test NLL (nats)")
    panels[1].set(
        title="(b)", ylabel=f"squared error over that at $n_z = {ticks[0]}$", ylim=(0, None)
    )
    panels[2].set(title="(c)", ylabel="active units")
    panels[2].plot(ticks, ticks, color=MUTED, lw=0.8, ls=(0, (3, 2)), label="all active", zorder=1)
    panels[2].yaxis.set_major_locator(MaxNLocator(integer=True))
    for axes in panels:
        axes.set(xlabel="latent dimensions $n_z$", xscale="log")
        axes.set_xticks(ticks, [str(t) if t in _NAMED else "" for t in ticks])
        axes.minorticks_off()
        axes.legend()
    return Drawing(figure, data, tuple(dict.fromkeys(data["run_id"])))


def _over_the_smallest(final: pd.DataFrame) -> pd.DataFrame:
    smallest = final.sort_values("n_z").groupby("seed")["value"].first()
    return final.assign(value=final["value"] / final["seed"].map(smallest))


#: Ticks that are named on a logarithmic axis; those between would run into each other.
_NAMED = (2, 3, 5, 10, 20, 50)


def title_of(dataset: str) -> str:
    """Return what a data set's images are called."""
    return "clothes" if dataset.startswith("fashion") else "digits"


def _with_range(axes: Axes, final: pd.DataFrame, color: str, marker: str, label: str) -> None:
    grouped = final.groupby("n_z")["value"]
    means = grouped.mean()
    axes.plot(means.index, means, color=color, marker=marker, label=label)
    axes.vlines(means.index, grouped.min(), grouped.max(), color=color, lw=0.9)


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "plus-latent": codes_and_losses,
    "plus-cloud": cloud,
    "plus-variance": posterior_variance,
    "plus-search": search,
    **PICTURES,
}
