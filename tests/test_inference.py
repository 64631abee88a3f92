"""Missing features inferred: where the posterior of the observed ones is known exactly."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.distributions import MultivariateNormal

from builders import LinearGaussian, architecture, generators, perturbed, randn
from vaestudy.inference import (
    METHODS,
    Observed,
    infer_missing,
    missing_log_prob,
    of_observed,
)
from vaestudy.likelihoods import LIKELIHOODS
from vaestudy.masks import random_pixels, top_half, without_quadrant
from vaestudy.partial import check_given
from vaestudy.posteriors import FitSettings
from vaestudy.vae import VAE

#: Of six features; each datum has a mask of its own.
MASKS = torch.tensor(
    [[1, 1, 1, 0, 0, 0], [0, 1, 0, 1, 1, 1], [1, 1, 1, 1, 1, 0], [0, 0, 1, 0, 0, 0]]
).bool()
SEARCH = FitSettings(start="random", n_samples=20, learning_rate=0.05, tolerance=1e-3)


def exact(toy: LinearGaussian, x: Tensor, mask: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Mean and precision of p(z | x_o), mean and log-density of the rest, of one datum."""
    w, b = toy.w[mask], toy.b[mask]
    precision = torch.eye(toy.n_z).double() + w.T @ w / toy.s**2
    mean = torch.linalg.solve(precision, w.T @ (x[mask] - b)) / toy.s**2
    rest = toy.w[~mask]
    covariance = rest @ torch.linalg.inv(precision) @ rest.T + toy.s**2 * torch.eye(len(rest))
    law = MultivariateNormal(rest @ mean + toy.b[~mask], covariance)
    return mean, precision, law.mean, law.log_prob(x[~mask])


@pytest.fixture(scope="module")
def toy() -> LinearGaussian:
    return LinearGaussian()


@pytest.mark.parametrize("name", sorted(LIKELIHOODS))
def test_a_part_has_the_whole_likelihoods_density(name: str) -> None:
    whole, d = LIKELIHOODS[name], 5
    params, x = randn(1, 3, 4, whole.param_features(d)), (randn(1, 1, 4, d, seed=1) > 0).double()
    part, there = Observed(whole), torch.tensor([True, False, True, True, False])
    torch.testing.assert_close(part.log_prob(x, params), whole.log_prob(x, params))
    kept = params.unflatten(-1, (-1, d))[..., there].flatten(-2)
    want = whole.log_prob(x[..., there], kept)
    got = part.log_prob(torch.where(there, x, torch.nan), params)
    torch.testing.assert_close(got, want)


def test_the_variational_posterior_is_the_best_factorised_one(toy: LinearGaussian) -> None:
    """Of a normal posterior that has its mean and the diagonal of its precision."""
    x = toy.sample(4)
    (generator,) = generators(0)
    found = infer_missing(toy.model, x, MASKS, generator, n_samples=20_000, settings=SEARCH)
    for b, mask in enumerate(MASKS):
        mean, precision, rest, _ = exact(toy, x[b], mask)
        torch.testing.assert_close(found.z[:, b].mean(0), mean, atol=0.05, rtol=0)
        spread = precision.diagonal().rsqrt()
        torch.testing.assert_close(found.z[:, b].std(0), spread, atol=0.03, rtol=0.03)
        torch.testing.assert_close(found.mean[b, ~mask], rest, atol=0.08, rtol=0)
        assert torch.equal(found.mean[b, mask], x[b, mask])
        assert torch.equal(found.example[b, mask], x[b, mask])


def test_importance_weights_give_the_exact_answer(toy: LinearGaussian) -> None:
    x = toy.sample(4)
    (generator,) = generators(1)
    n = 100_000
    found = infer_missing(toy.model, x, MASKS, generator, method="importance", n_samples=n)
    log_p = missing_log_prob(toy.model, x, MASKS, found)
    torch.testing.assert_close(found.log_weight.exp().sum(0), torch.ones(4).double())
    for b, mask in enumerate(MASKS):
        *_, rest, density = exact(toy, x[b], mask)
        assert found.effective_samples[b] > 1000
        torch.testing.assert_close(found.mean[b, ~mask], rest, atol=0.05, rtol=0)
        assert log_p[b].item() == pytest.approx(density.item(), abs=0.05)


