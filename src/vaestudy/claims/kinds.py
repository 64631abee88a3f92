r"""Kinds of claims: which contrasts each takes from its runs, and the region it says they lie in.

A contrast is one number a seed, such as the NLL of model a minus that of model b. A claim says that
the mean of each of its contrasts lies in a region :math:`R`:

.. math::
    R = (m, \infty),\; (-\infty, -m) \;\text{ or }\; (-m, m)

for "higher", "lower" and "within", with m the least effect that counts; :mod:`.judge` decides.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import combinations, pairwise
from typing import Annotated, Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pydantic import Field, StrictFloat, StrictInt, StrictStr, model_validator
from scipy import stats

from vaestudy.claims.words import minus_text
from vaestudy.config_errors import ConfigError
from vaestudy.parameters import Strict
from vaestudy.stats import Interval
from vaestudy.study import EmptySelectionError


class ClaimError(ConfigError):
    """The ledger, or a claim in it, cannot be used; the message says which and what to do."""


Scalar = StrictInt | StrictFloat | StrictStr


class AtLeast(Strict):
    """Every level of a parameter that the study has trained, from one value up."""

    at_least: StrictInt | StrictFloat = Field(description="The lowest level.")
    at_most: StrictInt | StrictFloat | None = Field(
        None, description="The highest level; none if left out."
    )

    def holds(self, level: float) -> bool:
        """Whether a level is among them."""
        return self.at_least <= level and (self.at_most is None or level <= self.at_most)


#: Parameter: its level, a list of levels, {at_least: level}, or a word for levels that differ
#: between studies (see `selection`); hidden widths are joined by hyphens, as 200-200. What it
#: leaves out is as in the study's base model.
Selector = dict[str, Scalar | list[Scalar] | AtLeast]


@dataclass(frozen=True)
class Sample:
    """The replicates of one combination: a value a seed."""

    label: str
    parameters: dict[str, Any]
    by_seed: pd.Series


@dataclass(frozen=True)
class Contrast:
    """What a claim is about: a number a seed, named for readers."""

    label: str
    by_seed: pd.Series


Draw = Callable[[Selector], list[Sample]]


@dataclass(frozen=True)
class Region:
    """The open interval in which a claim says that the mean lies."""

    low: float
    high: float

    def holds(self, interval: Interval) -> bool:
        """Whether the whole interval lies in the region; one without ends does not."""
        return self.low < interval.low and interval.high < self.high

    def excludes(self, interval: Interval) -> bool:
        """Whether the whole interval lies outside, on one side."""
        return interval.high <= self.low or interval.low >= self.high

    def room(self, low: float, high: float) -> float:
        """Return how far [low, high] could grow before it left; negative if it has left."""
        return min(low - self.low, self.high - high)


class Source(Strict):
    """Where a claim stands."""

    document: StrictStr = Field(description="A key of `documents`.")
    item: StrictStr = Field(description="Section, figure or table of the document.")


class Statistic(Strict):
    """What decides a claim."""

    metric: StrictStr = Field(description="A name in vaestudy.claims.metrics.METRICS.")
    split: Literal["test", "training"] = Field(
        "test",
        description="Held-out data; training for claims about the course of training itself.",
    )
    direction: Literal["lower", "higher", "within"] = Field(
        description="On which side of the reference the claim says that the metric lies."
    )


class Claim(Strict):
    """What all kinds of claims have."""

    id: Annotated[str, Field(pattern=r"^\d{3}\.[a-z0-9]+(-[a-z0-9]+)*$")] = Field(
        description="Stable: document, full stop, words with hyphens."
    )
    source: Source
    statement: StrictStr = Field(description="The claim, in our words.")
    correction: StrictStr | None = Field(
        None, description="What the source did, and why that cannot carry its claim."
    )
    statistic: Statistic
    minimum_effect: Annotated[float, Field(ge=0, allow_inf_nan=False)] = Field(
        0.0, description="The least difference that counts, in the metric's unit."
    )
    figure: StrictStr | None = Field(
        None, description="The figure to look at: a name in vaestudy.figures.FIGURES."
    )
    pending: StrictStr | None = Field(
        None, description="The experiment that a claim waits for; none if the study has it."
    )

    #: Whether the contrasts are pure numbers, whatever the metric is counted in.
    unitless: ClassVar[bool] = False

    def contrasts(self, draw: Draw) -> list[Contrast]:
        """Return the contrasts, every one of which the claim is about."""
        raise NotImplementedError

    @property
    def reference(self) -> float:
        """The value that the contrasts are held against."""
        return 0.0

    @property
    def region(self) -> Region:
        """Where the claim says that the means of its contrasts lie."""
        at, least = self.reference, self.minimum_effect
        return {
            "higher": Region(at + least, math.inf),
            "lower": Region(-math.inf, at - least),
            "within": Region(at - least, at + least),
        }[self.statistic.direction]

    @model_validator(mode="after")
    def _has_width(self) -> Self:
        if self.statistic.direction == "within" and self.minimum_effect == 0:
            raise ValueError("direction within needs a minimum_effect: how far is still alike?")
        return self


class _TwoRuns(Strict):
    a: Selector = Field(description="One combination.")
    b: Selector = Field(description="The combination that is subtracted.")


class Difference(Claim):
    """One combination against another: the paired difference a − b."""

    kind: Literal["difference"]
    runs: _TwoRuns

    def contrasts(self, draw: Draw) -> list[Contrast]:
        return [_minus(_only(draw(self.runs.a)), _only(draw(self.runs.b)))]


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
        extreme = _only(draw(self.runs.extreme))
        return [_minus(extreme, other) for other in _several(draw, self.runs.others, 1)]


class _One(Strict):
    of: Selector = Field(description="One combination.")


class Level(Claim):
    """A combination's own value against a number."""

    kind: Literal["level"]
    runs: _One
    than: Annotated[float, Field(allow_inf_nan=False)] = Field(description="The number.")

    @property
    def reference(self) -> float:
        return self.than

    def contrasts(self, draw: Draw) -> list[Contrast]:
        sample = _only(draw(self.runs.of))
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
    "equivalence": Equivalence,
    "ordering": Ordering,
    "extremum": Extremum,
    "level": Level,
    "correlation": Correlation,
}
AnyClaim = Difference | Equivalence | Ordering | Extremum | Level | Correlation


def _minus(a: Sample, b: Sample) -> Contrast:
    return Contrast(minus_text(a.label, b.label), (a.by_seed - b.by_seed).dropna())


def _rank_correlation(levels: Sequence[float], row: NDArray[np.float64]) -> float:
    # A metric that does not move has no trend, where the formula would divide by zero.
    return 0.0 if np.ptp(row) == 0 else float(stats.spearmanr(levels, row).statistic)


def _only(samples: list[Sample]) -> Sample:
    if len(samples) > 1:
        names = ", ".join(sample.label for sample in samples)
        raise ClaimError(
            f"one combination is wanted here, but the selector gives {names}: name the levels"
        )
    return samples[0]


def _several(draw: Draw, selectors: Sequence[Selector], least: int = 2) -> list[Sample]:
    samples = [sample for selector in selectors for sample in draw(selector)]
    if len(samples) < least:
        raise EmptySelectionError(f"{len(samples)} of at least {least} combinations are there")
    return samples
