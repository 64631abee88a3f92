r"""What a model makes of points of the plane: statistics of its codes and its reconstructions.

Each held-out point x is encoded once, :math:`z \sim q(z|x)`, and decoded to :math:`E[x|z]`. The z
are draws of the aggregate posterior :math:`q(z) = E_x[q(z|x)]`; where a code says little, it is
their noise that shows it, which the means :math:`\mu(x)` would hide.

Energy distance of q(z) to the prior (Székely & Rizzo 2013), with the prior's parts in closed form:

.. math::
    2\,E\|z - y\| - E\|z - z'\| - E\|y - y'\|, \quad y, y' \sim N(0, I)

.. math::
    E\|z - y\| = \sqrt2\,\frac{\Gamma((d+1)/2)}{\Gamma(d/2)}\,
    {}_1F_1\bigl(-\tfrac12; \tfrac d2; -\tfrac12\|z\|^2\bigr), \qquad E\|y - y'\| = \sqrt2\,E\|y\|

Diamondness of a cloud in two dimensions, standardised and read as complex numbers
:math:`\zeta = z_1 + i z_2`:

.. math:: \operatorname{Re} E[\zeta^4] / E[|\zeta|^4]

It is 0 for every cloud without preferred directions, 3/7 for a uniform square standing on a corner,
−3/7 for one whose sides are along the axes. Squareness, its modulus instead of its real part, is
3/7 for a square in any orientation.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from scipy.spatial import KDTree
from scipy.spatial.distance import cdist, pdist
from scipy.special import gammaln, hyp1f1
from torch import Tensor

from vaestudy.rng import normal, stream_seed
from vaestudy.vae import VAE

#: How near to an edge of the unit square counts as there: a share of 0.19 of its own points.
EDGE = 0.05
#: Neighbours of a point that count.
NEIGHBOURS = 10
#: Ranks of all neighbours are taken among so many points.
RANKED = 1000
#: Codes between these quantiles are the part of a decoder's curve that is in use.
CURVE = (0.005, 0.995)
_CURVE_POINTS = 2001

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Passage:
    """Points on their way through a model.

    Parameters
    ----------
    points [N, 2]
        Held-out data x.
    classes [N]
        Of the square, its quadrants.
    codes [N, Z]
        One z of q(z|x) each.
    decoded [N, 2]
        E[x|z].
    drawn [N, 2]
        E[x|z] at z of the prior.
    """

    points: Array
    classes: NDArray[np.int64]
    codes: Array
    decoded: Array
    drawn: Array


@torch.no_grad()
def pass_through(
    model: VAE, points: Float[Tensor, "N D"], classes: NDArray[np.int64], seed: int
) -> Passage:
    """Send points through a model of one member; the noise is the seed's own stream."""
    generator = torch.Generator(points.device).manual_seed(stream_seed(seed, "plane"))
    mu, logvar = model.encode(points[None])
    eps = normal([generator], tuple(mu.shape[1:]), points.device)
    codes = mu + (0.5 * logvar).exp() * eps
    prior = normal([generator], tuple(mu.shape[1:]), points.device)
    decoded, drawn = (model.likelihood.mean(model.decode(z[:, None])) for z in (codes, prior))
    found = (t.double().cpu().numpy() for t in (points, codes[0], decoded[0, 0], drawn[0, 0]))
    points_, codes_, decoded_, drawn_ = found
    return Passage(points_, classes, codes_, decoded_, drawn_)


def describe(passage: Passage, model: VAE, dataset: str) -> dict[str, float]:
    """Return every statistic that is defined for these points and this number of dimensions."""
    p, n_z = passage, passage.codes.shape[1]
    found = {
        "squared_error_of_draws": ((p.points - p.decoded) ** 2).sum(1).mean(),
        "energy_distance_to_prior": energy_distance_to_normal(p.codes),
        "energy_distance_of_samples": energy_distance(p.drawn, p.points),
        "trustworthiness": trustworthiness(p.points[:RANKED], p.codes[:RANKED]),
        "class_purity": purity(p.codes, p.classes),
    }
    if dataset == "square":
        found |= {
            "share_near_edge": near_edge(p.decoded).mean(),
            "share_near_zero": (np.abs(p.decoded) < EDGE).any(1).mean(),
        }
    if dataset == "square" and n_z == 2:
        found["diamondness"] = diamondness(p.codes)
        found["squareness"] = squareness(p.codes)
        found["rotated_or_mirrored"] = float(nearest_symmetry(p.points, p.codes) != 0)
    if n_z == 1:
        found["decoder_curve_length"] = curve_length(decoder_curve(model, p.codes)[1])
    return {name: float(value) for name, value in found.items()}


