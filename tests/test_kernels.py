"""Hand-written gradients against autograd through the plain formulas."""

from __future__ import annotations

from decimal import Decimal, localcontext
from functools import partial

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli

from builders import randn
from vaestudy.kernels import (
    bernoulli_log_prob,
    continuous_bernoulli_log_prob,
    log_sinhc,
    log_sinhc_slope,
    softplus,
)

DTYPES = [torch.float32, torch.float64]
EDGES = [-100.0, -40.1, -39.9, -20.0, -1e-8, 0.0, 1e-8, 20.0, 39.9, 40.1, 100.0]


def plain_softplus(a: Tensor) -> Tensor:
    return torch.logaddexp(a, torch.zeros_like(a))


def plain_bernoulli(x: Tensor, logits: Tensor) -> Tensor:
    return (x * logits - plain_softplus(logits)).sum(-1)


def value_and_gradient(f: object, a: Tensor, upstream: Tensor) -> tuple[Tensor, Tensor]:
    a = a.clone().requires_grad_()
    value = f(a)
    return value.detach(), torch.autograd.grad(value, a, upstream)[0]


@pytest.mark.parametrize("dtype", DTYPES)
def test_softplus_and_its_gradient_are_those_of_the_plain_formula(dtype: torch.dtype) -> None:
    a = torch.cat([torch.tensor(EDGES).double(), 10 * randn(200)]).to(dtype)
    upstream = randn(len(a), seed=1).to(dtype)
    got, want = (value_and_gradient(f, a, upstream) for f in (softplus, plain_softplus))
    torch.testing.assert_close(got, want, rtol=4 * torch.finfo(dtype).eps, atol=1e-38)


@pytest.mark.parametrize("dtype", DTYPES)
def test_softplus_at_the_extremes(dtype: torch.dtype) -> None:
    value, gradient = value_and_gradient(
        softplus, torch.tensor([-100.0, 100.0], dtype=dtype), torch.ones(2, dtype=dtype)
    )
    assert value[1] == 100
    assert gradient[1] == 1
    # float32 may flush e^-100 to 0.
    expected = pytest.approx(3.7e-44, rel=0.02 if dtype == torch.float64 else 1)
    assert value[0].item() == expected
    assert gradient[0].item() == expected


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("k", [1, 3])
def test_bernoulli_and_its_gradient_are_those_of_the_plain_formula(
    dtype: torch.dtype, k: int
) -> None:
    logits = (10 * randn(2, k, 4, 11)).to(dtype)
    logits[..., :] += torch.tensor(EDGES, dtype=dtype)
    # Grey values too: the formula is a cross-entropy there.
    x = torch.rand(2, 1, 4, 11, generator=torch.Generator().manual_seed(1)).to(dtype)
    x[:, :, :2] = x[:, :, :2].round()
    upstream = randn(2, k, 4, seed=2).to(dtype)
    got = value_and_gradient(lambda a: bernoulli_log_prob(x, a), logits, upstream)
    want = value_and_gradient(lambda a: plain_bernoulli(x, a), logits, upstream)
    eps = torch.finfo(dtype).eps
    torch.testing.assert_close(got, want, rtol=50 * eps, atol=200 * eps)


def test_bernoulli_is_the_distribution() -> None:
    logits, x = 5 * randn(2, 3, 4, 9), (randn(2, 1, 4, 9, seed=1) > 0).double()
    want = Bernoulli(logits=logits).log_prob(x.expand_as(logits)).sum(-1)
    torch.testing.assert_close(bernoulli_log_prob(x, logits), want, rtol=1e-12, atol=1e-12)


def test_gradcheck() -> None:
    a = (5 * randn(3, 4)).requires_grad_()
    assert torch.autograd.gradcheck(softplus, a)
    logits, x = (5 * randn(2, 3, 2, 4)).requires_grad_(), (randn(2, 1, 2, 4, seed=1) > 0).double()
    assert torch.autograd.gradcheck(lambda a: bernoulli_log_prob(x, a), logits)


@pytest.mark.parametrize("logit", [-100.0, 100.0])
@pytest.mark.parametrize("pixel", [0.0, 1.0])
def test_bernoulli_at_the_extremes_is_finite(logit: float, pixel: float) -> None:
    logits = torch.full((1, 1, 1, 1), logit, requires_grad=True)
    value = bernoulli_log_prob(torch.full((1, 1, 1, 1), pixel), logits)
    value.sum().backward()
    likely = (pixel == 1) == (logit > 0)
    assert value.item() == pytest.approx(0.0 if likely else -100.0)
    assert logits.grad is not None
    assert logits.grad.item() == pytest.approx(0.0 if likely else 2 * pixel - 1)


def exact_log_sinhc(logit: float) -> tuple[float, float]:
    """A(l) and A'(l) with 100 digits."""
    with localcontext() as context:
        context.prec = 100
        a = Decimal(logit)
        if not a:
            return 0.0, 0.0
        slope = (a.exp() + 1) / (a.exp() - 1) / 2 - 1 / a
        return float(((a.exp() - 1) / a).ln() - a / 2), float(slope)


@pytest.mark.parametrize("dtype", DTYPES)
def test_the_continuous_bernoullis_normaliser_is_exact_everywhere(dtype: torch.dtype) -> None:
    sizes = [0, 1e-20, 1e-8, 1e-4, 0.01, 0.3, 0.4999, 0.5, 0.5001, 0.7, 1, 2, 9, 40, 88, 89, 100]
    logits = torch.tensor([*sizes, *(-size for size in sizes)], dtype=dtype)
    want = torch.tensor([exact_log_sinhc(v) for v in logits.tolist()], dtype=torch.float64)
    eps = torch.finfo(dtype).eps
    for f, exact in ((log_sinhc, want[:, 0]), (log_sinhc_slope, want[:, 1])):
        torch.testing.assert_close(f(logits).double(), exact, rtol=eps, atol=4 * eps)


@pytest.mark.parametrize("dtype", DTYPES)
def test_continuous_bernoulli_gradient_is_data_minus_mean(dtype: torch.dtype) -> None:
    logits = torch.tensor([[[[*EDGES, 0.3, -0.3, 0.5, -0.5, 3.0]]]], dtype=dtype)
    x = torch.linspace(0, 1, logits.shape[-1], dtype=dtype).view(1, 1, 1, -1)
    upstream = torch.full((1, 1, 1), 0.7, dtype=dtype)
    _, got = value_and_gradient(partial(continuous_bernoulli_log_prob, x), logits, upstream)
    slopes = [exact_log_sinhc(v)[1] for v in logits.flatten().tolist()]
    want = 0.7 * (x.double() - 0.5 - torch.tensor(slopes, dtype=torch.float64))
    atol = 4 * torch.finfo(dtype).eps
    torch.testing.assert_close(got.double(), want, rtol=0, atol=atol)


@pytest.mark.parametrize("scale", [0.1, 1.0, 10.0])
def test_continuous_bernoulli_gradcheck(scale: float) -> None:
    x, logits = torch.sigmoid(randn(1, 1, 3, 4, seed=1)), scale * randn(1, 2, 3, 4)
    log_prob = partial(continuous_bernoulli_log_prob, x)
    assert torch.autograd.gradcheck(log_prob, logits.requires_grad_())
