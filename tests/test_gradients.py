"""The signal-to-noise ratio of gradients, against what is known of it."""

from __future__ import annotations

import math

import pytest
import torch

from builders import LinearGaussian, architecture, generators, perturbed, randn
from vaestudy.gradients import gradient_snr
from vaestudy.objectives import OBJECTIVES, dreg, elbo, elbo_sampled, iwae
from vaestudy.rng import normal
from vaestudy.vae import VAE

X = (randn(6, 12) > 0).double()


def model(members: int = 2) -> VAE:
    return perturbed(VAE(architecture(), members=members))


def test_it_is_mean_over_deviation_of_each_parameter() -> None:
    vae, n, k = model(), 7, 3
    got = gradient_snr(vae, X, iwae, generators(0, 1), k=k, n_draws=n, beta=0.5)
    noise, beta = generators(0, 1), torch.full((2,), 0.5).double()
    draws = []
    for _ in range(n):
        eps = normal(noise, (k, 6, 3), torch.device("cpu")).double()
        vae.zero_grad()
        iwae(vae(X.expand(2, 6, 12), eps), beta).mean(1).sum().backward()
        draws.append({name: p.grad.flatten(1) for name, p in vae.named_parameters()})
    for part, stems in (("encoder", ("encoder", "heads")), ("decoder", ("decoder", "output"))):
        names = [name for name in draws[0] if name.startswith(stems)]
        stacked = torch.stack([torch.cat([d[name] for name in names], 1) for d in draws])
        want = (stacked.mean(0).abs() / stacked.std(0)).nanmean(1)  # A pixel is 0 throughout.
        torch.testing.assert_close(getattr(got, part), want)
        torch.testing.assert_close(getattr(got, f"{part}_variance"), stacked.var(0).sum(1))
    assert got.n_draws == n


def test_both_estimators_of_the_kl_are_one_to_the_decoder() -> None:
    closed, sampled = (
        gradient_snr(model(1), X, objective, generators(0), k=1, n_draws=20)
        for objective in (elbo, elbo_sampled)
    )
    torch.testing.assert_close(closed.decoder_variance, sampled.decoder_variance)
    assert (closed.encoder_variance - sampled.encoder_variance).abs() > 1e-3


def test_noise_alone_has_the_ratio_that_is_told() -> None:
    n = 50

    def noise(terms, beta):  # type: ignore[no-untyped-def]
        return (terms.mu * terms.eps.sum(1)).sum(-1) + 0 * terms.log_px_z.mean(1)

    got = gradient_snr(model(1), X, noise, generators(0), k=1, n_draws=n)
    assert got.encoder.item() == pytest.approx(math.sqrt(2 / (math.pi * n)), rel=0.35)
    assert got.decoder.isnan().all()  # No parameter of the decoder varies.


def test_more_samples_help_the_decoder_and_harm_the_encoder() -> None:
    toy = LinearGaussian(members=1, shift=0.3, widen=1.3)
    x = toy.sample(1)
    few, many = (gradient_snr(toy.model, x, iwae, generators(0), k=k, n_draws=400) for k in (1, 64))
    assert many.decoder > 2 * few.decoder
    assert many.encoder < few.encoder / 2
    doubly = gradient_snr(toy.model, x, dreg, generators(0), k=64, n_draws=400)
    assert doubly.encoder > 2 * many.encoder


def test_it_leaves_the_model_alone() -> None:
    vae = model()
    before = {name: value.clone() for name, value in vae.state_dict().items()}
    gradient_snr(vae, X, elbo, generators(0, 1), k=1, n_draws=2)
    assert all(torch.equal(value, before[name]) for name, value in vae.state_dict().items())
    assert all(parameter.grad is None for parameter in vae.parameters())


def test_one_draw_is_not_enough() -> None:
    with pytest.raises(ValueError, match="n_draws is 1; expected at least 2"):
        gradient_snr(model(), X, OBJECTIVES["elbo"], generators(0, 1), k=1, n_draws=1)
