"""Figures of the report: a study in, a :class:`Drawing` out.

To add one: write a function ``Study -> Drawing`` in the module of its chapter, put it in
``FIGURES``, and show it from that chapter's notebook.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from vaestudy.figures import (
    activity,
    beyond,
    claims,
    grid,
    implementing,
    kingma_welling,
    labels,
    measuring,
    packaged,
    plane,
    plane_decay,
    plusplus,
    published,
    visualization,
)
from vaestudy.figures.drawing import Drawing
from vaestudy.files import atomic_path, write_csv

if TYPE_CHECKING:
    from vaestudy.study import Study

__all__ = ["FIGURES", "Drawing", "save_figure"]

#: Every figure by the name that `vaestudy figure NAME` and `snakemake …/figures/NAME.pdf` take.
FIGURES: dict[str, Callable[[Study], Drawing]] = {
    **implementing.FIGURES,
    **activity.FIGURES,
    **visualization.FIGURES,
    **measuring.FIGURES,
    **beyond.FIGURES,
    **plane.FIGURES,
    **plane_decay.FIGURES,
    **packaged.FIGURES,
    **grid.FIGURES,
    **kingma_welling.FIGURES,
    **plusplus.FIGURES,
    **labels.FIGURES,
    **published.FIGURES,
    **claims.FIGURES,
}


def save_figure(drawing: Drawing, path: Path) -> None:
    """Write a figure, or its data if ``path`` ends in ``.csv``."""
    if path.suffix == ".csv":
        write_csv(path, drawing.data)
        return
    with atomic_path(path) as temporary:
        drawing.figure.savefig(temporary, format=path.suffix.lstrip("."))
