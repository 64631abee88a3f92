"""Figures of one kind of model on any data: its codes, nearest representations and samples."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.mosaics import labelled_rows
from vaestudy.figures.packaged_data import Array, Fitted, explained, find_fitted
from vaestudy.figures.plusplus_data import CLOTHES
from vaestudy.figures.rows import FRAME, ROW, frame_rows, seed_row
from vaestudy.figures.style import CLASS_COLORS, INK, MUTED, PALETTE, TEXT_WIDTH
from vaestudy.study import EmptySelectionError, Study

#: Points of a scatter plot, pictures of a row, features and rows drawn.
MOST_POINTS, PICTURES, MOST_FEATURES, DRAWN = 2000, 12, 40, 2000
#: Data sets in a row; more make two rows.
MOST_COLUMNS = 3


def errors(study: Study) -> Drawing:
    """Draw, for each data set, the error of the nearest representation over that of PCA's."""
    found = {one: error_ratio(study, one) for one in find_fitted(study)}
    found = {one: ratio for one, ratio in found.items() if len(ratio)}
    if not found:
        raise EmptySelectionError(f"{study.config.study!r} has measured no principal components")
    figure = Figure(figsize=(TEXT_WIDTH, FRAME + ROW * len(found)))
    axes = figure.subplots()
    rows = []
    for place, (one, ratio) in enumerate(found.items()):
        seed_row(axes, place, ratio, PALETTE[0])
        rows += [(one.title, seed, value) for seed, value in ratio.items()]
    data = pd.DataFrame(rows, columns=["dataset", "seed", "ratio"])
    frame_rows(axes, [one.title for one in found], data["ratio"], 1.0)
    axes.axvline(1, color=MUTED, lw=0.9, ls=(0, (3, 2)), zorder=0)
    axes.set_xlabel("squared error over that of as many principal components; below 1 is better")
    return Drawing(figure, data, tuple(r for one in found for r in one.runs["run_id"]))


def error_ratio(study: Study, one: Fitted) -> pd.Series:
    """Return squared error over principal components' by seed; empty if these were not measured."""
    found = [
        study.final(one.runs, metric).set_index("seed")["value"].astype(float)
        for metric in ("squared_error", "pca_squared_error")
    ]
    return (found[0] / found[1]).dropna()


def embeddings(study: Study) -> Drawing:
    """Draw where the encoder places the test rows of each data set, coloured by class."""
    fitted = find_fitted(study)
    columns = len(fitted) if len(fitted) <= MOST_COLUMNS else 2
    lines = math.ceil(len(fitted) / columns)
    width = TEXT_WIDTH if columns > 1 else 0.75 * TEXT_WIDTH
    figure = Figure(figsize=(width, lines * (width / columns + 0.75)))
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid[len(fitted) :]:
        axes.set_axis_off()
    data = [_embedding(axes, one) for axes, one in zip(grid, fitted, strict=False)]
    return Drawing(figure, pd.concat(data, ignore_index=True), tuple(o.run_id for o in fitted))


def _embedding(axes: Axes, one: Fitted) -> pd.DataFrame:
    codes, classes = one.codes[:MOST_POINTS], one.data.test_labels[:MOST_POINTS].numpy()
    a, b = np.sort(np.argsort(-one.codes.var(0), kind="stable")[:2])[[0, -1]]
    x, y = codes[:, a], codes[:, b]
    if a == b:  # One dimension has no second: rows are spread to be told apart.
        y = np.random.default_rng(0).uniform(size=len(x))
    size = 3 if len(x) > 500 else 12
    found = np.unique(classes)
    for label in found:
        own = classes == label
        color = PALETTE[0] if len(found) == 1 else _color(label)
        axes.scatter(x[own], y[own], s=size, lw=0, alpha=0.8, color=color, rasterized=True)
    axes.set(title=one.title, xlabel=f"$z_{{{a}}}$", ylabel="" if a == b else f"$z_{{{b}}}$")
    if a == b:
        axes.set_yticks([])
    if len(found) > 1:
        names = _class_names(one, int(found.max()) + 1)
        dots = [
            Line2D([], [], ls="", marker="o", ms=4, label=names[label], color=_color(label))
            for label in found
        ]
        place: dict[str, Any] = {"loc": "upper center", "bbox_to_anchor": (0.5, -0.2)}
        axes.legend(handles=dots, ncols=5, handletextpad=0, columnspacing=0.8, **place)
    return pd.DataFrame({"dataset": one.title, "label": classes, "z_a": x, "z_b": y})


def _class_names(one: Fitted, n_classes: int) -> tuple[str, ...]:
    if one.data.name.startswith("fashion"):
        return CLOTHES
    return one.data.label_names or tuple(map(str, range(n_classes)))


