"""Each family against ``torch.distributions``, and normalised."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.integrate import quad
from torch import Tensor
from torch import distributions as td

from builders import randn
from plain import LIKELIHOODS as ORACLES
from vaestudy.likelihoods import (
    LIKELIHOODS,
    Bernoulli,
    Beta,
    ContinuousBernoulli,
    Gaussian,
    Likelihood,
    LogitBeta,
    Normal,
)

D = 5


def oracle(name: str, params: Tensor) -> td.Distribution:
    return td.Independent(ORACLES[name](params), 1)


@pytest.fixture(params=sorted(LIKELIHOODS))
def name(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def likelihood(name: str) -> Likelihood:
    return LIKELIHOODS[name]


@pytest.fixture
def params(likelihood: Likelihood) -> Tensor:
    return 2 * randn(2, 3, 4, likelihood.param_features(D))


def test_log_prob_is_the_distribution(name: str, likelihood: Likelihood, params: Tensor) -> None:
    x = (randn(2, 1, 4, D, seed=1) > 0).double()
    want = oracle(name, params).log_prob(x.expand(2, 3, 4, D))
    torch.testing.assert_close(likelihood.log_prob(x, params), want, rtol=1e-12, atol=1e-12)


def test_mean_is_the_distribution(name: str, likelihood: Likelihood, params: Tensor) -> None:
    torch.testing.assert_close(likelihood.mean(params), oracle(name, params).mean)


def test_mean_logits_are_the_logits_of_the_mean(likelihood: Likelihood, params: Tensor) -> None:
    mean = torch.sigmoid(likelihood.mean_logits(params))
    # Of a mean that no Bernoulli has, the nearest that one has.
    want = likelihood.mean(params).clamp(1e-6, 1 - 1e-6)
    torch.testing.assert_close(mean, want, rtol=1e-12, atol=0)


def test_samples_have_the_moments(
    name: str, likelihood: Likelihood, generator: torch.Generator
) -> None:
    n = 100_000
    params = randn(likelihood.param_features(D))
    want = oracle(name, params)
    x = likelihood.sample(params.expand(n, -1), generator)
    assert (x.mean(0) - want.mean).abs().max() < 5 * (want.variance / n).sqrt().max()
    torch.testing.assert_close(x.var(0), want.variance, rtol=0.03, atol=0, check_dtype=False)


def test_samples_are_fixed_by_the_generator(likelihood: Likelihood, params: Tensor) -> None:
    draws = [likelihood.sample(params, torch.Generator().manual_seed(s)) for s in (1, 1, 2)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])


def test_bernoulli_sums_to_one_over_all_images() -> None:
    images = torch.tensor(list(product([0.0, 1.0], repeat=D)), dtype=torch.float64)
    logits = (3 * randn(1, 1, 1, D)).expand(1, 1, len(images), D)
    log_p = Bernoulli().log_prob(images[None, None], logits)
    assert torch.logsumexp(log_p, -1).item() == pytest.approx(0, abs=1e-12)


@pytest.mark.parametrize(("a", "b"), [(-3.0, 2.0), (0.0, 0.0), (0.5, -2.0), (100.0, 100.0)])
def test_gaussian_integrates_to_one(a: float, b: float) -> None:
    params = torch.tensor([a, b], dtype=torch.float64).view(1, 1, 1, 2)

    def density(x: float) -> float:
        return Gaussian().log_prob(torch.tensor(x).double().view(1, 1, 1, 1), params).exp().item()

    assert quad(density, -20, 20, points=[0.5])[0] == pytest.approx(1, abs=1e-7)


@pytest.mark.parametrize(("a", "b"), [(-3.0, 2.0), (50.0, 0.0), (0.5, -100.0)])
def test_normal_integrates_to_one(a: float, b: float) -> None:
    params = torch.tensor([a, b], dtype=torch.float64).view(1, 1, 1, 2)

    def density(x: float) -> float:
        at = torch.tensor(x, dtype=torch.float64).view(1, 1, 1, 1)
        return Normal().log_prob(at, params).exp().item()

    reach = 10 * np.exp(max(b, Normal.LOG_VARIANCE_FLOOR) / 2)
    assert quad(density, a - reach, a + reach)[0] == pytest.approx(1, abs=1e-7)


def test_normal_spread_has_a_floor_that_passes_gradients() -> None:
    params = torch.tensor([0.0, -30.0], dtype=torch.float64, requires_grad=True)
    log_px = Normal().log_prob(torch.ones(1, 1, 1, 1).double(), params.view(1, 1, 1, 2))
    assert Normal().sample(params.detach().expand(20_000, 2)).std().item() == pytest.approx(
        0.01, rel=0.02
    )
    (gradient,) = torch.autograd.grad(log_px.sum(), params)
    assert (gradient > 0).all()


def test_gaussian_is_normalised_over_several_features() -> None:
    grid = torch.linspace(-9, 10, 400, dtype=torch.float64)
    x = torch.cartesian_prod(grid, grid)[None, None]
    params = randn(1, 1, 1, 4).expand(1, 1, x.shape[2], 4)
    density = Gaussian().log_prob(x, params).exp()
    total = density.sum() * (grid[1] - grid[0]) ** 2
    assert total.item() == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("logit", [-30.0, -1.0, -0.499, 0.0, 1e-5, 0.5, 6.0, 100.0])
def test_continuous_bernoulli_integrates_to_one(logit: float) -> None:
    params = torch.full((1, 1, 1, 1), logit, dtype=torch.float64)

    def density(x: float) -> float:
        data = torch.tensor(x, dtype=torch.float64).view(1, 1, 1, 1)
        return ContinuousBernoulli().log_prob(data, params).exp().item()

    assert quad(density, 0, 1)[0] == pytest.approx(1, abs=1e-10)
    mean = quad(lambda x: x * density(x), 0, 1)[0]
    assert ContinuousBernoulli().mean(params).item() == pytest.approx(mean, rel=1e-10)


def test_continuous_bernoulli_at_one_half_is_uniform() -> None:
    params, x = torch.zeros(1, 1, 1, 3), torch.tensor([0.0, 0.3, 1.0]).view(1, 1, 1, 3)
    assert ContinuousBernoulli().log_prob(x, params).item() == 0
    assert torch.equal(ContinuousBernoulli().mean(params), torch.full((1, 1, 1, 3), 0.5))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("logit", [-100.0, -20.0, -1.0, -1e-6, 0.0, 1e-6, 0.3, 3.0, 100.0])
def test_continuous_bernoulli_samples_have_its_distribution(
    dtype: torch.dtype, logit: float, generator: torch.Generator
) -> None:
    n = 20_000
    x = ContinuousBernoulli().sample(torch.full((n, 1), logit, dtype=dtype), generator)
    assert x.min() >= 0
    assert x.max() <= 1
    grid = np.linspace(0, 1, 21) if abs(logit) < 10 else np.linspace(0, 5 / abs(logit), 21)
    grid = 1 - grid[::-1] if logit > 10 else grid
    want = grid if logit == 0 else np.expm1(logit * grid) / np.expm1(logit)
    got = (x.double().numpy() <= grid).mean(0)
    assert np.abs(got - want).max() < 2 / n**0.5  # Kolmogorov-Smirnov, p about 1e-3


def test_binary_logits_are_the_log_odds(likelihood: Likelihood) -> None:
    params = 2 * randn(1, 3, 4, likelihood.param_features(1))
    one, zero = (
        likelihood.log_prob(torch.full((1, 1, 4, 1), v).double(), params) for v in (1.0, 0.0)
    )
    logits = likelihood.binary_logits(params)[..., 0]
    torch.testing.assert_close(logits, one - zero, rtol=1e-10, atol=1e-12)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_extreme_parameters_are_finite(likelihood: Likelihood, dtype: torch.dtype) -> None:
    values = torch.tensor([-100.0, 0.0, 100.0], dtype=dtype)
    grid = torch.cartesian_prod(*[values] * likelihood.n_heads).view(1, 1, -1, likelihood.n_heads)
    for x in (0.0, 1.0):
        params = grid.clone().requires_grad_()
        data = torch.full((1, 1, grid.shape[2], 1), x, dtype=dtype)
        value = likelihood.log_prob(data, params)
        value.sum().backward()
        assert torch.isfinite(value).all()
        assert torch.isfinite(params.grad).all()
    for f in (likelihood.mean, likelihood.binary_logits, likelihood.mean_logits, likelihood.sample):
        assert torch.isfinite(f(grid)).all(), f.__name__


@pytest.mark.parametrize(("a", "b"), [(0.0, 0.0), (3.0, -1.0), (40.0, 60.0)])
def test_beta_integrates_to_one_between_its_clipped_ends(a: float, b: float) -> None:
    params, clip = torch.tensor([a, b], dtype=torch.float64).view(1, 1, 1, 2), Beta.CLIP

    def density(x: float) -> float:
        at = torch.tensor(x, dtype=torch.float64).view(1, 1, 1, 1)
        return Beta().log_prob(at, params).exp().item()

    alpha, beta = (float(c) for c in Beta._concentrations(params.flatten()))
    inside = np.diff(stats.beta(alpha, beta).cdf([clip, 1 - clip]))[0]
    assert quad(density, clip, 1 - clip)[0] == pytest.approx(inside, abs=1e-8)
    assert inside > 0.99
    assert density(0.0) == density(clip)
    assert density(1.0) == density(1 - clip)


@pytest.mark.parametrize("total", [1e1, 1e2, 1e3, 1e4, 1e5, 1e6])
def test_concentrated_betas_keep_their_digits_in_float32(total: float) -> None:
    """784 features with data as they are drawn; values and gradients against float64."""
    mean = torch.linspace(0.05, 0.95, 784, dtype=torch.float64)
    alpha, beta = total * mean, total * (1 - mean)
    drawn = stats.beta(alpha, beta).rvs(random_state=0)
    x = torch.from_numpy(drawn).float().view(1, 1, 1, -1)
    # The inverse of softplus, whose shift and floor do not matter here.
    params = torch.cat([c + torch.log(-torch.expm1(-c)) for c in (alpha, beta)]) - Beta.SHIFT
    params = params.float().view(1, 1, 1, -1)
    found = []
    for dtype in (torch.float32, torch.float64):
        own = params.to(dtype).requires_grad_()
        value = Beta().log_prob(x.to(dtype), own)
        found.append((value.double(), torch.autograd.grad(value.sum(), own)[0].double()))
    (value, gradient), (want, want_gradient) = found
    assert (value - want).abs().item() < 2e-3
    assert (gradient - want_gradient).abs().max() < 2e-3 * want_gradient.abs().max()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(("a", "b"), [(-9.0, -9.0), (-4.0, 1.0), (0.0, 0.0), (40.0, 60.0)])
def test_logits_of_beta_are_drawn_and_measured(
    a: float, b: float, dtype: torch.dtype, generator: torch.Generator
) -> None:
    """Down to concentrations of 0.002, whose draws are as good as all below a float's least."""
    n = 20_000
    params = torch.tensor([a, b], dtype=dtype).expand(1, 1, n, 2)
    alpha, beta = (c.item() for c in Beta._concentrations(params[0, 0, 0].double()))
    y = LogitBeta().sample(params[:, 0], generator)
    assert y.isfinite().all()
    # The score's mean is 0 where what is measured is what was drawn.
    own = params.double().clone().requires_grad_()
    LogitBeta().log_prob(y.double().unsqueeze(1), own).sum().backward()
    assert own.grad is not None
    scores = own.grad[0, 0]
    assert (scores.mean(0).abs() < 4 * scores.std(0) / n**0.5).all()
    share = torch.sigmoid(y.double()).mean().item()
    spread = (alpha * beta / (alpha + beta + 1)) ** 0.5 / (alpha + beta)
    assert share == pytest.approx(alpha / (alpha + beta), abs=4 * spread / n**0.5)


def test_a_density_of_logits_is_that_of_the_values_by_the_slope() -> None:
    params, x = randn(1, 3, 4, 2 * D), 0.1 + 0.8 * torch.rand(1, 1, 4, D).double()
    slope = (x * (1 - x)).log().sum(-1)
    got = LogitBeta().log_prob(torch.logit(x), params)
    torch.testing.assert_close(got, Beta().log_prob(x, params) + slope)


def test_beta_starts_near_two_and_two() -> None:
    alpha, beta = Beta._concentrations(torch.zeros(2, dtype=torch.float64))
    assert (alpha.item(), beta.item()) == (pytest.approx(2), pytest.approx(2))


def test_gradcheck_of_beta() -> None:
    x, params = torch.rand(1, 1, 4, D).double(), randn(1, 2, 4, 2 * D).requires_grad_()
    assert torch.autograd.gradcheck(lambda p: Beta().log_prob(x, p), params)


def test_gaussian_moments_stay_in_their_bounds() -> None:
    samples = Gaussian().sample(torch.tensor([50.0, -50.0]).expand(20_000, 2))
    assert samples.mean().item() == pytest.approx(1, abs=0.02)
    assert samples.std().item() == pytest.approx(np.exp(-0.5), abs=0.02)
