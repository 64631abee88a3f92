"""Figures of chapter 4, latent space visualization."""

from __future__ import annotations

from collections.abc import Callable

from vaestudy.figures import latent_space, lattices, reconstructions
from vaestudy.figures.drawing import Drawing
from vaestudy.study import Study

FIGURES: dict[str, Callable[[Study], Drawing]] = {
    **reconstructions.FIGURES,
    **latent_space.FIGURES,
    **lattices.FIGURES,
}
