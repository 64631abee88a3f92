"""The estimate of log p(x) against models whose log p(x) is known exactly."""

from __future__ import annotations

import gc
import math

import pytest
import torch
from torch import Tensor, nn

from builders import LinearGaussian, architecture, generators, perturbed, randn
from vaestudy.evaluate import (
    MEASURES,
    _StreamingWeights,
    active_units,
    chunk_sizes,
    estimate_log_px,
    plain_log_weights,
    reconstruction_squared_error,
)
from vaestudy.kernels import bernoulli_log_prob
from vaestudy.rng import normal
from vaestudy.vae import VAE

CPU = torch.device("cpu")


def wrong_q(members: int = 1) -> LinearGaussian:
    """A proposal that is off, but wide enough for weights of finite variance."""
    return LinearGaussian(members, shift=0.2, widen=1.3)


def test_exact_when_q_is_the_posterior() -> None:
    toy = LinearGaussian(members=2)
    x = toy.sample(20)
    estimate = estimate_log_px(toy.model, x, 10, generators(0, 1))
    torch.testing.assert_close(estimate.log_px, toy.log_px(x).expand(2, -1), rtol=0, atol=1e-5)
    assert estimate.standard_error.max() < 1e-5


def test_estimate_is_within_its_error_of_the_exact_value() -> None:
    toy = wrong_q()
    x = toy.sample(50)
    estimate = estimate_log_px(toy.model, x, 20_000, generators(0))
    z = (estimate.log_px[0] - toy.log_px(x)) / estimate.standard_error[0]
    assert estimate.standard_error.max() < 0.02
    assert z.abs().max() < 4.5


def test_standard_errors_are_calibrated() -> None:
    members = 60
    toy = wrong_q(members)
    x = toy.sample(40)
    estimate = estimate_log_px(toy.model, x, 1000, generators(*range(members)))
    z = (estimate.log_px - toy.log_px(x)) / estimate.standard_error
    assert z.std().item() == pytest.approx(1, abs=0.08)
    assert abs(z.mean().item()) < 0.15
    z = (estimate.nll() + toy.log_px(x).mean()) / estimate.nll_error()
    assert z.std().item() == pytest.approx(1, abs=0.3)


def test_nll_and_its_error_are_means_over_data() -> None:
    toy = wrong_q()
    estimate = estimate_log_px(toy.model, toy.sample(7), 50, generators(0))
    assert estimate.nll().item() == pytest.approx(-estimate.log_px.mean().item())
    want = math.sqrt(estimate.standard_error.square().sum().item()) / 7
    assert estimate.nll_error().item() == pytest.approx(want)


def test_the_error_of_one_sample_is_not_known() -> None:
    toy = wrong_q()
    estimate = estimate_log_px(toy.model, toy.sample(7), 1, generators(0))
    assert torch.isfinite(estimate.log_px).all()
    assert torch.isnan(estimate.standard_error).all()


@pytest.mark.parametrize("chunk_rows", [1, 7, 64, 100_000])
def test_chunks_do_not_change_the_estimate_beyond_its_noise(chunk_rows: int) -> None:
    toy = wrong_q()
    x = toy.sample(3)
    estimate = estimate_log_px(toy.model, x, 500, generators(0), chunk_rows=chunk_rows)
    assert estimate.log_px.shape == (1, 3)
    z = (estimate.log_px[0] - toy.log_px(x)) / estimate.standard_error[0]
    assert z.abs().max() < 4
    assert estimate.standard_error.max() < 0.1


@pytest.mark.parametrize(
    ("n", "sizes"),
    [
        (100, [50, 50]),
        (49, [49]),
        (130, [50, 50, 30]),
        (103, [50, 27, 26]),
        (51, [26, 25]),
        (3, [3]),
    ],
)
def test_samples_come_in_chunks_of_which_none_is_tiny(n: int, sizes: list[int]) -> None:
    assert chunk_sizes(n, 50) == sizes
    assert chunk_sizes(n, 1) == [1] * n


@pytest.mark.parametrize(("n_data", "n_samples"), [(40, 3), (3, 40), (2, 5000), (1, 1)])
def test_memory_does_not_grow_with_the_samples(n_data: int, n_samples: int) -> None:
    class Rows(nn.Module):
        largest = total = 0

        def forward(self, z: Tensor) -> Tensor:
            rows = z[0, ..., 0].numel()
            self.largest, self.total = max(self.largest, rows), self.total + rows
            return z

    toy = wrong_q()
    toy.model.decoder = Rows()
    estimate_log_px(toy.model, toy.sample(n_data), n_samples, generators(0), chunk_rows=64)
    assert toy.model.decoder.largest <= 64
    assert toy.model.decoder.total == n_data * n_samples


def test_no_tensor_is_kept_from_datum_to_datum() -> None:
    toy = wrong_q()
    plain, alive = plain_log_weights(toy.model), []

    def counting(*tensors: Tensor) -> Tensor:
        alive.append(sum(type(thing) is Tensor for thing in gc.get_objects()))
        return plain(*tensors)

    estimate_log_px(
        toy.model, toy.sample(12), 10, generators(0), log_weights=counting, chunk_rows=10
    )
    assert len(alive) == 12
    assert len({*alive[1:]}) == 1


