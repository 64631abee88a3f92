"""Information in the code against integrals, and against a model where it is known."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.distributions import Independent, MixtureSameFamily, Normal

from builders import architecture, generators, perturbed, randn
from exact import precision, tilted
from vaestudy.information import (
    InformationTerms,
    _log_q_pairs,
    activity_density,
    effective_rank,
    encode_all,
    information_terms,
    participation_ratio,
)
from vaestudy.latent_terms import kl_per_unit
from vaestudy.vae import VAE

MU = torch.tensor([-1.0, 0.3, 0.5, 2.0]).double().view(1, 4, 1)
LOGVAR = torch.tensor([-2.0, -1.0, 0.5, -3.0]).double().view(1, 4, 1)


def by_quadrature() -> tuple[float, float]:
    """I(n; z) and KL(q(z) || p(z)) of the four posteriors above."""
    z = torch.linspace(-14, 14, 200_001, dtype=torch.float64)
    log_each = Normal(MU.flatten(), (0.5 * LOGVAR).exp().flatten()).log_prob(z[:, None])
    log_q = torch.logsumexp(log_each, 1) - math.log(4)
    each = torch.trapezoid(log_each.exp() * (log_each - log_q[:, None]), z, dim=0)
    marginal = torch.trapezoid(log_q.exp() * (log_q - Normal(0.0, 1.0).log_prob(z)), z)
    return each.mean().item(), marginal.item()


def test_both_parts_are_their_integrals() -> None:
    information, marginal = by_quadrature()
    terms = information_terms(MU, LOGVAR, 4000, generators(0))
    error = terms.standard_error.item()
    assert error < 0.01
    assert terms.mutual_information.item() == pytest.approx(information, abs=4 * error)
    # That the rest of the mean KL is the marginal KL is Hoffman & Johnson's identity.
    assert terms.marginal_kl.item() == pytest.approx(marginal, abs=4 * error)
    assert terms.mean_kl.item() == pytest.approx(information + marginal, abs=1e-9)


def test_samples_obey_the_identity_one_by_one() -> None:
    # Σ log q(z|x) − log p(z) = Σ [log q(z|x) − log q(z)] + [log q(z) − log p(z)] on any samples.
    mu, logvar = randn(1, 30, 3), randn(1, 30, 3, seed=1)
    terms = information_terms(mu, logvar, 2000, generators(0))
    eps = torch.randn(2000, 30, 3, generator=torch.Generator().manual_seed(0)).double()
    z = mu[0] + (0.5 * logvar[0]).exp() * eps
    components = Independent(Normal(mu[0], (0.5 * logvar[0]).exp()), 1)
    weights = torch.distributions.Categorical(torch.ones(30).double())
    aggregate = MixtureSameFamily(weights, components).log_prob(z)
    ratio = components.log_prob(z) - aggregate
    assert terms.mutual_information.item() == pytest.approx(ratio.mean().item(), abs=1e-9)
    marginal = (aggregate - Normal(0.0, 1.0).log_prob(z).sum(-1)).mean().item()
    assert terms.marginal_kl.item() == pytest.approx(marginal, abs=0.05)


def test_a_linear_gaussian_model_has_the_channels_capacity() -> None:
    # Its exact posterior would have I(x; z) = ln det Λ / 2 and q(z) = p(z).
    toy = tilted(strength=0.5)
    x = toy.sample(3000)
    mu, _ = encode_all(toy.model, x)
    # One dimension at a time is all that a factorised q can state: rotate Λ to a diagonal.
    values, vectors = torch.linalg.eigh(precision(toy))
    logvar = -values.log().expand_as(mu)
    terms = information_terms(mu @ vectors, logvar, 1, generators(0))
    want = 0.5 * values.log().sum().item()
    assert 0.3 < want < 2
    assert terms.mutual_information.item() == pytest.approx(want, abs=0.05)
    assert terms.marginal_kl.item() == pytest.approx(0, abs=0.03)


def test_codes_far_apart_tell_every_datum() -> None:
    mu = 100 * torch.arange(50).double().view(1, 50, 1).expand(2, 50, 3)
    terms = information_terms(mu, torch.zeros_like(mu), 2, generators(0, 1))
    torch.testing.assert_close(terms.mutual_information, torch.full((2,), math.log(50)).double())
    assert terms.bound == math.log(50)
    assert terms.standard_error.max() < 1e-9


def test_codes_all_alike_tell_nothing() -> None:
    mu, logvar = torch.full((1, 50, 3), 0.7).double(), torch.full((1, 50, 3), -1.0).double()
    terms = information_terms(mu, logvar, 3, generators(0))
    assert terms.mutual_information.item() == pytest.approx(0, abs=1e-12)
    assert terms.marginal_kl.item() == pytest.approx(kl_per_unit(mu, logvar)[0, 0].sum().item())


@given(st.integers(0, 1000), st.integers(1, 20), st.floats(0, 30))
def test_information_never_exceeds_its_bound(seed: int, n: int, spread: float) -> None:
    mu, logvar = spread * randn(1, n, 2, seed=seed), 2 * randn(1, n, 2, seed=seed + 1)
    terms = information_terms(mu, logvar, 1, generators(seed))
    assert terms.mutual_information.item() <= terms.bound + 1e-12


def test_standard_errors_are_calibrated() -> None:
    members = 300
    mu, logvar = (part.expand(members, -1, -1) for part in (MU, LOGVAR))
    terms = information_terms(mu, logvar, 50, generators(*range(members)))
    error = terms.mutual_information - by_quadrature()[0]
    spread, claimed = (part.square().mean().sqrt() for part in (error, terms.standard_error))
    assert (spread / claimed).item() == pytest.approx(1, abs=0.13)
    assert abs(error.mean().item()) < 3 * spread / members**0.5
    assert information_terms(MU, LOGVAR, 1, generators(0)).standard_error.isnan().all()


@pytest.mark.parametrize("chunk", [1, 7, 1000])
def test_chunks_change_nothing(chunk: int) -> None:
    mu, logvar = randn(2, 20, 3), randn(2, 20, 3, seed=1)
    want = information_terms(mu, logvar, 2, generators(0, 1))
    got = information_terms(mu, logvar, 2, generators(0, 1), chunk_samples=chunk)
    torch.testing.assert_close(got.mutual_information, want.mutual_information)


def test_a_members_information_is_its_own() -> None:
    mu, logvar = randn(3, 20, 2), randn(3, 20, 2, seed=1)
    group = information_terms(mu, logvar, 2, generators(0, 1, 2))
    alone = information_terms(mu[1:2], logvar[1:2], 2, generators(1))
    for name in ("mean_kl", "mutual_information", "standard_error"):
        torch.testing.assert_close(getattr(group, name)[1:2], getattr(alone, name))


def test_pairs_are_the_densities_of_all_pairs() -> None:
    # Narrow posteriors far from 0: what multiplying the square out is worst at.
    mu, logvar = 8 + randn(40, 5), -7 + randn(40, 5, seed=1)
    z = mu[:30] + 0.03 * randn(30, 5, seed=2)
    want = Normal(mu, (0.5 * logvar).exp()).log_prob(z.unsqueeze(1)).sum(-1)
    torch.testing.assert_close(_log_q_pairs(z, mu, logvar), want, rtol=1e-8, atol=1e-8)


def test_there_must_be_a_sample() -> None:
    with pytest.raises(ValueError, match="n_samples is 0; expected at least 1"):
        information_terms(MU, LOGVAR, 0, generators(0))


@pytest.mark.parametrize("chunk_rows", [1, 4, 100])
def test_codes_of_all_data(chunk_rows: int) -> None:
    model = perturbed(VAE(architecture(batch_norm="all"), members=2)).eval()
    x = (randn(9, 12) > 0).double()
    want = model.encode(x.expand(2, 9, 12))
    for got, expected in zip(encode_all(model, x, chunk_rows), want, strict=True):
        torch.testing.assert_close(got, expected.detach())
    with pytest.raises(ValueError, match="training mode"):
        encode_all(model.train(), x)


def test_terms_add_up() -> None:
    parts = [torch.tensor([value]) for value in (5.0, 3.0, 0.1)]
    terms = InformationTerms(*parts, n_data=100)
    assert (terms.marginal_kl.item(), terms.bound) == (2.0, math.log(100))


@pytest.mark.parametrize("measure", [effective_rank, participation_ratio])
def test_effective_dimensions_count_equal_ones(measure: object) -> None:
    kl = torch.tensor([[2.0, 2.0, 2.0, 0.0], [0.0, 7.0, 0.0, 0.0], [0.0, 0.0, 0.0, -1e-9]])
    assert measure(kl).tolist() == pytest.approx([3, 1, 0])


def test_effective_dimensions_by_hand() -> None:
    kl = torch.tensor([6.0, 3.0, 1.0])
    entropy = -sum(p * math.log(p) for p in (0.6, 0.3, 0.1))
    assert effective_rank(kl).item() == pytest.approx(math.exp(entropy))
    assert participation_ratio(kl).item() == pytest.approx(1 / (0.36 + 0.09 + 0.01))


@given(st.lists(st.floats(0, 100), min_size=1, max_size=8).filter(lambda v: sum(v) > 1e-3))
def test_effective_dimensions_lie_in_order(values: list[float]) -> None:
    kl = torch.tensor(values).double()
    rank, ratio = effective_rank(kl).item(), participation_ratio(kl).item()
    assert 1 - 1e-9 <= ratio <= rank + 1e-9 <= len(values) + 2e-9
    assert effective_rank(3 * kl).item() == pytest.approx(rank)


def two_heaps() -> np.ndarray:
    logs = np.concatenate([np.full(30, -4.0), np.full(10, 0.0)])
    return 10 ** (logs + 0.05 * np.random.default_rng(0).normal(size=40)).reshape(4, 10)


def integral(x: Tensor | np.ndarray, y: Tensor | np.ndarray) -> float:
    return float(np.trapezoid(np.asarray(y), np.asarray(x)))


def test_activity_density_is_one() -> None:
    table = activity_density(two_heaps(), n_points=2000)
    decades = np.log10(table["activity"])
    assert integral(decades, table["density"]) == pytest.approx(1, abs=1e-3)
    low = decades < -2
    assert integral(decades[low], table["density"][low]) == pytest.approx(0.75, abs=1e-3)


def test_activity_density_is_its_kernels_sum() -> None:
    table = activity_density([0.01, 1.0], bandwidth=0.5, n_points=50)
    decades = np.log10(table["activity"].to_numpy())
    want = sum(Normal(c, 0.5).log_prob(torch.tensor(decades)).exp().numpy() for c in (-2.0, 0.0))
    np.testing.assert_allclose(table["density"], want / 2, rtol=1e-6)


def test_share_above_counts_dimensions() -> None:
    heaps = two_heaps()
    table = activity_density(heaps)
    want = [(heaps > a).mean() for a in table["activity"]]
    np.testing.assert_allclose(table["share_above"], want)
    assert table["share_above"].iloc[[0, -1]].tolist() == [1, 0]


def test_dead_dimensions_count_at_the_floor() -> None:
    table = activity_density([0.0, 1e-12, 1e-6], floor=1e-6, n_points=201)
    assert table["activity"][table["density"].idxmax()] == pytest.approx(1e-6)
    assert len(table) == 201


@pytest.mark.parametrize(
    ("values", "changes", "message"),
    [
        ([], {}, "holds 0 values"),
        ([1.0, math.nan], {}, "2 values, 1 of them finite"),
        ([1.0], {"floor": 0.0}, "floor is 0.0 and bandwidth 0.1; expected both above 0"),
    ],
)
def test_activities_that_have_no_density(
    values: list[float], changes: dict[str, float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        activity_density(values, **changes)
