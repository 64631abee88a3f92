r"""The best factorised Gaussian for every single datum, found by optimisation.

.. math::
    q^* = \arg\max_q L[q], \qquad L[q] = E_q[\log p(x|z)] - KL(q(z)\|p(z)), \qquad
    q(z) = N(\mu, \mathrm{diag}\,\sigma^2)

Adam climbs with fresh samples of z = mu + sigma eps at every step and the KL in closed form. At a
constant rate it ends in noise around the optimum, so the answer is the mean of the last window of
steps.

References
----------
Cremer, Li & Duvenaud (2018), *Inference suboptimality in variational autoencoders*, ICML.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from vaestudy.adam import Adam
from vaestudy.annealing import BASES
from vaestudy.evaluate import check_evaluating
from vaestudy.latent_terms import kl_per_unit
from vaestudy.rng import normal
from vaestudy.vae import VAE

#: Decoder rows at a time, samples × data.
CHUNK_ROWS = 2000

_Q = ("mu", "logvar")
#: Where a search may start.
STARTS = (*BASES, "random")


@dataclass(frozen=True)
class FitSettings:
    """How to fit a factorised Gaussian to every datum.

    Parameters
    ----------
    start
        Where q starts: ``encoder``, ``prior``, or ``random``, a sample of the prior as the mean.
    n_samples
        Samples of q a step.
    learning_rate
        Of Adam, with its usual (0.9, 0.999) and 1e-8.
    window
        Steps between two looks at the bound, each over the window's mean.
    tolerance, patience
        A member has converged when, for ``patience`` windows on end, its mean bound over the data
        of a chunk has not risen by more than ``tolerance`` nats above its best before.
    max_windows
        Where to stop at the latest.

    Raises
    ------
    ValueError
        If a number is out of its range or the start unknown.
    """

    start: str = "encoder"
    n_samples: int = 10
    learning_rate: float = 0.01
    window: int = 100
    tolerance: float = 0.01
    patience: int = 3
    max_windows: int = 100

    def __post_init__(self) -> None:
        for name in ("n_samples", "window", "patience", "max_windows"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}; expected at least 1")
        if not self.learning_rate > 0:
            raise ValueError(f"learning_rate is {self.learning_rate}; expected a number above 0")
        if not self.tolerance >= 0:
            raise ValueError(f"tolerance is {self.tolerance}; expected 0 or more nats")
        if self.start not in STARTS:
            raise ValueError(
                f"start is {self.start!r}; expected one of: {', '.join(sorted(STARTS))}"
            )


@dataclass(frozen=True)
class Posteriors:
    """A factorised Gaussian a member and datum; whether its search converged."""

    mu: Float[Tensor, "M N Z"]
    logvar: Float[Tensor, "M N Z"]
    converged: Bool[Tensor, "M N"]


def fit_posteriors(
    model: VAE,
    x: Float[Tensor, "N D"],
    settings: FitSettings,
    generators: Sequence[torch.Generator],
    *,
    chunk_rows: int = CHUNK_ROWS,
) -> Posteriors:
    """Find the factorised Gaussian with the highest bound, for every datum and member.

    Parameters
    ----------
    model
        In evaluation mode.
    x
        The data, the same for all members.
    settings
        Start, samples, rate and when to stop.
    generators
        One a member.
    chunk_rows
        Decoder rows at a time; data of one chunk stop together.

    Raises
    ------
    ValueError
        If the model is in training mode.
    """
    check_evaluating(model)
    chunks = [
        _fit_chunk(model, chunk.expand(len(generators), *chunk.shape), settings, _spawn(generators))
        for chunk in x.split(max(1, chunk_rows // settings.n_samples))
    ]
    return Posteriors(
        torch.cat([chunk.mu for chunk in chunks], 1),
        torch.cat([chunk.logvar for chunk in chunks], 1),
        torch.cat([chunk.converged for chunk in chunks], 1),
    )


def _spawn(generators: Sequence[torch.Generator]) -> list[torch.Generator]:
    """Return a generator for each, so that how long a search takes shifts no other's noise."""
    seeds = [torch.randint(1 << 62, (), generator=g, device=g.device) for g in generators]
    pairs = zip(generators, seeds, strict=True)
    return [torch.Generator(g.device).manual_seed(int(seed)) for g, seed in pairs]


