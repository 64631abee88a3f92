"""Hand-written gradients against autograd through the plain formulas."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Bernoulli

from builders import randn
from vaestudy.kernels import bernoulli_log_prob, softplus

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
