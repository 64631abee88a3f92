"""Gradient estimators: against two-pass references, in expectation, in variance, under a tracer.

Members with the same weights and different noise are independent draws of one gradient.
"""

from __future__ import annotations

import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal
from torch.func import functional_call
from torch.fx.experimental.proxy_tensor import make_fx

from builders import OWN_PARAMETERS, LinearGaussian, architecture, objective_of, perturbed, randn
from vaestudy.objectives import (
    OBJECTIVES,
    Objective,
    dreg,
    elbo_sampled,
    iwae,
    iwae_stl,
    miwae,
    piwae,
    stl,
)
from vaestudy.vae import VAE

M, K, B, D, Z = 2, 4, 3, 5, 2
BETA = torch.tensor([1.0, 0.3], dtype=torch.float64)


def tiny(members: int = M, **changes: object) -> VAE:
    return perturbed(VAE(architecture(n_features=D, n_z=Z, hidden=(4,), **changes), members))


def inputs(k: int = K) -> tuple[Tensor, Tensor]:
    return (randn(M, B, D) > 0).double(), randn(M, k, B, Z, seed=1)


def gradients_of(
    model: VAE, objective: Objective, *, k: int = K, beta: Tensor = BETA
) -> dict[str, Tensor]:
    names, parameters = zip(*model.named_parameters(), strict=True)
    value = objective(model(*inputs(k)), beta)
    return dict(zip(names, torch.autograd.grad(value.sum(), parameters), strict=True))


def of_encoder(gradients: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n: g for n, g in gradients.items() if n.startswith(("encoder", "heads"))}


def of_decoder(gradients: dict[str, Tensor]) -> dict[str, Tensor]:
    return {n: g for n, g in gradients.items() if n.startswith(("decoder", "output"))}


def textbook_log_w(model: VAE, k: int) -> Tensor:
    """log w whose gradient is along the path alone, of ``torch.distributions``."""
    x, eps = inputs(k)
    mu, logvar = model.encode(x)
    z = mu.unsqueeze(1) + (logvar / 2).exp().unsqueeze(1) * eps
    constant = Normal(mu.detach().unsqueeze(1), (logvar.detach() / 2).exp().unsqueeze(1))
    log_px_z = model.likelihood.log_prob(x.unsqueeze(1), model.decode(z))
    log_pz = Independent(Normal(torch.zeros(Z).double(), 1.0), 1).log_prob(z)
    log_ratio = log_pz - Independent(constant, 1).log_prob(z)
    return log_px_z + BETA[:, None, None] * log_ratio


TEXTBOOK = {
    "stl": lambda log_w: log_w.mean(1),
    "iwae-stl": lambda log_w: (log_w.softmax(1).detach() * log_w).sum(1),
}


