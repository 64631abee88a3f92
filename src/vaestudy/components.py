r"""Principal components beside a model: what as many linear directions leave of held-out data.

With mean m and the n leading eigenvectors V of the training data's covariance,

.. math:: \|x - m - V V^\top (x - m)\|^2 = \|x - m\|^2 - \|V^\top (x - m)\|^2
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
def linear_errors(
    train: Float[Tensor, "N D"], test: Float[Tensor, "T D"], n_components: int
) -> LinearErrors:
    """Fit principal components to ``train`` and measure what they leave of ``test``.

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
    parts = ((chunk.double() - mean) for chunk in train.split(_CHUNK))
    scatter = sum((part.T @ part for part in parts), torch.zeros(()).double())
    # Eigenvalues ascend.
    leading = torch.linalg.eigh(scatter).eigenvectors[:, -n_components:]
    centred = test.double() - mean
    total = centred.square().sum(1).mean()
    kept = (centred @ leading).square().sum(1).mean()
    return LinearErrors(float(total - kept), float(total))
