"""Jensen-Shannon objectives against Monte Carlo, closed forms and quadrature."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch import Tensor
from torch.distributions import Normal, kl_divergence

from builders import randn
from vaestudy.latent_terms import LatentTerms
from vaestudy.objectives import elbo, geometric_js, half_joint, jensen_shannon

M, B, Z = 1, 3, 2
ONE = torch.ones(M, dtype=torch.float64)


def terms_of(k: int, scale: float = 1.0, z: int = Z) -> LatentTerms:
    mu, logvar, eps = scale * randn(M, B, z), randn(M, B, z, seed=1) - 0.5, randn(M, k, B, z)
    codes = mu.unsqueeze(1) + (0.5 * logvar).exp().unsqueeze(1) * eps
    return LatentTerms(torch.zeros(M, k, B).double(), mu, logvar, eps, codes)


def divergence(objective: object, terms: LatentTerms, **parameters: float) -> Tensor:
    return -objective(terms, ONE, **parameters)[0]


def exact_js(mu: float, sigma: float) -> float:
    """By quadrature, from the definition with the mixture."""

    def integrand(z: float) -> float:
        q, p = norm.pdf(z, mu, sigma), norm.pdf(z)
        m = 0.5 * (q + p)
        halves = [f * math.log(f / m) for f in (q, p) if f > 0]
        return 0.5 * sum(halves)

    return quad(integrand, -12, 12, points=[mu, 0], limit=200)[0]


def geometric(q: Any, p: Any, skew: float) -> float:
    """By quadrature, from the definition with the geometric mean and its mass."""

    def log_g(z: float) -> float:
        return skew * q.logpdf(z) + (1 - skew) * p.logpdf(z)

    log_mass = math.log(quad(lambda z: math.exp(log_g(z)), -15, 15)[0])

    def kl(f: Any) -> float:
        return quad(lambda z: f.pdf(z) * (f.logpdf(z) - log_g(z) + log_mass), -12, 12)[0]

    return (1 - skew) * kl(q) + skew * kl(p)


def test_jensen_shannon_is_the_divergence() -> None:
    n = 200_000
    terms = terms_of(n, z=1)
    got = divergence(jensen_shannon, terms)
    for b in range(B):
        mu, sigma = terms.mu[0, b, 0].item(), math.exp(terms.logvar[0, b, 0].item() / 2)
        assert got[b].item() == pytest.approx(exact_js(mu, sigma), abs=5e-3)


def test_jensen_shannon_gradient_is_the_divergences() -> None:
    """Reparameterised samples against central differences of the quadrature."""
    terms = terms_of(400_000, z=1)
    mu, logvar = (t.clone().requires_grad_() for t in (terms.mu, terms.logvar))
    z = mu.unsqueeze(1) + (0.5 * logvar).exp().unsqueeze(1) * terms.eps
    live = replace(terms, mu=mu, logvar=logvar, z=z)
    gradients = torch.autograd.grad(divergence(jensen_shannon, live).sum(), (mu, logvar))
    h = 1e-4
    for b in range(B):
        m, v = terms.mu[0, b, 0].item(), terms.logvar[0, b, 0].item()
        want = [
            (exact_js(m + h, math.exp(v / 2)) - exact_js(m - h, math.exp(v / 2))) / (2 * h),
            (exact_js(m, math.exp((v + h) / 2)) - exact_js(m, math.exp((v - h) / 2))) / (2 * h),
        ]
        got = [g[0, b, 0].item() for g in gradients]
        np.testing.assert_allclose(got, want, atol=4e-3)


def test_jensen_shannon_is_at_most_ln_2() -> None:
    apart = divergence(jensen_shannon, terms_of(50, scale=1000.0))
    torch.testing.assert_close(apart, torch.full_like(apart, math.log(2)))
    same = replace(terms_of(50), mu=torch.zeros(M, B, Z).double())
    same = replace(same, logvar=torch.zeros(M, B, Z).double(), z=same.eps)
    torch.testing.assert_close(divergence(jensen_shannon, same), torch.zeros(B).double())


def test_geometric_js_without_skew_is_the_elbo() -> None:
    terms = terms_of(2)
    torch.testing.assert_close(geometric_js(terms, ONE, js_skew=0.0), elbo(terms, ONE))


def test_geometric_js_of_full_skew_is_the_kl_from_prior_to_posterior() -> None:
    terms = terms_of(2)
    q, p = Normal(terms.mu, (0.5 * terms.logvar).exp()), Normal(0.0, 1.0)
    want = kl_divergence(p, q).sum(-1)[0]
    torch.testing.assert_close(divergence(geometric_js, terms, js_skew=1.0), want)


@pytest.mark.parametrize("skew", [0.2, 0.5, 0.8])
def test_geometric_js_is_two_kls_to_the_normalised_geometric_mean(skew: float) -> None:
    terms = terms_of(1, z=1)
    got = divergence(geometric_js, terms, js_skew=skew)
    for b in range(B):
        q = norm(terms.mu[0, b, 0].item(), math.exp(terms.logvar[0, b, 0].item() / 2))
        assert got[b].item() == pytest.approx(geometric(q, norm(), skew), abs=1e-7)


def test_geometric_js_is_symmetric_at_one_half() -> None:
    terms = terms_of(1, z=1)
    mu, logvar = terms.mu, terms.logvar
    # The same two normals with the scale and place at which the other is standard.
    swapped = replace(terms, mu=-mu * (-0.5 * logvar).exp(), logvar=-logvar)
    torch.testing.assert_close(
        divergence(geometric_js, terms, js_skew=0.5),
        divergence(geometric_js, swapped, js_skew=0.5),
    )


def test_half_joint_is_half_of_the_joint_density() -> None:
    n = 200_000
    terms = terms_of(n)
    mu, logvar = (t.clone().requires_grad_() for t in (terms.mu, terms.logvar))
    z = mu.unsqueeze(1) + (0.5 * logvar).exp().unsqueeze(1) * terms.eps
    beta = torch.full((M,), 0.7, dtype=torch.float64)
    value = half_joint(replace(terms, mu=mu, logvar=logvar, z=z), beta)
    # log p(x|z) is 0 there; E log p(z) = -(mu^2 + sigma^2 + ln 2 pi) / 2 of each dimension.
    square = mu.square() + logvar.exp()
    want = -0.25 * 0.7 * (square + math.log(2 * math.pi)).sum(-1)
    torch.testing.assert_close(value, want, rtol=5e-3, atol=0)
    # Nothing stands against a smaller variance.
    (gradient,) = torch.autograd.grad(value.sum(), logvar)
    torch.testing.assert_close(gradient, -0.25 * 0.7 * terms.logvar.exp(), rtol=2e-2, atol=0)
