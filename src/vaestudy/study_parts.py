"""The parts of a study's configuration: experiments, how models are measured, the report."""

from __future__ import annotations

from itertools import product
from typing import Annotated, Any

from pydantic import Field

from vaestudy.config_errors import EXPERIMENT, ConfigError
from vaestudy.examination import Examination
from vaestudy.parameters import (
    ModelParameters,
    NonNegativeInt,
    PositiveFloat,
    PositiveInt,
    Strict,
)

ExperimentName = Annotated[str, Field(pattern=EXPERIMENT)]


class Experiment(Strict):
    """Every combination of the levels in ``vary``, on top of ``set`` and the base model."""

    title: str = Field(description="One line for dry runs and the appendix.")
    set: dict[str, Any] = Field(
        default_factory=dict,
        description="Parameters that differ from `base` throughout, but where `vary` sets them.",
    )
    vary: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Factor: its levels. A level that is a mapping sets several parameters "
        "together; of a factor that is a parameter, that one too, e.g. objective: [elbo, "
        "{objective: iwae, k: 5}].",
    )
    job: str | None = Field(
        None,
        pattern=r"^[a-z0-9][a-z0-9-]*$",
        description="A training job by name. Models of all experiments that name the same train in "
        "it, one kind after another, in one job a data set: for small ones, whose jobs would take "
        "longer to start than to train. Left out: a job for each kind of model.",
    )
    principal_components: bool = Field(
        False,
        description="Whether its models' reconstructions are held against as many principal "
        "components.",
    )
    gradients: bool = Field(
        False,
        description="Whether the signal-to-noise ratio of its models' gradients is measured as "
        "well.",
    )
    log_steps: NonNegativeInt = Field(
        0,
        description="Of how many first steps of its models each is logged, beside one in 500 of "
        "all; 0: no step is. Nothing that is computed, and no run's name, depends on it.",
    )


def combinations(vary: dict[str, list[Any]], where: str) -> list[dict[str, Any]]:
    """Return what each combination of the levels in ``vary`` sets.

    Raises
    ------
    ConfigError
        If two factors set one parameter, or a mapping does not set the parameter it is a level of.
    """
    levels = [[_set_by(factor, level, where) for level in vary[factor]] for factor in vary]
    found = []
    for parts in product(*levels):
        keys = [key for part in parts for key in part]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigError(f"{where}: {key}: set by two factors at once; drop one of them")
        found.append({k: v for part in parts for k, v in part.items()})
    return found


def _set_by(factor: str, level: Any, where: str) -> dict[str, Any]:
    if not isinstance(level, dict):
        return {factor: level}
    # Spread like any other, a layer of `deeper` would set the n_z and hidden of the first one.
    if factor in ModelParameters.model_fields and factor not in level:
        layers = "a list of layers, as in deeper: [[{n_z: 5, hidden: [30]}]], or "
        raise ConfigError(
            f"{where}: vary.{factor}: got the level {level}, which does not set {factor}; expected "
            f"{layers if factor == 'deeper' else ''}a mapping that does, or another name for the "
            "factor, such as variant"
        )
    return level


class Further(Strict):
    """What is measured of a run besides, because one of its experiments asks."""

    gradient_draws: NonNegativeInt = Field(
        0, description="Gradients in their signal-to-noise ratio; 0: it is not measured."
    )
    principal_components: bool = Field(
        False, description="Whether as many principal components are measured as well."
    )


class Evaluation(Examination):
    """How trained models are measured."""

    n_samples: PositiveInt = Field(
        5000, description="Importance samples a test image in the estimate of log p(x)."
    )
    activity_threshold: PositiveFloat = Field(
        0.01, description="A latent dimension is active above this variance of its mean."
    )
    gradient_draws: Annotated[int, Field(ge=2, strict=True)] = Field(
        1000,
        description="Gradients of one batch in their signal-to-noise ratio, for experiments with "
        "`gradients`.",
    )


class Report(Strict):
    """What the report is called, and what it holds."""

    title: str | None = Field(
        None, min_length=1, description="If left out, what the project is about, or whose data."
    )
    authors: list[str] = Field(default_factory=lambda: ["vaestudy"])
    chapters: Annotated[list[str], Field(min_length=1)] | None = Field(
        None, description="Which notebooks, by file name without its end; all if left out."
    )
