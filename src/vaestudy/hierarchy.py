r"""Stochastic layers above the first.

.. math::
    q(z_{1:L}|x) = q(z_1|x) \prod_{l=2}^L q(z_l|z_{l-1}), \qquad
    p(x, z_{1:L}) = p(x|z_1) \prod_{l=2}^L p(z_{l-1}|z_l)\; p(z_L)

with :math:`p(z_L) = N(0, I)` and every other factor over latents a Gaussian with diagonal
covariance, whose mean and log-variance a network computes (Burda et al. 2016, two layers). The VAE
of one stochastic layer is the case L = 1, without any of what stands here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor, nn

from vaestudy.deeper import DeeperLayer
from vaestudy.layers import MemberBatchNorm, MemberLinear, hidden_layers
from vaestudy.likelihoods import LOG_2PI


@dataclass(frozen=True)
class LayerTerms:
    r"""What a layer :math:`z_l` above :math:`z_{l-1}` brings to a bound, for K samples.

    Parameters
    ----------
    below
        :math:`z_{l-1}`, of width Y.
    mu, logvar
        Of :math:`q(z_l|z_{l-1})`; unlike those of the first layer they differ between samples.
    eps, z
        Standard normal noise, and :math:`z_l = \mu + \sigma\epsilon`.
    prior_mu, prior_logvar
        Of :math:`p(z_{l-1}|z_l)`.
    """

    below: Float[Tensor, "M K B Y"]
    mu: Float[Tensor, "M K B Z"]
    logvar: Float[Tensor, "M K B Z"]
    eps: Float[Tensor, "M K B Z"]
    z: Float[Tensor, "M K B Z"]
    prior_mu: Float[Tensor, "M K B Y"]
    prior_logvar: Float[Tensor, "M K B Y"]

    def log_prior_below(self) -> Float[Tensor, "M K B Y"]:
        """Return log p(z_{l-1} | z_l) of each of its dimensions."""
        squares = (self.below - self.prior_mu).square() * torch.exp(-self.prior_logvar)
        return -0.5 * (squares + self.prior_logvar + LOG_2PI)


def log_posterior(
    eps: Float[Tensor, "*samples Z"], logvar: Float[Tensor, "*rows Z"]
) -> Float[Tensor, "*samples Z"]:
    r"""Return :math:`\log q(z_u)` of each dimension at :math:`z = \mu + \sigma\epsilon`."""
    return -0.5 * (eps.square() + logvar + LOG_2PI)


def kl_below_the_last(
    logvar: Float[Tensor, "M B Z"], eps: Float[Tensor, "M K B Z"], layers: Sequence[LayerTerms]
) -> list[Tensor]:
    r"""Return each layer's KL per dimension but the last's, [M, B, ·], estimated from the samples.

    .. math:: \tfrac1K\sum_k \log q(z_l|z_{l-1}) - \log p(z_l|z_{l+1})

    Parameters
    ----------
    logvar, eps
        The first layer's.
    layers
        Those above it.
    """
    found, logvar = [], logvar.unsqueeze(1)
    for layer in layers:
        found.append((log_posterior(eps, logvar) - layer.log_prior_below()).mean(1))
        logvar, eps = layer.logvar, layer.eps
    return found


def mean_and_logvar(
    heads: Float[Tensor, "*rows H"], bounded: bool
) -> tuple[Float[Tensor, "*rows Z"], Float[Tensor, "*rows Z"]]:
    """Split an encoder's output, through a sigmoid and tanh if ``bounded``."""
    mu, logvar = heads.chunk(2, dim=-1)
    return (torch.sigmoid(mu), torch.tanh(logvar)) if bounded else (mu, logvar)


class StochasticLayer(nn.Module):
    """M networks from a latent layer to the one above it, and M back.

    Parameters
    ----------
    members, n_below
        M, and the width Y of the layer below.
    layer
        This layer's width and the hidden widths on the way.
    activation
        A name in ``layers.ACTIVATIONS``.
    batch_norm, encoder_heads
        As in :class:`vaestudy.vae.Architecture`.
    """

    def __init__(
        self,
        members: int,
        n_below: int,
        layer: DeeperLayer,
        activation: str,
        batch_norm: str,
        encoder_heads: str,
    ) -> None:
        super().__init__()
        bn, bn_heads = batch_norm != "none", batch_norm == "all"
        self.bounded = encoder_heads == "bounded"
        n_z, up, down = layer.n_z, layer.hidden, layer.hidden[::-1]
        self.encoder = hidden_layers(members, (n_below, *up), activation, bn)
        self.heads = MemberLinear(members, up[-1], 2 * n_z, heads=2, bias=not bn_heads)
        self.heads_norm = MemberBatchNorm(members, 2 * n_z) if bn_heads else nn.Identity()
        self.decoder = hidden_layers(members, (n_z, *down), activation, bn)
        self.output = MemberLinear(members, down[-1], 2 * n_below, heads=2)

    def forward(self, below: Float[Tensor, "M K B Y"], eps: Float[Tensor, "M K B Z"]) -> LayerTerms:
        """Climb from samples below to samples here, and look back."""
        # Rows throughout, as in VAE.decode.
        heads = self.heads_norm(self.heads(self.encoder(below.flatten(1, -2))))
        mu, logvar = mean_and_logvar(heads, self.bounded)
        mu, logvar = mu.reshape(eps.shape), logvar.reshape(eps.shape)
        z = torch.addcmul(mu, (0.5 * logvar).exp(), eps)
        prior: Tensor = self.output(self.decoder(z.flatten(1, -2)))
        prior_mu, prior_logvar = prior.view(*below.shape[:-1], -1).chunk(2, dim=-1)
        return LayerTerms(below, mu, logvar, eps, z, prior_mu, prior_logvar)


def climb(
    layers: Iterable[nn.Module], z: Float[Tensor, "M K B Z"], noise: Sequence[Tensor]
) -> tuple[LayerTerms, ...]:
    """Return what each layer brings, from samples ``z`` of the first and each layer's own noise."""
    found: list[LayerTerms] = []
    for layer, eps in zip(layers, noise, strict=True):
        found.append(layer(found[-1].z if found else z, eps))
    return tuple(found)