@pytest.mark.parametrize("name", sorted(TEXTBOOK))
@pytest.mark.parametrize("batch_norm", ["none", "all"])
def test_path_derivatives_are_the_textbooks(name: str, batch_norm: str) -> None:
    model = tiny(batch_norm=batch_norm)
    got = gradients_of(model, OBJECTIVES[name])
    want = torch.autograd.grad(
        TEXTBOOK[name](textbook_log_w(model, K)).sum(), tuple(model.parameters())
    )
    torch.testing.assert_close(tuple(got.values()), want, rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("likelihood", ["bernoulli", "gaussian", "continuous-bernoulli"])
def test_dreg_is_two_passes_in_one(likelihood: str) -> None:
    model = tiny(likelihood=likelihood)
    got = gradients_of(model, dreg)
    want = gradients_of(model, iwae)
    torch.testing.assert_close(of_decoder(got), of_decoder(want), rtol=1e-9, atol=1e-11)
    log_w, beta = textbook_log_w(model, K), BETA[:, None, None]
    weights = log_w.softmax(1).detach()
    factors = (1 - beta) * weights + beta * weights**2
    names = [n for n, _ in model.named_parameters() if n in of_encoder(got)]
    encoder = [model.get_parameter(n) for n in names]
    reference = torch.autograd.grad((factors * log_w).sum(), encoder)
    torch.testing.assert_close([got[n] for n in names], list(reference), rtol=1e-9, atol=1e-11)


@pytest.mark.parametrize("groups", [1, 2, K])
def test_piwae_is_iwae_to_the_decoder_and_miwae_to_the_encoder(groups: int) -> None:
    model = tiny()
    got = gradients_of(model, lambda terms, beta: piwae(terms, beta, k_groups=groups))
    decoder = gradients_of(model, iwae)
    encoder = gradients_of(model, lambda terms, beta: miwae(terms, beta, k_groups=groups))
    torch.testing.assert_close(of_decoder(got), of_decoder(decoder), rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(of_encoder(got), of_encoder(encoder), rtol=1e-9, atol=1e-11)


def test_piwae_survives_weights_that_underflow() -> None:
    """A sample that is nothing among all may be all of its group."""
    gradients = {}
    for dtype in (torch.float32, torch.float64):
        model = tiny()
        with torch.no_grad():
            model.output.weight.mul_(400)
        model.to(dtype)
        x, eps = (t.to(dtype) for t in inputs())
        terms = model(x, eps)
        spread = terms.log_w().amax(1) - terms.log_w().amin(1)
        assert spread.max() > 200  # e^-200 is 0 in float32.
        value = piwae(terms, BETA.to(dtype), k_groups=2)
        gradients[dtype] = torch.autograd.grad(value.sum(), tuple(model.parameters()))
        want = gradients_of(model.double(), lambda t, b: miwae(t, b, k_groups=2))
    for got, exact in zip(gradients[torch.float32], gradients[torch.float64], strict=True):
        assert (got.double() - exact).norm() < 1e-4 * exact.norm()
    names = [name for name, _ in model.named_parameters()]
    got = dict(zip(names, gradients[torch.float64], strict=True))
    torch.testing.assert_close(of_encoder(got), of_encoder(want), rtol=1e-9, atol=1e-9)


VALUES = {"stl": "elbo-sampled", "iwae-stl": "iwae", "dreg": "iwae", "piwae": "iwae"}


@pytest.mark.parametrize("name", sorted(VALUES))
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_an_estimators_value_is_its_bound(name: str, dtype: torch.dtype) -> None:
    model = tiny().to(dtype)
    x, eps = (t.to(dtype) for t in inputs())
    got = objective_of(name)(model(x, eps), BETA.to(dtype))
    want = OBJECTIVES[VALUES[name]](model(x, eps), BETA.to(dtype))
    torch.testing.assert_close(got, want)


def test_with_one_sample_every_path_derivative_is_the_same() -> None:
    model = tiny()
    want = gradients_of(model, stl, k=1)
    for objective in (iwae_stl, dreg):
        torch.testing.assert_close(gradients_of(model, objective, k=1), want)


@pytest.mark.parametrize("name", sorted(OWN_PARAMETERS))
def test_members_gradients_are_their_own(name: str) -> None:
    model, objective = tiny(), objective_of(name)
    together = gradients_of(model, objective)
    x, eps = inputs()
    for m in range(M):
        alone = tiny(members=1)
        for parameter, value in alone.named_parameters():
            value.data.copy_(model.get_parameter(parameter)[m : m + 1])
        value = objective(alone(x[m : m + 1], eps[m : m + 1]), BETA[m : m + 1])
        value.sum().backward()
        for parameter, own in alone.named_parameters():
            torch.testing.assert_close(together[parameter][m : m + 1], own.grad)


def draws_of(
    toy: LinearGaussian, objective: Objective, k: int, beta: float, batch: int = 200
) -> Tensor:
    """The encoder's gradient for one datum, [R, P]: R members are independent draws."""
    n = toy.model.members
    x = toy.sample(1).expand(n, batch, -1)
    terms = toy.model(x, randn(n, k, batch, toy.n_z, seed=3))
    value = objective(terms, torch.full((n,), beta).double()).mean(1).sum()
    weight, bias = toy.model.heads.weight, toy.model.heads.bias
    gradients = torch.autograd.grad(value, (weight, bias))
    return torch.cat([g.flatten(1) for g in gradients], 1)


def largest_t(differences: Tensor) -> float:
    """The largest t statistic over parameters of paired differences that should average to 0."""
    error = differences.std(0) / len(differences) ** 0.5
    moving = error > 1e-12
    return (differences.mean(0)[moving] / error[moving]).abs().max().item()


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_dreg_is_unbiased_and_varies_less_than_iwae(beta: float) -> None:
    toy = LinearGaussian(members=400, shift=0.3, widen=1.3)
    want = draws_of(toy, iwae, 5, beta)
    got = draws_of(toy, dreg, 5, beta)
    assert largest_t(got - want) < 4
    assert got.var(0).sum() < 0.5 * want.var(0).sum()


@pytest.mark.parametrize("beta", [1.0, 0.3])
def test_stl_is_unbiased_and_varies_less_than_the_elbo(beta: float) -> None:
    toy = LinearGaussian(members=400, shift=0.05, widen=1.1)
    want = draws_of(toy, elbo_sampled, 1, beta)
    got = draws_of(toy, stl, 1, beta)
    assert largest_t(got - want) < 4
    if beta == 1:
        assert got.var(0).sum() < 0.3 * want.var(0).sum()


def test_the_same_draws_show_the_bias_of_iwae_stl() -> None:
    toy = LinearGaussian(members=400, shift=0.3, widen=1.3)
    assert largest_t(draws_of(toy, iwae_stl, 5, 1.0) - draws_of(toy, iwae, 5, 1.0)) > 8


@pytest.mark.parametrize("objective", [stl, iwae_stl, dreg])
def test_path_derivatives_vanish_at_the_posterior(objective: Objective) -> None:
    toy = LinearGaussian(members=3)
    assert draws_of(toy, objective, 4, 1.0, batch=2).abs().max() < 1e-12
    assert draws_of(toy, elbo_sampled, 4, 1.0, batch=2).abs().max() > 0.01


def test_decoder_batch_statistics_would_mix_the_samples_weights() -> None:
    """Why a configuration with both is an error; with running statistics rows are independent."""
    model = tiny(batch_norm="hidden")

    def grouped(terms, beta):  # type: ignore[no-untyped-def]
        return miwae(terms, beta, k_groups=2)

    for training in (True, False):
        model.train(training)
        got = of_encoder(gradients_of(model, objective_of("piwae")))
        want = of_encoder(gradients_of(model, grouped))
        same = all(torch.allclose(got[n], want[n], rtol=1e-6) for n in want)
        assert same == (not training)


def test_terms_are_scaled_once() -> None:
    terms = tiny()(*inputs())
    dreg(terms, BETA)
    with torch.no_grad():
        dreg(terms, BETA)
    with pytest.raises(RuntimeError, match=r"scaled already.*run the model's forward pass again"):
        piwae(terms, BETA)


def test_values_first_read_without_gradients_still_carry_them() -> None:
    first, second = tiny()(*inputs()), tiny()(*inputs())
    with torch.no_grad():
        iwae(first, BETA), stl(first, BETA), first.kl
    for name in ("log_pz", "log_qz_x", "log_qz_x_path", "kl_per_unit", "kl"):
        assert getattr(first, name).requires_grad, name
        assert torch.equal(getattr(first, name), getattr(second, name))
    with torch.no_grad():
        assert not tiny()(*inputs()).log_pz.requires_grad


@pytest.mark.parametrize("name", sorted(OWN_PARAMETERS))
@pytest.mark.parametrize("likelihood", ["bernoulli", "continuous-bernoulli"])
def test_a_step_can_be_traced(name: str, likelihood: str) -> None:
    """No value is looked at: the graph of one batch computes another batch's gradients."""
    model, objective = tiny(likelihood=likelihood), objective_of(name)
    names, parameters = zip(*model.named_parameters(), strict=True)

    def step(parameters: tuple[Tensor, ...], x: Tensor, eps: Tensor, beta: Tensor) -> list[Tensor]:
        leaves = tuple(p.detach().requires_grad_() for p in parameters)
        terms = functional_call(model, dict(zip(names, leaves, strict=True)), (x, eps))
        value = objective(terms, beta)
        return [value, *torch.autograd.grad(value.mean(1).sum(), leaves)]

    x, eps = inputs()
    graph = make_fx(step, tracing_mode="fake")(parameters, x, eps, BETA)
    other = (1 - x, eps.flip(1) * 1.5, BETA.flip(0))
    torch.testing.assert_close(graph(parameters, *other), step(parameters, *other))
