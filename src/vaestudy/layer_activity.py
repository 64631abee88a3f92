r"""Activity of every stochastic layer's units, :math:`A_u = \mathrm{Var}_x(E_q[z_u|x])`.

In the first layer :math:`E_q[z_u|x]` is the encoder's mean. Above it z depends on samples below,
and the expectation is estimated by the mean :math:`\bar\mu_u(x)` of what S of them lead to. The
noise of that mean, of variance :math:`s_u^2(x) / S`, varies with x too, and is taken off:

.. math:: \hat A_u = \mathrm{Var}_x(\bar\mu_u(x)) - E_x[s_u^2(x)] / S
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.hierarchy import climb
from vaestudy.history import latent_activity
from vaestudy.rng import normal
from vaestudy.vae import VAE

#: Samples at a time, of all data of a chunk together.
CHUNK_ROWS = 10_000


@torch.no_grad()
def layer_activities(
    model: VAE,
    x: Float[Tensor, "N D"],
    n_samples: int,
    generators: Sequence[torch.Generator],
    chunk_rows: int = CHUNK_ROWS,
) -> list[Float[Tensor, "M Z"]]:
    """Return the activity of the units of each stochastic layer, first to last.

    Parameters
    ----------
    model
        In evaluation mode.
    x
        The data, the same for all members.
    n_samples
        S; the first layer takes none.
    generators
        One a member.
    chunk_rows
        Samples at a time; memory does not grow with the data.

    Raises
    ------
    ValueError
        If ``n_samples`` is below 2: the noise of the means would not be known.
    """
    if n_samples < 2:
        raise ValueError(f"n_samples is {n_samples}; expected at least 2, to know the means' noise")
    means, noise = [], []
    for chunk in x.split(max(1, chunk_rows // n_samples)):
        found = _means(model, chunk, n_samples, generators)
        means.append(torch.cat([mean for mean, _ in found], -1))
        noise.append(torch.cat([variance for _, variance in found], -1))
    activity = latent_activity(torch.cat(means, 1)) - torch.cat(noise, 1).mean(1)
    return list(activity.split(model.architecture.widths, -1))


def _means(
    model: VAE, x: Float[Tensor, "B D"], n_samples: int, generators: Sequence[torch.Generator]
) -> list[tuple[Tensor, Tensor]]:
    """Return each layer's E[z|x], [M, B, Z], and the variance of that estimate."""
    mu, logvar = model.encode(x.expand(model.members, *x.shape))
    shape = (n_samples, len(x), model.architecture.n_latent)
    eps = normal(generators, shape, x.device).to(mu.dtype)
    own, *further = eps.split(model.architecture.widths, -1)
    z = torch.addcmul(mu.unsqueeze(1), (0.5 * logvar).exp().unsqueeze(1), own)
    first = mu.double()
    found = [(first, torch.zeros_like(first))]
    for layer in climb(model.deeper, z, further):
        variance, mean = torch.var_mean(layer.mu.double(), 1)
        found.append((mean, variance / n_samples))
    return found