def test_streamed_weights_are_the_whole_sums() -> None:
    log_w = 300 * randn(2, 12, 3) - 5000
    # Gathered and added up all at once, often, and with a chunk that no longer fits.
    for sizes, gathered in (([12], 12), ([5, 7], 7), ([1] * 12, 1), ([5, 5, 2], 8)):
        weights = _StreamingWeights((2, gathered, 3), torch.device("cpu"))
        for chunk in log_w.split(sizes, dim=1):
            weights.add(chunk)
        value, error = weights.estimate(12)
        want = torch.logsumexp(log_w, 1) - math.log(12)
        torch.testing.assert_close(value, want, rtol=1e-12, atol=0)
        w = torch.exp(log_w - log_w.amax(1, keepdim=True))
        delta_method = w.std(1) / math.sqrt(12) / w.mean(1)
        torch.testing.assert_close(error, delta_method, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("variant", [{}, {"likelihood": "gaussian", "batch_norm": "all"}])
def test_one_sample_gives_the_one_sample_bound(variant: dict[str, object]) -> None:
    model = perturbed(VAE(architecture(**variant), members=2)).eval()
    x = (randn(6, 12) > 0).double()
    estimate = estimate_log_px(model, x, 1, generators(0, 1))
    eps = normal(generators(0, 1), (1, 6, 3), CPU).double()
    torch.testing.assert_close(estimate.log_px, model(x.expand(2, 6, 12), eps).log_w()[:, 0])


def test_a_members_estimate_is_its_own() -> None:
    toy, alone = wrong_q(members=3), wrong_q()
    x = toy.sample(5)
    group = estimate_log_px(toy.model, x, 100, generators(0, 1, 2))
    single = estimate_log_px(alone.model, x, 100, generators(1))
    torch.testing.assert_close(group.log_px[1], single.log_px[0], rtol=1e-12, atol=0)


def test_there_must_be_a_sample() -> None:
    with pytest.raises(ValueError, match="n_samples is 0; expected at least 1"):
        estimate_log_px(wrong_q().model, torch.zeros(1, 6).double(), 0, generators(0))


@pytest.mark.parametrize("likelihood", ["gaussian", "continuous-bernoulli"])
def test_restricted_densities_are_normalised_on_binary_images(likelihood: str) -> None:
    model = perturbed(VAE(architecture(n_features=3, likelihood=likelihood)))
    images = torch.cartesian_prod(*[torch.tensor([0.0, 1.0]).double()] * 3)
    n_params = model.likelihood.param_features(3)
    params = (2 * randn(1, 1, 1, n_params)).expand(1, 1, 8, n_params)
    restricted = MEASURES["nll_restricted"](model.likelihood, images[None, None], params)
    assert torch.logsumexp(restricted, -1).item() == pytest.approx(0, abs=1e-12)
    own = model.likelihood.log_prob(images[None, None], params)
    torch.testing.assert_close(restricted, own - torch.logsumexp(own, -1, keepdim=True))


def test_log_prob_of_mean_is_a_bernoulli_with_the_mean() -> None:
    model = perturbed(VAE(architecture(likelihood="gaussian")))
    x, params = (randn(1, 1, 4, 12) > 0).double(), randn(1, 2, 4, 24)
    want = bernoulli_log_prob(x, torch.logit(model.likelihood.mean(params)))
    torch.testing.assert_close(MEASURES["nll_mean"](model.likelihood, x, params), want)


def test_for_bernoulli_models_all_measures_agree() -> None:
    model = perturbed(VAE(architecture())).eval()
    x = (randn(4, 12) > 0).double()
    nlls = [
        estimate_log_px(model, x, 5, generators(0), log_weights=plain_log_weights(model, m)).nll()
        for m in ("nll", "nll_restricted", "nll_mean")
    ]
    assert torch.equal(nlls[0], nlls[1])
    assert torch.equal(nlls[0], nlls[2])


def test_active_units_counts_above_the_threshold() -> None:
    activity = torch.tensor([[0.0, 0.009, 0.01, 0.011], [1.0, 2.0, 3.0, 0.0]])
    assert active_units(activity, 0.01).tolist() == [1, 3]


@pytest.mark.parametrize("chunk_rows", [1, 4, 100])
def test_squared_error_is_that_of_the_mean_reconstruction(chunk_rows: int) -> None:
    toy = LinearGaussian(members=2)
    x = toy.sample(9)
    # A linear autoencoder: x_hat = W mu(x) + b.
    mu = toy.model.encode(x.expand(2, 9, 6))[0][0]
    want = (x - mu @ toy.w.T - toy.b).square().sum(1).mean().item()
    got = reconstruction_squared_error(toy.model, x, chunk_rows)
    assert got.tolist() == pytest.approx([want, want])
