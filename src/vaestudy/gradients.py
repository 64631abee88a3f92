r"""How much signal a gradient estimator gives (Rainforth et al. 2018).

For a parameter whose estimates :math:`\Delta` vary with the noise of the samples z,

.. math:: \mathrm{SNR} = |E\,\Delta| / \mathrm{sd}\,\Delta

A tighter bound need not train better: with the samples K of the importance-weighted bound the
decoder's ratio grows as :math:`\sqrt K` while the encoder's falls as :math:`1/\sqrt K`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.objectives import Objective
from vaestudy.rng import normal
from vaestudy.vae import VAE

_ENCODER = ("encoder", "heads", "heads_norm", "classifier")


@dataclass(frozen=True)
class GradientSNR:
    r"""The signal-to-noise ratio of each member's gradient, a mean over parameters.

    Parameters
    ----------
    encoder, decoder
        Means over the parameters of either; those that never vary, such as dead units', are left
        out.
    n_draws
        Gradients that it was estimated from: of noise alone R draws make out a ratio of
        :math:`\sqrt{2 / \pi R}`.
    encoder_variance, decoder_variance
        Sums over the parameters of either of their estimates' variances.
    """

    encoder: Float[Tensor, "M"]
    decoder: Float[Tensor, "M"]
    n_draws: int
    encoder_variance: Float[Tensor, "M"]
    decoder_variance: Float[Tensor, "M"]


def gradient_snr(
    model: VAE,
    x: Float[Tensor, "B D"],
    objective: Objective,
    generators: Sequence[torch.Generator],
    *,
    k: int,
    n_draws: int,
    beta: float = 1.0,
) -> GradientSNR:
    """Estimate the signal-to-noise ratio of an objective's gradient on one batch.

    Parameters
    ----------
    model
        As it stands: with batch normalization call it in evaluation mode, which moves nothing.
    x
        The batch, the same for all members and draws.
    objective
        As from ``make_objective``.
    generators
        One a member, of the samples' noise.
    k
        Samples a datum.
    n_draws
        Gradients to draw; memory does not grow with it.
    beta
        KL weight.

    Raises
    ------
    ValueError
        If ``n_draws`` is below 2.
    """
    if n_draws < 2:
        raise ValueError(f"n_draws is {n_draws}; expected at least 2: a deviation needs as many")
    names = [name for name, _ in model.named_parameters()]
    mean, squares = _moments(_draw(model, x, objective, generators, k, beta, n_draws))
    variances = [s / (n_draws - 1) for s in squares]
    ratios = [(m.abs() / v.sqrt()).flatten(1) for m, v in zip(mean, variances, strict=True)]
    encoder, decoder = _parts(names, ratios)
    total = (part.sum(1) for part in _parts(names, [v.flatten(1) for v in variances]))
    return GradientSNR(_finite_mean(encoder), _finite_mean(decoder), n_draws, *total)


def _draw(
    model: VAE,
    x: Tensor,
    objective: Objective,
    generators: Sequence[torch.Generator],
    k: int,
    beta: float,
    n_draws: int,
) -> Iterator[list[Tensor]]:
    """Yield gradients of the batch's mean bound, one tensor [M, ..] a parameter."""
    batch, parameters = x.expand(model.members, *x.shape), tuple(model.parameters())
    weights = torch.full((model.members,), beta, dtype=x.dtype, device=x.device)
    shape = (k, len(x), model.architecture.n_latent)
    for _ in range(n_draws):
        eps = normal(generators, shape, x.device).to(x.dtype)
        value = objective(model(batch, eps), weights).mean(1).sum()
        yield [gradient.double() for gradient in torch.autograd.grad(value, parameters)]


def _moments(draws: Iterator[list[Tensor]]) -> tuple[list[Tensor], list[Tensor]]:
    """Return the mean and the sum of squared deviations of each tensor (Welford 1962)."""
    mean = next(draws)
    squares = [torch.zeros_like(m) for m in mean]
    for count, draw in enumerate(draws, start=2):
        for m, s, gradient in zip(mean, squares, draw, strict=True):
            before = gradient - m
            m += before / count
            s += before * (gradient - m)
    return mean, squares


def _parts(names: Sequence[str], values: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
    """Return the encoder's values and the decoder's, [M, P] each, of one tensor a parameter."""
    # Deeper layers have encoders of their own, within `deeper`.
    of_encoder = [any(part in _ENCODER for part in name.split(".")) for name in names]
    encoder, decoder = (
        torch.cat([v for v, part in zip(values, of_encoder, strict=True) if part == wanted], 1)
        for wanted in (True, False)
    )
    return encoder, decoder


def _finite_mean(ratios: Float[Tensor, "M P"]) -> Float[Tensor, "M"]:
    return torch.where(ratios.isfinite(), ratios, torch.nan).nanmean(1)
