r"""What sets of images measure, by a classifier's features and probabilities, and by distances.

Fréchet distance of two sets of images, between the Gaussians with their features' moments (Heusel
et al. 2017; here of our own classifier's features, so that values compare within a data set only):

.. math:: \|m_1 - m_2\|^2 + \mathrm{tr}\bigl(C_1 + C_2 - 2\,(C_1 C_2)^{1/2}\bigr)

Class balance: with :math:`\hat p` the shares of C predicted classes,
:math:`\exp(-\sum_c \hat p_c\ln\hat p_c)/C`, from 1/C for a single class to 1 for all alike.

Memorisation: the share of drawn samples that lie nearer to a training image than the nearest 5 % of
the test images do. A model that makes new images has about 5 %.

References
----------
Heusel, Ramsauer, Unterthiner, Nessler & Hochreiter (2017), *GANs trained by a two time-scale update
rule converge to a local Nash equilibrium*, NeurIPS.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

#: The share of test images that are by definition nearer than the limit of memorisation.
MEMORISED_QUANTILE = 0.05
#: Rows of images whose distances are taken at once.
_CHUNK = 500


@dataclass(frozen=True)
class Moments:
    """Mean and covariance of features, in float64 on the CPU."""

    mean: Float64[Tensor, "F"]
    covariance: Float64[Tensor, "F F"]


def moments(features: Float[Tensor, "N F"]) -> Moments:
    """Return the mean and the unbiased covariance.

    Raises
    ------
    ValueError
        If there are fewer than two rows.
    """
    if len(features) < 2:
        raise ValueError(f"features are of {len(features)} images; expected at least 2: draw more")
    wide = features.detach().cpu().double()
    return Moments(wide.mean(0), torch.cov(wide.T).reshape(wide.shape[1], wide.shape[1]))


def frechet_distance(a: Moments, b: Moments) -> float:
    r"""Return the squared Fréchet distance of two Gaussians.

    The trace of :math:`(C_1 C_2)^{1/2}` is that of :math:`(C_1^{1/2} C_2 C_1^{1/2})^{1/2}`, which
    is symmetric: its eigenvalues are real, also where features are constant and C is singular.
    """
    root = _root(a.covariance)
    eigenvalues = torch.linalg.eigvalsh(root @ b.covariance @ root)
    cross = eigenvalues.clamp_min(0).sqrt().sum()
    traces = a.covariance.trace() + b.covariance.trace()
    distance = (a.mean - b.mean).square().sum() + traces - 2 * cross
    return max(0.0, float(distance))


def _root(covariance: Float64[Tensor, "F F"]) -> Float64[Tensor, "F F"]:
    values, vectors = torch.linalg.eigh(covariance)
    root: Tensor = (vectors * values.clamp_min(0).sqrt()) @ vectors.T
    return root


def confidence(probabilities: Float[Tensor, "N C"]) -> tuple[float, float]:
    """Return the mean probability of the likeliest class, and its standard error."""
    top = probabilities.amax(-1).double()
    return top.mean().item(), top.std().item() / math.sqrt(len(top))


def class_balance(probabilities: Float[Tensor, "N C"]) -> float:
    """Return the effective number of predicted classes over the number of classes."""
    n, n_classes = probabilities.shape
    shares = torch.bincount(probabilities.argmax(-1), minlength=n_classes).double() / n
    entropy = -torch.special.xlogy(shares, shares).sum()
    return float(entropy.exp()) / n_classes


def nearest(
    x: Float[Tensor, "N D"], images: Float[Tensor, "T D"], chunk: int = _CHUNK
) -> tuple[Float[Tensor, "N"], Int64[Tensor, "N"]]:
    """Return every row's Euclidean distance to the nearest of ``images``, and which that is.

    In chunks: memory grows with ``chunk`` times T.
    """
    squares = images.square().sum(-1)
    # What is left out of the square, |x|², is the same for all images.
    found = [(squares - 2 * part @ images.T).min(-1) for part in x.split(chunk)]
    least = torch.cat([values for values, _ in found]) + x.square().sum(-1)
    return least.clamp_min(0).sqrt(), torch.cat([index for _, index in found])


def memorised_share(
    samples: Float[Tensor, "N"], held_out: Float[Tensor, "T"], quantile: float = MEMORISED_QUANTILE
) -> float:
    """Return the share of samples nearer to the training set than a quantile of held-out images.

    ``samples`` and ``held_out`` are distances to the nearest training image.
    """
    limit = torch.quantile(held_out, quantile)
    return (samples < limit).double().mean().item()
