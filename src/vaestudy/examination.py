"""The slower measurements that a configuration asks for, and of which runs."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from vaestudy.parameters import (
    OBJECTIVE_PARAMETERS,
    ModelParameters,
    PositiveFloat,
    PositiveInt,
    Strict,
)
from vaestudy.run_config import RunConfig

_OBJECTIVE = {"objective", "k", *(n for own in OBJECTIVE_PARAMETERS.values() for n in own.names)}
#: Measured are models of the base model's data and kind: these parameters are never free.
_NEVER_FREE = {"dataset", "binarization", "deeper", "labels"}
#: Parameters in which a run may differ from the base model and still be one of the combinations.
FREE: dict[str, frozenset[str]] = {
    "objectives": frozenset(_OBJECTIVE),
    "families": frozenset(_OBJECTIVE | {"batch_norm", "warmup", "warmup_cycles", "warmup_rise"}),
    "all": frozenset(ModelParameters.model_fields) - _NEVER_FREE,
}


@dataclass(frozen=True)
class Candidate:
    """A run, and what decides whether it is chosen.

    Parameters
    ----------
    run
        Its parameters.
    base, seeds
        The study's base model and seeds.
    experiments
        Names of the experiments that have it.
    """

    run: RunConfig
    base: ModelParameters
    seeds: list[int]
    experiments: tuple[str, ...] = ()


class Chosen(Strict):
    """Of which runs a measurement is taken."""

    combinations: Literal["objectives", "families", "all", "none"] = Field(
        "all",
        description="objectives: those that equal the base model but for objective and k; "
        "families: but for batch_norm and warm-up too; all: every model of the same data; none: "
        "only those of `experiments`.",
    )
    experiments: list[str] = Field(
        default_factory=list,
        description="Experiments whose models are measured besides, whatever their data.",
    )
    n_seeds: PositiveInt | None = Field(
        None, description="Of each combination the first so many of `seeds`; all if left out."
    )

    def includes(self, candidate: Candidate) -> bool:
        """Whether the run is among those chosen."""
        if candidate.run.seed not in candidate.seeds[: self.n_seeds]:
            return False
        if set(self.experiments) & set(candidate.experiments):
            return True
        if self.combinations == "none":
            return False
        free = FREE[self.combinations]
        return all(
            getattr(candidate.run, name) == getattr(candidate.base, name)
            for name in ModelParameters.model_fields
            if name not in free
        )


class AnnealedSampling(Chosen):
    """Annealed importance sampling of log p(x), and its bidirectional check."""

    n_images: PositiveInt = Field(100, description="The first so many test images.")
    n_temperatures: PositiveInt = Field(200, description="Transitions of a chain.")
    n_chains: PositiveInt = Field(10, description="Chains an image.")
    n_leapfrog: PositiveInt = Field(10, description="Leapfrog steps a transition.")
    base: Literal["encoder", "prior"] = Field(
        "encoder", description="Where chains start: q(z|x), which takes fewer steps, or p(z)."
    )
    spacing: Literal["sigmoidal", "linear"] = Field(
        "sigmoidal",
        description="Of the temperatures along the geometric path; sigmoidal: slow at both ends.",
    )
    target_acceptance: Annotated[float, Field(gt=0, lt=1)] = Field(
        0.65, description="Share of proposals that step sizes are tuned to have accepted."
    )


class Gaps(Strict):
    """Approximation and amortization gaps, of the runs and with the log p(x) that `ais` takes."""

    n_images: PositiveInt = Field(100, description="The first so many of the images of `ais`.")
    n_samples: PositiveInt = Field(1000, ge=2, description="Samples of z an image in both bounds.")
    tolerance: PositiveFloat = Field(
        0.01, description="The search for q* ends when it gains no more nats in 100 steps."
    )


class Information(Chosen):
    """Mutual information of image and code, marginal KL, effective dimensions."""

    n_samples: PositiveInt = Field(10, description="Samples of z a test image.")


class Quality(Chosen):
    """Samples and reconstructions, judged by a classifier and against the training set."""

    n_samples: PositiveInt = Field(5000, ge=2, description="Samples from the prior.")


class Conditional(Strict):
    """Samples of classes that were asked for, of every model that is told classes."""

    n_samples: PositiveInt = Field(5000, ge=10, description="Samples; the classes take turns.")


class Missing(Chosen):
    """The bottom half of an image, inferred from its top half."""

    combinations: Literal["objectives", "families", "all", "none"] = "none"
    n_images: PositiveInt = Field(100, description="The first so many test images.")
    n_samples: PositiveInt = Field(1000, ge=2, description="Samples of z an image and method.")


class Examination(Strict):
    """The slower measurements of a run; one that is left out is not taken."""

    ais: AnnealedSampling | None = Field(
        None, description="Annealed importance sampling on some test images; slow."
    )
    gaps: Gaps | None = Field(
        None, description="What keeps the ELBO below log p(x); needs `ais`. Slow."
    )
    information: Information | None = Field(
        None, description="Mutual information, marginal KL, effective dimensions; fast."
    )
    quality: Quality | None = Field(
        None, description="Samples and reconstructions, judged by a classifier; fast."
    )
    conditional: Conditional | None = Field(
        None,
        description="How often samples show the class that was asked for, as a classifier names "
        "them; of every model that is told classes. Fast.",
    )

    missing: Missing | None = Field(
        None, description="The bottom half of an image inferred from its top half; some seconds."
    )

    @model_validator(mode="after")
    def _gaps_fit_into_ais(self) -> Self:
        if self.gaps is None:
            return self
        if self.ais is None:
            raise ValueError(
                "gaps is set but ais is not: gaps need the log p(x) that ais estimates; add ais, "
                "or leave gaps out"
            )
        if self.gaps.n_images > self.ais.n_images:
            raise ValueError(
                f"gaps.n_images is {self.gaps.n_images} but ais.n_images is {self.ais.n_images}: "
                "gaps are measured on images of ais; lower the former or raise the latter"
            )
        return self

    @property
    def judges(self) -> bool:
        """Whether a classifier is needed."""
        return self.quality is not None or self.conditional is not None

    def of(self, candidate: Candidate) -> Examination | None:
        """Return what this run is examined for, or None if for nothing."""

        def wanted(chosen: Chosen | None) -> bool:
            return chosen is not None and chosen.includes(candidate)

        kept = {
            "ais": self.ais if wanted(self.ais) else None,
            "gaps": self.gaps if wanted(self.ais) else None,
            "information": self.information if wanted(self.information) else None,
            "quality": self.quality if wanted(self.quality) else None,
            "conditional": self.conditional if candidate.run.labels != "none" else None,
            "missing": self.missing if wanted(self.missing) else None,
        }
        return Examination.model_validate(kept) if any(kept.values()) else None
