"""The study's configuration: what may stand in ``config.yaml``, and the runs it declares.

``load_config`` reads and checks a file; ``expand_grid`` turns it into runs, ``group_runs`` into
training jobs. All three are pure: the same file gives the same runs, ids and groups everywhere.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, Self

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from vaestudy.config_errors import ConfigError, explain

PositiveInt = Annotated[int, Field(gt=0, strict=True)]
NonNegativeInt = Annotated[int, Field(ge=0, strict=True)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class _Strict(BaseModel):
    """Unknown keys are errors, and nothing changes after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelParameters(_Strict):
    """Everything that determines a trained model, but its seed.

    The defaults are the base model of Bettencourt & Craddock (2016): 784-200-200-50 with softplus,
    Adam, batches of 100, 300 epochs of dynamically binarized MNIST.
    """

    dataset: Literal["mnist-5k", "mnist", "fashion-mnist"] = Field(
        "mnist", description="mnist-5k ships with the package; the others are downloaded."
    )
    binarization: Literal["dynamic", "static", "threshold", "none"] = Field(
        "dynamic",
        description="dynamic: pixels drawn afresh from their intensities at each presentation; "
        "static: drawn once; threshold: intensity > 0.5; none: grey values.",
    )
    likelihood: Literal["bernoulli", "gaussian"] = Field(
        "bernoulli", description="The decoder's distribution p(x | z)."
    )
    objective: Literal["elbo", "elbo-sampled", "iwae"] = Field(
        "elbo",
        description="elbo: KL in closed form (the VAE); elbo-sampled: KL from the samples; "
        "iwae: the K-sample importance-weighted bound.",
    )
    k: PositiveInt = Field(1, description="Samples of z per datum in the objective.")
    n_z: PositiveInt = Field(50, description="Latent dimensions.")
    hidden: tuple[PositiveInt, ...] = Field(
        (200, 200), min_length=1, description="Encoder's hidden widths; the decoder mirrors them."
    )
    activation: Literal["softplus", "relu", "tanh", "elu", "silu"] = Field(
        "softplus", description="Nonlinearity of the hidden layers."
    )
    batch_norm: Literal["none", "hidden", "all"] = Field(
        "none",
        description="Batch normalization: on no layer, on every hidden layer, or on the encoder's "
        "two heads as well.",
    )
    encoder_heads: Literal["linear", "bounded"] = Field(
        "linear",
        description="linear; or bounded: mu through a sigmoid, log-variance through tanh.",
    )
    warmup: NonNegativeInt = Field(
        0, description="Epochs over which the KL weight rises linearly from 0 to 1."
    )
    epochs: PositiveInt = Field(300, description="Passes over the training set.")
    batch_size: PositiveInt = Field(100, description="Examples a step; a last part batch is left.")
    learning_rate: PositiveFloat = Field(1e-3, description="Adam's step size.")
    adam_beta1: Fraction = Field(0.9, description="Adam's decay of the first moment.")
    adam_beta2: Fraction = Field(0.999, description="Adam's decay of the second moment.")
    adam_eps: PositiveFloat = Field(1e-4, description="Adam's epsilon.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.warmup > self.epochs:
            raise ValueError(
                f"warmup is {self.warmup} epochs but training lasts {self.epochs}: the KL weight "
                "would never reach 1; lower warmup or raise epochs"
            )
        return self


class RunConfig(ModelParameters):
    """One model to train: the parameters and a seed."""

    seed: NonNegativeInt = Field(0, description="Determines every random number of the run.")

    @cached_property
    def canonical(self) -> str:
        """The parameters as JSON with sorted keys, the text that ids are hashes of."""
        return json.dumps(self.model_dump(mode="json"), sort_keys=True)

    @cached_property
    def run_id(self) -> str:
        """A readable name that ends in a hash of every parameter."""
        return f"{self._slug()}-s{self.seed}-{_short_hash(self.canonical)}"

    @cached_property
    def combination_id(self) -> str:
        """The run's name without its seed: the same for all replicates."""
        return f"{self._slug()}-{_short_hash(self._canonical_without('seed'))}"

    @cached_property
    def group_key(self) -> str:
        """What members of one training job share: all but seed and warm-up."""
        return self._canonical_without("seed", "warmup")

    def _canonical_without(self, *names: str) -> str:
        return json.dumps(self.model_dump(mode="json", exclude=set(names)), sort_keys=True)

    def _slug(self, warmup: bool = True) -> str:
        objective = self.objective if self.k == 1 else f"{self.objective}{self.k}"
        parts = [self.dataset, self.likelihood, objective, f"z{self.n_z}"]
        parts += [] if self.batch_norm == "none" else [f"bn-{self.batch_norm}"]
        parts += [] if self.encoder_heads == "linear" else [self.encoder_heads]
        parts += [f"wu{self.warmup}"] if warmup and self.warmup else []
        return "-".join(parts)


class Experiment(_Strict):
    """Every combination of the levels in ``vary``, on top of ``set`` and the base model."""

    title: str = Field(description="One line for dry runs and the appendix.")
    set: dict[str, Any] = Field(
        default_factory=dict, description="Parameters that differ from `base` throughout."
    )
    vary: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default_factory=dict,
        description="Factor: its levels. A level that is a mapping sets several parameters "
        "together, e.g. objective: [elbo, {objective: iwae, k: 5}].",
    )


