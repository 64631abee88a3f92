r"""Annealed importance sampling of log p(x) (Neal 2001) on a decoder (Wu et al. 2017).

Chains that walk from a base to the joint (:mod:`vaestudy.annealing`) carry unbiased weights,
:math:`E[w] = p(x)`, so with C chains

.. math:: \log \hat p(x) = \log\tfrac1C\sum_c w_c, \qquad E[\log\hat p(x)] \le \log p(x)

References
----------
Neal (2001), *Annealed importance sampling*, Statistics and Computing 11.
Wu, Burda, Salakhutdinov & Grosse (2017), *On the quantitative analysis of decoder-based generative
models*, ICLR.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64
from torch import Tensor

from vaestudy.annealing import Annealed, AnnealingSettings, annealing_path
from vaestudy.evaluate import LogPxEstimate, check_evaluating
from vaestudy.vae import VAE

#: Decoder rows at a time, chains × data.
CHUNK_ROWS = 2000


@dataclass(frozen=True)
class AISEstimate:
    """log p(x) by annealed importance sampling.

    ``estimate`` holds log p(x) and its standard error; ``effective_chains``, [M, N], is
    (Σw)²/Σw², between 1 and C; ``acceptance``, [M, N], is the mean probability of acceptance of
    the weighted chains.
    """

    estimate: LogPxEstimate
    effective_chains: Float[Tensor, "M N"]
    acceptance: Float[Tensor, "M N"]


def log_mean_weight(
    log_w: Float64[Tensor, "M C N"],
) -> tuple[Float64[Tensor, "M N"], Float64[Tensor, "M N"], Float64[Tensor, "M N"]]:
    r"""Return the log of the mean weight over chains, its standard error, the effective chains.

    .. math::
        \mathrm{ESS} = (\sum w)^2/\sum w^2, \qquad
        \mathrm{se} = \mathrm{sd}(w)/(\sqrt C\,\bar w) = \sqrt{(C/\mathrm{ESS} - 1)/(C - 1)}

    The error is the delta method's, optimistic while ESS is small; NaN for one chain.
    """
    n, log_sum = log_w.shape[1], torch.logsumexp(log_w, 1)
    effective = 1 / torch.softmax(log_w, 1).square().sum(1)
    error = ((n / effective - 1).clamp_min(0) / (n - 1)).sqrt() if n > 1 else effective * math.nan
    return log_sum - math.log(n), error, effective


@torch.no_grad()
def estimate_log_px_ais(
    model: VAE,
    x: Float[Tensor, "N D"],
    settings: AnnealingSettings,
    generators: Sequence[torch.Generator],
    *,
    measure: str = "nll",
    chunk_rows: int = CHUNK_ROWS,
) -> AISEstimate:
    """Estimate log p(x) of every datum under every member.

    Costs about 2 · T · L · (C + pilot chains) · N passes through the decoder a member.

    Parameters
    ----------
    model
        In evaluation mode.
    x
        The data, the same for all members.
    settings
        How to anneal.
    generators
        One a member.
    measure
        What log p(x|z) is measured with: a name in ``evaluate.MEASURES``.
    chunk_rows
        Decoder rows at a time; changing it changes which noise meets which datum.

    Raises
    ------
    ValueError
        If the model is in training mode.
    """
    check_evaluating(model)
    chunks = []
    for chunk in x.split(max(1, chunk_rows // settings.n_chains)):
        batch = chunk.expand(len(generators), *chunk.shape)
        path = annealing_path(model, batch, settings, measure)
        chunks.append(path.forward(path.tune_steps(generators), generators))
    return ais_estimate(chunks)


def ais_estimate(chunks: Sequence[Annealed]) -> AISEstimate:
    """Return the estimate that the forward chains of consecutive chunks of data give."""
    log_px, error, effective = log_mean_weight(torch.cat([c.log_w for c in chunks], 2))
    acceptance = torch.cat([c.acceptance for c in chunks], 1)
    return AISEstimate(LogPxEstimate(log_px, error), effective, acceptance)
