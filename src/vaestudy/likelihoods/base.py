"""What every likelihood has."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod

import torch
from jaxtyping import Float
from torch import Tensor

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