class Evaluation(_Strict):
    """How trained models are measured."""

    n_samples: PositiveInt = Field(
        5000, description="Importance samples a test image in the estimate of log p(x)."
    )
    activity_threshold: PositiveFloat = Field(
        0.01, description="A latent dimension is active above this variance of its mean."
    )


class Report(_Strict):
    """What stands at the head of the report."""

    title: str = "Variational autoencoders: activity, pruning and what the bounds hide"
    authors: list[str] = Field(default_factory=lambda: ["vaestudy"])


class StudyConfig(_Strict):
    """A whole study: ``config.yaml``."""

    study: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]*$")] = Field(
        description="Name; results go to results/<study>/."
    )
    results_dir: str = Field("results", description="Where studies keep their results.")
    data_dir: str = Field(
        "data",
        description="Where data sets are kept, in torchvision's layout; the environment variable "
        "VAESTUDY_DATA takes precedence.",
    )
    base: ModelParameters = Field(
        default_factory=ModelParameters, description="The model from which experiments depart."
    )
    seeds: Annotated[list[NonNegativeInt], Field(min_length=1)] = Field(
        description="One replicate of every combination each."
    )
    experiments: Annotated[dict[str, Experiment], Field(min_length=1)]
    evaluation: Evaluation = Field(default_factory=Evaluation)
    checkpoint_every: PositiveInt = Field(10, description="Epochs between checkpoints.")
    max_members: PositiveInt = Field(
        1, description="Models trained together in one job: 1 on CPU cores, 16 on a GPU."
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        "auto", description="auto: a GPU where there is one, else the CPU."
    )
    report: Report = Field(default_factory=Report)

    @model_validator(mode="after")
    def _distinct_seeds(self) -> Self:
        if len(set(self.seeds)) < len(self.seeds):
            raise ValueError(f"seeds {self.seeds} repeat: each replicate needs its own seed")
        return self

    @property
    def directory(self) -> Path:
        """``results/<study>``."""
        return Path(self.results_dir) / self.study


@dataclass(frozen=True)
class Run:
    """A run and the experiments that asked for it."""

    config: RunConfig
    experiments: tuple[str, ...]


@dataclass(frozen=True)
class Group:
    """Runs trained together in one job: they differ in seed and warm-up alone."""

    group_id: str
    runs: tuple[RunConfig, ...]


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]


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
        raise ConfigError(f"{source} holds {type(values).__name__}, expected a mapping of keys")
    try:
        config = StudyConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explain(error, StudyConfig, source)) from None
    expand_grid(config, source)
    return config


def parse_run(values: dict[str, Any], source: str = "run") -> RunConfig:
    """Check the parameters of one run; see :func:`load_config`."""
    try:
        return RunConfig.model_validate(values)
    except ValidationError as error:
        raise ConfigError(explain(error, RunConfig, source)) from None


def _combinations(vary: dict[str, list[Any]], where: str) -> list[dict[str, Any]]:
    levels = [
        [level if isinstance(level, dict) else {factor: level} for level in values]
        for factor, values in vary.items()
    ]
    combinations = []
    for parts in product(*levels):
        keys = [key for part in parts for key in part]
        for key in keys:
            if keys.count(key) > 1:
                raise ConfigError(f"{where}: {key}: set by two factors at once; drop one of them")
        combinations.append({k: v for part in parts for k, v in part.items()})
    return combinations


def expand_grid(config: StudyConfig, source: str = "configuration") -> list[Run]:
    """Return every run of the study, in a fixed order; one that two experiments share stands once.

    Raises
    ------
    ConfigError
        If a combination is impossible; the message names the experiment and the key.
    """
    base = config.base.model_dump()
    found: dict[str, tuple[RunConfig, list[str]]] = {}
    for name, experiment in config.experiments.items():
        where = f"{source}, experiments.{name}"
        for varied in _combinations(experiment.vary, where):
            if "seed" in {**experiment.set, **varied}:
                raise ConfigError(f"{where}: seed: not a factor; list seeds under `seeds`")
            for seed in config.seeds:
                run = parse_run({**base, **experiment.set, **varied, "seed": seed}, where)
                owners = found.setdefault(run.run_id, (run, []))[1]
                owners += [] if name in owners else [name]
    return [Run(run, tuple(owners)) for run, owners in found.values()]


def group_runs(runs: Sequence[RunConfig], max_members: int) -> list[Group]:
    """Return the training jobs: fixed chunks of at most ``max_members`` runs of one group key.

    A run's chunk depends on the run alone (its group key, warm-up and ``seed // max_members``), so
    that a new run joins or opens a group and never moves another; with ``max_members = 1`` a group
    is a run and bears its id.
    """
    if max_members == 1:
        return [Group(run.run_id, (run,)) for run in runs]
    chunks: dict[tuple[str, int, int], list[RunConfig]] = {}
    for run in runs:
        chunks.setdefault((run.group_key, run.warmup, run.seed // max_members), []).append(run)
    return [
        Group(f"{members[0].combination_id}-m{max_members}-g{chunk}", tuple(members))
        for (_, _, chunk), members in chunks.items()
    ]
