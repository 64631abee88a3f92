"""Bounds: gradients, identities, order, schedule."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from builders import LinearGaussian, architecture, perturbed, randn
from vaestudy.objectives import OBJECTIVES, elbo, elbo_sampled, iwae, warmup_beta
from vaestudy.vae import VAE, LatentTerms

M, K, B, D, Z = 2, 3, 3, 3, 2
BETA = torch.tensor([1.0, 0.3], dtype=torch.float64)


def tiny(**changes: object) -> VAE:
    return perturbed(VAE(architecture(n_features=D, n_z=Z, hidden=(3,), **changes), members=M))


def inputs(k: int = K) -> tuple[Tensor, Tensor]:
    return (randn(M, B, D) > 0).double(), randn(M, k, B, Z, seed=1)


def terms_of(k: int = K) -> LatentTerms:
    return tiny()(*inputs(k))


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian"])
@pytest.mark.parametrize("batch_norm", ["none", "all"])
def test_gradcheck(objective: str, likelihood: str, batch_norm: str) -> None:
    model, (x, eps) = tiny(likelihood=likelihood, batch_norm=batch_norm), inputs()
    names = [name for name, _ in model.named_parameters()]

    def bound(*parameters: Tensor) -> Tensor:
        terms = functional_call(model, dict(zip(names, parameters, strict=True)), (x, eps))
        return OBJECTIVES[objective](terms, BETA)

    assert torch.autograd.gradcheck(bound, tuple(model.parameters()), fast_mode=False)


def test_iwae_with_one_sample_is_the_sampled_elbo_exactly() -> None:
    terms = terms_of(k=1)
    assert torch.equal(iwae(terms, BETA), elbo_sampled(terms, BETA))


def test_iwae_is_the_log_of_the_mean_weight() -> None:
    terms = terms_of()
    want = torch.log(torch.exp(terms.log_w(BETA)).mean(1))
    torch.testing.assert_close(iwae(terms, BETA), want)


def test_iwae_does_not_overflow() -> None:
    zero = torch.zeros(1, 2, 1)
    terms = LatentTerms(torch.tensor([[[-5000.0], [-5001.0]]]), zero, zero, torch.zeros(1, 1))
    want = -5000 + torch.tensor((1 + torch.e**-1) / 2).log()
    torch.testing.assert_close(iwae(terms, torch.ones(1)), want.view(1, 1))


def test_iwae_gradient_is_the_self_normalised_importance_weighted_one() -> None:
    model = tiny()
    parameters, (x, eps) = tuple(model.parameters()), inputs()
    got = torch.autograd.grad(iwae(model(x, eps), BETA).sum(), parameters)
    log_w = model(x, eps).log_w(BETA)
    weights = torch.exp(log_w.detach()) / torch.exp(log_w.detach()).sum(1, keepdim=True)
    want = torch.autograd.grad((weights * log_w).sum(), parameters)
    torch.testing.assert_close(got, want, rtol=1e-10, atol=1e-12)


def test_elbo_is_reconstruction_minus_beta_kl() -> None:
    terms = terms_of()
    for m, b in enumerate(BETA):
        want = terms.log_px_z[m].mean(0) - b * terms.kl[m]
        torch.testing.assert_close(elbo(terms, BETA)[m], want)


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_without_beta_the_latent_terms_do_not_count(objective: str) -> None:
    terms = terms_of()
    other = LatentTerms(terms.log_px_z, 7 * terms.log_pz, terms.log_qz_x + 5, terms.kl + 3)
    f, zero = OBJECTIVES[objective], torch.zeros(M).double()
    assert torch.equal(f(terms, zero), f(other, zero))
    assert not torch.allclose(f(terms, BETA), f(other, BETA))


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_beta_belongs_to_its_member(objective: str) -> None:
    terms, f = terms_of(), OBJECTIVES[objective]
    low, high = f(terms, BETA), f(terms, torch.tensor([1.0, 0.9]).double())
    assert torch.equal(low[0], high[0])
    assert not torch.allclose(low[1], high[1])


def test_bounds_rise_with_k_in_expectation_and_stay_below_log_px() -> None:
    toy = LinearGaussian(shift=0.3, widen=1.4)
    n_repeats, x = 4000, toy.sample(8)
    exact = toy.log_px(x)
    estimates = {
        k: torch.logsumexp(toy.log_w(x.repeat(n_repeats, 1), k, seed=k)[0], dim=0)
        .view(n_repeats, -1)
        .mean(1)
        - torch.tensor(float(k)).log()
        for k in (1, 5, 50)
    }
    means = {k: v.mean().item() for k, v in estimates.items()}
    errors = {k: v.std().item() / n_repeats**0.5 for k, v in estimates.items()}
    assert means[5] - means[1] > 4 * (errors[1] + errors[5])
    assert means[50] - means[5] > 4 * (errors[5] + errors[50])
    assert exact.mean().item() - means[50] > 4 * errors[50]


def test_the_sampled_elbo_estimates_the_analytic_one() -> None:
    toy = LinearGaussian(shift=0.3, widen=1.4)
    x, n = toy.sample(5), 50_000
    eps = randn(1, n, 5, 2)
    terms, one = toy.model(x[None], eps), torch.ones(1).double()
    error = terms.log_w().std(1) / n**0.5
    assert ((elbo_sampled(terms, one) - elbo(terms, one)).abs() < 5 * error).all()


def test_warmup_rises_linearly_from_zero_to_one() -> None:
    assert [warmup_beta(epoch, 4) for epoch in range(1, 8)] == [0, 0.25, 0.5, 0.75, 1, 1, 1]
    assert warmup_beta(200 + 1, 200) == 1
    assert warmup_beta(200, 200) < 1
    assert warmup_beta(1, 0) == 1


def test_epochs_are_counted_from_one() -> None:
    with pytest.raises(ValueError, match="epoch is 0"):
        warmup_beta(0, 3)
