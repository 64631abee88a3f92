"""The house style of every figure: fonts, sizes and colours, in one place.

The widths are those of the printed page, so a label drawn at 8 pt is 8 pt on paper.
"""

from __future__ import annotations

from importlib import resources
from typing import Any

import matplotlib as mpl
from cycler import cycler
from matplotlib import font_manager
from matplotlib.colors import LinearSegmentedColormap

TEXT_WIDTH = 5.9
"""Width of the report's text column, in inches."""

PALETTE = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#6B5B95", "#333333")
"""Colours of lines and bars: Okabe and Ito's set, told apart by colour-blind readers."""

CLASS_COLORS = (
    "#3a3dff", "#ff9f08", "#a42f00", "#e841bd", "#8d24ac",
    "#91856a", "#ff3b11", "#42df97", "#196467", "#6ec5ff",
)  # fmt: skip
"""Ten colours for ten classes, for scatter plots of digits, on a white page and on a dark one.

Found from Petroff's (2021) by maximising the least distance of two, in OKLab, as they are and as
readers without red or green cones see them: 0.19 and 0.11, where his have 0.09 and 0.06.
"""

SEQUENTIAL = LinearSegmentedColormap.from_list(
    "vaestudy", ["#f6f8fa", "#a9cfe6", "#4a9cc9", "#0b679f", "#062f55"]
)
"""White to deep blue: activity, densities, anything where zero is nothing."""

DIVERGING = "RdBu_r"
"""For signed differences; centre it on zero."""

INK, MUTED, GRID = "#22262b", "#5d6670", "#e3e7eb"
_FAMILY = "Libertinus Serif"


def figsize(width: float = 1.0, aspect: float = 0.62) -> tuple[float, float]:
    """Give the size in inches of a figure that fills a part of the text column.

    Parameters
    ----------
    width
        Fraction of the text column, in (0, 1].
    aspect
        Height over width.

    Returns
    -------
    tuple of float
        ``(width, height)`` in inches.
    """
    if not 0 < width <= 1:
        raise ValueError(f"width is {width}, but must be a fraction of the column in (0, 1]")
    return TEXT_WIDTH * width, TEXT_WIDTH * width * aspect


def style() -> None:
    """Set the house style for every figure drawn from here on."""
    _register_fonts()
    settings: Any = mpl.rcParams  # its type lists each key, and a plain dict has none
    settings.update(_fonts() | _axes() | _output())


def _register_fonts() -> None:
    """Teach matplotlib the report's own fonts, once a process."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    if _FAMILY in known:
        return
    for font in resources.files("vaestudy.report").joinpath("resources/fonts").iterdir():
        if font.name.endswith(".ttf"):
            with resources.as_file(font) as path:
                font_manager.fontManager.addfont(path)


def _fonts() -> dict[str, Any]:
    return {
        "font.family": [_FAMILY, "STIXGeneral", "DejaVu Sans"],
        "mathtext.fontset": "custom",
        "mathtext.rm": _FAMILY,
        "mathtext.it": f"{_FAMILY}:italic",
        "mathtext.bf": f"{_FAMILY}:bold",
        "mathtext.cal": "cmsy10",
        "mathtext.fallback": "stix",
        "font.size": 9,
        "axes.labelsize": 9,
        "axes.titlesize": 9.5,
        "axes.titleweight": "normal",
        "figure.titlesize": 10,
        "xtick.labelsize": 8,
        "ytick.labelsize": 8,
        "legend.fontsize": 8,
        "legend.title_fontsize": 8,
    }


def _axes() -> dict[str, Any]:
    return {
        "figure.figsize": figsize(),
        "figure.constrained_layout.use": True,
        "figure.facecolor": "white",
        "axes.facecolor": "white",
        "axes.prop_cycle": cycler(color=PALETTE),
        "axes.spines.top": False,
        "axes.spines.right": False,
        "axes.edgecolor": MUTED,
        "axes.linewidth": 0.6,
        "axes.labelcolor": INK,
        "axes.titlecolor": INK,
        "axes.titlelocation": "left",
        "axes.axisbelow": True,
        "axes.unicode_minus": True,
        "grid.color": GRID,
        "grid.linewidth": 0.6,
        "lines.linewidth": 1.4,
        "lines.markersize": 4,
        "patch.linewidth": 0.6,
        "xtick.color": MUTED,
        "ytick.color": MUTED,
        "xtick.labelcolor": INK,
        "ytick.labelcolor": INK,
        "xtick.major.width": 0.6,
        "ytick.major.width": 0.6,
        "xtick.major.size": 3,
        "ytick.major.size": 3,
        "xtick.minor.size": 1.8,
        "ytick.minor.size": 1.8,
        "text.color": INK,
        "legend.frameon": False,
        "legend.handlelength": 1.6,
        "image.cmap": "viridis",
        "image.interpolation": "nearest",
    }


def _output() -> dict[str, Any]:
    return {
        "figure.dpi": 110,
        "savefig.dpi": 200,
        "savefig.facecolor": "white",
        # Paths need no font on the reader's machine; the salt keeps ids equal between rebuilds.
        "svg.fonttype": "path",
        "svg.hashsalt": "vaestudy",
    }
