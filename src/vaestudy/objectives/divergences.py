r"""Objectives with another divergence than the KL between q(z|x) and p(z), or none: no bounds.

.. math:: \tfrac1K\sum_k \log p(x|z_k) - \beta\,D\bigl(q(z|x), p(z)\bigr)

With the KL from q to p this is the evidence lower bound. Any smaller D gives a larger number that
bounds nothing, so these have no ``bound`` among a run's measurements; their models are compared by
``elbo`` and ``nll`` like all others. :func:`half_joint` has no divergence at all.
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.kernels import softplus
from vaestudy.latent_terms import LatentTerms, standard_normal_log_prob


def jensen_shannon(terms: LatentTerms, beta: Float[Tensor, "M"]) -> Float[Tensor, "M B"]:
    r"""Return the reconstruction less the Jensen-Shannon divergence, estimated from K samples.

    With the mixture :math:`M = \tfrac12(q + p)` and :math:`r = \log q(z|x) - \log p(z)`,

    .. math::
        JSD = \tfrac12 KL(q\|M) + \tfrac12 KL(p\|M)
        = \ln 2 - \tfrac12 E_q[\mathrm{softplus}(-r)] - \tfrac12 E_p[\mathrm{softplus}(r)]

    The samples of q are the forward pass's :math:`z = \mu + \sigma\epsilon`, those of p the same
    :math:`\epsilon`, standard normal as they are; each expectation is unbiased, and so is the
    gradient, which takes the first along the path and the second through the density alone.

    A Jensen-Shannon divergence is at most :math:`\ln 2`: all that a code can cost is 0.69 nats, and
    once q and p hardly overlap, moving them further apart costs nothing.

    References
    ----------
    Lin (1991), Divergence measures based on the Shannon entropy.
    """
    own = terms.log_qz_x - terms.log_pz
    mu, logvar = terms.mu.unsqueeze(1), terms.logvar.unsqueeze(1)
    standardized = (terms.eps - mu) * torch.exp(-0.5 * logvar)
    log_q = standard_normal_log_prob(standardized) - 0.5 * logvar.sum(-1)
    other = log_q - standard_normal_log_prob(terms.eps)
    divergence = math.log(2) - 0.5 * (softplus(-own) + softplus(other)).mean(1)
    return terms.log_px_z.mean(1) - beta[:, None] * divergence


def geometric_js(
    terms: LatentTerms, beta: Float[Tensor, "M"], *, js_skew: float = 0.0
) -> Float[Tensor, "M B"]:
    r"""Return the reconstruction less the skewed geometric Jensen-Shannon divergence, closed form.

    .. math:: (1 - \alpha)\,KL(q\|G) + \alpha\,KL(p\|G), \qquad G \propto q^\alpha p^{1 - \alpha}

    G is normal too: :math:`\sigma_G^{-2} = \alpha\sigma^{-2} + 1 - \alpha` and
    :math:`\mu_G = \alpha\mu\,\sigma_G^2/\sigma^2`. At :math:`\alpha = 0` G is the prior and the
    objective :func:`~vaestudy.objectives.bounds.elbo`; at 1 it has the KL from prior to posterior.

    Parameters
    ----------
    terms, beta
        The forward pass, and the divergence's weight of each member.
    js_skew
        :math:`\alpha`, between 0 and 1.

    References
    ----------
    Deasy, Simidjievski & Liò (2020), Constraining variational inference with geometric
    Jensen-Shannon divergence, NeurIPS. Nielsen (2019), on a generalization of the divergence.
    """
    mu, logvar = terms.mu, terms.logvar
    precision = js_skew * torch.exp(-logvar) + (1 - js_skew)
    mean = js_skew * mu * torch.exp(-logvar) / precision
    of_q = (logvar.exp() + (mu - mean).square()) * precision - 1 - precision.log() - logvar
    of_p = (1 + mean.square()) * precision - 1 - precision.log()
    divergence = 0.5 * ((1 - js_skew) * of_q + js_skew * of_p).sum(-1)
    return terms.log_px_z.mean(1) - beta[:, None] * divergence


def half_joint(terms: LatentTerms, beta: Float[Tensor, "M"]) -> Float[Tensor, "M B"]:
    r"""Return half of the joint log-density, which knows nothing of how wide q(z|x) is.

    .. math:: \tfrac12\cdot\tfrac1K\sum_k \bigl(\log p(x|z_k) + \beta\log p(z_k)\bigr)

    It is no divergence, and stands here because it has been taken for one. Without q's own density
    the best posterior has no variance: what it trains is an autoencoder whose codes are kept small.
    """
    joint = terms.log_px_z + beta[:, None, None] * terms.log_pz
    return 0.5 * joint.mean(1)
