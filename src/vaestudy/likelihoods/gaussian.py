"""Gaussian likelihoods: of bounded moments, of any mean, of fixed variance."""

from __future__ import annotations

import math
from abc import abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.kernels import softplus
from vaestudy.likelihoods.base import LOG_2PI, Likelihood


class GaussianFamily(Likelihood):
    """Independent Gaussian features; a member says how outputs become mean and log-variance."""

    n_heads = 2

    @abstractmethod
    def moments(
        self, params: Float[Tensor, "*batch P"]
    ) -> tuple[Float[Tensor, "*batch D"], Float[Tensor, "*batch D"]]:
        r"""Return :math:`\mu` and :math:`\log\sigma^2`."""

    def log_prob(
        self, x: Float[Tensor, "M 1 B D"], params: Float[Tensor, "M K B P"]
    ) -> Float[Tensor, "M K B"]:
        mu, logvar = self.moments(params)
        terms = (x - mu).square() * torch.exp(-logvar) + logvar
        return -0.5 * (terms.sum(-1) + x.shape[-1] * LOG_2PI)

    def mean(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        return self.moments(params)[0]

    def sample(
        self, params: Float[Tensor, "*batch P"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch D"]:
        mu, logvar = self.moments(params)
        noise = torch.empty_like(mu).normal_(generator=generator)
        return mu + torch.exp(0.5 * logvar) * noise

    def binary_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        mu, logvar = self.moments(params)
        return (mu - 0.5) * torch.exp(-logvar)


class Gaussian(GaussianFamily):
    """Gaussian features with mean in (0, 1) and log-variance in (-1, 1)."""

    def moments(
        self, params: Float[Tensor, "*batch P"]
    ) -> tuple[Float[Tensor, "*batch D"], Float[Tensor, "*batch D"]]:
        a, b = params.chunk(2, dim=-1)
        return torch.sigmoid(a), torch.tanh(b)

    def mean_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        return params.chunk(2, dim=-1)[0]


class Normal(GaussianFamily):
    r"""Gaussian features with any mean, for standardised data.

    :math:`\log\sigma^2 = f + \mathrm{softplus}(b - f)` with :math:`f = 2\ln 0.01`: no feature's
    standard deviation falls below a hundredth of its spread over the data. Without a floor a
    value that repeats exactly would give a density without bound.
    """

    LOG_VARIANCE_FLOOR = 2 * math.log(0.01)

    def moments(
        self, params: Float[Tensor, "*batch P"]
    ) -> tuple[Float[Tensor, "*batch D"], Float[Tensor, "*batch D"]]:
        mu, b = params.chunk(2, dim=-1)
        return mu, self.LOG_VARIANCE_FLOOR + softplus(b - self.LOG_VARIANCE_FLOOR)

    def mean_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        # A mean outside (0, 1) is no Bernoulli's: the nearest that is one stands for it.
        return torch.logit(self.mean(params), eps=1e-6)


class SquaredError(Likelihood):
    """Independent Gaussian features of variance 1/2 whose mean is not bounded.

    A KL weight of beta makes of it, but for a factor, the VAE of variance beta / 2.
    """

    n_heads = 1

    def log_prob(
        self, x: Float[Tensor, "M 1 B D"], params: Float[Tensor, "M K B P"]
    ) -> Float[Tensor, "M K B"]:
        return -(x - params).square().sum(-1) - 0.5 * x.shape[-1] * math.log(math.pi)

    def mean(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        return params

    def sample(
        self, params: Float[Tensor, "*batch P"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch D"]:
        return params + math.sqrt(0.5) * torch.empty_like(params).normal_(generator=generator)

    def binary_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        return 2 * params - 1

    def mean_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        # A mean outside (0, 1) is no Bernoulli's: the nearest that is one stands for it.
        return torch.logit(params, eps=1e-6)
