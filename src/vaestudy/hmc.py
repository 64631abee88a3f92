r"""Hamiltonian Monte Carlo (Neal 2011) on Gaussian noise under a tempered weight.

The target over noise u in :math:`R^Z`, with a log-weight :math:`\ell` and a temperature
:math:`\beta \in [0, 1]`, is

.. math:: \log f_\beta(u) = \log N(u; 0, I) + \beta\,\ell(u)

A transition draws a momentum :math:`p \sim N(0, I)`, follows
:math:`H(u, p) = -\log f_\beta(u) + \tfrac12\|p\|^2` by leapfrog steps and accepts the end with
probability :math:`\min(1, e^{-\Delta H})`. It leaves :math:`f_\beta` invariant and is reversible.

Axes: M members, C chains, N data, Z latent dimensions; every chain of every datum is its own.

References
----------
Neal (2011), *MCMC using Hamiltonian dynamics*, Handbook of Markov Chain Monte Carlo.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vaestudy.rng import normal

LogWeight = Callable[[Tensor], Tensor]

#: Step sizes vary by this share at random: a fixed path length may return to where it started.
JITTER = 0.2


@dataclass(frozen=True)
class Position:
    """Where chains are: u, its log-weight, and that log-weight's gradient by u.

    Keeping the last two makes a transition of L leapfrog steps cost L evaluations, at any
    temperature.
    """

    u: Float[Tensor, "M C N Z"]
    log_w: Float[Tensor, "M C N"]
    gradient: Float[Tensor, "M C N Z"]

    def log_density(self, beta: float) -> Float[Tensor, "M C N"]:
        r"""Return :math:`\log f_\beta(u)` in float64, up to a constant."""
        return beta * self.log_w.double() - 0.5 * self.u.double().square().sum(-1)

    def force(self, beta: float) -> Float[Tensor, "M C N Z"]:
        r"""Return the gradient of :math:`\log f_\beta`."""
        return beta * self.gradient - self.u

    def where(self, keep: Bool[Tensor, "M C N"], other: Position) -> Position:
        """Return this position where ``keep`` holds and ``other`` elsewhere."""
        wide = keep.unsqueeze(-1)
        return Position(
            torch.where(wide, self.u, other.u),
            torch.where(keep, self.log_w, other.log_w),
            torch.where(wide, self.gradient, other.gradient),
        )


def position_at(u: Float[Tensor, "M C N Z"], log_weight: LogWeight) -> Position:
    """Return the position ``u`` with its log-weight and gradient."""
    with torch.enable_grad():
        u = u.detach().requires_grad_()
        log_w = log_weight(u)
        (gradient,) = torch.autograd.grad(log_w.sum(), u)
    return Position(u.detach(), log_w.detach(), gradient)


def leapfrog(
    start: Position,
    momentum: Float[Tensor, "M C N Z"],
    step: Float[Tensor, "M #C N 1"],
    beta: float,
    n_steps: int,
    log_weight: LogWeight,
) -> tuple[Position, Float[Tensor, "M C N Z"]]:
    """Return position and momentum after ``n_steps`` leapfrog steps of size ``step``."""
    here = start
    momentum = momentum + 0.5 * step * here.force(beta)
    for i in range(n_steps):
        here = position_at(here.u + step * momentum, log_weight)
        share = 0.5 if i == n_steps - 1 else 1.0
        momentum = momentum + share * step * here.force(beta)
    return here, momentum


def uniform(
    generators: Sequence[torch.Generator], shape: tuple[int, ...], device: torch.device
) -> Float[Tensor, "M ..."]:
    """Return uniform noise in [0, 1), ``[M, *shape]``, each member's from its own generator."""
    noise = torch.empty(len(generators), *shape, dtype=torch.float64, device=device)
    for member, generator in zip(noise, generators, strict=True):
        member.uniform_(generator=generator)
    return noise


def transition(
    start: Position,
    step: Float[Tensor, "M N"],
    beta: float,
    n_steps: int,
    log_weight: LogWeight,
    generators: Sequence[torch.Generator],
) -> tuple[Position, Float[Tensor, "M C N"]]:
    """Move every chain once.

    Parameters
    ----------
    start
        Where the chains are.
    step
        Step size of every member and datum, varied by ``JITTER`` chain by chain.
    beta
        Temperature of the target.
    n_steps
        Leapfrog steps.
    log_weight
        The function of u that the target tempers.
    generators
        One a member.

    Returns
    -------
    Position, acceptance
        Where the chains are now, and each one's probability of acceptance.
    """
    dtype, device, shape = start.u.dtype, start.u.device, tuple(start.u.shape[1:])
    momentum = normal(generators, shape, device).to(dtype)
    jitter = 1 + JITTER * (2 * uniform(generators, shape[:-1], device) - 1)
    own_step = (step.unsqueeze(1) * jitter).to(dtype).unsqueeze(-1)
    end, end_momentum = leapfrog(start, momentum, own_step, beta, n_steps, log_weight)
    gain = end.log_density(beta) - start.log_density(beta)
    gain = gain + 0.5 * (momentum.square() - end_momentum.square()).sum(-1, dtype=torch.float64)
    # A trajectory that ran away has no density there: it is refused, as any other unlikely one.
    acceptance = gain.nan_to_num(nan=-torch.inf).exp().clamp_max(1)
    accepted = uniform(generators, shape[:-1], device) < acceptance
    return end.where(accepted, start), acceptance
