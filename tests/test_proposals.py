"""Estimates of log p(x) with half of the samples from the prior, against exact values."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from builders import architecture, generators, randn, run_config
from estimating import REAL, quick
from exact import curved, log_px_by_quadrature
from vaestudy.deeper import DeeperLayer
from vaestudy.evaluate import estimate_log_px, plain_log_weights
from vaestudy.measure import measure_run
from vaestudy.proposals import mixture_log_weights, undo
from vaestudy.vae import VAE


def too_narrow(logvar: float) -> VAE:
    """The decoder of a model with curved posteriors, and a q that is next to a point."""
    model = curved()
    with torch.no_grad():
        model.heads.weight[..., 2:].zero_()
        model.heads.bias[..., 2:].fill_(logvar)
    return model


@pytest.fixture
def images() -> Tensor:
    return (randn(8, 12, seed=3) > 0).double()


def test_a_narrow_posterior_hides_nothing(images: Tensor) -> None:
    model = too_narrow(-12)
    exact = log_px_by_quadrature(model, images)
    from_q = estimate_log_px(model, images, 20_000, generators(0))
    assert (exact - from_q.log_px > 1).all()
    assert from_q.standard_error.max() < 0.5  # It does not tell.
    both = estimate_log_px(
        model, images, 20_000, generators(0), log_weights=mixture_log_weights(model)
    )
    z = (both.log_px - exact) / both.standard_error
    assert both.standard_error.max() < 0.1
    assert z.abs().max() < 4.5


def test_it_agrees_with_a_posterior_that_is_one(images: Tensor) -> None:
    model = curved()
    weights = mixture_log_weights(model)
    both = estimate_log_px(model, images, 40_000, generators(1), log_weights=weights)
    exact = log_px_by_quadrature(model, images)
    assert (both.log_px - exact).abs().max() < 0.1


@pytest.mark.parametrize("logvar", [-12.0, 0.0])
def test_weights_are_those_of_the_mixture(logvar: float, images: Tensor) -> None:
    """By torch.distributions, of either half."""
    model, eps = too_narrow(logvar), randn(1, 5, 8, 2, seed=4)
    x = images.unsqueeze(0)
    mu, logvar_of_x = model.encode(x)
    sigma = (0.5 * logvar_of_x).exp()
    z = torch.cat([mu.unsqueeze(1) + sigma.unsqueeze(1) * eps[:, :3], eps[:, 3:]], 1)
    q = torch.distributions.Normal(mu, sigma).log_prob(z).sum(-1)
    p = torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(-1)
    mixture = torch.logaddexp(q + math.log(3 / 5), p + math.log(2 / 5))
    bernoulli = torch.distributions.Bernoulli(logits=model.decode(z))
    want = bernoulli.log_prob(x.unsqueeze(1)).sum(-1) + p - mixture
    got = mixture_log_weights(model)(x, mu, logvar_of_x, eps)
    torch.testing.assert_close(got, want, rtol=1e-9, atol=1e-9)


def test_a_kl_weight_is_undone_exactly_of_normal_posteriors() -> None:
    """Of a linear model, q of precision 1 + s / beta stands for a posterior of precision 1 + s."""
    s = torch.tensor([1e-3, 0.7, 40.0, 1e9]).double()
    for beta in (1e-3, 0.25, 1.0):
        trained = -torch.log(1 + s / beta)
        torch.testing.assert_close(undo(trained, beta), -torch.log(1 + s), rtol=1e-9, atol=1e-12)
    assert undo(torch.tensor(-300.0), 0.5).isfinite()
    assert undo(torch.tensor([-5.0, 0.0]), 0.0).tolist() == [0.0, 0.0]


def test_one_sample_is_the_posteriors(images: Tensor) -> None:
    model, x, eps = curved(), images.unsqueeze(0), randn(1, 1, 8, 2, seed=4)
    encoded = model.encode(x)
    want = plain_log_weights(model)(x, *encoded, eps)
    torch.testing.assert_close(mixture_log_weights(model)(x, *encoded, eps), want)


def test_a_posterior_without_any_variance_is_no_fault(images: Tensor) -> None:
    model = too_narrow(-400).float()  # Its deviation is 0 in single precision.
    x = images.float()
    weights = mixture_log_weights(model)
    both = estimate_log_px(model, x, 4000, generators(0), log_weights=weights)
    assert (both.log_px - log_px_by_quadrature(model.double(), images)).abs().max() < 1


def test_several_layers_are_refused() -> None:
    model = VAE(architecture(deeper=(DeeperLayer(n_z=2, hidden=(5,)),)), 1).eval()
    with pytest.raises(ValueError, match="has 2 stochastic layers; expected 1"):
        mixture_log_weights(model)


@pytest.mark.parametrize(
    ("training", "hides"),
    [
        ({"objective": "elbo"}, True),
        ({"objective": "elbo", "n_z": 2}, False),
        ({"objective": "elbo", "beta": 0.1}, False),
        ({"objective": "jensen-shannon"}, False),
        ({"objective": "half-joint"}, False),
    ],
    ids=["elbo", "two dimensions", "low beta", "jensen-shannon", "half-joint"],
)
def test_models_trained_for_no_bound_are_measured_so(
    training: dict[str, Any], hides: bool, images: Tensor
) -> None:
    model = too_narrow(-12)
    # What is measured is the model; the run says how.
    run = run_config(**{"n_z": 4, **training})
    rows = measure_run(model, run, images, 20_000, 0.01).set_index("metric")
    exact = -log_px_by_quadrature(model, images).mean().item()
    off = rows.loc["nll", "value"] - exact
    assert (off > 1) if hides else (abs(off) < 0.1)


@pytest.mark.filterwarnings("ignore:epochs=60 ran out")
def test_a_weak_kl_weight_hides_nothing() -> None:
    """Trained and scored by the estimator, against the same scores with many more samples."""
    trained = quick(beta=0.01, epochs=60, learning_rate=0.01, n_importance=2000).fit(REAL)
    few, many = trained.score(REAL), trained.set_params(n_importance=100_000).score(REAL)
    assert abs(many - few) < 0.2
    assert trained._fitted.kl_weight == 0.01
    of_q = replace(trained._fitted, kl_weight=None).log_px([REAL], 100_000, 0)
    assert of_q.mean() < many - 0.5, "not the model that the mixture is for"


def test_so_are_an_estimators_scores() -> None:
    vae = quick(objective="half-joint", n_importance=4000, epochs=40, learning_rate=0.01).fit(REAL)
    few, many = vae.score(REAL), vae.set_params(n_importance=40_000).score(REAL)
    assert np.isfinite(few)
    assert many - few < 1