def test_the_prior_looks_at_nothing(toy: LinearGaussian) -> None:
    x = toy.sample(4)
    (generator,) = generators(2)
    found = infer_missing(toy.model, x, MASKS, generator, method="prior", n_samples=50_000)
    law = MultivariateNormal(
        toy.b, toy.w @ toy.w.T + toy.s**2 * torch.eye(len(toy.b), dtype=torch.float64)
    )
    log_p = missing_log_prob(toy.model, x, MASKS, found)
    for b, mask in enumerate(MASKS):
        torch.testing.assert_close(found.mean[b, ~mask], toy.b[~mask], atol=0.03, rtol=0)
        covariance = law.covariance_matrix[~mask][:, ~mask]
        want = MultivariateNormal(toy.b[~mask], covariance).log_prob(x[b, ~mask])
        assert log_p[b].item() == pytest.approx(want.item(), abs=0.1)


@pytest.mark.parametrize("method", sorted(METHODS))
def test_what_is_hidden_is_not_looked_at(method: str) -> None:
    model = perturbed(VAE(architecture(), members=1)).eval()
    x, mask = (randn(3, 12) > 0).double(), torch.arange(12) < 5
    quick = FitSettings(start="random", n_samples=2, window=3, max_windows=2)
    other = torch.where(mask, x, torch.nan)
    found = [
        infer_missing(model, data, mask, *generators(0), method=method, n_samples=7, settings=quick)
        for data in (x, other)
    ]
    assert torch.equal(found[0].mean, found[1].mean)
    assert torch.equal(found[0].example, found[1].example)
    assert torch.isfinite(found[0].mean).all()


def test_a_model_of_the_observed_shares_its_weights_and_leaves_the_whole_alone() -> None:
    model = perturbed(VAE(architecture(), members=1)).eval()
    likelihood, partial = model.likelihood, of_observed(model)
    assert model.likelihood is likelihood
    assert isinstance(partial.likelihood, Observed)
    assert partial.output.weight is model.output.weight


def test_what_cannot_be_is_told() -> None:
    model, x = VAE(architecture(), members=1), torch.zeros(2, 12)
    mask = torch.ones(12, dtype=torch.bool)
    with pytest.raises(ValueError, match="training mode"):
        infer_missing(model, x, mask, *generators(0))
    with pytest.raises(ValueError, match="2 members; expected 1"):
        infer_missing(VAE(architecture(), members=2).eval(), x, mask, *generators(0))
    with pytest.raises(ValueError, match=r"method is 'guess'; expected .*variational"):
        infer_missing(model.eval(), x, mask, *generators(0), method="guess")
    with pytest.raises(ValueError, match=r"observed is of shape \(3,\); expected .*\(2, 12\)"):
        infer_missing(model.eval(), x, mask[:3], *generators(0))
    with pytest.raises(ValueError, match=r"start is 'encoder', .* expected random or prior"):
        infer_missing(model.eval(), x, mask, *generators(0), settings=FitSettings())


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"model": object()}, TypeError, r"expected a vaestudy\.vae\.VAE.*load_model.*impute"),
        ({"x": np.zeros((2, 12))}, TypeError, "x is a ndarray; expected a tensor"),
        ({"observed": np.ones(12)}, TypeError, "observed is a ndarray; expected a tensor"),
        ({"x": torch.zeros(2, 12).byte()}, ValueError, r"x is of torch.uint8; .*\(x / 255\)"),
        ({"x": torch.zeros(2, 12).double()}, ValueError, r"expected torch\.float32"),
        ({"x": torch.zeros(2, 9)}, ValueError, r"x is of shape \(2, 9\); expected \(B, 12\)"),
        ({"x": torch.full((2, 12), torch.nan)}, ValueError, "NaN where observed says"),
        ({"observed": torch.ones(12)}, ValueError, r"expected torch\.bool"),
        ({"n_samples": 0}, ValueError, "n_samples is 0"),
    ],
)
def test_what_does_not_fit_is_named(
    changes: dict[str, Any], error: type[Exception], message: str
) -> None:
    given: dict[str, Any] = {
        "model": VAE(architecture(), members=1).eval(),
        "x": torch.zeros(2, 12),
        "observed": torch.ones(12, dtype=torch.bool),
        "n_samples": 5,
        **changes,
    }
    with pytest.raises(error, match=message):
        check_given(**given)


def test_masks() -> None:
    top = top_half((4, 4)).view(4, 4)
    assert top[:2].all()
    assert not top[2:].any()
    quarter = without_quadrant((4, 4)).view(4, 4)
    assert (quarter.sum().item(), quarter[2:, 2:].any().item()) == (12, False)
    pixels = random_pixels((100, 100), 0.3, *generators(0))
    assert pixels.float().mean().item() == pytest.approx(0.3, abs=0.02)
    with pytest.raises(ValueError, match="share is 2"):
        random_pixels((2, 2), 2, *generators(0))
