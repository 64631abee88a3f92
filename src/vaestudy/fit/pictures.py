"""What a fitted model looks like: its curves, its embedding, reconstructions and samples."""

from __future__ import annotations

import io
import math
from typing import Any, Final

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from vaestudy.figures.mosaics import placed_figure, show, tile
from vaestudy.figures.style import CLASS_COLORS, MUTED, PALETTE, SEQUENTIAL, TEXT_WIDTH, figsize

Array = NDArray[np.float64]

#: Features shown of a table, images shown of each kind.
MOST_FEATURES: Final = 12
IMAGES_A_ROW: Final = 12
SAMPLE_ROWS: Final = 5


def svg(figure: Figure) -> str:
    """Return a figure as SVG to stand in a page."""
    text = io.StringIO()
    figure.savefig(text, format="svg", metadata={"Date": None})
    whole = text.getvalue()
    return whole[whole.index("<svg") :]


def curves(history: pd.DataFrame, best_epoch: int) -> Figure:
    """Draw the bound and the KL term after each epoch."""
    figure = Figure(figsize=figsize(aspect=0.42))
    for axes, metric, title in zip(
        figure.subplots(1, 2),
        ("bound", "kl"),
        ("Bound on log p(x)", "KL(q(z|x) ‖ p(z))"),
        strict=True,
    ):
        rows = history[(history["metric"] == metric) & (history["epoch"] > 0)]
        for color, (split, part) in zip(PALETTE, rows.groupby("split", sort=False), strict=False):
            axes.plot(part["epoch"], part["value"], color=color, label=str(split).replace("-", " "))
        axes.axvline(best_epoch, color=MUTED, linewidth=0.6, linestyle=":")
        if metric == "bound":
            # The first epochs fall far below: what is read are the later ones.
            low = rows["value"].quantile(0.1)
            axes.set_ylim(bottom=low - 0.5 * (rows["value"].max() - low))
        axes.set(title=f"{title}, nats a row", xlabel="epoch")
        axes.xaxis.get_major_locator().set_params(integer=True)
        axes.legend()
    return figure


def embedding(codes: Array, color: pd.Series | None) -> Figure:
    """Draw every row's place: on two dimensions of most spread, or the one there is."""
    figure = Figure(figsize=figsize(aspect=0.72))
    axes = figure.subplots()
    spread = codes.var(axis=0)
    shown = np.sort(np.argsort(spread)[::-1][:2])
    x = codes[:, shown[0]]
    one = codes.shape[1] == 1
    # One dimension has no second: rows are spread at random to be told apart.
    y = np.random.default_rng(0).uniform(size=len(x)) if one else codes[:, shown[-1]]
    dots: dict[str, Any] = {"s": max(2.0, min(16.0, 6000 / len(x))), "linewidths": 0}
    _scatter(figure, axes, x, y, color, {**dots, "rasterized": len(x) > 1500})
    axes.set(xlabel=f"$z_{{{shown[0]}}}$", ylabel="" if one else f"$z_{{{shown[-1]}}}$")
    if one:
        axes.set_yticks([])
    return figure


def _scatter(
    figure: Figure, axes: Axes, x: Array, y: Array, color: pd.Series | None, dots: dict[str, Any]
) -> None:
    if color is None:
        axes.scatter(x, y, color=PALETTE[0], alpha=0.7, **dots)
        return
    names = color.astype(object).where(color.notna(), "missing").astype(str).to_numpy()
    found = list(dict.fromkeys(sorted(names)))
    if len(found) <= len(CLASS_COLORS):
        for name, ink in zip(found, CLASS_COLORS, strict=False):
            axes.scatter(x[names == name], y[names == name], color=ink, label=name, **dots)
        axes.legend(title=str(color.name), loc="upper left", bbox_to_anchor=(1, 1), markerscale=1.5)
    elif pd.api.types.is_numeric_dtype(color):
        points = axes.scatter(x, y, c=color.to_numpy(float), cmap=SEQUENTIAL, **dots)
        figure.colorbar(points, ax=axes, label=str(color.name))
    else:
        axes.scatter(x, y, color=PALETTE[0], alpha=0.7, **dots)
        axes.set_title(f"{color.name} has {len(found)} values, too many to colour by")


