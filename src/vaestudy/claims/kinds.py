"""Kinds of claims: which contrasts each takes from its runs.

To add one: write a class with ``kind``, ``runs`` and ``contrasts``, and put it in ``KINDS`` and
``AnyClaim``.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from itertools import combinations, pairwise
from typing import Annotated, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, StrictStr, model_validator
from scipy import stats

from vaestudy.claims.claim import (
    Claim,
    ClaimError,
    Contrast,
    Draw,
    Region,
    Sample,
    Selector,
    SeveralLevelsError,
)
from vaestudy.claims.words import minus_text
from vaestudy.parameters import Strict
from vaestudy.study import EmptySelectionError


class _TwoRuns(Strict):
    a: Selector = Field(description="One combination.")
    b: Selector = Field(description="The combination that is subtracted.")


class Difference(Claim):
    """One combination against another: the paired difference a − b."""

    kind: Literal["difference"]
    runs: _TwoRuns

    def contrasts(self, draw: Draw) -> list[Contrast]:
        return [_minus(_only(draw, self.runs.a), _only(draw, self.runs.b))]


class NoWorse(Claim):
    """One combination as good as another or better: a − b is not worse by the minimum effect."""

    kind: Literal["no-worse"]
    runs: _TwoRuns

    def contrasts(self, draw: Draw) -> list[Contrast]:
        return [_minus(_only(draw, self.runs.a), _only(draw, self.runs.b))]

    @property
    def region(self) -> Region:
        margin = self.minimum_effect
        if self.statistic.direction == "lower":
            return Region(-math.inf, margin)
        return Region(-margin, math.inf)

    @model_validator(mode="after")
    def _has_a_margin(self) -> Self:
        if self.minimum_effect == 0 or self.statistic.direction == "within":
            raise ValueError(
                "kind no-worse needs direction lower or higher, the better one, and a "
                "minimum_effect above 0: how much worse still counts as no worse?"
            )
        return self


class _Alike(Strict):
    alike: list[Selector] = Field(min_length=1, description="Combinations said to be alike.")


class Equivalence(Claim):
    """Combinations said to be alike: every pair differs by less than the minimum effect."""

    kind: Literal["equivalence"]
    runs: _Alike

    def contrasts(self, draw: Draw) -> list[Contrast]:
        return [_minus(b, a) for a, b in combinations(_several(draw, self.runs.alike), 2)]


class _Ordered(Strict):
    order: list[Selector] = Field(min_length=1, description="Combinations, first to last.")


class Ordering(Claim):
    """Combinations in a row, each higher (or lower) than the one before."""

    kind: Literal["ordering"]
    runs: _Ordered

    def contrasts(self, draw: Draw) -> list[Contrast]:
        return [_minus(b, a) for a, b in pairwise(_several(draw, self.runs.order))]


class _Extreme(Strict):
    extreme: Selector = Field(description="The combination said to be highest (or lowest).")
    others: list[Selector] = Field(min_length=1, description="All that it is held against.")


class Extremum(Claim):
    """One combination said to be higher (or lower) than each of the others."""

    kind: Literal["extremum"]
    runs: _Extreme

    def contrasts(self, draw: Draw) -> list[Contrast]:
        extreme = _only(draw, self.runs.extreme)
        return [_minus(extreme, other) for other in _several(draw, self.runs.others, 1)]


class _One(Strict):
    of: Selector = Field(description="One combination.")


class Level(Claim):
    """A combination's own value against a number."""

    kind: Literal["level"]
    runs: _One
    than: Annotated[float, Field(allow_inf_nan=False)] = Field(description="The number.")
    of_one_model: ClassVar[bool] = True

    @property
    def reference(self) -> float:
        return self.than

    def contrasts(self, draw: Draw) -> list[Contrast]:
        sample = _only(draw, self.runs.of)
        return [Contrast(sample.label, sample.by_seed.dropna())]


class _Over(Strict):
    over: list[Selector] = Field(min_length=1, description="Combinations that differ in `factor`.")
    factor: StrictStr = Field(description="A numeric parameter.")


class Correlation(Claim):
    """A metric that rises (or falls) with a parameter: Spearman's rank correlation, a seed each."""

    kind: Literal["correlation"]
    runs: _Over
    unitless: ClassVar[bool] = True

    def contrasts(self, draw: Draw) -> list[Contrast]:
        samples = _several(draw, self.runs.over, 3)
        table = pd.concat([sample.by_seed for sample in samples], axis=1).dropna()
        levels = [sample.parameters[self.runs.factor] for sample in samples]
        values = [_rank_correlation(levels, row) for row in table.to_numpy()]
        label = f"rank correlation with {self.runs.factor}"
        return [Contrast(label, pd.Series(values, index=table.index))]


KINDS: dict[str, type[Claim]] = {
    "difference": Difference,
    "no-worse": NoWorse,
    "equivalence": Equivalence,
    "ordering": Ordering,
    "extremum": Extremum,
    "level": Level,
    "correlation": Correlation,
}
AnyClaim = Difference | NoWorse | Equivalence | Ordering | Extremum | Level | Correlation


def _minus(a: Sample, b: Sample) -> Contrast:
    return Contrast(minus_text(*_told_apart(a, b)), (a.by_seed - b.by_seed).dropna())


def _told_apart(a: Sample, b: Sample) -> tuple[str, str]:
    """Return two labels, with the levels that the claim gives where they would be the same."""
    if a.label != b.label:
        return a.label, b.label
    names = [*{**a.parameters, **b.parameters}]
    apart = [n for n in names if a.parameters.get(n) != b.parameters.get(n)]
    first, second = (
        ", ".join([s.label, *(f"{n} = {s.parameters[n]}" for n in apart if n in s.parameters)])
        for s in (a, b)
    )
    return first, second


def _rank_correlation(levels: Sequence[float], row: NDArray[np.float64]) -> float:
    # A metric that does not move has no trend, where the formula would divide by zero.
    return 0.0 if np.ptp(row) == 0 else float(stats.spearmanr(levels, row).statistic)


def _only(draw: Draw, selector: Selector) -> Sample:
    samples = draw(selector)
    if len(samples) == 1:
        return samples[0]
    names = ", ".join(sample.label for sample in samples)
    if any(isinstance(level, list) for level in selector.values()):
        raise ClaimError(
            f"one combination is wanted here, but the selector gives {names}: name the levels"
        )
    raise SeveralLevelsError(f"this study has several of what one is wanted of: {names}")


def _several(draw: Draw, selectors: Sequence[Selector], least: int = 2) -> list[Sample]:
    samples = [sample for selector in selectors for sample in draw(selector)]
    if len(samples) < least:
        raise EmptySelectionError(f"{len(samples)} of at least {least} combinations are there")
    return samples
