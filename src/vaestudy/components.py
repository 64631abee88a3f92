r"""Principal components beside a model: what as many linear directions keep of held-out data.

With mean m and the n leading eigenvectors V of the training data's covariance, a datum's nearest
representation is

.. math:: \hat x = m + V V^\top (x - m)
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

_CHUNK = 1000


@dataclass(frozen=True)
class LinearErrors:
    """Mean squared error a datum, summed over features, of held-out data.

    Parameters
    ----------
    components
        Of their projection on the principal components.
    mean
        Of the training data's mean in their place.
    """

    components: float
    mean: float


@torch.no_grad()
def project(
    train: Float[Tensor, "N D"], test: Float[Tensor, "T D"], n_components: int
) -> Float[Tensor, "T D"]:
    """Return the projections of ``test`` on the principal components of ``train``, in float64.

    Parameters
    ----------
    train, test
        As models are shown them.
    n_components
        How many; no more than D are taken.

    Raises
    ------
    ValueError
        If ``n_components`` is below 1.
    """
    if n_components < 1:
        raise ValueError(f"n_components is {n_components}; expected at least 1")
    mean = train.double().mean(0)
    scatter = torch.zeros(train.shape[1], train.shape[1], dtype=torch.float64)
    for chunk in train.split(_CHUNK):
        centred = chunk.double() - mean
        scatter += centred.T @ centred
    # Eigenvalues ascend.
    leading = torch.linalg.eigh(scatter).eigenvectors[:, -n_components:]
    seen: Tensor = mean + (test.double() - mean) @ leading @ leading.T
    return seen


def linear_errors(
    train: Float[Tensor, "N D"], test: Float[Tensor, "T D"], n_components: int
) -> LinearErrors:
    """Return what the components of :func:`project` leave of ``test``, and what the mean does."""
    left = test.double() - project(train, test, n_components)
    off = test.double() - train.double().mean(0)
    return LinearErrors(*(float(rest.square().sum(1).mean()) for rest in (left, off)))
