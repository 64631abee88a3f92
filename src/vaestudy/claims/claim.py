r"""What every claim of a source has, and the region that it says its contrasts lie in.

A contrast is one number a seed, such as the NLL of model a minus that of model b. A claim says that
the mean of each of its contrasts lies in a region :math:`R`:

.. math::
    R = (m, \infty),\; (-\infty, -m) \;\text{ or }\; (-m, m)

for "higher", "lower" and "within", with m the least effect that counts; for the kind ``no-worse``
the half-lines are :math:`(-m, \infty)` and :math:`(-\infty, m)`. :mod:`.judge` decides.
"""

from __future__ import annotations

import hashlib
import json
import math
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal, Self

import pandas as pd
from pydantic import BeforeValidator, Field, StrictFloat, StrictInt, StrictStr, model_validator

from vaestudy.config_errors import ConfigError
from vaestudy.parameters import Strict
from vaestudy.stats import Interval
from vaestudy.study import as_level


class ClaimError(ConfigError):
    """The ledger, or a claim in it, cannot be used; the message says which and what to do."""


class SeveralLevelsError(LookupError):
    """The study has trained several levels of what a claim takes at whatever level there is."""


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


def _as_in_tables(selector: Any) -> Any:
    if not isinstance(selector, dict):
        return selector
    return {name: as_level(name, level) for name, level in selector.items()}


#: Parameter: its level, a list of levels, {at_least: level}, or a word for levels that differ
#: between studies (see `selection`). `hidden` and `deeper` are as in a configuration, [200, 200],
#: or as in tables, 200-200, which is what they are turned into. What it leaves out is as in the
#: study's base model.
Selector = Annotated[
    dict[str, Scalar | list[Scalar] | AtLeast],
    BeforeValidator(_as_in_tables, json_schema_input_type=dict[str, Scalar | list[Any] | AtLeast]),
]


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
        description="The metric's: held-out data, or training for claims about training itself.",
    )
    direction: Literal["lower", "higher", "within"] = Field(
        description="On which side of the reference the claim says that the metric lies."
    )


class Claim(Strict, ABC):
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
        description="The least difference that counts, in the metric's unit."
    )
    figure: StrictStr | None = Field(
        None, description="The figure to look at: a name in vaestudy.figures.FIGURES."
    )
    pending: StrictStr | None = Field(
        None, description="The experiment that a claim waits for; none if the study has it."
    )

    #: Whether the contrasts are pure numbers, whatever the metric is counted in.
    unitless: ClassVar[bool] = False
    #: Whether the contrasts are a model's own values, not differences of two models'.
    of_one_model: ClassVar[bool] = False

    @abstractmethod
    def contrasts(self, draw: Draw) -> list[Contrast]:
        """Return the contrasts, every one of which the claim is about."""

    @property
    def reference(self) -> float:
        """The value that the contrasts are held against."""
        return 0.0

    @property
    def rule(self) -> str:
        """A digest of all that decides the claim: another rule gives another verdict."""
        decides = {"kind", "statistic", "runs", "than", "minimum_effect"}
        text = json.dumps(self.model_dump(mode="json", include=decides), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:8]

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
