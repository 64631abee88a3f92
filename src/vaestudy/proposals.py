r"""Importance samples from the prior too, for a q(z|x) that was trained for no bound on log p(x).

An encoder trained for a bound on log p(x) covers the codes that could have made x, and its samples
estimate log p(x) well. One that was trained without the KL may put nearly all its mass where it
reconstructs best: then no number of its samples finds the other codes, and the standard error does
not tell. Samples from the mixture

.. math:: m(z) = \alpha\,q(z|x) + (1-\alpha)\,p(z), \qquad w = \frac{p(x|z)\,p(z)}{m(z)}

cannot miss them: a weight is at most :math:`1/\alpha` times that of the same code from q, and at
most :math:`p(x|z)/(1-\alpha)`, so that with equal shares :math:`E[w^2]` is at most twice that of
either proposal alone (Hesterberg 1995, *Weighted average importance sampling and defensive mixture
distributions*). The shares are dealt, not drawn.
"""

from __future__ import annotations

import math
from functools import partial

import torch
from torch import Tensor

from vaestudy.evaluate import MEASURES, LogWeights
from vaestudy.latent_terms import standard_normal_log_prob
from vaestudy.vae import VAE


def mixture_log_weights(model: VAE, measure: str = "nll") -> LogWeights:
    """Return a function that computes log w = log p(x, z) - log m(z), [M, S, B].

    The first half of the noise, rounded up, makes samples of q(z|x), the other half is codes drawn
    from the prior. One sample is q's.

    Parameters
    ----------
    model
        In evaluation mode, with one stochastic layer.
    measure
        A name in ``MEASURES``.

    Raises
    ------
    ValueError
        If the model has deeper layers, of which N(0, I) is the prior of the last alone.
    """
    if model.deeper:
        raise ValueError(
            f"the model has {1 + len(model.deeper)} stochastic layers; expected 1: take "
            "plain_log_weights"
        )
    log_prob = partial(MEASURES[measure], model.likelihood)

    def log_weights(x: Tensor, mu: Tensor, logvar: Tensor, eps: Tensor) -> Tensor:
        n = eps.shape[1]
        of_q, of_prior = eps.tensor_split([(n + 1) // 2], dim=1)
        mu, logvar = mu.unsqueeze(1), logvar.unsqueeze(1)
        sigma = (0.5 * logvar).exp()
        z = torch.cat([torch.addcmul(mu, sigma, of_q), of_prior], dim=1)
        # Of q's own samples the noise is known; (z - mu) / sigma would round it.
        noise = torch.cat([of_q, (of_prior - mu) / sigma], dim=1)
        log_q = standard_normal_log_prob(noise) - 0.5 * logvar.sum(-1)
        pixels, condition = model.split(x)
        params = model.decode(z, None if condition is None else condition.unsqueeze(1))
        log_pz = standard_normal_log_prob(z)
        mixture = log_q + math.log(of_q.shape[1] / n)
        if of_prior.shape[1]:
            mixture = torch.logaddexp(mixture, log_pz + math.log(of_prior.shape[1] / n))
        return log_prob(pixels.unsqueeze(1), params) + log_pz - mixture

    return log_weights
