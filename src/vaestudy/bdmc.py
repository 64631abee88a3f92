r"""Bidirectional Monte Carlo (Grosse et al. 2015): how far annealing is from log p(x).

On data that the model itself makes, :math:`z^* \sim p(z)` and :math:`x \sim p(x|z^*)`, the sample
:math:`z^*` is an exact one of the posterior. Forward chains start at the base, backward chains
walk the same way in reverse from :math:`z^*`; then :math:`E[w] = p(x)` and
:math:`E[1/w'] = 1/p(x)`, so in expectation

.. math:: \log\tfrac1C\sum_c w_c \;\le\; \log p(x) \;\le\; -\log\tfrac1C\sum_c 1/w'_c

That holds of data measured exactly as they are drawn: of a Beta likelihood, whose data are clipped
and whose draws are not, they are the draws' logits (``evaluate.as_drawn``), and p is of these.

The gap between the two bounds is what annealing with the same settings leaves at most, on data
like these; on real data it is an indication (Wu et al. 2017).

References
----------
Grosse, Ghahramani & Adams (2015), *Sandwiching the marginal likelihood using bidirectional Monte
Carlo*, arXiv:1511.02543.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.ais import CHUNK_ROWS, AISEstimate, ais_estimate, log_mean_weight
from vaestudy.annealing import Annealed, AnnealingSettings, annealing_path
from vaestudy.evaluate import LogPxEstimate, as_drawn, check_evaluating
from vaestudy.rng import normal
from vaestudy.vae import VAE


@dataclass(frozen=True)
class Simulated:
    """Data that each member made, [M, N, D], and the latents that they were made from.

    Of a Beta likelihood ``x`` are logits.
    """

    x: Float[Tensor, "M N D"]
    z: Float[Tensor, "M N Z"]


@dataclass(frozen=True)
class BidirectionalBounds:
    """Bounds on log p(x) of simulated data, in nats.

    ``lower`` is annealed importance sampling; ``upper`` holds the upper bound as ``log_px``.
    """

    data: Simulated
    lower: AISEstimate
    upper: LogPxEstimate

    def gaps(self) -> Float[Tensor, "M N"]:
        """Return upper − lower of every datum; not negative in expectation."""
        return self.upper.log_px - self.lower.estimate.log_px

    def gap(self) -> Float[Tensor, "M"]:
        """Return the mean gap over the data."""
        return self.gaps().mean(1)

    def gap_error(self) -> Float[Tensor, "M"]:
        """Return the standard error of :meth:`gap`, from the spread over data; NaN for one."""
        gaps = self.gaps()
        # With the population's deviation, σ / √(N − 1) is the usual s / √N.
        return gaps.std(1, correction=0) / math.sqrt(gaps.shape[1] - 1 or math.nan)


@torch.no_grad()
def simulate(model: VAE, n_data: int, generators: Sequence[torch.Generator]) -> Simulated:
    """Draw z from the prior and x from the likelihood at z, each member's its own.

    Of a Beta likelihood, x is in [0, 1] unless the model is ``evaluate.as_drawn``.
    """
    parameter = next(model.parameters())
    shape = (n_data, model.architecture.n_z)
    z = normal(generators, shape, parameter.device).to(parameter.dtype)
    params = model.decode(z)
    x = [model.likelihood.sample(p, g) for p, g in zip(params, generators, strict=True)]
    return Simulated(torch.stack(x), z)


@torch.no_grad()
def bidirectional_bounds(
    model: VAE,
    n_data: int,
    settings: AnnealingSettings,
    generators: Sequence[torch.Generator],
    *,
    chunk_rows: int = CHUNK_ROWS,
) -> BidirectionalBounds:
    """Sandwich log p(x) of data simulated from the model.

    Parameters
    ----------
    model
        In evaluation mode.
    n_data
        N, how many data each member makes.
    settings
        How to anneal, the same in both directions: step sizes too.
    generators
        One a member.
    chunk_rows
        Decoder rows at a time; changing it changes which noise meets which datum.

    Raises
    ------
    ValueError
        If ``n_data`` is below 1 or the model in training mode.
    """
    if n_data < 1:
        raise ValueError(f"n_data is {n_data}; expected at least 1")
    check_evaluating(model)
    model = as_drawn(model)
    data = simulate(model, n_data, generators)
    at_once = max(1, chunk_rows // settings.n_chains)
    forward: list[Annealed] = []
    backward: list[Annealed] = []
    for x, z in zip(data.x.split(at_once, 1), data.z.split(at_once, 1), strict=True):
        path = annealing_path(model, x, settings, "nll")
        steps = path.tune_steps(generators)
        forward.append(path.forward(steps, generators))
        backward.append(path.backward(z, steps, generators))
    return BidirectionalBounds(data, ais_estimate(forward), _upper(backward))


def _upper(chunks: Sequence[Annealed]) -> LogPxEstimate:
    log_inverse, error, _ = log_mean_weight(-torch.cat([c.log_w for c in chunks], 2))
    return LogPxEstimate(-log_inverse, error)
