r"""What the latent code says about the data: information, and how many dimensions carry it.

With N data and the aggregate posterior :math:`q(z) = \tfrac1N\sum_n q(z|x_n)`, the mean KL term
falls into two (Hoffman & Johnson 2016):

.. math::
    \tfrac1N\sum_n KL(q(z|x_n)\|p(z)) = I_q(n; z) + KL(q(z)\|p(z)), \qquad 0 \le I_q(n; z) \le \ln N

The mutual information of the code and the index of its datum is estimated from S samples a datum,

.. math::
    \hat I = \tfrac1{NS}\sum_{n,s} \log q(z_{ns}|x_n) - \log q(z_{ns}), \qquad
    \log q(z) = \log\sum_j q(z|x_j) - \ln N

with the full sum over all N data, never a minibatch's: the estimator is unbiased, and as the sum
holds the sample's own term, no sample exceeds ln N. The marginal KL is the rest of the mean KL,
which is known in closed form.

Effective number of dimensions: with :math:`\kappa_u` the mean KL of dimension u and shares
:math:`p_u = \kappa_u / \sum_v \kappa_v`, the Hill numbers of order 1 and 2 (Hill 1973),

.. math:: D_1 = \exp\bigl(-\sum_u p_u \ln p_u\bigr), \qquad D_2 = 1 / \sum_u p_u^2

each k when k dimensions share the KL equally; :math:`D_2` is the participation ratio and never
above :math:`D_1`. Unlike active units they need no threshold.

References
----------
Hoffman & Johnson (2016), *ELBO surgery*, NIPS workshop on advances in approximate inference.
Hill (1973), *Diversity and evenness*, Ecology 54.
Roy & Vetterli (2007), *The effective rank*, EUSIPCO (:math:`D_1` of singular values).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from numpy.typing import ArrayLike
from torch import Tensor

from vaestudy.evaluate import check_evaluating
from vaestudy.latent_terms import kl_per_unit
from vaestudy.likelihoods import LOG_2PI
from vaestudy.rng import normal
from vaestudy.vae import VAE

#: Samples whose log q(z) is computed at a time: 200 × 10,000 data in float64 are 16 MB.
CHUNK_SAMPLES = 200

#: Rows of data the encoder takes at a time.
CHUNK_ROWS = 1000


@dataclass(frozen=True)
class InformationTerms:
    """The parts of the mean KL, [M] each, in nats.

    ``mean_kl`` is exact; ``mutual_information`` has the Monte Carlo ``standard_error`` given the
    data, which ``marginal_kl`` shares (NaN for one sample a datum).
    """

    mean_kl: Float[Tensor, "M"]
    mutual_information: Float[Tensor, "M"]
    standard_error: Float[Tensor, "M"]
    n_data: int

    @property
    def marginal_kl(self) -> Float[Tensor, "M"]:
        """KL(q(z) || p(z)), what the mean KL leaves beside the mutual information."""
        return self.mean_kl - self.mutual_information

    @property
    def bound(self) -> float:
        """The most that a code can say about which of N data it stands for, ln N."""
        return math.log(self.n_data)


@torch.no_grad()
def encode_all(
    model: VAE, x: Float[Tensor, "N D"], chunk_rows: int = CHUNK_ROWS
) -> tuple[Float[Tensor, "M N Z"], Float[Tensor, "M N Z"]]:
    """Return mu and log sigma² of q(z|x) for all data under all members.

    Raises
    ------
    ValueError
        If the model is in training mode.
    """
    check_evaluating(model)
    codes = [model.encode(part.expand(model.members, *part.shape)) for part in x.split(chunk_rows)]
    return torch.cat([mu for mu, _ in codes], 1), torch.cat([logvar for _, logvar in codes], 1)


@torch.no_grad()
def information_terms(
    mu: Float[Tensor, "M N Z"],
    logvar: Float[Tensor, "M N Z"],
    n_samples: int,
    generators: Sequence[torch.Generator],
    *,
    chunk_samples: int = CHUNK_SAMPLES,
) -> InformationTerms:
    """Split the mean KL of N posteriors into mutual information and marginal KL.

    Costs S · N² · Z: all pairs of samples and data, in chunks.

    Parameters
    ----------
    mu, logvar
        Of q(z|x), as :func:`encode_all` returns them.
    n_samples
        S, samples a datum.
    generators
        One a member.
    chunk_samples
        Samples compared with all data at a time; memory grows with it times N.

    Raises
    ------
    ValueError
        If ``n_samples`` is below 1.
    """
    if n_samples < 1:
        raise ValueError(f"n_samples is {n_samples}; expected at least 1")
    n = mu.shape[1]
    eps = normal(generators, (n_samples, *mu.shape[1:]), mu.device).double()
    members = zip(mu.double(), logvar.double(), eps, strict=True)
    information = torch.stack([_pointwise_information(*m, chunk_samples) for m in members])
    # The data are given, so only the spread among samples of one datum is noise.
    spread = information.var(1, correction=0).sum(-1) / ((n_samples - 1) or math.nan)
    return InformationTerms(
        mean_kl=kl_per_unit(mu.double(), logvar.double()).sum(-1).mean(1),
        mutual_information=information.mean((1, 2)),
        standard_error=spread.sqrt() / n,
        n_data=n,
    )


def _pointwise_information(
    mu: Float[Tensor, "N Z"], logvar: Float[Tensor, "N Z"], eps: Float[Tensor, "S N Z"], chunk: int
) -> Float[Tensor, "S N"]:
    """Return log q(z_ns|x_n) − log q(z_ns) at S samples a datum."""
    z = mu + (0.5 * logvar).exp() * eps
    log_own = -0.5 * (eps.square() + logvar + LOG_2PI).sum(-1)
    parts = z.flatten(0, 1).split(chunk)
    log_sums = [torch.logsumexp(_log_q_pairs(part, mu, logvar), 1) for part in parts]
    # Never above 0 but for rounding, where codes lie thousands of their widths from the origin.
    return (log_own - torch.cat(log_sums).view_as(log_own)).clamp_max(0) + math.log(len(mu))


def _log_q_pairs(
    z: Float[Tensor, "S Z"], mu: Float[Tensor, "N Z"], logvar: Float[Tensor, "N Z"]
) -> Float[Tensor, "S N"]:
    """Return log q(z_s|x_n) for all pairs: the square multiplied out, so two matrix products.

    In float64, where what cancels among the three terms leaves enough digits.
    """
    precision = (-logvar).exp()
    constant = (mu.square() * precision + logvar + LOG_2PI).sum(-1)
    squares = z.square() @ precision.T - 2 * z @ (mu * precision).T + constant
    return -0.5 * squares


def effective_rank(kl: Float[Tensor, "*batch Z"]) -> Float[Tensor, "*batch"]:
    r"""Return :math:`D_1 = \exp(-\sum_u p_u \ln p_u)` of the shares of ``kl``; 0 if all are 0."""
    entropy = -torch.special.xlogy(_shares(kl), _shares(kl)).sum(-1)
    return torch.where(kl.sum(-1) > 0, entropy.exp(), 0.0)


def participation_ratio(kl: Float[Tensor, "*batch Z"]) -> Float[Tensor, "*batch"]:
    r"""Return :math:`D_2 = 1/\sum_u p_u^2` of the shares of ``kl``; 0 if all are 0."""
    return torch.where(kl.sum(-1) > 0, 1 / _shares(kl).square().sum(-1), 0.0)


def _shares(kl: Tensor) -> Tensor:
    # Rounding may leave a collapsed dimension a hair below 0.
    kl = kl.double().clamp_min(0)
    return kl / kl.sum(-1, keepdim=True)


def activity_density(
    activity: ArrayLike, *, floor: float = 1e-8, bandwidth: float = 0.1, n_points: int = 200
) -> pd.DataFrame:
    r"""Return the density of A_u over dimensions and runs, on a logarithmic axis.

    .. math:: \hat f(a) = \tfrac1n\sum_i N(a;\ \log_{10} A_i,\ h^2)

    A gap between two heaps shows that dimensions are either used or not, and that a threshold
    anywhere in it counts the same.

    Parameters
    ----------
    activity
        Activities of any shape, finite; those below ``floor`` count as ``floor``.
    floor
        The least activity told from 0.
    bandwidth
        h, in decades.
    n_points
        Rows of the table, evenly spaced in the logarithm, from 4 h below the least value to 4 h
        above the greatest.

    Returns
    -------
    DataFrame
        ``activity``; ``density``, per decade, integrating to 1; ``share_above``, the share of
        dimensions with more activity.

    Raises
    ------
    ValueError
        If there are no activities, one is not finite, or ``floor`` or ``bandwidth`` is not above 0.
    """
    values = np.asarray(activity, dtype=float).ravel()
    if values.size == 0 or not np.isfinite(values).all():
        raise ValueError(
            f"activity holds {values.size} values, {np.isfinite(values).sum()} of them finite; "
            "expected at least one and all finite: leave out runs that diverged"
        )
    if floor <= 0 or bandwidth <= 0:
        raise ValueError(f"floor is {floor} and bandwidth {bandwidth}; expected both above 0")
    logs = np.sort(np.log10(np.maximum(values, floor)))
    grid = np.linspace(logs[0] - 4 * bandwidth, logs[-1] + 4 * bandwidth, n_points)
    kernels = np.exp(-0.5 * ((grid[:, None] - logs) / bandwidth) ** 2)
    density = kernels.mean(1) / (bandwidth * math.sqrt(2 * math.pi))
    share_above = 1 - np.searchsorted(logs, grid, side="right") / logs.size
    return pd.DataFrame({"activity": 10**grid, "density": density, "share_above": share_above})
