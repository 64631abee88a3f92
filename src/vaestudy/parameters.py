"""Everything that determines one run, and the names made from it."""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

PositiveInt = Annotated[int, Field(gt=0, strict=True)]
NonNegativeInt = Annotated[int, Field(ge=0, strict=True)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]


class Strict(BaseModel):
    """Unknown keys are errors, and nothing changes after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelParameters(Strict):
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
    likelihood: Literal["bernoulli", "gaussian", "continuous-bernoulli"] = Field(
        "bernoulli",
        description="The decoder's distribution p(x | z); continuous-bernoulli: a density on grey "
        "values in [0, 1], for binarization none.",
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


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:8]
