r"""What keeps the evidence lower bound below log p(x) (Cremer et al. 2018).

With L[q] the bound under q, :math:`q^*` the best factorised Gaussian for one datum and
:math:`q_\phi` the encoder's,

.. math::
    \underbrace{\log p(x) - L[q^*]}_{\text{approximation gap}}
    + \underbrace{L[q^*] - L[q_\phi]}_{\text{amortization gap}}
    = \underbrace{\log p(x) - L[q_\phi]}_{\text{inference gap}} = KL(q_\phi(z|x) \| p(z|x))

:math:`q^*` is found for every datum by Adam on

.. math:: L[q] = E_q[\log p(x|z)] - KL(q(z)\|p(z))

with fresh samples at every step and the KL in closed form; Adam at a constant rate ends in noise
around the optimum, so the answer is the mean of the last window of steps.

References
----------
Cremer, Li & Duvenaud (2018), *Inference suboptimality in variational autoencoders*, ICML.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from vaestudy.adam import Adam
from vaestudy.annealing import BASES
from vaestudy.evaluate import LogPxEstimate, check_evaluating
from vaestudy.rng import normal
from vaestudy.vae import VAE, kl_per_unit

#: Decoder rows at a time, samples × data.
CHUNK_ROWS = 2000

#: Samples of the final bounds at a time.
_SAMPLES_AT_ONCE = 100

_Q = ("mu", "logvar")


@dataclass(frozen=True)
class FitSettings:
    """How to fit a factorised Gaussian to every datum.

    Parameters
    ----------
    start
        Where q starts, a name in ``annealing.BASES``: ``encoder`` or ``prior``.
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
        if self.start not in BASES:
            raise ValueError(
                f"start is {self.start!r}; expected one of: {', '.join(sorted(BASES))}"
            )


@dataclass(frozen=True)
class Posteriors:
    """A factorised Gaussian a member and datum; whether its search converged."""

    mu: Float[Tensor, "M N Z"]
    logvar: Float[Tensor, "M N Z"]
    converged: Bool[Tensor, "M N"]


@dataclass(frozen=True)
class PerDatum:
    """A quantity of every datum and its Monte Carlo standard error, in nats."""

    value: Float[Tensor, "M N"]
    standard_error: Float[Tensor, "M N"]

    def mean(self) -> Float[Tensor, "M"]:
        """Return the mean over the data."""
        return self.value.mean(1)

    def mean_error(self) -> Float[Tensor, "M"]:
        """Return the Monte Carlo standard error of :meth:`mean`."""
        return self.standard_error.square().sum(1).sqrt() / self.value.shape[1]


