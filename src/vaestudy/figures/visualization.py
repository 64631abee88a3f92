"""Figures of one chapter."""

from __future__ import annotations

from collections.abc import Callable

from vaestudy.figures.drawing import Drawing
from vaestudy.study import Study

FIGURES: dict[str, Callable[[Study], Drawing]] = {}