class _Plateau:
    """Which members still rise."""

    def __init__(self, members: int, settings: FitSettings, device: torch.device) -> None:
        self.settings = settings
        self.best = torch.full((members,), -torch.inf, dtype=torch.float64, device=device)
        self.stale = torch.zeros(members, dtype=torch.int64, device=device)

    def rising(self, bound: Float[Tensor, "M"]) -> Bool[Tensor, "M"]:
        better = bound > self.best + self.settings.tolerance
        self.best = torch.where(better, bound, self.best)
        self.stale = torch.where(better, 0, self.stale + 1)
        return self.stale < self.settings.patience


def _fit_chunk(
    model: VAE,
    x: Float[Tensor, "M B D"],
    settings: FitSettings,
    generators: Sequence[torch.Generator],
) -> Posteriors:
    with torch.no_grad():
        start = _start(model, x, settings.start, generators)
    q = [(name, nn.Parameter(part.clone())) for name, part in zip(_Q, start, strict=True)]
    adam = Adam(q, learning_rate=settings.learning_rate, beta1=0.9, beta2=0.999, eps=1e-8)
    plateau = _Plateau(len(x), settings, x.device)
    rising = torch.ones(len(x), dtype=torch.bool, device=x.device)
    found = torch.stack(start)
    for _ in range(settings.max_windows):
        bound, mean = _ascend(model, x, adam, settings, generators)
        # A member that has converged keeps its answer while others go on.
        found = torch.where(rising[:, None, None], mean, found)
        rising = rising & plateau.rising(bound)
        if not rising.any():
            break
    return Posteriors(found[0], found[1], ~rising.unsqueeze(1).expand(x.shape[:2]))


def _start(
    model: VAE, x: Float[Tensor, "M B D"], start: str, generators: Sequence[torch.Generator]
) -> tuple[Float[Tensor, "M B Z"], Float[Tensor, "M B Z"]]:
    if start != "random":
        return BASES[start](model, x)
    mean, logvar = BASES["prior"](model, x)
    return mean + normal(generators, tuple(mean.shape[1:]), x.device).to(mean.dtype), logvar


def _ascend(
    model: VAE,
    x: Float[Tensor, "M B D"],
    adam: Adam,
    settings: FitSettings,
    generators: Sequence[torch.Generator],
) -> tuple[Float[Tensor, "M"], Float[Tensor, "2 M B Z"]]:
    """Take a window of steps; return its mean bound and its mean (mu, logvar)."""
    mu, logvar = (adam.parameters[name] for name in _Q)
    bounds = torch.zeros(len(x), dtype=torch.float64, device=x.device)
    total = torch.zeros(2, *mu.shape, dtype=torch.float64, device=x.device)
    shape = (settings.n_samples, *mu.shape[1:])
    for _ in range(settings.window):
        eps = normal(generators, shape, x.device).to(mu.dtype)
        with torch.enable_grad():
            log_px_z = reconstruction(model, x, mu, logvar, eps).mean(1)
            bound = log_px_z - kl_per_unit(mu, logvar).sum(-1)
            mu.grad, logvar.grad = torch.autograd.grad(-bound.sum(), (mu, logvar))
        adam.step()
        bounds += bound.detach().mean(1, dtype=torch.float64)
        total += torch.stack([mu.detach(), logvar.detach()])
    return bounds / settings.window, (total / settings.window).to(mu.dtype)


def reconstruction(
    model: VAE,
    x: Float[Tensor, "M B D"],
    mu: Float[Tensor, "M B Z"],
    logvar: Float[Tensor, "M B Z"],
    eps: Float[Tensor, "M S B Z"],
) -> Float[Tensor, "M S B"]:
    """Return log p(x|z) at z = mu + sigma eps."""
    z = torch.addcmul(mu.unsqueeze(1), (0.5 * logvar).exp().unsqueeze(1), eps)
    return model.likelihood.log_prob(x.unsqueeze(1), model.decode(z))
