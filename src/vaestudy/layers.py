r"""Layers that hold M networks of one shape, one a member.

Linear: :math:`y_m = x_m W_m + b_m`. Batch normalization (Ioffe & Szegedy 2015), per member:

.. math:: BN(a) = \gamma\,(a - \mu_B)/\sqrt{\sigma_B^2 + \epsilon} + \beta

Activations are ``[M, *, F]``; a layer flattens the axes between M and F to rows.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vaestudy.kernels import softplus

ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {
    "softplus": softplus,
    "relu": F.relu,
    "tanh": torch.tanh,
    "elu": F.elu,
    "silu": F.silu,
}


class MemberLinear(nn.Module):
    """M affine maps ``[M, *, n_in] -> [M, *, n_out]``.

    Parameters
    ----------
    members, n_in, n_out
        Sizes.
    heads
        How many separate output layers the map stands for: Glorot's fan-out is that of one.
    bias
        Whether there is an additive bias; a batch-normalised layer has none.
    """

    def __init__(
        self, members: int, n_in: int, n_out: int, *, heads: int = 1, bias: bool = True
    ) -> None:
        super().__init__()
        self.heads = heads
        #: What the products are computed in, if not in the parameters' own precision.
        self.product_dtype: torch.dtype | None = None
        self.weight = nn.Parameter(torch.empty(members, n_in, n_out))
        self.bias = nn.Parameter(torch.zeros(members, 1, n_out)) if bias else None

    @torch.no_grad()
    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        """Draw W from Glorot & Bengio's normal, Var(w) = 2 / (n_in + n_out); biases are 0.

        Each member's slice comes from its own generator: a library initialiser on the 3-D
        tensor would take the member axis for part of the fan.
        """
        _, n_in, n_out = self.weight.shape
        std = math.sqrt(2 / (n_in + n_out // self.heads))
        for weight, generator in zip(self.weight, generators, strict=True):
            # Made on the generator's device, so that a CPU generator initialises a GPU model too.
            draw = torch.empty(weight.shape, device=generator.device)
            weight.copy_(draw.normal_(std=std, generator=generator))

    def forward(self, x: Float[Tensor, "M *rows n_in"]) -> Float[Tensor, "M *rows n_out"]:
        """Apply member m's map to ``x[m]``."""
        if x.dim() != 3:
            return self(x.flatten(1, -2)).unflatten(1, x.shape[1:-1])  # type: ignore[no-any-return]
        if self.training and self.product_dtype is not None:
            product = torch.bmm(x.to(self.product_dtype), self.weight.to(self.product_dtype))
            return product.to(x.dtype) if self.bias is None else product.to(x.dtype) + self.bias
        if self.bias is None:
            return torch.bmm(x, self.weight)
        return torch.baddbmm(self.bias, x, self.weight)


class MemberBatchNorm(nn.Module):
    """Batch normalization per member over every axis but the feature.

    In training, statistics are the batch's (over K and B) and running averages are kept; in
    evaluation the running averages are used.
    """

    running_mean: Tensor
    running_var: Tensor

    def __init__(
        self, members: int, n_features: int, *, eps: float = 1e-5, momentum: float = 0.1
    ) -> None:
        super().__init__()
        self.eps, self.momentum = eps, momentum
        self.gamma = nn.Parameter(torch.ones(members, 1, n_features))
        self.beta = nn.Parameter(torch.zeros(members, 1, n_features))
        self.register_buffer("running_mean", torch.zeros(members, 1, n_features))
        self.register_buffer("running_var", torch.ones(members, 1, n_features))

    def forward(self, a: Float[Tensor, "M *rows n"]) -> Float[Tensor, "M *rows n"]:
        """Normalise ``a`` and apply the learned scale and shift."""
        rows = a if a.dim() == 3 else a.flatten(1, -2)
        if self.training:
            var, mean = torch.var_mean(rows, dim=1, correction=0, keepdim=True)
            self._track(mean, var, rows.shape[1])
        else:
            mean, var = self.running_mean, self.running_var
        scale = self.gamma * torch.rsqrt(var + self.eps)
        return torch.addcmul(self.beta - mean * scale, rows, scale).view_as(a)

    @torch.no_grad()
    def _track(self, mean: Tensor, var: Tensor, n: int) -> None:
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(var * (n / max(n - 1, 1)), self.momentum)


class Activation(nn.Module):
    """An elementwise nonlinearity by name."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    def forward(self, a: Tensor) -> Tensor:
        """Apply the nonlinearity."""
        return ACTIVATIONS[self.name](a)


def hidden_layers(
    members: int, widths: Sequence[int], activation: str, batch_norm: bool
) -> nn.Sequential:
    """Return dense → (batch norm) → nonlinearity for each step of ``widths``."""
    layers: list[nn.Module] = []
    for n_in, n_out in pairwise(widths):
        layers.append(MemberLinear(members, n_in, n_out, bias=not batch_norm))
        if batch_norm:
            layers.append(MemberBatchNorm(members, n_out))
        layers.append(Activation(activation))
    return nn.Sequential(*layers)
