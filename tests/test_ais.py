"""Annealed importance sampling against log p(x) known by algebra or quadrature."""

from __future__ import annotations

import math

import pytest
import torch

from builders import generators, randn
from exact import curved, log_px_by_quadrature, posterior, tilted
from vaestudy.ais import estimate_log_px_ais, log_mean_weight
from vaestudy.annealing import (
    AnnealingSettings,
    annealing_path,
    linear_temperatures,
    sigmoidal_temperatures,
)
from vaestudy.evaluate import estimate_log_px

SHORT = AnnealingSettings(n_temperatures=5, n_chains=4, n_leapfrog=2)
#: Enough for an error of about 0.01 nat.
LONG = AnnealingSettings(n_temperatures=30, n_chains=1500, n_leapfrog=4)
CHUNK_ROWS = 20_000


def with_(settings: AnnealingSettings, **changes: object) -> AnnealingSettings:
    return AnnealingSettings(**{**vars(settings), **changes})


@pytest.mark.parametrize(
    "changes", [{}, {"temperatures": "linear"}, {"base": "encoder", "n_temperatures": 20}], ids=str
)
def test_linear_gaussian_models_to_a_twentieth_of_a_nat(changes: dict[str, object]) -> None:
    toy = tilted(members=2)
    x = toy.sample(6)
    settings = with_(LONG, **changes)
    result = estimate_log_px_ais(toy.model, x, settings, generators(0, 1), chunk_rows=CHUNK_ROWS)
    error = result.estimate.log_px - toy.log_px(x)
    assert error.abs().max() < 0.05
    assert (error / result.estimate.standard_error).abs().max() < 4.5
    assert result.effective_chains.min() > 1000


@pytest.mark.parametrize("changes", [{}, {"batch_norm": "all"}], ids=str)
def test_posteriors_far_from_gaussian(changes: dict[str, object]) -> None:
    model = curved(members=2, **changes)
    x = (randn(4, 12) > 0).double()
    exact = log_px_by_quadrature(model, x)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    result = estimate_log_px_ais(model, x, LONG, generators(0, 1), chunk_rows=CHUNK_ROWS)
    error = result.estimate.log_px - exact
    assert error.abs().max() < 0.05
    assert (error / result.estimate.standard_error).abs().max() < 4.5
    # Where the encoder knows nothing, importance sampling with as many decoder calls falls short.
    short_of = exact - estimate_log_px(model, x, LONG.n_chains, generators(0, 1)).log_px
    assert short_of.max() > 0.5
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name


@pytest.mark.parametrize("base", ["prior", "encoder"])
def test_few_temperatures_are_still_unbiased(base: str) -> None:
    # Weights are E[w] = p(x) for any schedule: the test of every factor in them.
    toy = tilted(strength=0.7)
    x = toy.sample(6)
    settings = with_(SHORT, n_chains=20_000, base=base)
    result = estimate_log_px_ais(toy.model, x, settings, generators(0), chunk_rows=1 << 20)
    z = (result.estimate.log_px - toy.log_px(x)) / result.estimate.standard_error
    assert z.abs().max() < 4
    assert result.estimate.standard_error.max() < 0.03
    assert result.effective_chains.max() < 0.99 * settings.n_chains


@pytest.mark.parametrize("base", ["prior", "encoder"])
def test_backward_chains_weigh_the_inverse_without_bias(base: str) -> None:
    toy, copies = tilted(strength=0.7), 20_000
    x = toy.sample(1).expand(copies, -1)
    z = posterior(toy, x).mean + torch.linalg.solve_triangular(
        torch.linalg.cholesky(posterior(toy, x[0]).precision_matrix).T,
        randn(2, copies, seed=5),
        upper=True,
    ).T  # fmt: skip
    settings = with_(SHORT, n_chains=1, base=base)
    path = annealing_path(toy.model, x[None], settings, "nll")
    log_w = path.backward(z[None], path.tune_steps(generators(3)), generators(0)).log_w
    log_inverse, error, _ = log_mean_weight(-log_w.transpose(1, 2))
    assert (-log_inverse - toy.log_px(x[:1])).abs().item() < 4 * error.item()
    assert error.item() < 0.05


def test_standard_errors_are_calibrated() -> None:
    members = 60
    toy = tilted(members)
    x = toy.sample(8)
    settings = with_(SHORT, n_temperatures=15, n_chains=200)
    result = estimate_log_px_ais(
        toy.model, x, settings, generators(*range(members)), chunk_rows=1 << 20
    )
    z = (result.estimate.log_px - toy.log_px(x)) / result.estimate.standard_error
    assert z.std().item() == pytest.approx(1, abs=0.15)
    assert abs(z.mean().item()) < 0.25


def test_acceptance_comes_near_its_target() -> None:
    toy = tilted()
    x = toy.sample(10)
    for target in (0.5, 0.8):
        settings = AnnealingSettings(
            n_temperatures=120, n_leapfrog=3, target_acceptance=target, pilot_chains=4
        )
        result = estimate_log_px_ais(toy.model, x, settings, generators(0))
        assert result.acceptance.mean().item() == pytest.approx(target, abs=0.07)


