"""Heat maps of every latent dimension through training: the source's Figure 4."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Colormap, LinearSegmentedColormap, LogNorm, to_rgb
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from vaestudy.figures.activity_data import Family, figure_four
from vaestudy.figures.drawing import Drawing
from vaestudy.figures.style import INK, SEQUENTIAL, TEXT_WIDTH
from vaestudy.study import Study

_LABELS = {"activity": r"activity $A_u$", "kl": "KL (nats)"}
# Below these nothing is told apart: what is smaller is drawn as if it were this.
_FLOORS = {"activity": 1e-4, "kl": 1e-3}
_INACTIVE, _ACTIVE = ("#fbf7ee", "#d9c9a5"), ("#9ccae6", "#3f93c6", "#0b5e99", "#052a50")


def draw_activity(study: Study) -> Drawing:
    """Draw A_u of every dimension at every epoch, for the source's four models."""
    return _draw(study, "activity")


def draw_kl(study: Study) -> Drawing:
    """Draw the KL of every dimension at every epoch, for the source's four models."""
    return _draw(study, "kl")


def shown_seed(family: Family) -> int:
    """Return the replicate that is drawn: dimensions have no identity across seeds to average."""
    return int(family.runs["seed"].min())


def _draw(study: Study, value: str) -> Drawing:
    families = figure_four(study)
    maps = [_map(study, family, value) for family in families]
    # The scale ends with what trained models reach: what is above is the first epochs alone.
    norm = LogNorm(_FLOORS[value], max(1.0, *(float(m.to_numpy()[:, -1].max()) for m in maps)))
    threshold = study.config.evaluation.activity_threshold
    cmap = _two_sided(norm, threshold) if value == "activity" else SEQUENTIAL
    rows = -(-len(families) // 2)
    # Built without pyplot: many figures in one process, and no GUI.
    figure = Figure(figsize=(TEXT_WIDTH, 0.25 + 2.2 * rows), layout="constrained")
    axes = figure.subplots(rows, 2, squeeze=False).ravel()
    for axis, family, map_, letter in zip(axes, families, maps, "abcd", strict=False):
        _draw_map(axis, map_, norm, cmap)
        axis.set_title(f"({letter}) {family.label}")
        _mark_warmup(axis, family)
    for axis in axes[len(families) :]:
        axis.set_visible(False)
    _label_outer(axes[: len(families)])
    _draw_bar(figure, list(axes[: len(families)]), norm, cmap, value, threshold)
    runs = tuple(_shown_run(family) for family in families)
    data = pd.concat(
        [_tidy(map_, family, value) for map_, family in zip(maps, families, strict=True)],
        ignore_index=True,
    )
    return Drawing(figure, data, runs)


def _shown_run(family: Family) -> str:
    runs = family.runs
    return str(runs.loc[runs["seed"] == shown_seed(family), "run_id"].iloc[0])


def _map(study: Study, family: Family, value: str) -> pd.DataFrame:
    """Give epochs × dimensions, those with the highest activity at the end first."""
    runs = family.runs[family.runs["run_id"] == _shown_run(family)]
    units = study.units(runs)
    wide = units.pivot_table(index="unit", columns="epoch", values=value)
    final = units[units["epoch"] == units["epoch"].max()].set_index("unit")["activity"]
    ranked: pd.DataFrame = wide.loc[final.sort_values(ascending=False, kind="stable").index]
    return ranked


def _two_sided(norm: LogNorm, threshold: float) -> Colormap:
    """Give sand below the threshold and blue above it, so that the boundary is seen."""
    at = float(np.clip(norm(threshold), 0.01, 0.99))
    low = [(at * i, to_rgb(color)) for i, color in enumerate(_INACTIVE)]
    steps = np.linspace(at, 1, len(_ACTIVE))
    high = [(float(step), to_rgb(color)) for step, color in zip(steps, _ACTIVE, strict=True)]
    return LinearSegmentedColormap.from_list("activity", [*low, *high], N=512)


def _draw_map(axis: Axes, map_: pd.DataFrame, norm: LogNorm, cmap: Any) -> None:
    first, last = float(map_.columns.to_numpy().min()), float(map_.columns.to_numpy().max())
    axis.imshow(
        map_.to_numpy().clip(norm.vmin or 0.0),
        norm=norm,
        cmap=cmap,
        aspect="auto",
        extent=(first - 0.5, last + 0.5, len(map_) + 0.5, 0.5),
    )
    axis.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    axis.set_xlim(first - 0.5, last + 0.5)
    for side in ("top", "right"):
        axis.spines[side].set_visible(True)


def _mark_warmup(axis: Axes, family: Family) -> None:
    if not family.warmup:
        return
    axis.axvline(family.warmup + 0.5, color=INK, lw=0.9, ls=(0, (2, 1.5)))
    axis.annotate(
        "β < 1",
        (family.warmup + 0.5, 0),
        xycoords=("data", "axes fraction"),
        xytext=(-3, 4),
        textcoords="offset points",
        ha="right",
        fontsize=7.5,
        color=INK,
        bbox={"boxstyle": "round,pad=0.2", "fc": "white", "ec": "none", "alpha": 0.85},
    )


def _label_outer(axes: Any) -> None:
    for position, axis in enumerate(axes):
        if position % 2 == 0:
            axis.set_ylabel("dimension, by final activity")
        if position >= len(axes) - 2:
            axis.set_xlabel("epoch")


def _draw_bar(
    figure: Figure, axes: list[Axes], norm: LogNorm, cmap: Any, value: str, threshold: float
) -> None:
    bar = figure.colorbar(
        ScalarMappable(norm, cmap), ax=axes, extend="both", fraction=0.045, aspect=34, pad=0.015
    )
    bar.set_label(_LABELS[value])
    bar.outline.set_linewidth(0.6)
    if value == "activity":
        bar.ax.axhline(threshold, color=INK, lw=1.2)
        bar.ax.plot(-0.02, threshold, marker=">", ms=5, color=INK, clip_on=False,
                    transform=bar.ax.get_yaxis_transform())  # fmt: skip


def _tidy(map_: pd.DataFrame, family: Family, value: str) -> pd.DataFrame:
    ranked = map_.rename_axis(columns="epoch").assign(rank=range(1, len(map_) + 1)).reset_index()
    tidy = ranked.melt(id_vars=["rank", "unit"], var_name="epoch", value_name=value)
    # Four digits are more than a colour shows, and the reader's file is half the size.
    tidy[value] = tidy[value].map(lambda number: float(f"{number:.4g}"))
    return tidy.assign(model=family.label, seed=shown_seed(family))[
        ["model", "seed", "epoch", "rank", "unit", value]
    ]
