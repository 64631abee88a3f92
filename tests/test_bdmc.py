"""The bidirectional check against models whose log p(x) is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from builders import architecture, generators, perturbed
from exact import curved, log_px_by_quadrature, posterior, tilted
from vaestudy.annealing import AnnealingSettings
from vaestudy.bdmc import bidirectional_bounds, simulate
from vaestudy.evaluate import as_drawn
from vaestudy.vae import VAE

CHUNK_ROWS = 20_000


def test_linear_gaussian_models_are_sandwiched_closely() -> None:
    toy = tilted(members=2)
    settings = AnnealingSettings(n_temperatures=40, n_chains=400, n_leapfrog=5)
    bounds = bidirectional_bounds(toy.model, 16, settings, generators(0, 1), chunk_rows=CHUNK_ROWS)
    exact = toy.log_px(bounds.data.x)
    assert (bounds.lower.estimate.log_px.mean(1) - exact.mean(1)).abs().max() < 0.02
    assert (bounds.upper.log_px.mean(1) - exact.mean(1)).abs().max() < 0.05
    assert (bounds.gap() > -3 * bounds.gap_error()).all()
    assert bounds.gap().max() < 0.05


@pytest.mark.parametrize("base", ["prior", "encoder"])
def test_bounds_lie_on_either_side_when_annealing_is_too_fast(base: str) -> None:
    toy = tilted(strength=2.0)
    # An encoder far off, so that the way from it is long too.
    toy.model.heads.bias.data[..., 0] += 1.0
    settings = AnnealingSettings(n_temperatures=5, n_chains=2, n_leapfrog=3, base=base)
    bounds = bidirectional_bounds(toy.model, 400, settings, generators(0))
    exact = toy.log_px(bounds.data.x)
    below = (exact - bounds.lower.estimate.log_px)[0]
    above = (bounds.upper.log_px - exact)[0]
    for side in (below, above):
        assert side.mean().item() > 4 * side.std().item() / len(side) ** 0.5
    torch.testing.assert_close(bounds.gap(), (below + above).mean().expand(1))
    gap_error = (below + above).std() / len(below) ** 0.5
    torch.testing.assert_close(bounds.gap_error(), gap_error.expand(1))


def test_more_temperatures_close_the_gap() -> None:
    model, gaps = curved(), []
    for n_temperatures in (2, 10, 40):
        settings = AnnealingSettings(n_temperatures=n_temperatures, n_chains=1, n_leapfrog=4)
        bounds = bidirectional_bounds(model, 200, settings, generators(0))
        exact = log_px_by_quadrature(model, bounds.data.x[0, :50], points=141)
        error = bounds.lower.estimate.log_px[0, :50] - exact
        assert error.mean() < 3 * error.std() / 50**0.5
        gaps.append(bounds.gap().item())
    assert gaps[0] > 2 * gaps[1] > 4 * gaps[2] > -0.1


def test_simulated_latents_are_exact_posterior_samples() -> None:
    toy = tilted(members=2)
    data = simulate(toy.model, 20_000, generators(0, 1))
    assert data.x.shape == (2, 20_000, 6)
    assert not torch.equal(data.x[0], data.x[1])
    for x, z in zip(data.x, data.z, strict=True):
        # Whitened by the posterior they are standard normal.
        q = posterior(toy, x)
        white = torch.linalg.solve_triangular(q.scale_tril, (z - q.mean).unsqueeze(-1), upper=False)
        assert torch.cov(white[..., 0].T).sub(torch.eye(2)).abs().max() < 0.04
        covariance = toy.w @ toy.w.T + toy.s**2 * torch.eye(6)
        assert torch.cov(x.T).sub(covariance).abs().max() < 0.1


def beta_model() -> VAE:
    """One latent dimension, and concentrations below 1: many draws are too near to 0 and 1."""
    model = perturbed(VAE(architecture(n_z=1, likelihood="beta"))).eval()
    with torch.no_grad():
        model.output.weight.mul_(3)
        model.output.bias.sub_(3.5)
    return model


def test_latents_of_beta_models_are_exact_posterior_samples() -> None:
    """The rank of each among its posterior, by quadrature, is uniform: Kolmogorov-Smirnov."""
    model, n = as_drawn(beta_model()), 1_000
    data = simulate(model, n, generators(0))
    grid = torch.linspace(-6, 6, 201, dtype=torch.float64).view(1, -1, 1)
    with torch.no_grad():
        params = model.decode(grid).unsqueeze(2).expand(-1, -1, n, -1)
        log_px_z = model.likelihood.log_prob(data.x.unsqueeze(1), params)[0]
    posterior = torch.softmax(log_px_z - 0.5 * grid[0].square(), 0)
    below = (posterior.cumsum(0) - 0.5 * posterior).T
    rank = [np.interp(z, grid[0, :, 0], c) for z, c in zip(data.z[0, :, 0], below, strict=True)]
    assert stats.kstest(rank, "uniform").pvalue > 0.01


def test_of_beta_models_the_draws_logits_are_sandwiched() -> None:
    settings = AnnealingSettings(n_temperatures=30, n_chains=4, n_leapfrog=5)
    bounds = bidirectional_bounds(beta_model(), 100, settings, generators(0))
    assert bounds.data.x.min() < -5
    assert bounds.data.x.max() > 5
    assert -3 * bounds.gap_error() < bounds.gap() < 0.5


def test_binary_models_make_binary_data() -> None:
    data = simulate(curved(members=2), 50, generators(0, 1))
    assert set(data.x.unique().tolist()) == {0.0, 1.0}


def test_one_datum_has_no_error() -> None:
    settings = AnnealingSettings(n_temperatures=2, n_chains=2, n_leapfrog=1)
    bounds = bidirectional_bounds(curved(), 1, settings, generators(0))
    assert bounds.gap().isfinite().all()
    assert bounds.gap_error().isnan().all()


def test_there_must_be_data_and_a_trained_model() -> None:
    settings = AnnealingSettings(n_temperatures=2)
    with pytest.raises(ValueError, match="n_data is 0; expected at least 1"):
        bidirectional_bounds(curved(), 0, settings, generators(0))
    with pytest.raises(ValueError, match="training mode"):
        bidirectional_bounds(curved().train(), 1, settings, generators(0))
