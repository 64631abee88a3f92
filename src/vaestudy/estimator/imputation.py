r"""Missing values, drawn from p(x_missing | x_observed) by Metropolis within Gibbs.

A chain on (z, x_missing) that leaves :math:`p(z, x_m | x_o)` as it is alternates two moves. The
encoder, shown the observed values and the present guess of the others, proposes :math:`z'`, which
is taken with probability

.. math::
    \min\Bigl(1, \frac{p(x|z')\,p(z')\,q(z|x)}{p(x|z)\,p(z)\,q(z'|x)}\Bigr), \qquad x = (x_o, x_m)

and then :math:`x_m \sim p(x_m | z)`, exactly, since features are independent given z. Averages of
:math:`E[x_m|z]` over the chain converge to the conditional mean, whatever the encoder's error;
taking every proposal (Rezende, Mohamed & Wierstra 2014, appendix F) would not. The chain begins
with a few steps of that kind, to be somewhere likely. Where they have run off, as those of a hardly
trained model may, the chain begins again at its first z, drawn from the prior. A row of which
nothing is observed needs no chain: each step draws it from the model.

References
----------
Mattei & Frellsen (2018), *Leveraging the exact likelihood of deep latent variable models*, NeurIPS,
section 3.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from vaestudy.evaluate import as_drawn, check_evaluating
from vaestudy.inference import of_observed
from vaestudy.latent_terms import standard_normal_log_prob
from vaestudy.likelihoods import Beta
from vaestudy.vae import VAE

#: Shares of a chain that take every proposal, and that are not averaged.
_PSEUDO_GIBBS, _BURN_IN = 0.1, 0.3


@dataclass(frozen=True)
class Imputation:
    """Rows whose missing values are filled in: by their conditional mean, and by one draw."""

    mean: Float[Tensor, "B D"]
    draw: Float[Tensor, "B D"]


@torch.no_grad()
def impute_rows(
    model: VAE,
    x: Float[Tensor, "B D"],
    observed: Bool[Tensor, "B D"],
    n_iter: int,
    generator: torch.Generator,
) -> Imputation:
    """Fill in what is not observed of each row, one chain a row.

    Parameters
    ----------
    model
        One member, in evaluation mode.
    x
        Rows as the model sees them; where not observed, where the chain begins.
    observed
        Which values stand.
    n_iter
        Steps of the chain; the first three tenths are not averaged.
    generator
        On the rows' device.

    Raises
    ------
    ValueError
        If the model is in training mode, has several members, or ``n_iter`` is below 10.
    """
    check_evaluating(model)
    if model.members != 1 or n_iter < 10:
        raise ValueError(
            f"members is {model.members} and n_iter {n_iter}; expected 1 member, 10 steps or more"
        )
    given, twin = x, as_drawn(model)
    if twin is not model:  # Of a Beta likelihood, whose draws are not what it measures.
        x = torch.logit(Beta.clip(x))
    likelihood, n_z = twin.likelihood, model.architecture.n_z
    total, burn_in = torch.zeros_like(x), int(_BURN_IN * n_iter)
    begun = math.ceil(_PSEUDO_GIBBS * n_iter)
    first, z = x, _noise(x, n_z, generator)
    first_z, free = z, ~observed.any(-1, keepdim=True)
    for step in range(n_iter):
        if step == begun:
            lost = _lost(twin, torch.where(observed, first, torch.nan), z, first_z)
            x, z = torch.where(lost, first, x), torch.where(lost, first_z, z)
        z = _move(twin, x, z, generator, free, always=step < begun)
        params = model.decode(z.unsqueeze(0)).squeeze(0)
        x = torch.where(observed, x, likelihood.sample(params, generator).to(x.dtype))
        if step >= burn_in:
            total += likelihood.mean(params)
    draw = x if twin is model else torch.sigmoid(x)
    mean = total / (n_iter - burn_in)
    return Imputation(torch.where(observed, given, mean), torch.where(observed, given, draw))


def _lost(
    model: VAE, x: Float[Tensor, "B D"], z: Float[Tensor, "B Z"], first_z: Float[Tensor, "B Z"]
) -> Bool[Tensor, "B 1"]:
    """Whether a chain is at a z less likely than its first, given ``x``, NaN if not observed."""
    pair = torch.stack([z, first_z])
    log_px_z = of_observed(model).likelihood.log_prob(x[None, None], model.decode(pair[None]))
    log_pxz = log_px_z.squeeze(0) + standard_normal_log_prob(pair)
    # A comparison with NaN is false: what is no number is less likely than anything.
    return ~(log_pxz[0] >= log_pxz[1]).unsqueeze(-1)


def _move(
    model: VAE,
    x: Float[Tensor, "B D"],
    z: Float[Tensor, "B Z"],
    generator: torch.Generator,
    free: Bool[Tensor, "B 1"],
    *,
    always: bool,
) -> Float[Tensor, "B Z"]:
    """Propose z from q(z|x) and take it, or stay, row by row; of ``free`` rows, draw it."""
    # For rows that are free, q(z|x) is the prior.
    mu, logvar = (part.squeeze(0).masked_fill(free, 0) for part in model.encode(x.unsqueeze(0)))
    proposed = mu + (0.5 * logvar).exp() * _noise(x, z.shape[-1], generator)
    if always:
        return proposed
    pair = torch.stack([proposed, z])
    params = model.decode(pair.unsqueeze(0))
    log_px_z = model.likelihood.log_prob(x[None, None], params).squeeze(0)
    standardized = (pair - mu) * torch.exp(-0.5 * logvar)
    log_qz_x = standard_normal_log_prob(standardized) - 0.5 * logvar.sum(-1)
    log_w = log_px_z + standard_normal_log_prob(pair) - log_qz_x
    uniform = torch.rand(len(x), generator=generator, dtype=x.dtype, device=x.device)
    taken = (uniform.log() < log_w[0] - log_w[1]).unsqueeze(-1)
    return torch.where(taken | free, proposed, z)


def _noise(x: Tensor, n_z: int, generator: torch.Generator) -> Float[Tensor, "B Z"]:
    return torch.randn(len(x), n_z, generator=generator, dtype=x.dtype, device=x.device)