def _color(label: int) -> str:
    return CLASS_COLORS[label % len(CLASS_COLORS)]


def nearest(study: Study) -> Drawing:
    """Draw test pictures, their nearest representations, and pictures that the model made."""
    fitted = [one for one in find_fitted(study) if one.data.of_images]
    fitted = [one for one in fitted if one.data.image_shape == fitted[0].data.image_shape]
    if not fitted:
        raise EmptySelectionError(f"{study.config.study!r} has fitted no pictures")
    names: list[str] = []
    rows: list[Array] = []
    breaks: list[int] = []
    for one in fitted:
        breaks += [len(rows)] if rows else []
        prefix = f"{one.title}: " if len(fitted) > 1 else ""
        rows += [one.rows[:PICTURES].numpy(), one.nearest[:PICTURES]]
        rows += [one.drawn(PICTURES, means=True)]
        names += [f"{prefix}as tested", "nearest", "generated"]
    pictures = np.stack(rows).reshape(len(rows), -1, *fitted[0].data.image_shape)
    figure = labelled_rows(pictures, names, [""] * len(names), breaks=breaks, right=0.05)
    data = pd.DataFrame(
        {"row": row, "name": names[row], "column": column, "mean": float(picture.mean())}
        for row, line in enumerate(pictures)
        for column, picture in enumerate(line)
    )
    return Drawing(figure, data, tuple(one.run_id for one in fitted))


def tables(study: Study) -> Drawing:
    """Draw, of each table, what its features keep, and how its drawn rows hang together."""
    fitted = [one for one in find_fitted(study) if not one.data.of_images]
    if not fitted:
        raise EmptySelectionError(f"{study.config.study!r} has fitted no table")
    sizes = [min(len(one.feature_names), MOST_FEATURES) for one in fitted]
    figure = Figure(figsize=(TEXT_WIDTH, 1.3 + 0.155 * sum(max(n, 12) for n in sizes)))
    heights = [max(n, 12) + 4 for n in sizes]
    grid = figure.subplots(
        len(fitted), 2, squeeze=False, width_ratios=[1.25, 1], height_ratios=heights
    )
    data = []
    for (left, right), one in zip(grid, fitted, strict=True):
        data += [_features(left, one), _correlations(right, one)]
    handles, labels = grid[0][0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=2)
    return Drawing(figure, pd.concat(data, ignore_index=True), tuple(o.run_id for o in fitted))


def _features(axes: Axes, one: Fitted) -> pd.DataFrame:
    rows = one.rows.numpy()
    ours, linear = explained(rows, one.nearest), explained(rows, one.projected)
    order = np.argsort(-ours, kind="stable")[:MOST_FEATURES]
    places = np.arange(len(order))
    axes.hlines(places, linear[order], ours[order], color=MUTED, lw=0.7, zorder=1)
    axes.plot(ours[order], places, "o", color=PALETTE[0], ms=4, label="the model")
    axes.plot(
        linear[order], places, "s", color=PALETTE[1], ms=3.6, label="as many principal components"
    )
    axes.set_yticks(places, [one.feature_names[i] for i in order], fontsize=7)
    low = min(0.0, *np.nanmin([ours[order], linear[order]], axis=1))
    axes.set(ylim=(len(order) - 0.4, -0.6), xlim=(low - 0.03, 1.03), title=one.title)
    axes.set_xlabel("variance explained, test rows")
    axes.tick_params(axis="y", length=0)
    names = [one.feature_names[i] for i in order]
    return pd.DataFrame(
        {"dataset": one.title, "feature": names, "model": ours[order], "components": linear[order]}
    )


def _correlations(axes: Axes, one: Fitted) -> pd.DataFrame:
    real, drawn = _pairs(one.data.train.double().numpy()), _pairs(one.drawn(DRAWN, means=False))
    axes.axline((0, 0), slope=1, color=MUTED, lw=0.8, ls=(0, (3, 2)))
    axes.scatter(real, drawn, s=7, color=INK, alpha=0.6, lw=0, rasterized=len(real) > 1500)
    axes.set(xlim=(-1.04, 1.04), ylim=(-1.04, 1.04), aspect="equal", anchor="N")
    axes.set(xlabel="correlation in the data", ylabel="in rows drawn from the model")
    return pd.DataFrame({"dataset": one.title, "correlation": real, "drawn": drawn})


def _pairs(rows: Array) -> Array:
    """Return the correlations of all pairs of features; none with a constant one."""
    with np.errstate(divide="ignore", invalid="ignore"):
        matrix = np.corrcoef(rows, rowvar=False)
    return matrix[np.triu_indices(len(matrix), 1)]


FIGURES: dict[str, Callable[[Study], Drawing]] = {
    "any-data": errors,
    "embeddings": embeddings,
    "nearest-representations": nearest,
    "tables": tables,
}
