"""Models of several stochastic layers: against exact ones, plain ones, and the model of one."""

from __future__ import annotations

import math
from functools import partial
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import Independent, Normal

from builders import architecture, fresh, generators, perturbed, randn, run_config, splits
from exact import TwoLayers
from plain import plain_twin
from vaestudy.deeper import DeeperLayer
from vaestudy.evaluate import estimate_log_px
from vaestudy.gradients import gradient_snr
from vaestudy.layer_activity import layer_activities
from vaestudy.objectives import OBJECTIVES, elbo, elbo_sampled, iwae
from vaestudy.train import train
from vaestudy.vae import VAE

M, K, B, D = 2, 3, 5, 12
DEEPER = (DeeperLayer(n_z=2, hidden=(6, 4)), DeeperLayer(n_z=4, hidden=(5,)))
TWO: dict[str, Any] = {"deeper": [{"n_z": 2, "hidden": [6, 4]}]}


def model(members: int = M, deeper: tuple[DeeperLayer, ...] = DEEPER, **changes: object) -> VAE:
    return perturbed(VAE(architecture(deeper=deeper, **changes), members))


def batch(vae: VAE, k: int = K, seed: int = 1) -> tuple[Tensor, Tensor]:
    x = (randn(vae.members, B, D, seed=seed) > 0).double()
    return x, randn(vae.members, k, B, vae.architecture.n_latent, seed=seed + 1)


def plain_layer(vae: VAE, m: int, place: int, stem: str, rows: Tensor) -> Tensor:
    """One member's network of one deeper layer, product by product."""
    values = {n: v[m] for n, v in vae.deeper[place].state_dict().items()}
    names = sorted({n.rpartition(".")[0] for n in values if n.startswith(f"{stem}.")})
    for name in names:
        rows = rows @ values[f"{name}.weight"] + values[f"{name}.bias"]
        rows = torch.logaddexp(rows, torch.zeros_like(rows))
    last = "heads" if stem == "encoder" else "output"
    return rows @ values[f"{last}.weight"] + values[f"{last}.bias"]


def gaussian(params: Tensor) -> Independent:
    mean, logvar = params.chunk(2, dim=-1)
    return Independent(Normal(mean, torch.exp(logvar / 2)), 1)


def plain_log_w(vae: VAE, m: int, x: Tensor, eps: Tensor) -> Tensor:
    """log w [K, B] as a textbook writes it: every factor of p over every factor of q."""
    twin, parts = plain_twin(vae, m), eps.split(vae.architecture.widths, -1)
    q = Independent(twin.posterior(x), 1)
    z = q.base_dist.loc + q.base_dist.scale * parts[0]
    log_w = twin.likelihood(z).log_prob(x.expand(len(eps), *x.shape)) - q.log_prob(z)
    for place, noise in enumerate(parts[1:]):
        q = gaussian(plain_layer(vae, m, place, "encoder", z))
        above = q.base_dist.loc + q.base_dist.scale * noise
        prior = gaussian(plain_layer(vae, m, place, "decoder", above))
        log_w = log_w + prior.log_prob(z) - q.log_prob(above)
        z = above
    return log_w + Normal(0.0, 1.0).log_prob(z).sum(-1)


@pytest.mark.parametrize("deeper", [(), DEEPER[:1], DEEPER], ids=len)
def test_log_w_is_every_factor_of_p_over_every_factor_of_q(deeper: tuple[DeeperLayer, ...]) -> None:
    vae = model(deeper=deeper)
    x, eps = batch(vae)
    terms = vae(x, eps)
    for m in range(M):
        torch.testing.assert_close(terms.log_w()[m], plain_log_w(vae, m, x[m], eps[m]))


def test_beta_weighs_the_kl_of_all_layers() -> None:
    vae = model()
    terms = vae(*batch(vae))
    beta = torch.tensor([0.0, 0.4]).double()
    ratio = terms.log_pz - terms.log_qz_x
    for m, b in enumerate(beta):
        torch.testing.assert_close(terms.log_w(beta)[m], terms.log_px_z[m] + b * ratio[m])
    torch.testing.assert_close(elbo(terms, beta)[0], terms.log_px_z.mean(1)[0])


