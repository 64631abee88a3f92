"""Gaps of inference against models whose best factorised q is known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from builders import LinearGaussian, generators, randn
from exact import curved, log_px_by_quadrature, posterior, precision, tilted
from vaestudy.evaluate import LogPxEstimate
from vaestudy.gaps import PerDatum, inference_gaps
from vaestudy.posteriors import FitSettings, fit_posteriors

#: Small models move fast: short windows.
QUICK = FitSettings(n_samples=20, learning_rate=0.02, window=50)


def known(log_px: Tensor, members: int = 1) -> LogPxEstimate:
    log_px = log_px.expand(members, -1)
    return LogPxEstimate(log_px, torch.zeros_like(log_px))


def with_(settings: FitSettings, **changes: object) -> FitSettings:
    return FitSettings(**{**vars(settings), **changes})


@pytest.mark.parametrize("start", ["encoder", "prior"])
def test_the_best_factorised_gaussian_is_found(start: str) -> None:
    toy = tilted(members=2)
    x = toy.sample(8)
    found = fit_posteriors(toy.model, x, with_(QUICK, start=start, n_samples=100), generators(0, 1))
    want_mu, want_logvar = posterior(toy, x).mean, -precision(toy).diagonal().log()
    assert found.converged.all()
    assert (found.mu - want_mu).abs().max() < 0.03
    assert (found.logvar - want_logvar).abs().max() < 0.06


def test_an_optimal_encoder_has_no_amortization_gap() -> None:
    toy = tilted(members=2)
    x = toy.sample(8)
    gaps = inference_gaps(
        toy.model, x, known(toy.log_px(x), 2), QUICK, generators(0, 1), n_samples=2000
    )
    # A diagonal q of a correlated posterior: KL = (Σ ln Λ_uu − ln det Λ) / 2.
    exact = precision(toy)
    want = 0.5 * (exact.diagonal().log().sum() - exact.logdet()).item()
    assert want > 0.15
    assert gaps.amortization.value.abs().max() < 0.01
    assert gaps.approximation.mean().tolist() == pytest.approx([want, want], abs=0.03)
    z = (gaps.inference.value - want) / gaps.inference.standard_error
    assert z.abs().max() < 4


def test_a_wrong_encoder_has_its_kl_as_amortization_gap() -> None:
    shift, widen = 0.4, 1.4
    toy = LinearGaussian(shift=shift, widen=widen)
    x = toy.sample(8)
    gaps = inference_gaps(toy.model, x, known(toy.log_px(x)), QUICK, generators(0), n_samples=4000)
    # KL(q || posterior) of two diagonal Gaussians; the posterior itself is in the family.
    excess = widen**2 - 1 - 2 * math.log(widen) + shift**2 * precision(toy).diagonal()
    want = 0.5 * excess.sum().item()
    assert gaps.approximation.mean().item() == pytest.approx(0, abs=0.02)
    assert gaps.amortization.mean().item() == pytest.approx(want, abs=0.04)
    z = (gaps.inference.value - want) / gaps.inference.standard_error
    assert z.abs().max() < 4


@pytest.mark.parametrize("changes", [{}, {"batch_norm": "all"}], ids=str)
def test_gaps_add_up_and_lie_above_zero(changes: dict[str, object]) -> None:
    model = curved(members=2, **changes)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    x = (randn(6, 12) > 0).double()
    log_px = LogPxEstimate(log_px_by_quadrature(model, x), torch.full((2, 6), 0.01).double())
    gaps = inference_gaps(model, x, log_px, QUICK, generators(0, 1))
    total = gaps.approximation.value + gaps.amortization.value
    torch.testing.assert_close(total, gaps.inference.value)
    for gap in (gaps.approximation, gaps.amortization):
        assert (gap.value > -4 * gap.standard_error).all()
    assert gaps.approximation.value.max() > 0.05
    assert (gaps.amortization.value > 0.5).all()
    difference = gaps.log_px.value - gaps.elbo_encoder.value
    torch.testing.assert_close(gaps.inference.value, difference)
    error = torch.hypot(gaps.elbo_optimal.standard_error, torch.tensor(0.01).double())
    torch.testing.assert_close(gaps.approximation.standard_error, error)
    for name, value in model.state_dict().items():
        assert torch.equal(value, before[name]), name
    assert all(p.grad is None for p in model.parameters())


def test_standard_errors_are_calibrated() -> None:
    members = 50
    toy = LinearGaussian(members, shift=0.4, widen=1.4)
    x = toy.sample(20)
    short = with_(QUICK, max_windows=1, start="prior")
    gaps = inference_gaps(
        toy.model, x, known(toy.log_px(x), members), short, generators(*range(members)),
        n_samples=100,
    )  # fmt: skip
    excess = 1.4**2 - 1 - 2 * math.log(1.4) + 0.4**2 * precision(toy).diagonal()
    z = (gaps.inference.value - 0.5 * excess.sum()) / gaps.inference.standard_error
    assert z.std().item() == pytest.approx(1, abs=0.1)
    assert abs(z.mean().item()) < 0.15
    z = (gaps.inference.mean() - 0.5 * excess.sum()) / gaps.inference.mean_error()
    assert z.std().item() == pytest.approx(1, abs=0.3)


def test_common_noise_makes_the_amortization_gap_the_surer_one() -> None:
    toy = tilted()
    x = toy.sample(5)
    gaps = inference_gaps(toy.model, x, known(toy.log_px(x)), QUICK, generators(0))
    assert (gaps.amortization.standard_error < 0.2 * gaps.elbo_encoder.standard_error).all()


def test_a_members_answer_is_its_own() -> None:
    group, alone = tilted(members=2), tilted()
    # The other member has far to go; the first has arrived and must wait unmoved.
    group.model.heads.bias.data[1] += 4.0
    x = group.sample(4)
    settings = with_(QUICK, n_samples=5, tolerance=0.0, patience=1)
    first = fit_posteriors(group.model, x, settings, generators(0, 1), chunk_rows=10)
    second = fit_posteriors(alone.model, x, settings, generators(0), chunk_rows=10)
    assert first.converged.all()
    torch.testing.assert_close(first.mu[0], second.mu[0], rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(first.logvar[0], second.logvar[0], rtol=1e-9, atol=1e-12)
    assert (first.mu[1] - second.mu[0]).abs().max() < 1


def test_chunks_cover_all_data_in_order() -> None:
    toy = LinearGaussian(shift=0.4)
    x = toy.sample(7)
    gaps = inference_gaps(
        toy.model, x, known(toy.log_px(x)), QUICK, generators(0), chunk_rows=80, n_samples=250
    )
    # Searched for by fours, bounded one by one.
    assert (gaps.optimal.mu - posterior(toy, x).mean).abs().max() < 0.05
    assert gaps.elbo_encoder.value.shape == (1, 7)
    assert gaps.approximation.value.abs().max() < 0.05 + 4 * gaps.approximation.standard_error.max()


def test_a_search_cut_short_says_so() -> None:
    toy = LinearGaussian(shift=3.0)
    found = fit_posteriors(toy.model, toy.sample(3), with_(QUICK, max_windows=2), generators(0))
    assert not found.converged.any()


def test_means_over_data_and_their_errors() -> None:
    quantity = PerDatum(torch.tensor([[1.0, 2.0, 6.0]]), torch.tensor([[0.3, 0.4, 1.2]]))
    assert quantity.mean().item() == pytest.approx(3)
    assert quantity.mean_error().item() == pytest.approx(1.3 / 3)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patience": 0}, "patience is 0; expected at least 1"),
        ({"learning_rate": 0.0}, "learning_rate is 0.0; expected a number above 0"),
        ({"tolerance": -1.0}, "tolerance is -1.0; expected 0 or more nats"),
        ({"start": "posterior"}, "start is 'posterior'; expected one of: encoder, prior"),
    ],
)
def test_settings_out_of_range_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        FitSettings(**changes)


def test_what_does_not_fit_is_refused() -> None:
    toy = tilted()
    x = toy.sample(3)
    with pytest.raises(ValueError, match=r"log_px is of shape \(1, 2\); expected \(1, 3\)"):
        inference_gaps(toy.model, x, known(toy.log_px(x[:2])), QUICK, generators(0))
    with pytest.raises(ValueError, match="n_samples is 1; expected at least 2"):
        inference_gaps(toy.model, x, known(toy.log_px(x)), QUICK, generators(0), n_samples=1)
    with pytest.raises(ValueError, match="training mode"):
        fit_posteriors(toy.model.train(), x, QUICK, generators(0))