@dataclass(frozen=True)
class InferenceGaps:
    """Both bounds and the three gaps, every datum's, in nats; and q* itself.

    The approximation and inference gaps are as far too small as the estimate of log p(x) is too
    low; the amortization gap does not depend on it.
    """

    log_px: PerDatum
    elbo_optimal: PerDatum
    elbo_encoder: PerDatum
    approximation: PerDatum
    amortization: PerDatum
    inference: PerDatum
    optimal: Posteriors


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
        _fit_chunk(model, chunk.expand(len(generators), *chunk.shape), settings, generators)
        for chunk in x.split(max(1, chunk_rows // settings.n_samples))
    ]
    return Posteriors(
        torch.cat([chunk.mu for chunk in chunks], 1),
        torch.cat([chunk.logvar for chunk in chunks], 1),
        torch.cat([chunk.converged for chunk in chunks], 1),
    )


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
        start = BASES[settings.start](model, x)
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
            reconstruction = _reconstruction(model, x, mu, logvar, eps).mean(1)
            bound = reconstruction - kl_per_unit(mu, logvar).sum(-1)
            mu.grad, logvar.grad = torch.autograd.grad(-bound.sum(), (mu, logvar))
        adam.step()
        bounds += bound.detach().mean(1, dtype=torch.float64)
        total += torch.stack([mu.detach(), logvar.detach()])
    return bounds / settings.window, (total / settings.window).to(mu.dtype)


def _reconstruction(
    model: VAE, x: Tensor, mu: Tensor, logvar: Tensor, eps: Float[Tensor, "M S B Z"]
) -> Float[Tensor, "M S B"]:
    z = torch.addcmul(mu.unsqueeze(1), (0.5 * logvar).exp().unsqueeze(1), eps)
    return model.likelihood.log_prob(x.unsqueeze(1), model.decode(z))


@torch.no_grad()
def inference_gaps(
    model: VAE,
    x: Float[Tensor, "N D"],
    log_px: LogPxEstimate,
    settings: FitSettings,
    generators: Sequence[torch.Generator],
    *,
    n_samples: int = 1000,
    chunk_rows: int = CHUNK_ROWS,
) -> InferenceGaps:
    """Measure the approximation, amortization and inference gaps of every datum.

    Parameters
    ----------
    model
        In evaluation mode.
    x
        The data, the same for all members.
    log_px
        Their log p(x), by annealed importance sampling or by importance sampling.
    settings
        How to find q*.
    generators
        One a member.
    n_samples
        Samples for both final bounds; they share their noise, so that their difference, the
        amortization gap, is known better than either.
    chunk_rows
        Decoder rows at a time.

    Raises
    ------
    ValueError
        If the model is in training mode, ``n_samples`` below 2, or ``log_px`` of other data.
    """
    if n_samples < 2:
        raise ValueError(f"n_samples is {n_samples}; expected at least 2, to know the error")
    expected = (len(generators), len(x))
    if log_px.log_px.shape != expected:
        got = tuple(log_px.log_px.shape)
        raise ValueError(f"log_px is of shape {got}; expected {expected}, members by data")
    optimal = fit_posteriors(model, x, settings, generators, chunk_rows=chunk_rows)
    at_once = max(1, chunk_rows // _SAMPLES_AT_ONCE)
    columns = [
        _bounds(model, x[i : i + at_once], _part(optimal, i, at_once), n_samples, generators)
        for i in range(0, len(x), at_once)
    ]
    value, error = (torch.cat(part, 2) for part in zip(*columns, strict=True))
    known = PerDatum(log_px.log_px, log_px.standard_error)
    best, encoder, amortization = (PerDatum(*pair) for pair in zip(value, error, strict=True))
    return InferenceGaps(
        log_px=known,
        elbo_optimal=best,
        elbo_encoder=encoder,
        approximation=_difference(known, best),
        amortization=amortization,
        inference=_difference(known, encoder),
        optimal=optimal,
    )


def _part(q: Posteriors, start: int, count: int) -> Posteriors:
    rows = slice(start, start + count)
    return Posteriors(q.mu[:, rows], q.logvar[:, rows], q.converged[:, rows])


def _difference(a: PerDatum, b: PerDatum) -> PerDatum:
    """Return a − b of independent estimates."""
    return PerDatum(a.value - b.value, torch.hypot(a.standard_error, b.standard_error))


def _bounds(
    model: VAE,
    x: Float[Tensor, "B D"],
    optimal: Posteriors,
    n_samples: int,
    generators: Sequence[torch.Generator],
) -> tuple[Float[Tensor, "3 M B"], Float[Tensor, "3 M B"]]:
    """Return L[q*], L[q of the encoder] and their difference, and the three standard errors."""
    batch = x.expand(len(generators), *x.shape)
    mu, logvar = model.encode(batch)
    draws: list[Tensor] = []
    for start in range(0, n_samples, _SAMPLES_AT_ONCE):
        shape = (min(_SAMPLES_AT_ONCE, n_samples - start), *mu.shape[1:])
        eps = normal(generators, shape, x.device).to(mu.dtype)
        best = _reconstruction(model, batch, optimal.mu, optimal.logvar, eps)
        own = _reconstruction(model, batch, mu, logvar, eps)
        draws.append(torch.stack([best, own, best - own]).double())
    samples = torch.cat(draws, 2)
    kl_best = kl_per_unit(optimal.mu, optimal.logvar).sum(-1)
    kl_own = kl_per_unit(mu, logvar).sum(-1)
    kl = torch.stack([kl_best, kl_own, kl_best - kl_own])
    return samples.mean(2) - kl, samples.std(2) / math.sqrt(n_samples)
