"""The few elementwise functions on the hot path, with hand-written gradients.

    softplus(a) = ln(1 + e^a) = -ln sigmoid(-a),      d softplus / da = sigmoid(a)
    Bernoulli:    sum_d x_d l_d - softplus(l_d),      d / dl_d = x_d - sigmoid(l_d)
                  where softplus(l) = max(l, 0) + ln(1 + e^-|l|)
    continuous:   sum_d (x_d - 1/2) l_d - A(l_d),     d / dl_d = x_d - 1/2 - A'(l_d)
    A(l) = ln(sinh(l/2) / (l/2)) = ln((e^l - 1) / l) - l/2

Autograd keeps and reads more intermediates than these need: each function here computes its
gradient from one saved tensor. Their plain twins are in the tests.
"""

from __future__ import annotations

from collections.abc import Sequence
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
        return _sum_less_log1p(linear, torch.exp(-logits.abs()))

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[None, Tensor]:
        x, logits = ctx.saved_tensors
        residual = torch.sigmoid(logits).sub_(x)
        return None, residual.mul_(grad_outputs[0].unsqueeze(-1).neg())


# 2^112 is far from float32's largest number, 2^128; and 7 * 112 = 784.
_FACTORS = 112


def _sum_less_log1p(a: Tensor, e: Tensor) -> Tensor:
    """Return sum_d a_d - ln(1 + e_d) for e in [0, 1], the logarithms as those of products.

    One logarithm for every 112 features instead of one a feature; the product's rounding,
    112 * 2^-24 at the very worst, is that of adding up numbers of about 100 nats. Sums and products
    are over the same features, so that a compiler makes them in one pass.
    """
    whole = a.shape[-1] - a.shape[-1] % _FACTORS
    if not whole:
        return _sum_less_log_product(a, e)
    blocks = (t[..., :whole].unflatten(-1, (-1, _FACTORS)) for t in (a, e))
    total = _sum_less_log_product(*blocks).sum(-1)
    if whole == a.shape[-1]:
        return total
    return total + _sum_less_log_product(a[..., whole:], e[..., whole:])


def _sum_less_log_product(a: Tensor, e: Tensor) -> Tensor:
    return a.sum(-1) - (1 + e).prod(-1).log()


def bernoulli_log_prob(
    x: Float[Tensor, "M 1 B D"], logits: Float[Tensor, "M K B D"]
) -> Float[Tensor, "M K B"]:
    r"""Return :math:`\sum_d x_d l_d - \mathrm{softplus}(l_d)` in nats; ``x`` gets no gradient."""
    return _BernoulliLogProb.apply(x, logits)  # type: ignore[no-any-return]


# B_2n / (2n)!, the coefficients of A'(l) = coth(l/2) / 2 - 1/l in odd powers of l. Both formulas
# subtract what is large near 0; up to 1/2 the series' remainder is below 1e-17.
_A_SLOPE = (
    1 / 12,
    -1 / 720,
    1 / 30240,
    -1 / 1209600,
    1 / 47900160,
    -691 / 1307674368000,
    1 / 74724249600,
)
_SERIES_BELOW = 0.5


def _polynomial(coefficients: Sequence[float], y: Tensor) -> Tensor:
    value = torch.full_like(y, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        value = value * y + coefficient
    return value


def log_sinhc(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Return :math:`A(l) = \ln\frac{\sinh(l/2)}{l/2}`, accurate at every ``l``."""
    squared = logits.square()
    coefficients = [slope / (2 * n) for n, slope in enumerate(_A_SLOPE, start=1)]
    series = squared * _polynomial(coefficients, squared)
    near = logits.abs() < _SERIES_BELOW
    a = torch.where(near, 1.0, logits.abs())
    return torch.where(near, series, 0.5 * a + torch.log((1 - torch.exp(-a)) / a))


def log_sinhc_slope(logits: Float[Tensor, "*shape"]) -> Float[Tensor, "*shape"]:
    r"""Return :math:`A'(l) = \tfrac12\coth\tfrac l2 - \tfrac1l`, accurate at every ``l``."""
    series = logits * _polynomial(_A_SLOPE, logits.square())
    near = logits.abs() < _SERIES_BELOW
    a = torch.where(near, 1.0, logits.abs())
    slope = 1 / (1 - torch.exp(-a)) - 0.5 - 1 / a
    return torch.where(near, series, torch.copysign(slope, logits))


class _ContinuousBernoulliLogProb(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, logits: Tensor) -> Tensor:
        ctx.save_for_backward(x, logits)
        return torch.addcmul(-log_sinhc(logits), x - 0.5, logits).sum(-1)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[None, Tensor]:
        x, logits = ctx.saved_tensors
        residual = (x - 0.5) - log_sinhc_slope(logits)
        return None, residual.mul_(grad_outputs[0].unsqueeze(-1))


def continuous_bernoulli_log_prob(
    x: Float[Tensor, "M 1 B D"], logits: Float[Tensor, "M K B D"]
) -> Float[Tensor, "M K B"]:
    r"""Return :math:`\sum_d (x_d - \tfrac12) l_d - A(l_d)` in nats; ``x`` gets no gradient."""
    return _ContinuousBernoulliLogProb.apply(x, logits)  # type: ignore[no-any-return]