def images(rows: Array, shape: tuple[int, ...], columns: int = IMAGES_A_ROW) -> Figure:
    """Draw rows as pictures, ``columns`` of them a line."""
    low, high = float(rows.min()), float(rows.max())
    inside = low >= 0 and high <= 1
    scaled = rows if inside else (rows - low) / max(high - low, 1e-12)
    grid = scaled.reshape(-1, columns, *shape)
    channels = [grid] if len(shape) == 2 else [grid[..., c] for c in range(shape[2])]
    mosaics = [tile(channel, pad=max(1, shape[0] // 14)) for channel in channels]
    height, width = mosaics[0].pixels.shape
    figure = placed_figure(TEXT_WIDTH, TEXT_WIDTH * height / width)
    axes = figure.add_axes((0, 0, 1, 1))
    if len(mosaics) == 1:
        show(axes, mosaics[0], aspect="auto")
    else:
        axes.imshow(np.stack([m.pixels for m in mosaics], -1).clip(0, 1), aspect="auto")
    axes.set_axis_off()
    return figure


def feature_reconstructions(data: Array, seen: Array, names: list[str]) -> Figure:
    """Draw each feature against its reconstruction, with the share of variance that it keeps."""
    figure, panels = _panels(len(names))
    for i, axes in enumerate(panels):
        x, y = data[:, i], seen[:, i]
        axes.scatter(x, y, s=4, linewidths=0, alpha=0.5, color=PALETTE[0], rasterized=True)
        axes.axline((x.mean(), x.mean()), slope=1, color=MUTED, linewidth=0.6)
        kept = 1 - ((x - y) ** 2).mean() / x.var() if x.var() > 0 else np.nan
        # In the title: within the panel it would lie on points.
        share = "" if np.isnan(kept) else f"\nR² {kept:.2f}"
        axes.set_title(f"{_short(names[i])}{share}", fontsize=8)
    figure.supxlabel("data", fontsize=9)
    figure.supylabel("reconstruction", fontsize=9)
    return figure


def feature_samples(data: Array, drawn: Array, names: list[str]) -> Figure:
    """Draw each feature's distribution in the data and in rows drawn from the model."""
    figure, panels = _panels(len(names))
    for i, axes in enumerate(panels):
        low, high = np.quantile(np.concatenate([data[:, i], drawn[:, i]]), [0.002, 0.998])
        if high - low <= 1e-12 * max(abs(low), abs(high)):
            # Around a large constant, bins one wide in all would be none: float64 cannot tell.
            high = low + max(1.0, 1e-6 * abs(low))
        bins = np.linspace(low, high, 26).tolist()
        for values, color, label in (
            (data[:, i], PALETTE[0], "data"),
            (drawn[:, i], PALETTE[1], "samples"),
        ):
            axes.hist(values, bins, density=True, histtype="step", color=color, label=label)
        axes.set_title(_short(names[i]), fontsize=8)
        axes.set_yticks([])
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside upper right", ncols=2)
    return figure


def _panels(n: int) -> tuple[Figure, list[Axes]]:
    n = min(n, MOST_FEATURES)
    columns = min(4, n)
    lines = math.ceil(n / columns)
    figure = Figure(figsize=(TEXT_WIDTH, TEXT_WIDTH / max(columns, 3) * lines * 0.95))
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid[n:]:
        axes.set_axis_off()
    for axes in grid[:n]:
        axes.tick_params(labelsize=6.5)
    return figure, list(grid[:n])


def _short(name: str) -> str:
    return name if len(name) <= 18 else name[:17] + "…"
