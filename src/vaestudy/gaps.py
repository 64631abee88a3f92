r"""What keeps the evidence lower bound below log p(x) (Cremer et al. 2018).

With L[q] the bound under q, :math:`q^*` the best factorised Gaussian for one datum
(:mod:`vaestudy.posteriors`) and :math:`q_\phi` the encoder's,

.. math::
    \underbrace{\log p(x) - L[q^*]}_{\text{approximation gap}}
    + \underbrace{L[q^*] - L[q_\phi]}_{\text{amortization gap}}
    = \underbrace{\log p(x) - L[q_\phi]}_{\text{inference gap}} = KL(q_\phi(z|x) \| p(z|x))

References
----------
Cremer, Li & Duvenaud (2018), *Inference suboptimality in variational autoencoders*, ICML.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.evaluate import LogPxEstimate
from vaestudy.latent_terms import kl_per_unit
from vaestudy.posteriors import (
    CHUNK_ROWS,
    FitSettings,
    Posteriors,
    fit_posteriors,
    reconstruction,
)
from vaestudy.rng import normal
from vaestudy.vae import VAE

#: Samples of the bounds at a time.
_SAMPLES_AT_ONCE = 100


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
        best = reconstruction(model, batch, optimal.mu, optimal.logvar, eps)
        own = reconstruction(model, batch, mu, logvar, eps)
        draws.append(torch.stack([best, own, best - own]).double())
    samples = torch.cat(draws, 2)
    kl_best = kl_per_unit(optimal.mu, optimal.logvar).sum(-1)
    kl_own = kl_per_unit(mu, logvar).sum(-1)
    kl = torch.stack([kl_best, kl_own, kl_best - kl_own])
    return samples.mean(2) - kl, samples.std(2) / math.sqrt(n_samples)
