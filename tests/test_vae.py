"""M members against M textbook VAEs, and the terms against ``torch.distributions``."""

from __future__ import annotations

import pytest
import torch
from torch.distributions import Normal, kl_divergence

from builders import architecture, generators, perturbed, randn
from plain import as_plain, plain_objective, plain_twin
from vaestudy.latent_terms import kl_per_unit, standard_normal_log_prob
from vaestudy.objectives import OBJECTIVES
from vaestudy.rng import MemberRNG
from vaestudy.vae import VAE

M, K, B, D, Z = 3, 4, 6, 12, 3

VARIANTS = [
    {},
    {"likelihood": "gaussian"},
    {"likelihood": "continuous-bernoulli"},
    {"likelihood": "normal"},
    {"batch_norm": "hidden"},
    {"batch_norm": "all", "likelihood": "gaussian"},
    {"encoder_heads": "bounded", "activation": "tanh"},
    {"activation": "relu", "hidden": (9,)},
    {"activation": "elu", "hidden": (9, 8, 7), "n_z": 1},
    {"activation": "silu", "encoder_heads": "bounded", "batch_norm": "all"},
]


@pytest.fixture(params=VARIANTS, ids=str)
def model(request: pytest.FixtureRequest) -> VAE:
    return perturbed(VAE(architecture(**request.param), members=M))


@pytest.fixture
def batch(model: VAE) -> tuple[torch.Tensor, torch.Tensor]:
    return (randn(M, B, D) > 0).double(), randn(M, K, B, model.architecture.n_z, seed=1)


@pytest.mark.parametrize("objective", ["elbo", "elbo-sampled", "iwae"])
def test_members_are_plain_vaes_in_values_and_gradients(
    model: VAE, batch: tuple[torch.Tensor, torch.Tensor], objective: str
) -> None:
    x, eps = batch
    twins = [plain_twin(model, m) for m in range(M)]
    beta = torch.tensor([1.0, 0.3, 0.0]).double()
    terms = model(x, eps)
    OBJECTIVES[objective](terms, beta).mean(1).sum().backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    for m, twin in enumerate(twins):
        plain = twin.terms(x[m], eps[m])
        for name, want in plain.items():
            torch.testing.assert_close(getattr(terms, name)[m], want, rtol=1e-9, atol=1e-9)
        plain_objective(objective, plain, beta[m].item()).mean().backward()
        own = as_plain(gradients, m)
        for name, parameter in twin.named_parameters():
            torch.testing.assert_close(own[name], parameter.grad, rtol=1e-8, atol=1e-10)
        statistics = as_plain(model.state_dict(), m)
        for name, buffer in twin.named_buffers():
            if not name.endswith("num_batches_tracked"):
                torch.testing.assert_close(statistics[name], buffer)


def test_in_evaluation_members_are_plain_vaes(
    model: VAE, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    x, eps = batch
    model(x, eps)  # Moves the running statistics.
    twin, terms = plain_twin(model, 1).eval(), model.eval()(x, eps)
    for name, want in twin.terms(x[1], eps[1]).items():
        torch.testing.assert_close(getattr(terms, name)[1], want, rtol=1e-9, atol=1e-9)


def test_forward_is_deterministic(model: VAE, batch: tuple[torch.Tensor, torch.Tensor]) -> None:
    torch.manual_seed(0)
    first = model.eval()(*batch)
    torch.manual_seed(1)
    second = model(*batch)
    assert torch.equal(first.log_w(), second.log_w())
    assert torch.equal(first.kl, second.kl)


def test_log_w_weighs_prior_and_posterior_by_beta(
    model: VAE, batch: tuple[torch.Tensor, torch.Tensor]
) -> None:
    terms = model.eval()(*batch)
    ratio = terms.log_pz - terms.log_qz_x
    assert torch.equal(terms.log_w(), terms.log_px_z + ratio)
    beta = torch.tensor([0.0, 0.5, 2.0]).double()
    for m, b in enumerate(beta):
        torch.testing.assert_close(terms.log_w(beta)[m], terms.log_px_z[m] + b * ratio[m])


def test_kl_is_its_closed_form() -> None:
    mu, logvar = 2 * randn(50, 4), 2 * randn(50, 4, seed=1)
    want = kl_divergence(Normal(mu, (logvar / 2).exp()), Normal(0.0, 1.0))
    torch.testing.assert_close(kl_per_unit(mu, logvar), want, rtol=1e-10, atol=1e-12)
    assert not kl_per_unit(torch.zeros(2), torch.zeros(2)).any()


def test_standard_normal_log_prob() -> None:
    z = 3 * randn(2, 5, 4)
    torch.testing.assert_close(standard_normal_log_prob(z), Normal(0.0, 1.0).log_prob(z).sum(-1))


def test_analytic_kl_equals_its_monte_carlo() -> None:
    n = 100_000
    model = perturbed(VAE(architecture())).eval()
    x = (randn(1, 2, D) > 0).double()
    terms = model(x, randn(1, n, 2, Z, seed=1))
    ratio = (terms.log_qz_x - terms.log_pz)[0]
    error = ratio.std(0) / n**0.5
    assert ((ratio.mean(0) - terms.kl[0]).abs() < 4 * error).all()
    assert (error < 0.02 * terms.kl[0]).all()


def test_bounded_heads_stay_in_their_bounds() -> None:
    model = VAE(architecture(encoder_heads="bounded"))
    model.initialize(generators(0))
    model.heads.weight.data.fill_(10)
    mu, logvar = model.encode(torch.ones(1, B, D))
    assert mu.min() >= 0
    assert mu.max() <= 1
    assert logvar.abs().max() <= 1


@pytest.mark.parametrize(
    ("batch_norm", "norms", "with_bias"), [("none", 0, 6), ("hidden", 4, 2), ("all", 5, 1)]
)
def test_which_layers_are_batch_normalised(batch_norm: str, norms: int, with_bias: int) -> None:
    names = [name for name, _ in VAE(architecture(batch_norm=batch_norm)).named_parameters()]
    assert sum(name.endswith("gamma") for name in names) == norms
    assert sum(name.endswith("bias") for name in names) == with_bias


def test_initialisation_is_each_members_own() -> None:
    group, alone = VAE(architecture(), members=3), VAE(architecture())
    group.initialize(generators(0, 7, 1))
    alone.initialize(generators(7))
    for name, value in group.named_parameters():
        assert torch.equal(value[1], alone.get_parameter(name)[0]), name
        assert name.endswith("bias") or not torch.equal(value[0], value[1]), name


def test_the_initial_heads_have_the_variance_of_one_head() -> None:
    model = VAE(architecture(n_features=400, hidden=(300, 200), n_z=100, likelihood="gaussian"))
    model.initialize(MemberRNG((3,), torch.device("cpu")).generators("init"))
    assert model.heads.weight.var().item() == pytest.approx(2 / (200 + 100), rel=0.05)
    assert model.output.weight.var().item() == pytest.approx(2 / (300 + 400), rel=0.05)
