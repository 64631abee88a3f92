"""Leapfrog against its exact properties, and transitions against targets known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor

from builders import generators, randn
from vaestudy.hmc import Position, leapfrog, position_at, transition, uniform

M, C, N, Z = 2, 3, 4, 5


def quartic(u: Tensor) -> Tensor:
    """A log-weight without symmetry: no axis, no sign of u is like another."""
    slopes = torch.arange(1, u.shape[-1] + 1, dtype=u.dtype)
    return (torch.sin(u * slopes) - 0.1 * u**4).sum(-1)


def start(*shape: int) -> Position:
    return position_at(randn(*shape), quartic)


def hamiltonian(position: Position, momentum: Tensor, beta: float) -> Tensor:
    return 0.5 * momentum.square().sum(-1) - position.log_density(beta)


def test_a_position_knows_its_weight_and_gradient() -> None:
    here = start(M, C, N, Z)
    slopes = torch.arange(1, Z + 1).double()
    torch.testing.assert_close(here.log_w, quartic(here.u))
    want = slopes * torch.cos(here.u * slopes) - 0.4 * here.u**3
    torch.testing.assert_close(here.gradient, want)
    torch.testing.assert_close(here.force(0.3), 0.3 * want - here.u)


def test_leapfrog_runs_backwards_to_where_it_came_from() -> None:
    here, momentum = start(M, C, N, Z), randn(M, C, N, Z, seed=1)
    step = torch.full((M, C, N, 1), 0.1).double()
    there, end = leapfrog(here, momentum, step, 0.7, 10, quartic)
    back, reverse = leapfrog(there, -end, step, 0.7, 10, quartic)
    assert (there.u - here.u).abs().max() > 0.3
    torch.testing.assert_close(back.u, here.u, rtol=1e-11, atol=1e-11)
    torch.testing.assert_close(-reverse, momentum, rtol=1e-11, atol=1e-11)


def test_leapfrog_keeps_the_energy_to_second_order() -> None:
    here, momentum = start(M, C, N, Z), randn(M, C, N, Z, seed=1)
    errors = []
    for n_steps in (20, 40):
        step = torch.full((M, 1, N, 1), 0.4 / n_steps).double()
        there, end = leapfrog(here, momentum, step, 0.7, n_steps, quartic)
        change = hamiltonian(there, end, 0.7) - hamiltonian(here, momentum, 0.7)
        errors.append(change.square().mean().sqrt().item())
    assert errors[0] / errors[1] == pytest.approx(4, rel=0.1)


@pytest.mark.parametrize("step", [0.2, 0.9])
def test_transitions_leave_the_target_invariant(step: float) -> None:
    # ℓ(u) = a u − u²/2·k tilts N(0, 1) to a normal of precision 1 + βk and mean βa/(1 + βk).
    beta, slope, k, chains = 0.6, 1.5, 2.0, 40_000
    log_weight = lambda u: (slope * u - 0.5 * k * u.square()).sum(-1)  # noqa: E731
    precision = 1 + beta * k
    mean, std = beta * slope / precision, precision**-0.5
    here = position_at(mean + std * randn(1, chains, 1, 1), log_weight)
    steps, own, acceptance = torch.full((1, 1), step).double(), generators(0), torch.empty(0)
    for _ in range(5):
        here, acceptance = transition(here, steps, beta, 3, log_weight, own)
    # The longer step errs enough for refusals to matter.
    assert (acceptance.mean().item() < 0.9) == (step == 0.9)
    u = here.u.flatten()
    assert u.mean().item() == pytest.approx(mean, abs=4 * std / math.sqrt(chains))
    assert u.var().item() == pytest.approx(std**2, rel=4 * math.sqrt(2 / chains))
    assert (u - mean).pow(3).mean().item() == pytest.approx(0, abs=4 * std**3 * 4 / chains**0.5)


def test_transitions_move_every_chain_to_its_own_place() -> None:
    here = position_at(torch.zeros(M, C, N, Z).double(), quartic)
    step = torch.full((M, N), 0.05).double()
    there, acceptance = transition(here, step, 1.0, 5, quartic, generators(0, 1))
    assert acceptance.min() > 0.5
    assert len(there.u.flatten(0, 2).unique(dim=0)) >= M * C * N - 2


def test_a_trajectory_that_ran_away_is_refused() -> None:
    def cliff(u: Tensor) -> Tensor:
        return -(torch.exp(u.abs().clamp_max(800)).sum(-1) ** 2)

    here = position_at(randn(1, 50, 1, 2), cliff)
    there, acceptance = transition(
        here, torch.full((1, 1), 30.0).double(), 1.0, 10, cliff, generators(0)
    )
    assert torch.equal(there.u, here.u)
    assert torch.equal(there.gradient, here.gradient)
    assert not acceptance.any()


def test_uniform_noise_is_each_members_own() -> None:
    device = torch.device("cpu")
    both, alone = uniform(generators(0, 7), (500,), device), uniform(generators(7), (500,), device)
    assert torch.equal(both[1], alone[0])
    assert 0 <= both.min() < 0.02
    assert 0.98 < both.max() < 1
