r"""What a compiled step makes of a few operations, where the compiler's own choice is slow.

With :math:`e = e^{-|a|} \in (0, 1]`, one exponential gives both

.. math::
    \mathrm{softplus}(a) = \max(a, 0) + \ln(1 + e), \qquad
    \sigma(a) = \begin{cases} 1/(1+e) & a \ge 0 \\ e/(1+e) & a < 0 \end{cases}

and the graph computes e once for the value and its gradient. The logarithm of 1 + e is a polynomial
on [0, 1], and the exponential itself is one after the usual reduction

.. math:: e^x = 2^n e^r, \qquad n = \mathrm{round}(x / \ln 2), \quad |r| \le \tfrac12\ln 2,

a few fused multiply-adds each, in half the time of the vector library's functions.
The same reduction gives :math:`e^x - 1 = 2^n (e^r - 1) + (2^n - 1)` without cancellation, which elu
and its slope are made of. A product of one member is a plain matrix product, and a bias is added
where the product is next read. Convolutions are :mod:`vaestudy.lowering_convolutions`'.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from vaestudy.lowering_convolutions import convolution, convolution_backward

aten = torch.ops.aten

# ln(1 + e) / e on [0, 1], Chebyshev interpolation of degree 9: 5e-9 relative, a tenth of float32's
# rounding. Made by `numpy.polynomial.chebyshev.chebfit` at 400 nodes.
_LOG1P_COEFFICIENTS = (
    0.9999999953848531,
    -0.4999990399276279,
    0.3333000403519208,
    -0.24954558870800064,
    0.1967811725499681,
    -0.15311863098551823,
    0.10614264681217396,
    -0.05706420070662634,
    0.019907160898020075,
    -0.0032563784668817944,
)


# e^r on [-ln 2 / 2, ln 2 / 2], Chebyshev interpolation of degree 6: 6e-9 relative.
_EXP_COEFFICIENTS = (
    1.0,
    1.0000000377162153,
    0.5000000047117972,
    0.16666415514649002,
    0.041666352896198126,
    0.008375126398416404,
    0.001394110846934711,
)
# ln 2 in two parts: n times the first is exact in float32 for every n that occurs.
_LN2_HIGH, _LN2_LOW = 0.693359375, -2.1219444005469057e-4
# Outside, 2^n is 0 (n = -127) or infinite (n = 128), and so is e^x.
_EXP_LOWEST, _EXP_HIGHEST = -88.0, 88.6
# A float from 2^23 to 2^24 has no fraction: adding this rounds to an integer, which then stands in
# the number's last bits, with the exponent's bias of 127 on it.
_ROUND_AND_BIAS = 1.5 * 2**23 + 127


def _polynomial(x: Tensor, coefficients: tuple[float, ...]) -> Tensor:
    *rest, last = coefficients
    value = x * last + rest.pop()
    for coefficient in reversed(rest):
        value = value * x + coefficient
    return value


def _reduced(x: Tensor) -> tuple[Tensor, Tensor]:
    """Return r and 2^n."""
    inside = x.clamp(_EXP_LOWEST, _EXP_HIGHEST)
    shifted = inside * (1 / math.log(2)) + _ROUND_AND_BIAS
    n = shifted - _ROUND_AND_BIAS
    r = inside - n * _LN2_HIGH - n * _LN2_LOW
    # The bits of 2^n: its exponent above 23 bits of mantissa.
    return r, (shifted.view(torch.int32) << 23).view(torch.float32)


def exp(x: Tensor) -> Tensor:
    """Return e^x in float32, to its precision: 0 below -87.69, infinite above 88.37."""
    if x.dtype != torch.float32:
        return NotImplemented  # type: ignore[no-any-return]
    r, power = _reduced(x)
    return _polynomial(r, _EXP_COEFFICIENTS) * power


def expm1_below_0(x: Tensor) -> Tensor:
    """Return e^x - 1 at x <= 0, to float32's precision relative to its value.

    In float64 it is the library's function.
    """
    if x.dtype == torch.float64:
        return torch.expm1(x)
    r, power = _reduced(x)
    # The first coefficient is 1: e^r - 1 is the others', exact where r is small.
    return _polynomial(r, _EXP_COEFFICIENTS[1:]) * r * power + (power - 1)


def log1p_unit(e: Tensor) -> Tensor:
    """Return ln(1 + e) for e in [0, 1], to float32's precision relative to its value.

    In float64 it is the library's function.
    """
    if e.dtype == torch.float64:
        return torch.log1p(e)
    return _polynomial(e, _LOG1P_COEFFICIENTS) * e


def softplus(a: Tensor, beta: float = 1, threshold: float = 20) -> Tensor:
    """Return softplus of ``a``, exact at any ``a``: the threshold is not needed."""
    if beta != 1:
        raise NotImplementedError(f"softplus with beta {beta}")
    return a.clamp_min(0) + log1p_unit(torch.exp(-a.abs()))


def sigmoid(a: Tensor) -> Tensor:
    """Return the logistic function of ``a``."""
    e = torch.exp(-a.abs())
    return torch.where(a >= 0, 1.0, e) / (1 + e)


def elu(a: Tensor, alpha: float = 1, scale: float = 1, input_scale: float = 1) -> Tensor:
    """Return elu of ``a``: a where it is positive, else e^a - 1."""
    if (alpha, scale, input_scale) != (1, 1, 1):
        raise NotImplementedError(f"elu with alpha {alpha}, scales {scale} and {input_scale}")
    return torch.where(a > 0, a, expm1_below_0(a.clamp_max(0)))


def elu_backward(
    gradient: Tensor, alpha: float, scale: float, input_scale: float, is_result: bool, a: Tensor
) -> Tensor:
    """Return the gradient at ``a``, elu's argument, of what has ``gradient`` at elu of it.

    If ``is_result``, ``a`` is elu of the argument.
    """
    below = (a if is_result else elu(a, alpha, scale, input_scale)).clamp_max(0)
    return gradient * (below + 1)


def bmm(a: Tensor, b: Tensor) -> Tensor:
    """Return a single member's product as a plain one; leave several members' as they are."""
    if a.shape[0] != 1:
        # What tracing takes for "no, record the operation itself".
        return NotImplemented  # type: ignore[no-any-return]
    product: Tensor = aten.mm(a[0], b[0])
    return product[None]


def baddbmm(bias: Tensor, a: Tensor, b: Tensor) -> Tensor:
    """Return the products plus the bias."""
    return torch.bmm(a, b) + bias


#: For the compiled step's graph, on a CPU.
LOWERINGS: dict[Any, Callable[..., Any]] = {
    aten.exp.default: exp,
    aten.softplus.default: softplus,
    aten.sigmoid.default: sigmoid,
    aten.elu.default: elu,
    aten.elu_backward.default: elu_backward,
    aten.bmm.default: bmm,
    aten.baddbmm.default: baddbmm,
    aten.convolution.default: convolution,
    aten.convolution_backward.default: convolution_backward,
}
