"""Likelihoods of values from 0 to 1: of binary ones, and densities of grey ones."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.kernels import (
    bernoulli_log_prob,
    continuous_bernoulli_log_prob,
    log_sinhc_slope,
    softplus,
)
from vaestudy.likelihoods.base import Likelihood


class Bernoulli(Likelihood):
    """Independent Bernoulli features, parametrised by logits."""

    n_heads = 1

    def log_prob(
        self, x: Float[Tensor, "M 1 B D"], params: Float[Tensor, "M K B P"]
    ) -> Float[Tensor, "M K B"]:
        return bernoulli_log_prob(x, params)

    def mean(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        return torch.sigmoid(params)

    def sample(
        self, params: Float[Tensor, "*batch P"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch D"]:
        return torch.bernoulli(torch.sigmoid(params), generator=generator)

    def binary_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        return params

    def mean_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        return params


class ContinuousBernoulli(Likelihood):
    """Independent features on [0, 1] with density proportional to e^(l x), l the logits."""

    n_heads = 1

    def log_prob(
        self, x: Float[Tensor, "M 1 B D"], params: Float[Tensor, "M K B P"]
    ) -> Float[Tensor, "M K B"]:
        return continuous_bernoulli_log_prob(x, params)

    def mean(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        smaller = self._smaller_mean(params)
        return torch.where(params < 0, smaller, 1 - smaller)

    def sample(
        self, params: Float[Tensor, "*batch P"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch D"]:
        # The inverse of F(x) = (1 - e^(-a x)) / (1 - e^(-a)), a = |l|; mirrored where l > 0. The
        # ratio keeps its precision down to the smallest a, where x is uniform.
        a = params.abs().clamp_min(1e-30)
        uniform = torch.empty_like(params).uniform_(generator=generator)
        x = -torch.log1p(uniform * torch.expm1(-a)) / a
        return torch.where(params > 0, 1 - x, x)

    def binary_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        return params

    def mean_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        smaller = self._smaller_mean(params)
        size = torch.log1p(-smaller) - torch.log(smaller)
        return torch.where(params < 0, -size, size)

    @staticmethod
    def _smaller_mean(logits: Tensor) -> Tensor:
        """Return the mean at -|l|, at most 1/2: 1/2 - A'(|l|) = 1/|l| - 1/(e^|l| - 1)."""
        a = logits.abs()
        far = a.clamp_min(1.0)
        return torch.where(
            a < 1, 0.5 - log_sinhc_slope(a), 1 / far + torch.exp(-far) / torch.expm1(-far)
        )


class Beta(Likelihood):
    """Independent Beta features, whose data are clipped half a grey level away from 0 and 1."""

    n_heads = 2
    #: Half the step between two of 256 grey levels.
    CLIP = 0.5 / 255
    #: No concentration is below this, where its logarithm would not be finite.
    FLOOR = 1e-3
    #: FLOOR + softplus(SHIFT) = 2.
    SHIFT = math.log(math.expm1(2.0 - FLOOR))

    @classmethod
    def clip(cls, x: Float[Tensor, "*batch D"]) -> Float[Tensor, "*batch D"]:
        """Return x within [CLIP, 1 - CLIP], as its density takes it."""
        return x.clamp(cls.CLIP, 1 - cls.CLIP)

    @classmethod
    def _concentrations(cls, params: Tensor) -> tuple[Tensor, Tensor]:
        a, b = params.chunk(2, dim=-1)
        return cls.FLOOR + softplus(a + cls.SHIFT), cls.FLOOR + softplus(b + cls.SHIFT)

    def log_prob(
        self, x: Float[Tensor, "M 1 B D"], params: Float[Tensor, "M K B P"]
    ) -> Float[Tensor, "M K B"]:
        alpha, beta = self._concentrations(params)
        x = self.clip(x)
        log_b = torch.lgamma(alpha) + torch.lgamma(beta) - torch.lgamma(alpha + beta)
        return ((alpha - 1) * x.log() + (beta - 1) * torch.log1p(-x) - log_b).sum(-1)

    def mean(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        alpha, beta = self._concentrations(params)
        return alpha / (alpha + beta)

    def sample(
        self, params: Float[Tensor, "*batch P"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch D"]:
        alpha, beta = self._concentrations(params)
        # Gamma draws of a small concentration may both underflow: 0 / 0 is kept from being NaN.
        ones, zeros = (
            torch._standard_gamma(c, generator=generator).clamp_min(1e-30) for c in (alpha, beta)
        )
        return ones / (ones + zeros)

    def binary_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        # At the clipped ends, where the density is finite.
        alpha, beta = self._concentrations(params)
        return (alpha - beta) * math.log((1 - self.CLIP) / self.CLIP)

    def mean_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        alpha, beta = self._concentrations(params)
        return alpha.log() - beta.log()
