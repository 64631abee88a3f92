"""The ledger of claims as a forest plot: one line a claim, right of zero where it is as claimed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from vaestudy.figures.drawing import Drawing
from vaestudy.figures.style import INK, MUTED, PALETTE, TEXT_WIDTH
from vaestudy.study import EmptySelectionError, Study

#: Colour and marker of each verdict, told apart without colour as well.
VERDICTS = {
    "supported": (PALETTE[2], "o"),
    "contradicted": (PALETTE[1], "X"),
    "undecided": (MUTED, "D"),
}
# Inches: of a claim's line, and of the axis below each panel.
_ROW, _BETWEEN = 0.2, 0.5
_REGION = "#e4f1ea"


def orient(table: pd.DataFrame) -> pd.DataFrame:
    """Turn every claim so that to the right is as claimed, and shift it to its reference.

    A claim "lower" is mirrored; one that compares with a number has it subtracted; "within" stays
    as it is, centred. Intervals are cut off where the statistic ends. The columns drawn get the
    suffix ``_shown``.
    """
    low, high, origin = table["region_low"], table["region_high"], table["reference"]
    mirrored = np.isneginf(low)
    sign = np.where(mirrored, -1.0, 1.0)
    out = table.copy()
    # A table of an earlier version does not say where its statistics end.
    lowest, highest = table.get("lowest", -np.inf), table.get("highest", np.inf)
    for name in ("estimate", "low", "high", "bootstrap_low", "bootstrap_high"):
        out[f"{name}_shown"] = sign * (table[name].clip(lowest, highest) - origin)
    for name in ("", "bootstrap_"):
        ends = out[[f"{name}low_shown", f"{name}high_shown"]].to_numpy()
        out[f"{name}low_shown"], out[f"{name}high_shown"] = ends.min(axis=1), ends.max(axis=1)
    out["from_shown"] = np.where(mirrored, origin - high, low - origin)
    out["to_shown"] = np.where(mirrored, np.inf, high - origin)
    return out


def draw_forest(study: Study, documents: Sequence[str] | None = None) -> Drawing:
    """Draw the claims of some documents, or all, that the study has run: a panel for each unit."""
    table = study.table("claims")
    ran = table[table["n"] > 0]
    if documents is not None:
        ran = ran[ran["document"].isin(documents)]
    if ran.empty:
        raise EmptySelectionError(f"study {study.config.study!r} has run no claim's experiment")
    ran = orient(ran).reset_index(drop=True)
    units = list(dict.fromkeys(ran["unit"]))
    sizes = [int((ran["unit"] == unit).sum()) for unit in units]
    height = _ROW * sum(sizes) + _BETWEEN * len(units) + 0.5
    figure = Figure(figsize=(TEXT_WIDTH, height), layout="constrained")
    panels = figure.subplots(len(units), 1, height_ratios=sizes, squeeze=False)[:, 0]
    for axes, unit in zip(panels, units, strict=True):
        _draw_panel(axes, ran[ran["unit"] == unit], unit)
    for side, text in (("right", "← against the claim  "), ("left", "  as claimed →")):
        panels[0].annotate(text, (0, 1), xycoords=("data", "axes fraction"), ha=side, va="bottom",
                           fontsize=7.5, color=MUTED)  # fmt: skip
    figure.legend(handles=_keys(), loc="outside upper right", ncols=len(VERDICTS) + 2)
    runs = ",".join(ran["runs"]).split(",")
    return Drawing(figure, ran.drop(columns="runs"), tuple(dict.fromkeys(runs)))


def _draw_panel(axes: Axes, rows: pd.DataFrame, unit: str) -> None:
    limit = _limit(rows)
    threshold = _threshold(rows)
    axes.set_xscale("symlog", linthresh=threshold, linscale=0.7)
    axes.set_xlim(-limit, limit)
    decades = threshold * 10.0 ** np.arange(1 + max(0, np.floor(np.log10(limit / threshold))))
    ticks = [*-decades[::-1], 0.0, *decades]
    axes.set_xticks(ticks, [f"{tick:g}".replace("-", "−") for tick in ticks])
    axes.axvline(0, color=INK, lw=0.7, zorder=1)
    for position, (_, row) in enumerate(rows.iterrows()):
        color, marker = VERDICTS[row["verdict"]]
        end = min(row["to_shown"], limit)
        axes.fill_betweenx(
            [position - 0.42, position + 0.42],
            row["from_shown"],
            end,
            color=_REGION,
            lw=0,
            zorder=0,
        )
        _draw_interval(axes, position, row, limit, color)
        axes.plot(row["estimate_shown"], position, marker, color=color, ms=5, mec="white", mew=0.5)
    names = [f"{row['claim']}  (n = {row['n']})" for _, row in rows.iterrows()]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.spines["left"].set_visible(False)
    axes.tick_params(axis="y", length=0, labelsize=7.5)
    axes.minorticks_off()
    axes.set_xlabel(unit or "shares, ratios, rank correlations", labelpad=1)


def _draw_interval(axes: Axes, position: int, row: pd.Series, limit: float, color: str) -> None:
    """Draw t thin, bootstrap thick; an arrow head where the panel cuts an interval."""
    for low, high, width in (
        (row["low_shown"], row["high_shown"], 0.9),
        (row["bootstrap_low_shown"], row["bootstrap_high_shown"], 2.6),
    ):
        if np.isnan(low):
            continue
        inside = np.clip([low, high], -limit, limit)
        axes.plot(inside, [position] * 2, color=color, lw=width, alpha=0.75, solid_capstyle="butt")
        for at, cut, head in ((-limit, low < -limit, "<"), (limit, high > limit, ">")):
            if cut:
                axes.plot(at, position, head, color=color, ms=3.5, mew=0, clip_on=False)


def _limit(rows: pd.DataFrame) -> float:
    """Show all estimates and bootstrap intervals; the t interval of two seeds may be far wider."""
    names = ("estimate_shown", "bootstrap_low_shown", "bootstrap_high_shown")
    reach = max(float(rows[name].abs().max()) for name in names)
    return 2.0 * (max(reach, float(_finite(rows["to_shown"]).max())) or 1.0)


def _threshold(rows: pd.DataFrame) -> float:
    """Choose the power of ten up to which the axis is linear: the least effects lie within it."""
    edge = float(_finite(pd.concat([rows["from_shown"], rows["to_shown"]])).abs().max())
    reach = float(rows["estimate_shown"].abs().max())
    if edge > 0:
        return float(10 ** np.ceil(np.log10(edge)))
    return float(10 ** (np.floor(np.log10(reach)) - 1)) if reach > 0 else 1.0


def _finite(values: pd.Series) -> pd.Series:
    kept: pd.Series = values[np.isfinite(values)]
    return kept if len(kept) else pd.Series([0.0])


def _keys() -> list[Line2D]:
    keys = [
        Line2D([], [], color=color, marker=marker, ls="", ms=5, label=verdict)
        for verdict, (color, marker) in VERDICTS.items()
    ]
    keys.append(Line2D([], [], color=MUTED, lw=0.9, label="95 %, t"))
    keys.append(Line2D([], [], color=MUTED, lw=2.6, label="bootstrap"))
    return keys


#: Which documents' claims a figure holds, by its name: as many as a page has room for.
DOCUMENTS = {
    "claims": ("000",),
    "claims-densities": ("001", "003"),
    "claims-variations": ("002", "004"),
}
FIGURES: dict[str, Callable[[Study], Drawing]] = {
    name: partial(draw_forest, documents=documents) for name, documents in DOCUMENTS.items()
}
