"""The few elementwise functions on the hot path, with hand-written gradients.

    softplus(a) = ln(1 + e^a) = -ln sigmoid(-a),      d softplus / da = sigmoid(a)
    Bernoulli:    sum_d x_d l_d - softplus(l_d),      d / dl_d = x_d - sigmoid(l_d)
                  where softplus(l) = max(l, 0) + ln(1 + e^-|l|)

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
        linear = torch.addcmul(logits.clamp_min(0).neg_(), x, logits)
        return linear.sum(-1) - _sum_log1p(torch.exp(-logits.abs()))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[None, Tensor]:
        x, logits = ctx.saved_tensors
        residual = torch.sigmoid(logits).sub_(x)
        return None, residual.mul_(grad_outputs[0].unsqueeze(-1).neg())


# 2^112 is far from float32's largest number, 2^128; and 7 * 112 = 784.
_FACTORS = 112


def _sum_log1p(e: Tensor) -> Tensor:
    """Return sum_d ln(1 + e_d) for e in [0, 1] as the logarithm of products.

    One logarithm for every 112 features instead of one a feature; the product's rounding,
    112 * 2^-24 at the very worst, is that of adding up numbers of about 100 nats.
    """
    factors = 1 + e
    whole = e.shape[-1] - e.shape[-1] % _FACTORS
    total = factors[..., whole:].prod(-1).log()
    if whole:
        total = total + factors[..., :whole].unflatten(-1, (-1, _FACTORS)).prod(-1).log().sum(-1)
    return total


def bernoulli_log_prob(
    x: Float[Tensor, "M 1 B D"], logits: Float[Tensor, "M K B D"]
) -> Float[Tensor, "M K B"]:
    r"""Return :math:`\sum_d x_d l_d - \mathrm{softplus}(l_d)` in nats; ``x`` gets no gradient."""
    return _BernoulliLogProb.apply(x, logits)  # type: ignore[no-any-return]
