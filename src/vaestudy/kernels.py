"""The few elementwise functions on the hot path, with hand-written gradients.

    softplus(a) = ln(1 + e^a) = -ln sigmoid(-a),      d softplus / da = sigmoid(a)
    Bernoulli:    sum_d x_d l_d - softplus(l_d),      d / dl_d = x_d - sigmoid(l_d)

Autograd keeps and reads more intermediates than these need: each function here computes its
gradient from one saved tensor. Their plain twins are in the tests.
"""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F


class _Softplus(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor) -> Tensor:
        ctx.save_for_backward(a)
        return F.softplus(a, threshold=_EXACT_ABOVE)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> Tensor:
        (a,) = ctx.saved_tensors
        return torch.sigmoid(a).mul_(grad_outputs[0])


# Above this a + e^-a equals a in float64, so returning a is exact to the last bit.
_EXACT_ABOVE = 40.0


def softplus(a: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    """Return ``ln(1 + e^a)``, exact for large ``|a|``, with gradient ``sigmoid(a)``."""
    return _Softplus.apply(a)  # type: ignore[no-any-return]


class _BernoulliLogProb(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, logits: Tensor) -> Tensor:
        ctx.save_for_backward(x, logits)
        value = F.softplus(logits, threshold=_EXACT_ABOVE)
        return torch.addcmul(value.neg_(), x, logits).sum(-1)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[None, Tensor]:
        x, logits = ctx.saved_tensors
        residual = torch.sigmoid(logits).sub_(x)
        return None, residual.mul_(grad_outputs[0].unsqueeze(-1).neg())


def bernoulli_log_prob(
    x: Float[Tensor, "M 1 B D"], logits: Float[Tensor, "M K B D"]
) -> Float[Tensor, "M K B"]:
    r"""Return :math:`\sum_d x_d l_d - \mathrm{softplus}(l_d)` in nats; ``x`` gets no gradient."""
    return _BernoulliLogProb.apply(x, logits)  # type: ignore[no-any-return]
