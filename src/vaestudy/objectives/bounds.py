r"""Bounds whose gradient estimator is their own gradient.

With :math:`\log w_k = \log p(x|z_k) + \beta(\log p(z_k) - \log q(z_k|x))`, where :math:`\beta = 1`
makes every one of them a lower bound on log p(x):

.. math:: L = \tfrac1K\sum_k\log w_k, \qquad L_K = \log\tfrac1K\sum_k w_k

:math:`\beta` comes with the call: warm-up, cyclical annealing and the constant of the
:math:`\beta`-VAE are courses of it (``schedule``), not objectives of their own.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.latent_terms import LatentTerms


def elbo(terms: LatentTerms, beta: Float[Tensor, "M"]) -> Float[Tensor, "M B"]:
    r"""Return the evidence lower bound with the KL term in closed form.

    .. math:: \tfrac1K\sum_k \log p(x|z_k) - \beta\,KL(q(z|x)\|p(z))

    Its maximiser at a constant :math:`\beta \ne 1` is the :math:`\beta`-VAE.

    References
    ----------
    Kingma & Welling (2014); Sønderby et al. (2016), warm-up; Higgins et al. (2017), beta-VAE.
    """
    return terms.log_px_z.mean(1) - beta[:, None] * terms.kl


def elbo_sampled(terms: LatentTerms, beta: Float[Tensor, "M"]) -> Float[Tensor, "M B"]:
    r"""Return the evidence lower bound with the KL term estimated from the K samples.

    .. math:: \tfrac1K\sum_k \log w_k
    """
    return terms.log_w(beta).mean(1)


def iwae(terms: LatentTerms, beta: Float[Tensor, "M"]) -> Float[Tensor, "M B"]:
    r"""Return the K-sample importance-weighted bound; at K = 1 it is :func:`elbo_sampled`.

    .. math:: \log \tfrac1K\sum_k w_k

    References
    ----------
    Burda, Grosse & Salakhutdinov (2016).
    """
    return log_mean_exp(terms.log_w(beta), 1)


def free_bits(
    terms: LatentTerms,
    beta: Float[Tensor, "M"],
    *,
    free_bits: float = 0.0,
    free_bits_group: int = 1,
) -> Float[Tensor, "M B"]:
    r"""Return the evidence lower bound whose KL below a minimum costs nothing more to reduce.

    .. math::
        \tfrac1K\sum_k \log p(x|z_k) - \beta\sum_j
        \max\bigl(\lambda, \tfrac1B\sum_b KL(q(z_j|x_b)\|p(z_j))\bigr)

    where j runs over groups of latent dimensions. A group whose mean KL over the minibatch is below
    :math:`\lambda` has no KL gradient; the mean is a minibatch's, so the value of one datum depends
    on the others.

    Parameters
    ----------
    terms, beta
        The forward pass, and the KL weight of each member.
    free_bits
        :math:`\lambda`, in nats a group.
    free_bits_group
        Latent dimensions a group, neighbours by index; must divide Z.

    References
    ----------
    Kingma et al. (2016), Improving variational inference with inverse autoregressive flow.
    """
    groups = terms.kl_per_unit.mean(1).unflatten(-1, (-1, free_bits_group)).sum(-1)
    paid = groups.clamp_min(free_bits).sum(-1)
    bound: Tensor = terms.log_px_z.mean(1) - (beta * paid)[:, None]
    return bound


def miwae(
    terms: LatentTerms, beta: Float[Tensor, "M"], *, k_groups: int = 1
) -> Float[Tensor, "M B"]:
    r"""Return the mean of G importance-weighted bounds of K/G samples each.

    .. math:: \tfrac1G\sum_g \log \tfrac GK\sum_{k \in g} w_k

    MIWAE(G, K/G) of the source. One group is :func:`iwae`, K groups are :func:`elbo_sampled`.

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
    return log_mean_exp(in_groups(terms.log_w(beta), k_groups), 2).mean(1)


def ciwae(
    terms: LatentTerms, beta: Float[Tensor, "M"], *, elbo_share: float = 0.0
) -> Float[Tensor, "M B"]:
    r"""Return a convex combination of the sampled evidence lower bound and the K-sample bound.

    .. math:: c\,\tfrac1K\sum_k \log w_k + (1 - c)\,\log\tfrac1K\sum_k w_k

    Parameters
    ----------
    terms, beta
        The forward pass, and the KL weight of each member.
    elbo_share
        c, between 0 (:func:`iwae`) and 1 (:func:`elbo_sampled`).

    References
    ----------
    Rainforth et al. (2018), Tighter variational bounds are not necessarily better.
    """
    log_w = terms.log_w(beta)
    return elbo_share * log_w.mean(1) + (1 - elbo_share) * log_mean_exp(log_w, 1)


def log_mean_exp(log_w: Tensor, dim: int) -> Tensor:
    """Return the logarithm of the mean of ``exp(log_w)`` over ``dim``, without overflow."""
    return torch.logsumexp(log_w, dim) - math.log(log_w.shape[dim])


def in_groups(log_w: Float[Tensor, "M K B"], k_groups: int) -> Float[Tensor, "M G J B"]:
    """Split the K samples into G groups of J = K / G."""
    grouped: Tensor = log_w.unflatten(1, (k_groups, -1))
    return grouped
