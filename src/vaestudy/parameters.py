"""Everything that determines a trained model, but its seed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from vaestudy.dataset_names import DatasetName, check_dataset
from vaestudy.deeper import DeeperLayers
from vaestudy.label_parameters import (
    Labels,
    LabelShare,
    LabelWeight,
    Network,
    check_labels_and_network,
)
from vaestudy.objective_parameters import KLWeight, check_objective

PositiveInt = Annotated[int, Field(gt=0, strict=True)]
NonNegativeInt = Annotated[int, Field(ge=0, strict=True)]
PositiveFloat = Annotated[float, Field(gt=0, allow_inf_nan=False)]
NonNegativeFloat = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
Share = Annotated[float, Field(gt=0, le=1)]


@dataclass(frozen=True)
class Own:
    """Parameters that an objective has for itself.

    Parameters
    ----------
    names
        Fields of :class:`ModelParameters`; the first must be set.
    otherwise
        The objective that it is where the first stands at its default.
    """

    names: tuple[str, ...]
    otherwise: str


OBJECTIVE_PARAMETERS: dict[str, Own] = {
    "free-bits": Own(("free_bits", "free_bits_group"), otherwise="elbo"),
    "miwae": Own(("k_groups",), otherwise="iwae"),
    "piwae": Own(("k_groups",), otherwise="iwae"),
    "ciwae": Own(("elbo_share",), otherwise="iwae"),
    "geometric-js": Own(("js_skew",), otherwise="elbo"),
}


class Strict(BaseModel):
    """Unknown keys are errors, and nothing changes after the check."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelParameters(Strict):
    """Everything that determines a trained model, but its seed.

    The defaults are the base model of Bettencourt & Craddock (2016): 784-200-200-50 with softplus,
    Adam, batches of 100, 300 epochs of dynamically binarized MNIST.
    """

    dataset: DatasetName = Field(
        "mnist",
        description="mnist-5k, fashion-2k, breast-cancer and diabetes come with packages; mnist "
        "and fashion-mnist are downloaded; square, ring, moons and mixture are points in the "
        "plane, made on the spot; {path: …} is a file of your own.",
    )
    binarization: Literal["dynamic", "static", "threshold", "none"] = Field(
        "dynamic",
        description="dynamic: pixels drawn afresh from their intensities at each presentation; "
        "static: drawn once; threshold: intensity > 0.5; none: grey values.",
    )
    likelihood: Literal[
        "bernoulli", "gaussian", "continuous-bernoulli", "normal", "squared-error", "beta"
    ] = Field(
        "bernoulli",
        description="The decoder's distribution p(x | z); continuous-bernoulli: a density on grey "
        "values in [0, 1], for binarization none; normal: a Gaussian whose mean is not bounded; "
        "squared-error: that with variance 1/2, so that log p(x | z) is minus the squared error; "
        "beta: a density on (0, 1), for binarization none.",
    )
    objective: Literal[
        "elbo",
        "elbo-sampled",
        "iwae",
        "free-bits",
        "stl",
        "iwae-stl",
        "dreg",
        "miwae",
        "piwae",
        "ciwae",
        "jensen-shannon",
        "geometric-js",
        "half-joint",
    ] = Field(
        "elbo",
        description="elbo: KL in closed form (the VAE; with beta, the beta-VAE); elbo-sampled: KL "
        "from the samples; iwae: the K-sample importance-weighted bound; free-bits: elbo whose KL "
        "costs at least free_bits; stl, iwae-stl: elbo-sampled and iwae without the score "
        "function's gradient; dreg: iwae with the doubly reparameterised gradient; miwae: mean of "
        "k_groups importance-weighted bounds; piwae: iwae for the decoder, miwae for the encoder; "
        "ciwae: elbo_share of elbo-sampled, the rest iwae; jensen-shannon, geometric-js: this "
        "divergence instead of the KL, from the samples or in closed form, no bounds; half-joint: "
        "half of log p(x, z), which is no bound and knows nothing of q.",
    )
    k: PositiveInt = Field(
        1,
        description="Samples of z per datum in the objective; to be set for iwae, iwae-stl, dreg.",
    )
    k_groups: PositiveInt = Field(
        1, description="miwae, piwae: groups of equal size into which the k samples are split."
    )
    elbo_share: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0, description="ciwae: weight of elbo-sampled beside iwae."
    )
    js_skew: Annotated[float, Field(ge=0, le=1)] = Field(
        0.0,
        description="geometric-js: weight of q in the geometric mean; 0: the KL of elbo, 1: the "
        "KL from p(z) to q(z|x).",
    )
    free_bits: NonNegativeFloat = Field(
        0.0, description="free-bits: nats of KL a group of latent dimensions that cost the same."
    )
    free_bits_group: PositiveInt = Field(
        1, description="free-bits: latent dimensions that share one minimum; divides n_z."
    )
    beta: KLWeight = Field(
        1.0, description="Weight of the KL term once warm-up is over; other than 1: the beta-VAE."
    )
    weight_decay: NonNegativeFloat = Field(
        0.0,
        description="The mean square of the weights of all layers, biases left out, is subtracted "
        "from the objective this many times: L2 regularization.",
    )
    n_z: PositiveInt = Field(50, description="Latent dimensions.")
    hidden: tuple[PositiveInt, ...] = Field(
        (200, 200), min_length=1, description="Encoder's hidden widths; the decoder mirrors them."
    )
    deeper: DeeperLayers = Field(
        (), description="Stochastic layers above z (none by default), with the networks between."
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
    network: Network = "mlp"
    labels: Labels = "none"
    label_share: LabelShare = 1.0
    label_weight: LabelWeight = 0.1
    warmup: NonNegativeInt = Field(
        0, description="Epochs over which the KL weight is annealed, linearly from 0 to beta."
    )
    warmup_cycles: PositiveInt = Field(
        1, description="How often it starts from 0 within warmup; cyclical annealing if above 1."
    )
    warmup_rise: Share = Field(
        1.0, description="Fraction of each cycle in which it rises; for the rest it stays at beta."
    )
    epochs: PositiveInt = Field(300, description="Passes over the training set.")
    batch_size: PositiveInt = Field(100, description="Examples a step; a last part batch is left.")
    optimizer: Literal["adam", "adamax", "adagrad"] = Field(
        "adam", description="adamax takes the parameters of adam as well; adagrad adam_eps."
    )
    learning_rate: PositiveFloat = Field(1e-3, description="The optimiser's step size.")
    lr_schedule: Literal["constant", "burda", "cosine"] = Field(
        "constant",
        description="burda: learning_rate falls in stages of 1, 3, 9, ... epochs, to a tenth in "
        "the eighth, which ends with epoch 3280; cosine: it falls to near 0 within `epochs`.",
    )
    output_bias: Literal["zero", "data"] = Field(
        "zero",
        description="Initial bias of the decoder's output; data: the logits of the training "
        "pixels' means (Bernoulli likelihood only).",
    )
    precision: Literal["fp32", "tf32", "bf16"] = Field(
        "fp32",
        description="Of the matrix products in training; parameters, sums and all else are fp32. "
        "tf32 needs an Nvidia GPU (elsewhere it is fp32); bf16 pays on GPUs and on CPUs that "
        "multiply tiles of it (AMX).",
    )
    adam_beta1: Fraction = Field(0.9, description="Adam's decay of the first moment.")
    adam_beta2: Fraction = Field(0.999, description="Adam's decay of the second moment.")
    adam_eps: PositiveFloat = Field(1e-4, description="Adam's epsilon.")

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        if self.warmup > self.epochs:
            raise ValueError(
                f"warmup is {self.warmup} epochs but training lasts {self.epochs}: the KL weight "
                "would be cut short on its way; lower warmup or raise epochs"
            )
        if self.warmup_cycles > max(self.warmup, 1):
            raise ValueError(
                f"warmup_cycles is {self.warmup_cycles} but warmup is {self.warmup} epochs: a "
                "cycle takes at least one; raise warmup (to epochs, to anneal throughout) or lower "
                "warmup_cycles"
            )
        if self.warmup_rise < 1 and not self.warmup:
            raise ValueError(
                f"warmup_rise is {self.warmup_rise} but warmup is 0: nothing rises; set warmup or "
                "leave warmup_rise out"
            )
        if self.epochs == self.warmup == self.warmup_cycles:
            raise ValueError(
                f"warmup is all of {self.epochs} epochs, in {self.warmup_cycles} cycles: each "
                "epoch would begin one, with a KL weight of 0; lower warmup or warmup_cycles, or "
                "raise epochs"
            )
        if self.batch_norm != "none" and self.batch_size == 1:
            raise ValueError(
                f"batch_size is 1 but batch_norm is {self.batch_norm!r}: one example's variance is "
                "0; raise batch_size (statistics of 10 or more are of use), or set batch_norm to "
                "none"
            )
        check_labels_and_network(self)
        return self

    @model_validator(mode="after")
    def _training_starts_well(self) -> Self:
        if self.output_bias == "data" and self.likelihood != "bernoulli":
            raise ValueError(
                f"output_bias is 'data' but likelihood is {self.likelihood!r}: only a Bernoulli "
                "decoder's bias is a logit of pixel means; set output_bias to zero"
            )
        return self

    @model_validator(mode="after")
    def _optimizer_has_its_parameters(self) -> Self:
        for name in ("adam_beta1", "adam_beta2"):
            if self.optimizer == "adagrad" and not self.is_default(name):
                raise ValueError(
                    f"{name} is {getattr(self, name)} but optimizer is 'adagrad', which has no "
                    "such parameter; leave it out, or set optimizer to adam or adamax"
                )
        return self

    @model_validator(mode="after")
    def _fits_the_data(self) -> Self:
        check_dataset(self.dataset, self.binarization, self.likelihood)
        return self

    @model_validator(mode="after")
    def _objective_has_its_parameters(self) -> Self:
        own = OBJECTIVE_PARAMETERS.get(self.objective)
        if own is not None and self.is_default(own.names[0]):
            name = own.names[0]
            raise ValueError(
                f"objective is {self.objective!r} with {name} {getattr(self, name)}, which makes "
                f"it {own.otherwise!r}; set {name}, or write objective: {own.otherwise}"
            )
        for owner, other in OBJECTIVE_PARAMETERS.items():
            for name in other.names:
                if not (self.is_default(name) or (own is not None and name in own.names)):
                    raise ValueError(
                        f"{name} is {getattr(self, name)} but objective is {self.objective!r}, "
                        f"which has no such parameter; leave it out, or set objective: {owner}"
                    )
        return self

    @model_validator(mode="after")
    def _objective_fits_the_model(self) -> Self:
        check_objective(self)
        return self

    def is_default(self, name: str) -> bool:
        """Whether a parameter stands at its default."""
        return bool(getattr(self, name) == type(self).model_fields[name].default)