def energy_distance_to_normal(z: Array) -> float:
    """Return the energy distance of draws ``z`` [N, Z] to N(0, I), unbiased: it may be below 0."""
    d = z.shape[1]
    mean_norm = np.sqrt(2) * np.exp(gammaln((d + 1) / 2) - gammaln(d / 2))
    across = mean_norm * hyp1f1(-0.5, d / 2, -0.5 * (z**2).sum(1)).mean()
    return float(2 * across - pdist(z).mean() - np.sqrt(2) * mean_norm)


def energy_distance(a: Array, b: Array) -> float:
    """Return the energy distance of two samples [N, D], [M, D], unbiased."""
    return float(2 * cdist(a, b).mean() - pdist(a).mean() - pdist(b).mean())


def near_edge(points: Array) -> NDArray[np.bool_]:
    """Return which points [N, 2] are within ``EDGE`` of the unit square's edges, on either side."""
    return np.asarray(((np.abs(points) < EDGE) | (np.abs(points - 1) < EDGE)).any(1))


def trustworthiness(points: Array, codes: Array) -> float:
    """Return how far neighbours among codes are neighbours among points; 1 if all are.

    The measure of Venna & Kaski (2001), with ``NEIGHBOURS`` neighbours.
    """
    from sklearn import manifold

    return float(manifold.trustworthiness(points, codes, n_neighbors=NEIGHBOURS))


def purity(codes: Array, classes: NDArray[np.int64]) -> float:
    """Return the mean share of a code's nearest ``NEIGHBOURS`` others that are of its class."""
    near = KDTree(codes).query(codes, NEIGHBOURS + 1)[1]
    others = near != np.arange(len(codes))[:, None]
    # Where so many codes coincide that a point is not among its own nearest, one too many is left.
    others[others.all(1), -1] = False
    same = (classes[near] == classes[:, None]) & others
    return float(same.sum() / others.sum())


def diamondness(codes: Array) -> float:
    """Return Re E[ζ⁴] / E[|ζ|⁴] of codes [N, 2], centred and scaled to unit variances."""
    return _fourfold(codes).real


def squareness(codes: Array) -> float:
    """Return |E[ζ⁴]| / E[|ζ|⁴] of codes [N, 2]: :func:`diamondness` in any orientation."""
    return abs(_fourfold(codes))


def _fourfold(codes: Array) -> complex:
    standard = (codes - codes.mean(0)) / codes.std(0)
    zeta = standard[:, 0] + 1j * standard[:, 1]
    return complex((zeta**4).mean() / (np.abs(zeta) ** 4).mean())


#: The symmetries of the square as matrices, the identity first.
SYMMETRIES = tuple(
    np.array(rows, dtype=float)
    for rows in (
        [[1, 0], [0, 1]], [[0, -1], [1, 0]], [[-1, 0], [0, -1]], [[0, 1], [-1, 0]],
        [[-1, 0], [0, 1]], [[1, 0], [0, -1]], [[0, 1], [1, 0]], [[0, -1], [-1, 0]],
    )
)  # fmt: skip


def nearest_symmetry(points: Array, codes: Array) -> int:
    """Return which of ``SYMMETRIES`` takes points [N, 2] nearest to their codes [N, 2]."""
    x, z = (v - v.mean(0) for v in (points, codes))
    covariance = x.T @ z
    return int(np.argmax([np.trace(covariance @ s) for s in SYMMETRIES]))


@torch.no_grad()
def decoder_curve(model: VAE, codes: Array) -> tuple[Array, Array]:
    """Return z [P] over the part of the line that ``codes`` [N, 1] use, and E[x|z] there [P, 2]."""
    low, high = np.quantile(codes[:, 0], CURVE)
    z = np.linspace(low, high, _CURVE_POINTS)
    at = torch.from_numpy(z).to(model.output.weight)
    decoded = model.likelihood.mean(model.decode(at[None, :, None, None]))
    return z, decoded[0, :, 0].double().cpu().numpy()


def curve_length(points: Array) -> float:
    """Return the length of the polygon through points [P, 2]."""
    return float(np.linalg.norm(np.diff(points, axis=0), axis=1).sum())
