"""Figures of the chapter on Kingma & Welling (2014) and on a summary of it."""

from __future__ import annotations

from collections.abc import Callable

from vaestudy.figures import aevb, summary_log, summary_pictures
from vaestudy.figures.drawing import Drawing
from vaestudy.study import Study

FIGURES: dict[str, Callable[[Study], Drawing]] = {
    **summary_log.FIGURES,
    **summary_pictures.FIGURES,
    **aevb.FIGURES,
}