def test_kl_is_the_mean_of_its_samples_and_the_units_sum_to_it() -> None:
    vae = model(members=1)
    n = 40_000
    x, _ = batch(vae)
    terms = vae(x[:, :2], randn(1, n, 2, vae.architecture.n_latent, seed=3))
    ratio = (terms.log_qz_x - terms.log_pz)[0]
    error = ratio.std(0) / n**0.5
    assert ((ratio.mean(0) - terms.kl[0]).abs() < 5 * error).all()
    assert terms.kl_per_unit.shape == (1, 2, 3 + 2 + 4)
    torch.testing.assert_close(terms.kl, terms.kl_per_unit.sum(-1))


def test_a_last_layer_that_says_nothing_costs_nothing() -> None:
    """q(z_2|z_1) = p(z_2) and p(z_1|z_2) = N(0, I): the bound is that of the model of one layer."""
    vae = model(deeper=DEEPER[:1])
    with torch.no_grad():
        for layer in (vae.deeper[0].heads, vae.deeper[0].output):
            layer.weight.zero_()
            layer.bias.zero_()
    single = VAE(architecture(), M).double()
    single.load_state_dict({n: v for n, v in vae.state_dict().items() if "deeper" not in n})
    x, eps = batch(vae)
    deep, flat = vae(x, eps), single(x, eps[..., :3])
    torch.testing.assert_close(deep.log_w(), flat.log_w())
    torch.testing.assert_close(deep.means[..., :3], flat.means)
    assert not deep.kl_per_unit[..., 3:].any()


def test_log_px_is_exact_when_q_is_the_posterior() -> None:
    toy = TwoLayers(members=2)
    x = toy.sample(20)
    estimate = estimate_log_px(toy.model, x, 10, generators(0, 1))
    torch.testing.assert_close(estimate.log_px, toy.log_px(x).expand(2, -1), rtol=0, atol=1e-5)
    eps = randn(2, 4, 20, 4, seed=7)
    terms = toy.model(x.expand(2, *x.shape), eps)
    for bound in (elbo_sampled, iwae):
        value = bound(terms, torch.ones(2).double())
        torch.testing.assert_close(value, toy.log_px(x).expand(2, -1))


def test_log_px_is_within_its_error_of_the_exact_value() -> None:
    toy = TwoLayers(widen=1.3)
    x = toy.sample(50)
    estimate = estimate_log_px(toy.model, x, 20_000, generators(0))
    z = (estimate.log_px[0] - toy.log_px(x)) / estimate.standard_error[0]
    assert 1e-4 < estimate.standard_error.max() < 0.02
    assert z.abs().max() < 4.5


def test_the_elbo_is_log_px_less_the_divergence_of_q_from_the_posterior() -> None:
    toy = TwoLayers(widen=1.3)
    x, n = toy.sample(8), 20_000
    terms = toy.model(x.expand(1, *x.shape), randn(1, n, 8, 4, seed=3))
    value = elbo(terms, torch.ones(1).double())[0]
    # Two dimensions of z1 too wide by 1.3; z2 is inferred exactly.
    gap = 2 * (0.5 * (1.3**2 - 1) - math.log(1.3))
    error = terms.log_w()[0].std(0) / n**0.5
    assert ((toy.log_px(x) - value - gap).abs() < 5 * error).all()
    assert gap > 20 * error.max()


def test_activity_of_each_layer_is_that_of_the_exact_model() -> None:
    """With as few samples as can be; many members average the noise away, and show no bias."""
    members = 40
    toy = TwoLayers(members, widen=1.3)
    x = toy.sample(1000)
    first = x @ toy.to_mean + toy.offset
    second = (first - toy.a) * toy.up_gain
    found = layer_activities(toy.model, x, 2, generators(*range(members)), chunk_rows=700)
    for layer, mean in zip(found, (first, second), strict=True):
        error = layer.std(0) / members**0.5
        want = mean.var(0, correction=0)
        assert ((layer.mean(0) - want).abs() < 4 * error + 1e-12).all()
    # Uncorrected, half of the second layer's spread at one x would come on top.
    spread = toy.up_gain.square() * toy.model.heads.bias[0, 0, 2:].exp()
    assert (spread / 2 > 20 * error).all()


def test_activity_of_one_layer_is_the_variance_of_its_means() -> None:
    vae = VAE(architecture(), 2).eval()
    vae.initialize(generators(0, 1))
    x = (randn(300, D) > 0).float()
    (found,) = layer_activities(vae, x, 2, generators(0, 1))
    mu, _ = vae.encode(x.expand(2, *x.shape))
    torch.testing.assert_close(found, mu.double().var(1, correction=0))
    with pytest.raises(ValueError, match="n_samples is 1"):
        layer_activities(vae, x, 1, generators(0, 1))


