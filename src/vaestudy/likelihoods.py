r"""Likelihoods p(x | z): what the decoder's outputs mean.

Bernoulli, logits :math:`l`:

.. math:: \log p(x|z) = \sum_d x_d l_d - \mathrm{softplus}(l_d)

Gaussian with the bounded outputs of Bettencourt & Craddock, :math:`\mu = \sigma(a)`,
:math:`\log\sigma^2 = \tanh(b)`:

.. math:: \log p(x|z) = -\tfrac12\sum_d \log 2\pi + \log\sigma_d^2 + (x_d-\mu_d)^2/\sigma_d^2

Continuous Bernoulli (Loaiza-Ganem & Cunningham 2019), a density on [0, 1], logits :math:`l`:

.. math::
    \log p(x|z) = \sum_d x_d l_d - \ln\frac{e^{l_d} - 1}{l_d}
    = \sum_d (x_d - \tfrac12) l_d - \ln\frac{\sinh(l_d/2)}{l_d/2}

Normal, for data on the whole real line, with a mean :math:`a` that is not bounded and the variance
of the Gaussian above floored at :math:`e^f`, :math:`\log\sigma^2 = f + \mathrm{softplus}(b - f)`.

Squared error, the normal density of variance 1/2 and mean :math:`a`:

.. math:: \log p(x|z) = -\sum_d (x_d - a_d)^2 - \tfrac12\ln\pi

Beta, a density on (0, 1) with :math:`\alpha = f + \mathrm{softplus}(a + c)`,
:math:`\beta = f + \mathrm{softplus}(b + c)`, c such that outputs of 0 give Beta(2, 2), and x kept
half a grey level, 1/510, away from 0 and 1, where the density may be infinite:

.. math:: \log p(x|z) = \sum_d (\alpha_d - 1)\ln x_d + (\beta_d - 1)\ln(1 - x_d)
    - \ln B(\alpha_d, \beta_d)

All in nats, summed over the D features. To add one: write a class with these members, put it in
``LIKELIHOODS``, and test it against ``torch.distributions``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.kernels import (
    bernoulli_log_prob,
    continuous_bernoulli_log_prob,
    log_sinhc_slope,
    softplus,
)

LOG_2PI = math.log(2 * math.pi)


class Likelihood(ABC):
    """A family of distributions over x [.., D] with parameters [.., P]."""

    #: Parameters a feature: P = n_heads * D; each head is one output layer of the decoder.
    n_heads: int

    def param_features(self, n_features: int) -> int:
        """Return P, the number of decoder outputs for ``n_features`` features."""
        return self.n_heads * n_features

    @abstractmethod
    def log_prob(
        self, x: Float[Tensor, "M 1 B D"], params: Float[Tensor, "M K B P"]
    ) -> Float[Tensor, "M K B"]:
        """Return log p(x | params) in nats, summed over D."""

    @abstractmethod
    def mean(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        """Return E[x | params]."""

    @abstractmethod
    def sample(
        self, params: Float[Tensor, "*batch P"], generator: torch.Generator | None = None
    ) -> Float[Tensor, "*batch D"]:
        """Draw x from p(x | params)."""

    @abstractmethod
    def binary_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        r"""Return the log-odds of x = 1 against x = 0 when x is known to be binary.

        :math:`\log p(x_d = 1|z) - \log p(x_d = 0|z)`: the family restricted to {0, 1} and
        normalised there, which makes families comparable on binary data.
        """

    @abstractmethod
    def mean_logits(self, params: Float[Tensor, "*batch P"]) -> Float[Tensor, "*batch D"]:
        """Return the logits of a Bernoulli whose mean is :meth:`mean`."""


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


LIKELIHOODS: dict[str, Likelihood] = {
    "bernoulli": Bernoulli(),
    "gaussian": Gaussian(),
    "continuous-bernoulli": ContinuousBernoulli(),
    "normal": Normal(),
    "squared-error": SquaredError(),
    "beta": Beta(),
}
