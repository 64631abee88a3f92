r"""Objectives: functions of :class:`~vaestudy.vae.LatentTerms` to maximise, in nats per datum.

ELBO (Kingma & Welling 2014), KL in closed form, warm-up weight :math:`\beta` (Sønderby et al.
2016):

.. math:: L = \tfrac1K\sum_k \log p(x|z_k) - \beta\,KL(q(z|x)\|p(z))

The same with the KL estimated from the samples, and the importance-weighted bound (Burda et al.
2016), with :math:`\log w_k = \log p(x|z_k) + \beta(\log p(z_k) - \log q(z_k|x))`:

.. math:: L = \tfrac1K\sum_k\log w_k, \qquad L_K = \log\tfrac1K\sum_k w_k

To add one: write the function, put it in ``OBJECTIVES``, and test its gradient.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor

from vaestudy.vae import LatentTerms

Objective = Callable[[LatentTerms, Tensor], Tensor]


def elbo(terms: LatentTerms, beta: Float[Tensor, "M"]) -> Float[Tensor, "M B"]:
    """Return the evidence lower bound with the KL term in closed form."""
    return terms.log_px_z.mean(1) - beta[:, None] * terms.kl


def elbo_sampled(terms: LatentTerms, beta: Float[Tensor, "M"]) -> Float[Tensor, "M B"]:
    """Return the evidence lower bound with the KL term estimated from the K samples."""
    return terms.log_w(beta).mean(1)


def iwae(terms: LatentTerms, beta: Float[Tensor, "M"]) -> Float[Tensor, "M B"]:
    """Return the K-sample importance-weighted bound; at K = 1 it is :func:`elbo_sampled`."""
    return torch.logsumexp(terms.log_w(beta), dim=1) - math.log(terms.log_px_z.shape[1])


OBJECTIVES: dict[str, Objective] = {"elbo": elbo, "elbo-sampled": elbo_sampled, "iwae": iwae}


def warmup_beta(epoch: int, warmup: int) -> float:
    """Return beta in ``epoch`` (counted from 1): 0 in the first, 1 once ``warmup`` are over.

    Raises
    ------
    ValueError
        If ``epoch`` is below 1.
    """
    if epoch < 1:
        raise ValueError(f"epoch is {epoch}; epochs are counted from 1")
    return 1.0 if warmup == 0 else min(1.0, (epoch - 1) / warmup)