def test_one_temperature_is_importance_sampling_from_the_base() -> None:
    toy = tilted()
    x = toy.sample(5)
    settings = with_(SHORT, n_temperatures=1, n_chains=50_000)
    result = estimate_log_px_ais(toy.model, x, settings, generators(0), chunk_rows=1 << 20)
    z = torch.randn(50_000, 2, generator=torch.Generator().manual_seed(1)).double()
    log_px_z = toy.model.likelihood.log_prob(x, toy.model.decode(z[None])[0].unsqueeze(1))
    want = torch.logsumexp(log_px_z, 0) - math.log(len(z))
    torch.testing.assert_close(result.estimate.log_px[0], want, rtol=0, atol=0.25)


def test_chunks_cover_all_data_in_order() -> None:
    toy = tilted(members=2)
    x = toy.sample(7)
    settings = with_(SHORT, n_temperatures=40, n_chains=64)
    result = estimate_log_px_ais(toy.model, x, settings, generators(0, 1), chunk_rows=3 * 64)
    assert result.estimate.log_px.shape == (2, 7)
    torch.testing.assert_close(
        result.estimate.log_px, toy.log_px(x).expand(2, -1), rtol=0, atol=0.4
    )


def test_a_members_estimate_is_its_own() -> None:
    group, alone = curved(members=3), curved(members=3)
    x = (randn(4, 12) > 0).double()
    first = estimate_log_px_ais(group, x, SHORT, generators(0, 1, 2))
    second = estimate_log_px_ais(alone, x, SHORT, generators(5, 1, 6))
    torch.testing.assert_close(
        first.estimate.log_px[1], second.estimate.log_px[1], rtol=1e-9, atol=0
    )
    assert not torch.isclose(first.estimate.log_px[0], second.estimate.log_px[0]).any()


def test_single_precision_is_enough() -> None:
    toy = tilted()
    x = toy.sample(6)
    settings = with_(LONG, n_chains=600)
    result = estimate_log_px_ais(
        toy.model.float(), x.float(), settings, generators(0), chunk_rows=CHUNK_ROWS
    )
    assert result.estimate.log_px.dtype == torch.float64
    assert (result.estimate.log_px - toy.log_px(x)).abs().max() < 0.08


def test_another_measure_measures_another_model() -> None:
    gaussian = curved(likelihood="gaussian")
    x = (randn(3, 12) > 0).double()
    result = estimate_log_px_ais(
        gaussian, x, with_(LONG, n_chains=600), generators(0), measure="nll_mean"
    )
    # The same decoder read as a Bernoulli's: what nll_mean means.
    bernoulli = curved()
    bernoulli.load_state_dict(gaussian.state_dict() | _first_head(gaussian))
    exact = log_px_by_quadrature(bernoulli, x)
    assert (result.estimate.log_px - exact).abs().max() < 0.15


def _first_head(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    state = model.state_dict()
    return {name: state[name].chunk(2, dim=-1)[0] for name in ("output.weight", "output.bias")}


def test_mean_weight_error_and_effective_chains() -> None:
    log_w = 2 * randn(2, 9, 3) - 4000
    value, error, effective = log_mean_weight(log_w)
    w = torch.exp(log_w + 4000)
    torch.testing.assert_close(value, w.mean(1).log() - 4000)
    torch.testing.assert_close(error, w.std(1) / 3 / w.mean(1))
    torch.testing.assert_close(effective, w.sum(1).square() / w.square().sum(1))
    same = log_mean_weight(torch.full((1, 4, 1), -1e6).double())
    assert [t.item() for t in same] == pytest.approx([-1e6, 0, 4], abs=1e-9)
    assert log_mean_weight(log_w[:, :1])[1].isnan().all()


@pytest.mark.parametrize("schedule", [linear_temperatures, sigmoidal_temperatures])
@pytest.mark.parametrize("n", [1, 2, 7, 1000])
def test_temperatures_rise_from_zero_to_one(schedule: object, n: int) -> None:
    betas = schedule(n)
    assert (len(betas), betas[0].item(), betas[-1].item()) == (n + 1, 0, 1)
    assert (betas.diff() > 0).all()
    torch.testing.assert_close(betas, 1 - betas.flip(0))


def test_sigmoidal_temperatures_crowd_the_ends() -> None:
    betas = sigmoidal_temperatures(100)
    logistic = lambda a: 1 / (1 + math.exp(-a))  # noqa: E731
    want = (logistic(-2) - logistic(-4)) / (logistic(4) - logistic(-4))
    assert betas[25].item() == pytest.approx(want)
    assert betas.diff()[50] > 5 * betas.diff()[0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"n_chains": 0}, "n_chains is 0; expected at least 1"),
        ({"target_acceptance": 1.0}, "target_acceptance is 1.0; expected a share between 0 and 1"),
        ({"first_step": 0.0}, "first_step is 0.0; expected a number above 0"),
        ({"base": "posterior"}, "base is 'posterior'; expected one of: encoder, prior"),
        ({"temperatures": "cosine"}, "temperatures is 'cosine'; expected one of: linear, sigmoid"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        AnnealingSettings(**changes)


def test_training_mode_is_refused() -> None:
    model = curved().train()
    with pytest.raises(ValueError, match="training mode"):
        estimate_log_px_ais(model, torch.zeros(1, 12).double(), SHORT, generators(0))
