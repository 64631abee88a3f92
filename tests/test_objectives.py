"""Bounds: gradients, identities, order, schedule."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from torch import Tensor
from torch.func import functional_call

from builders import LinearGaussian, architecture, objective_of, perturbed, randn, run_config
from vaestudy.latent_terms import LatentTerms
from vaestudy.objectives import (
    OBJECTIVES,
    beta_schedule,
    ciwae,
    elbo,
    elbo_sampled,
    free_bits,
    iwae,
    make_objective,
    miwae,
    warmup_beta,
)
from vaestudy.vae import VAE

M, K, B, D, Z = 2, 4, 3, 3, 2
BETA = torch.tensor([1.0, 0.3], dtype=torch.float64)


def tiny(**changes: object) -> VAE:
    return perturbed(VAE(architecture(n_features=D, n_z=Z, hidden=(3,), **changes), members=M))


def inputs(k: int = K) -> tuple[Tensor, Tensor]:
    return (randn(M, B, D) > 0).double(), randn(M, k, B, Z, seed=1)


def terms_of(k: int = K) -> LatentTerms:
    return tiny()(*inputs(k))


#: Objectives that are differentiated as they stand; test_estimators.py has the others.
PLAIN = ["elbo", "elbo-sampled", "iwae", "free-bits", "miwae", "ciwae"]
PLAIN += ["jensen-shannon", "geometric-js", "half-joint"]


@pytest.mark.parametrize("objective", PLAIN)
@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "continuous-bernoulli"])
@pytest.mark.parametrize("batch_norm", ["none", "all"])
def test_gradcheck(objective: str, likelihood: str, batch_norm: str) -> None:
    model, (x, eps) = tiny(likelihood=likelihood, batch_norm=batch_norm), inputs()
    names = [name for name, _ in model.named_parameters()]

    def bound(*parameters: Tensor) -> Tensor:
        terms = functional_call(model, dict(zip(names, parameters, strict=True)), (x, eps))
        return objective_of(objective)(terms, BETA)

    assert torch.autograd.gradcheck(bound, tuple(model.parameters()), fast_mode=False)


def test_iwae_with_one_sample_is_the_sampled_elbo_exactly() -> None:
    terms = terms_of(k=1)
    assert torch.equal(iwae(terms, BETA), elbo_sampled(terms, BETA))


def test_iwae_is_the_log_of_the_mean_weight() -> None:
    terms = terms_of()
    want = torch.log(torch.exp(terms.log_w(BETA)).mean(1))
    torch.testing.assert_close(iwae(terms, BETA), want)


def test_iwae_does_not_overflow() -> None:
    one, two = torch.zeros(1, 1, 3), torch.zeros(1, 2, 1, 3)
    terms = LatentTerms(torch.tensor([[[-5000.0], [-5001.0]]]), one, one, two, two)
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
    with torch.no_grad():
        terms = terms_of()
    other = replace(terms, mu=terms.mu + 1, logvar=terms.logvar - 1, z=2 * terms.z)
    f, zero = objective_of(objective), torch.zeros(M).double()
    assert torch.equal(f(terms, zero), f(other, zero))
    assert not torch.allclose(f(terms, BETA), f(other, BETA))


@pytest.mark.parametrize("objective", sorted(OBJECTIVES))
def test_beta_belongs_to_its_member(objective: str) -> None:
    with torch.no_grad():
        terms, f = terms_of(), objective_of(objective)
    low, high = f(terms, BETA), f(terms, torch.tensor([1.0, 0.9]).double())
    assert torch.equal(low[0], high[0])
    assert not torch.allclose(low[1], high[1])


def test_free_bits_of_zero_is_the_elbo() -> None:
    terms = terms_of()
    got, want = free_bits(terms, BETA, free_bits=0.0), elbo(terms, BETA)
    torch.testing.assert_close(got.mean(1), want.mean(1))
    inputs = (terms.mu, terms.logvar)
    gradients = [torch.autograd.grad(f.sum(), inputs, retain_graph=True) for f in (got, want)]
    torch.testing.assert_close(*gradients)


@pytest.mark.parametrize("group", [1, 2])
def test_free_bits_charge_each_group_its_mean_kl_or_the_minimum(group: int) -> None:
    terms, minimum = terms_of(), 0.2
    kl = terms.kl_per_unit.detach().numpy()
    for m in range(M):
        means = [kl[m, :, u : u + group].sum(1).mean() for u in range(0, Z, group)]
        cost = sum(max(minimum, mean) for mean in means)
        want = terms.log_px_z[m].mean(0) - BETA[m] * cost
        got = free_bits(terms, BETA, free_bits=minimum, free_bits_group=group)[m]
        torch.testing.assert_close(got, want)


def test_free_bits_move_no_dimension_below_the_minimum() -> None:
    terms, one = terms_of(), torch.ones(M).double()
    mean = terms.kl_per_unit.mean(1)
    minimum = mean.flatten().sort().values[1:3].mean().item()
    assert 0 < (mean < minimum).sum() < mean.numel()
    cost = terms.log_px_z.detach().mean(1) - free_bits(terms, one, free_bits=minimum)
    plain = terms.log_px_z.detach().mean(1) - elbo(terms, one)
    latents = (terms.mu, terms.logvar)
    reconstruction = terms.log_px_z.mean(1)
    gradients = torch.autograd.grad((cost + reconstruction).sum(), latents, retain_graph=True)
    wanted = torch.autograd.grad((plain + reconstruction).sum(), latents)
    for got, want in zip(gradients, wanted, strict=True):
        below = (mean < minimum).unsqueeze(1).expand_as(got)
        assert not got[below].any()
        torch.testing.assert_close(got[~below], want[~below])
        assert want.all()


def test_miwae_lies_between_the_elbo_and_iwae() -> None:
    terms = terms_of()
    one_group, two, alone = (miwae(terms, BETA, k_groups=g) for g in (1, 2, K))
    torch.testing.assert_close(one_group, iwae(terms, BETA))
    torch.testing.assert_close(alone, elbo_sampled(terms, BETA))
    halves = [
        replace(terms, log_px_z=terms.log_px_z[:, h], eps=terms.eps[:, h], z=terms.z[:, h])
        for h in (slice(0, 2), slice(2, 4))
    ]
    torch.testing.assert_close(two, sum(iwae(half, BETA) for half in halves) / 2)
    assert (alone < two).all()
    assert (two < one_group).all()


def test_ciwae_joins_the_elbo_and_iwae() -> None:
    terms = terms_of()
    ends = iwae(terms, BETA), elbo_sampled(terms, BETA)
    assert torch.equal(ciwae(terms, BETA, elbo_share=0.0), ends[0])
    assert torch.equal(ciwae(terms, BETA, elbo_share=1.0), ends[1])
    torch.testing.assert_close(ciwae(terms, BETA, elbo_share=0.3), 0.7 * ends[0] + 0.3 * ends[1])


def test_runs_bind_their_objectives_parameters() -> None:
    terms = terms_of()
    for run, want in (
        (run_config(), elbo(terms, BETA)),
        (run_config(objective="miwae", k=K, k_groups=2), miwae(terms, BETA, k_groups=2)),
        (run_config(objective="ciwae", k=K, elbo_share=0.7), ciwae(terms, BETA, elbo_share=0.7)),
        (
            run_config(objective="free-bits", n_z=Z, free_bits=0.3, free_bits_group=2),
            free_bits(terms, BETA, free_bits=0.3, free_bits_group=2),
        ),
    ):
        assert torch.equal(make_objective(run)(terms, BETA), want)


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


def test_cyclical_annealing_starts_again_from_zero() -> None:
    rising = [warmup_beta(epoch, 8, cycles=2) for epoch in range(1, 11)]
    assert rising == [0, 0.25, 0.5, 0.75, 0, 0.25, 0.5, 0.75, 1, 1]
    half = [warmup_beta(epoch, 8, cycles=2, rise=0.5) for epoch in range(1, 11)]
    assert half == [0, 0.5, 1, 1, 0, 0.5, 1, 1, 1, 1]


def test_cycles_that_do_not_divide_the_epochs_still_rise_at_one_rate() -> None:
    betas = [warmup_beta(epoch, 10, cycles=3) for epoch in range(1, 11)]
    assert betas == [0, 0.3, 0.6, 0.9, 0.2, 0.5, 0.8, 0.1, 0.4, 0.7]


def test_the_beta_of_a_beta_vae_multiplies_annealing() -> None:
    run = run_config(beta=4.0, warmup=4, epochs=9)
    assert [beta_schedule(run, epoch) for epoch in range(1, 7)] == [0, 1, 2, 3, 4, 4]
    assert beta_schedule(run_config(), 1) == 1
    cyclical = run_config(warmup=4, epochs=9, warmup_cycles=2, warmup_rise=0.5)
    assert [beta_schedule(cyclical, epoch) for epoch in range(1, 6)] == [0, 1, 0, 1, 1]
