"""The study's configuration: what may stand in ``config.yaml``, and the runs it declares.

``load_config`` reads and checks a file; ``expand_grid`` turns it into runs, ``group_runs`` into
training jobs. All three are pure: the same file gives the same runs, ids and groups everywhere.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import Field, ValidationError, model_validator

from vaestudy import base_chapters
from vaestudy.config_errors import FOLDER, ConfigError, explain
from vaestudy.dataset_names import PICTURES
from vaestudy.deeper import text_of
from vaestudy.examination import Candidate, Examination
from vaestudy.measurable import check_measurable
from vaestudy.own_data import OwnData, check_own, name_own_data
from vaestudy.parameters import ModelParameters, NonNegativeInt, PositiveInt, Strict
from vaestudy.run_config import RunConfig
from vaestudy.source_chapters import has_runs
from vaestudy.study_parts import (
    Evaluation,
    Experiment,
    ExperimentName,
    Further,
    Report,
    combinations,
)

__all__ = [
    "CompilePolicy",
    "ConfigError",
    "ModelParameters",
    "Run",
    "RunConfig",
    "StudyConfig",
    "expand_grid",
    "load_config",
    "parse_config",
    "parse_run",
]


#: Whether training steps are compiled.
CompilePolicy = Literal["auto", "always", "never"]


class StudyConfig(Strict):
    """A whole study: ``config.yaml``."""

    study: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")] = Field(
        description="Name; results go to results/<study>/."
    )
    results_dir: str = Field(
        "results", pattern=FOLDER, description="Where studies keep their results."
    )
    data_dir: str = Field(
        "data",
        description="Where data sets are kept, in torchvision's layout; the environment variable "
        "VAESTUDY_DATA takes precedence.",
    )
    base: ModelParameters = Field(
        default_factory=ModelParameters, description="The model from which experiments depart."
    )
    own_data: dict[str, OwnData] = Field(
        default_factory=dict,
        description="Written when a configuration is read: what `dataset: {path: …}` stands for.",
    )
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1)] = Field(
        description="One replicate of every combination each."
    )
    experiments: Annotated[dict[ExperimentName, Experiment], Field(min_length=1)]
    only: list[str] = Field(
        default_factory=list, description="Experiments to run, by name; all if left out or empty."
    )
    evaluation: Evaluation = Field(default_factory=Evaluation)
    checkpoint_every: PositiveInt = Field(10, description="Epochs between checkpoints.")
    max_members: PositiveInt = Field(
        1, description="Models trained together in one job: 1 on CPU cores, 16 on a GPU."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU where there is one, else the CPU."
    )
    compile: CompilePolicy = Field(
        "auto",
        description="Whether training steps are compiled, and on CPU cores what is measured after "
        "epochs and final estimates. auto: where they are long enough to win back what it costs "
        "(some 20 s each for a kind of model, on CPU cores kept for later runs); where that fails, "
        "for want of a compiler (of C++, on a GPU of C) or of a GPU that is recent enough, a "
        "warning says so. No part of a run's identity: results agree to rounding.",
    )
    report: Report = Field(default_factory=Report)

    @model_validator(mode="after")
    def _base_has_one_latent_space(self) -> Self:
        if self.base.deeper:
            raise ValueError(
                f"base.deeper is {text_of(self.base.deeper)}: chapters and slower measurements "
                "take the base model to have one stochastic layer; set deeper in an experiment"
            )
        return self

    @model_validator(mode="after")
    def _distinct_seeds(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {self.seeds} repeat: each replicate needs its own seed")
        return self

    @model_validator(mode="after")
    def _classes_are_judged_where_there_are_some(self) -> Self:
        if self.evaluation.quality is not None and self.of_own_data:
            raise ValueError(
                f"evaluation.quality is set but base.dataset is {self.base.dataset}: samples are "
                "judged by a classifier of labelled pictures; leave quality out"
            )
        return self

    @model_validator(mode="after")
    def _named_experiments_exist(self) -> Self:
        lists = {"only": self.only}
        for name in type(self.evaluation).model_fields:
            measured = getattr(getattr(self.evaluation, name), "experiments", ())
            lists[f"evaluation.{name}.experiments"] = list(measured)
        for key, names in lists.items():
            if unknown := {*names} - {*self.experiments}:
                raise ValueError(
                    f"{key} has {', '.join(sorted(unknown))}; expected names of experiments: "
                    f"{', '.join(self.experiments)}"
                )
        return self

    @property
    def chosen(self) -> dict[str, Experiment]:
        """The experiments that are run: those that ``only`` names, or all."""
        return {k: v for k, v in self.experiments.items() if not self.only or k in self.only}

    @property
    def of_own_data(self) -> bool:
        """Whether the base model's data are a file of the user's, or another table."""
        return self.base.dataset not in PICTURES

    def has_chapter(self, stem: str) -> bool:
        """Whether the report has a chapter, by its notebook's name.

        Those that ``report.chapters`` names, or all; but a study of other data than pictures of
        MNIST's kind has those that need neither digits nor the sources' models; and one that does
        not train its base model, or not what a chapter compares it with, or whose base model cannot
        be its subject, not the chapter, nor one on a source of whose models it trains none.
        """
        if self.report.chapters is not None:
            return stem in self.report.chapters
        name = stem.partition("-")[2]
        if self.of_own_data:
            return name in base_chapters.OF_OWN_DATA
        if name not in base_chapters.OF_THE_BASE:
            return has_runs(name, [run.config for run in self._runs], self.base, self.chosen)
        return base_chapters.can_be_of(name, self.base.model_dump()) and all(
            self._trains(changes) for changes in ({}, *base_chapters.OF_THE_BASE[name])
        )

    def _trains(self, changes: dict[str, Any]) -> bool:
        """Whether a run is the base model so changed, with any K if the objective changes."""
        free = {"seed", "k"} if "objective" in changes else {"seed"}
        wanted = {**self.base.model_dump(exclude=free), **changes}
        return any(run.config.model_dump(exclude=free) == wanted for run in self._runs)

    @cached_property
    def _runs(self) -> list[Run]:
        return expand_grid(self)

    def examination_of(self, run: RunConfig) -> Examination | None:
        """Return the slower measurements that this run takes part in, or None if in none."""
        owners = self.experiments_of.get(run.run_id, ())
        return self.evaluation.of(Candidate(run, self.base, self.seeds, owners))

    @cached_property
    def experiments_of(self) -> dict[str, tuple[str, ...]]:
        """The experiments that have each run, by its id."""
        return {run.config.run_id: run.experiments for run in self._runs}

    def log_steps_of(self, experiments: Sequence[str]) -> int:
        """Return how many first steps are logged of a run of these experiments."""
        return max(self.experiments[name].log_steps for name in experiments)

    def further_of(self, experiments: Sequence[str]) -> Further:
        """Return what is measured besides of a run of these experiments."""
        asking = [self.experiments[name] for name in experiments]
        return Further(
            gradient_draws=self.evaluation.gradient_draws
            if any(e.gradients for e in asking)
            else 0,
            principal_components=any(e.principal_components for e in asking),
        )

    @property
    def directory(self) -> Path:
        """``results/<study>``."""
        return Path(self.results_dir) / self.study


@dataclass(frozen=True)
class Run:
    """A run and the experiments that asked for it."""

    config: RunConfig
    experiments: tuple[str, ...]


def load_config(path: str | Path) -> StudyConfig:
    """Read and check a study's configuration.

    Raises
    ------
    ConfigError
        One message that names every offending key, what it holds and what it may hold.
    """
    try:
        text = Path(path).read_text(encoding="utf-8")
        values = yaml.safe_load(text)
    except OSError as error:
        raise ConfigError(f"cannot read the configuration {path}: {error.strerror}") from None
    except yaml.YAMLError as error:
        raise ConfigError(f"{path} is not valid YAML: {error}") from None
    return parse_config(values, source=str(path))


def parse_config(values: Any, source: str = "configuration") -> StudyConfig:
    """Check a configuration given as a mapping, its grid included; see :func:`load_config`."""
    if not isinstance(values, dict):
        kind = "nothing" if values is None else f"a {type(values).__name__}"
        raise ConfigError(f"{source} holds {kind}; expected keys and values, as in config.yaml")
    try:
        config = StudyConfig.model_validate(name_own_data(values, source))
    except ValidationError as error:
        raise ConfigError(explain(error, StudyConfig, source)) from None
    for run in expand_grid(config, source):
        check_own(run.config.dataset, config.own_data, source)
        wanted = config.examination_of(run.config)
        check_measurable(run.config, wanted, config.evaluation.n_samples, source)
    return config


def parse_run(values: dict[str, Any], source: str = "run") -> RunConfig:
    """Check the parameters of one run; see :func:`load_config`."""
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explain(error, RunConfig, source)) from None


def expand_grid(config: StudyConfig, source: str = "configuration") -> list[Run]:
    """Return every run of the study, in a fixed order; one that two experiments share stands once.

    Raises
    ------
    ConfigError
        If a combination is impossible; the message names the experiment and the key.
    """
    # What the base leaves out stays so: some defaults are refused where they were not written.
    base = config.base.model_dump(exclude_unset=True)
    found: dict[str, tuple[RunConfig, list[str]]] = {}
    for name, experiment in config.chosen.items():
        where = f"{source}, experiments.{name}"
        for varied in combinations(experiment.vary, where):
            if "seed" in {**experiment.set, **varied}:
                raise ConfigError(f"{where}: seed: not a factor; list seeds under `seeds`")
            for seed in config.seeds:
                run = parse_run({**base, **experiment.set, **varied, "seed": seed}, where)
                owners = found.setdefault(run.run_id, (run, []))[1]
                owners += [] if name in owners else [name]
    return [Run(run, tuple(owners)) for run, owners in found.values()]
