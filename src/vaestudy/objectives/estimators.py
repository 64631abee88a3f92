r"""Bounds whose gradient is estimated otherwise than by differentiating them.

The reparameterised gradient of :math:`\log q(z|x)` has two parts: the path through z, and the score
:math:`\partial \log q / \partial\phi` at fixed z. The score adds variance, while its expectation
is zero (STL) or has a path form of its own (DReG). With :math:`\log w_k` as in ``bounds``,
normalised weights :math:`\tilde w_k = w_k / \sum_j w_j`, :math:`\theta` the decoder's parameters
and :math:`\phi` the encoder's:

.. math::
    \Delta_\theta = \sum_k a_k\,\nabla_\theta \log w_k, \qquad
    \Delta_\phi = \sum_k b_k\,\frac{\partial \log w_k}{\partial z_k}\,\nabla_\phi z_k

Where a and b differ, what z_k hands to the encoder is scaled by :math:`b_k / a_k`, so that one pass
through the decoder does.
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.latent_terms import LatentTerms
from vaestudy.objectives.bounds import in_groups, log_mean_exp


def stl(terms: LatentTerms, beta: Float[Tensor, "M"]) -> Float[Tensor, "M B"]:
    r"""Return the sampled evidence lower bound, to be followed along the path alone.

    :math:`a_k = b_k = 1/K`. Unbiased for the gradient of the evidence lower bound at every
    :math:`\beta`, and without variance where q is the posterior.

    References
    ----------
    Roeder, Wu & Duvenaud (2017), Sticking the landing.
    """
    return terms.log_w_path(beta).mean(1)


def iwae_stl(terms: LatentTerms, beta: Float[Tensor, "M"]) -> Float[Tensor, "M B"]:
    r"""Return the K-sample bound, to be followed along the path alone.

    :math:`a_k = b_k = \tilde w_k`. Biased for the encoder at K > 1, since the weights depend on
    :math:`\phi` too (Tucker et al. 2019); :func:`dreg` is not.

    References
    ----------
    Roeder, Wu & Duvenaud (2017), Sticking the landing.
    """
    return log_mean_exp(terms.log_w_path(beta), 1)


def dreg(terms: LatentTerms, beta: Float[Tensor, "M"]) -> Float[Tensor, "M B"]:
    r"""Return the K-sample bound with its doubly reparameterised gradient.

    .. math:: a_k = \tilde w_k, \qquad b_k = (1 - \beta)\,\tilde w_k + \beta\,\tilde w_k^2

    Unbiased for the gradient of :math:`\log\tfrac1K\sum_k w_k`, score included: the score's
    expectation is :math:`-\beta\sum_k (\tilde w_k - \tilde w_k^2)` times the path derivative,
    since :math:`\log w_k` weighs log q by :math:`\beta`. The source has :math:`\beta = 1`, where
    :math:`b_k = \tilde w_k^2`. At K = 1 it is :func:`stl`.

    The derivation takes each z_k to bear on its own weight alone, which batch normalization in the
    decoder breaks: configurations with both are rejected.

    References
    ----------
    Tucker, Lawson, Gu & Maddison (2019), Doubly reparameterized gradient estimators.
    """
    log_w, beta = terms.log_w_path(beta), beta[:, None, None]
    weights = torch.softmax(log_w.detach(), 1)
    terms.scale_encoder_gradient(1 - beta + beta * weights)
    return log_mean_exp(log_w, 1)


def piwae(
    terms: LatentTerms, beta: Float[Tensor, "M"], *, k_groups: int = 1
) -> Float[Tensor, "M B"]:
    r"""Return the K-sample bound: the decoder follows it, the encoder the mean over G groups.

    .. math:: a_k = \tilde w_k, \qquad b_k = \tfrac1G\, w_k \Big/ \sum_{j \in g(k)} w_j

    :math:`\theta` gets the gradient of :func:`iwae`, :math:`\phi` that of :func:`miwae`, here
    with the score: both on the same samples. The value is the K-sample bound. Not with batch
    normalization in the decoder, as for :func:`dreg`.

    Parameters
    ----------
    terms, beta
        The forward pass, and the KL weight of each member.
    k_groups
        G; must divide K.

    References
    ----------
    Rainforth et al. (2018), Tighter variational bounds are not necessarily better.
    """
    constant, beta = terms.log_w(beta).detach(), beta[:, None, None]
    decoder = torch.softmax(constant, 1)
    encoder = torch.softmax(in_groups(constant, k_groups), 2).flatten(1, 2) / k_groups
    # A sample whose weight underflows may lead its group. Kept this far above zero, it is nothing
    # to the decoder, and what it owes the encoder comes back without loss.
    decoder = decoder.clamp_min(torch.finfo(constant.dtype).tiny ** 0.5)
    terms.scale_encoder_gradient(encoder / decoder)
    through_z = decoder * (terms.log_px_z + beta * terms.log_pz)
    followed = (through_z - encoder * beta * terms.log_qz_x).sum(1)
    return log_mean_exp(constant, 1) + (followed - followed.detach())
