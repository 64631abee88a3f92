"""Many small pictures as one image: a figure of 400 digits stays one element of its SVG."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure
from matplotlib.layout_engine import PlaceHolderLayoutEngine
from numpy.typing import NDArray

from vaestudy.figures.style import INK, MUTED, TEXT_WIDTH

#: Digits are ink on paper, in as many greys as the eye tells apart: the file is half the size.
PAPER = LinearSegmentedColormap.from_list("paper", ["#ffffff", INK], N=24)

#: Height in inches that leaves room for a caption on the page.
TALLEST = 6.7
#: Width of a letter of 8 points, on average.
INCHES_A_LETTER = 0.058
_UNSEEN = str.maketrans("", "", "$\\_")


@dataclass(frozen=True)
class Mosaic:
    """One image, and where in it its rows and columns are centred, in pixels."""

    pixels: NDArray[np.float64]
    rows: NDArray[np.float64]
    columns: NDArray[np.float64]


def trim(images: NDArray[Any], most: int = 3, blank: float = 0.1) -> NDArray[Any]:
    """Cut the margin that is blank in every picture ``[..., H, W]``, the same on all four sides."""
    ink = images.reshape(-1, *images.shape[-2:]).max(0) > blank
    for margin in range(most, 0, -1):
        inner = ink[margin:-margin, margin:-margin]
        if inner.sum() == ink.sum():
            return images[..., margin:-margin, margin:-margin]
    return images


def tile(images: NDArray[Any], pad: int = 2, breaks: Sequence[int] = (), gap: int = 10) -> Mosaic:
    """Lay pictures ``[R, C, H, W]`` out in rows.

    Parameters
    ----------
    images
        Intensities in [0, 1].
    pad
        Pixels between neighbours.
    breaks
        Rows above which there is a wider gap.
    gap
        How much wider, in pixels.
    """
    n_rows, n_columns, height, width = images.shape
    extra = np.cumsum([gap * (row in breaks) for row in range(n_rows)])
    tops = np.arange(n_rows) * (height + pad) + extra
    lefts = np.arange(n_columns) * (width + pad)
    pixels = np.zeros((tops[-1] + height, lefts[-1] + width))
    for row, top in enumerate(tops):
        for column, left in enumerate(lefts):
            pixels[top : top + height, left : left + width] = images[row, column]
    return Mosaic(pixels, tops + height / 2, lefts + width / 2)


def placed_figure(width: float, height: float) -> Figure:
    """Make a figure whose axes stay where they are put.

    ``layout="none"`` would not do: saving then falls back to the style's constrained layout.
    """
    return Figure(figsize=(width, height), layout=PlaceHolderLayoutEngine(True, True))


def show(axes: Axes, mosaic: Mosaic, **options: Any) -> None:
    """Draw a mosaic on ``axes``, resampled smoothly to the resolution of the page."""
    # Resampled as data, so that no more greys than PAPER has come out.
    smooth: dict[str, Any] = {"interpolation": "auto", "interpolation_stage": "data"}
    axes.imshow(mosaic.pixels, cmap=PAPER, vmin=0, vmax=1, **smooth, **options)
    axes.spines[:].set_visible(False)
    axes.tick_params(length=0)


def labelled_rows(
    images: NDArray[Any],
    names: Sequence[str],
    notes: Sequence[str],
    *,
    breaks: Sequence[int] = (),
    head: str = "",
    right: float = 0.55,
) -> Figure:
    """Draw rows of pictures with a name before each and a number after it.

    Parameters
    ----------
    images, breaks
        See :func:`tile`.
    names, notes
        What stands before and after each row.
    head, right
        What stands above the notes, and inches kept for them.
    """
    mosaic = tile(trim(images), breaks=breaks)
    height, width = mosaic.pixels.shape
    left = 0.12 + INCHES_A_LETTER * max(len(name.translate(_UNSEEN)) for name in names)
    inner = min(TEXT_WIDTH - left - right, TALLEST * width / height)
    tall, top = inner * height / width, 0.22 if head else 0.03
    across, total = left + inner + right, tall + top + 0.03
    figure = placed_figure(across, total)
    axes = figure.add_axes((left / across, 0.03 / total, inner / across, tall / total))
    show(axes, mosaic, aspect="auto")
    axes.set_xticks([])
    axes.set_yticks(mosaic.rows - 0.5, names, fontsize=8)
    for y, note in zip(mosaic.rows, notes, strict=True):
        level = 1 - (top + tall * y / height) / total
        figure.text(1, level, note, ha="right", va="center", fontsize=8)
    figure.text(1, 1 - 0.02 / total, head, ha="right", va="top", fontsize=8, color=MUTED)
    return figure