@pytest.mark.parametrize(
    "objective",
    [
        *("elbo", "elbo-sampled", "iwae"),
        partial(OBJECTIVES["miwae"], k_groups=2),
        partial(OBJECTIVES["ciwae"], elbo_share=0.3),
    ],
    ids=["elbo", "elbo-sampled", "iwae", "miwae", "ciwae"],
)
def test_gradients_are_those_of_finite_differences(objective: Any) -> None:
    vae = model(members=1, deeper=DEEPER[:1])
    x, eps = batch(vae, k=4)
    bound = OBJECTIVES[objective] if isinstance(objective, str) else objective
    names = [name for name, _ in vae.named_parameters()]
    beta = torch.full((1,), 0.7).double()

    def value(*parameters: Tensor) -> Tensor:
        weights = dict(zip(names, parameters, strict=True))
        return bound(torch.func.functional_call(vae, weights, (x, eps)), beta).mean()

    inputs = tuple(p.detach().requires_grad_() for p in vae.parameters())
    torch.autograd.gradcheck(value, inputs, fast_mode=True)
    value(*inputs).backward()
    reached = {n.split(".")[2] for n, p in zip(names, inputs, strict=True) if "deeper" in n}
    assert reached == {"encoder", "heads", "decoder", "output"}
    assert all(p.grad is not None and p.grad.any() for p in inputs)


@pytest.mark.parametrize("batch_norm", ["none", "all"])
def test_members_are_single_models(batch_norm: str) -> None:
    vae = model(batch_norm=batch_norm, encoder_heads="bounded")
    x, eps = batch(vae)
    weights = {n: v.clone() for n, v in vae.state_dict().items()}
    terms = vae(x, eps)
    iwae(terms, torch.ones(M).double()).mean(1).sum().backward()
    for m in range(M):
        alone = VAE(vae.architecture, 1).double()
        alone.load_state_dict({n: v[m : m + 1] for n, v in weights.items()})
        own = alone(x[m : m + 1], eps[m : m + 1])
        torch.testing.assert_close(own.log_w()[0], terms.log_w()[m])
        torch.testing.assert_close(own.kl_per_unit[0], terms.kl_per_unit[m])
        iwae(own, torch.ones(1).double()).mean(1).sum().backward()
        for name, parameter in alone.named_parameters():
            torch.testing.assert_close(parameter.grad[0], vae.get_parameter(name).grad[m])


def test_a_member_trained_in_a_group_is_the_one_trained_alone() -> None:
    """To rounding, as in `test_train.py`."""
    runs = [run_config(**TWO, objective="iwae", k=2, seed=s) for s in range(2)]
    group = train(fresh(*runs), splits())
    for m, run in enumerate(runs):
        alone = train(fresh(run), splits())
        for name, value in group.model.state_dict().items():
            want = alone.model.state_dict()[name][0]
            torch.testing.assert_close(value[m], want, rtol=1e-3, atol=1e-4)
        np.testing.assert_allclose(
            group.history.test[-1][:, m], alone.history.test[-1][:, 0], rtol=1e-4, atol=1e-4
        )
    assert group.history.units[-1].shape == (2, 2, 3 + 2)


def test_paths_and_scores_are_not_taken_apart() -> None:
    vae = model()
    terms = vae(*batch(vae))
    with pytest.raises(ValueError, match="single stochastic layer"):
        OBJECTIVES["stl"](terms, torch.ones(M).double())
    with pytest.raises(ValueError, match="several stochastic layers"):
        OBJECTIVES["piwae"](terms, torch.ones(M).double())


def test_gradients_of_deeper_encoders_count_as_the_encoders() -> None:
    """The last layer's mean alone: only encoders vary, and each of their gradients does."""
    vae = model(members=1, deeper=DEEPER[:1])
    x = (randn(4, D) > 0).double()

    def mean(terms: LatentTerms, beta: Tensor) -> Tensor:
        return terms.deeper[0].mu.square().sum((1, 3)) + 0 * elbo(terms, beta)

    got = gradient_snr(vae, x, mean, generators(0), k=2, n_draws=3)
    assert got.encoder.isfinite().all()
    assert got.decoder.isnan().all()
