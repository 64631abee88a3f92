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


class BetaFamily(Likelihood):
    """Independent Beta features; a member says what their data are: they, or their logits."""

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

    @classmethod
    def _log_density(cls, log_x: Tensor, log_rest: Tensor, params: Tensor, less: int) -> Tensor:
        """Return the log-density from ln x and ln(1 - x) in float64, as ``params`` are.

        ``less`` is 1 of a density of x, 0 of one of its logit.
        """
        # Terms as large as the concentrations cancel to a few nats: float32 has not the digits.
        alpha, beta = (part.double() for part in cls._concentrations(params))
        log_b = torch.lgamma(alpha) + torch.lgamma(beta) - torch.lgamma(alpha + beta)
        log_p = (alpha - less) * log_x + (beta - less) * log_rest - log_b
        return log_p.sum(-1).to(params.dtype)

    def mean(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        alpha, beta = self._concentrations(params)
        return alpha / (alpha + beta)

    def binary_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        # At the clipped ends, where the density is finite.
        alpha, beta = self._concentrations(params)
        return (alpha - beta) * math.log((1 - self.CLIP) / self.CLIP)

    def mean_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        alpha, beta = self._concentrations(params)
        return alpha.log() - beta.log()


class Beta(BetaFamily):
    """Independent Beta features, whose data are clipped half a grey level away from 0 and 1."""

    def log_prob(
        self, x: Float[Tensor, "M 1 B D"], params: Float[Tensor, "M K B P"]
    ) -> Float[Tensor, "M K B"]:
        x = self.clip(x.double())
        return self._log_density(x.log(), torch.log1p(-x), params, less=1)

    def sample(
        self, params: Float[Tensor, "*batch P"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch D"]:
        return torch.sigmoid(LogitBeta().sample(params, generator))


class LogitBeta(BetaFamily):
    r"""Logits :math:`y = \ln x - \ln(1 - x)` of independent Beta features.

    Draws of x may be nearer to 0 or 1 than a float can say, or than data, which are clipped. Those
    of y are measured as they are drawn. Means are the features' own.
    """

    def log_prob(
        self, x: Float[Tensor, "M 1 B D"], params: Float[Tensor, "M K B P"]
    ) -> Float[Tensor, "M K B"]:
        y = x.double()
        return self._log_density(-softplus(-y), -softplus(y), params, less=0)

    def sample(
        self, params: Float[Tensor, "*batch P"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch D"]:
        alpha, beta = self._concentrations(params)
        return _log_gamma(alpha, generator) - _log_gamma(beta, generator)


def _log_gamma(shape: Tensor, generator: torch.Generator | None) -> Tensor:
    """Draw the logarithm of gamma variables, which of a small shape would themselves underflow."""
    # G(a) is G(a + 1) U^(1/a), and -ln U is exponential.
    larger = torch._standard_gamma(shape + 1, generator=generator)
    exponential = torch.empty_like(shape).exponential_(generator=generator)
    return larger.log() - exponential / shape
