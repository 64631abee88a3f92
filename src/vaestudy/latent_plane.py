r"""What a latent plane knows of a digit: its class, and its slant.

A digit's slant is the slope of the line that best gives the horizontal place of its ink from the
height, by the image's moments,

.. math:: s = \frac{\sum_i p_i (x_i - \bar x)(\bar y - y_i)}{\sum_i p_i (y_i - \bar y)^2}

with p the intensities and y counted downwards: 0 upright, positive if it leans to the right. Class
and slant are foretold by the nearest other codes (means of q(z | x)), each code left out of its own
vote or mean.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from numpy.typing import NDArray
from torch import Tensor

from vaestudy.data import Dataset
from vaestudy.evaluate import CHUNK_ROWS
from vaestudy.vae import VAE

#: Nearest neighbours are looked for among this many test digits: enough for a per cent.
NEIGHBOUR_DIGITS = 2000
#: Nearest others whose mean slant foretells a digit's.
NEIGHBOURS = 10
METRICS = ("neighbour_accuracy", "slant_explained", "slant_explained_within_class")


def plane_metrics(model: VAE, dataset: Dataset, test: Float[Tensor, "T D"]) -> dict[str, float]:
    """Return those of ``METRICS`` that the data have, of a model's codes of the test digits.

    ``neighbour_accuracy``: share of digits whose five nearest codes' majority has their class.
    ``slant_explained``: share of the slants' variance that the nearest codes' mean slant explains;
    ``slant_explained_within_class``: the same of slants about their class's mean, so that nothing
    is explained by knowing the class. Data without classes have the second alone, and a test set
    of no more than ``NEIGHBOURS`` rows has none.

    Parameters
    ----------
    model
        One member, in evaluation mode, on the device of ``test``.
    dataset
        Labels, and the grey images that slants are taken of.
    test
        The test pixels as the model is tested on them.
    """
    if len(test) <= NEIGHBOURS:
        return {}
    means, classes = encode_means(model, test), dataset.test_labels.numpy()
    slants = slant(dataset.test.numpy().reshape(-1, *dataset.image_shape))
    explained = {"slant_explained": explained_by_code(means, slants)}
    if (classes == classes[0]).all():
        return explained
    within = explained_by_code(means, within_classes(slants, classes))
    accuracy = neighbour_accuracy(means, classes)
    return {"neighbour_accuracy": accuracy, **explained, "slant_explained_within_class": within}


@torch.no_grad()
def encode_means(model: VAE, x: Float[Tensor, "T D"]) -> NDArray[np.float32]:
    """Return the mean of q(z | x) for every row of ``x``, under the model's only member."""
    parts = [model.encode(part[None])[0][0] for part in torch.split(x, CHUNK_ROWS)]
    return torch.cat(parts).cpu().numpy()


def slant(images: NDArray[Any]) -> NDArray[np.float64]:
    """Return the slant of every image ``[N, H, W]``; 0 for one whose ink has no height."""
    p = images.astype(np.float64)
    y, x = np.mgrid[: p.shape[1], : p.shape[2]]
    mass = np.maximum(p.sum((1, 2)), 1e-12)[:, None, None]
    dx = x - (p * x).sum((1, 2), keepdims=True) / mass
    dy = y - (p * y).sum((1, 2), keepdims=True) / mass
    across, along = -(p * dx * dy).sum((1, 2)), (p * dy**2).sum((1, 2))
    slope = np.divide(across, along, out=np.zeros_like(along), where=along > 1e-12)
    return np.asarray(slope)


def explained_by_code(
    codes: NDArray[Any], values: NDArray[np.float64], k: int = NEIGHBOURS
) -> float:
    r"""Return :math:`R^2` of foretelling each value by the mean of its ``k`` nearest codes' values.

    Codes that say nothing explain less than 0, by 1/k: a mean of k values has a variance too.
    """
    codes, values = codes[:NEIGHBOUR_DIGITS], values[:NEIGHBOUR_DIGITS]
    error = values - values[_nearest(codes, k)].mean(1)
    return float(1 - (error**2).sum() / ((values - values.mean()) ** 2).sum())


def within_classes(values: NDArray[np.float64], classes: NDArray[Any]) -> NDArray[np.float64]:
    """Return every value minus the mean of its class."""
    _, place = np.unique(classes, return_inverse=True)
    means = np.bincount(place, weights=values) / np.bincount(place)
    return np.asarray(values - means[place])


def neighbour_accuracy(codes: NDArray[Any], classes: NDArray[Any], k: int = 5) -> float:
    """Return how often the majority of a code's ``k`` nearest others has its own class.

    Of classes with as many votes, the nearest one's wins.
    """
    codes, classes = codes[:NEIGHBOUR_DIGITS], classes[:NEIGHBOUR_DIGITS]
    near, known = classes[_nearest(codes, k)], np.unique(classes)
    # A nearer voter weighs more than all farther ones together beyond a vote, and none so much as
    # another vote.
    weight = 1 + 0.5 ** np.arange(1, k + 1)
    votes = np.stack([((near == c) * weight).sum(1) for c in known], axis=1)
    return float(np.mean(known[votes.argmax(1)] == classes))


def _nearest(codes: NDArray[Any], k: int) -> NDArray[np.int64]:
    """Return the places of every code's ``k`` nearest others, nearest first."""
    from sklearn.neighbors import NearestNeighbors  # slow to import, and not every job needs it

    # Without a query, scikit-learn leaves every point out of its own neighbours.
    found = NearestNeighbors(n_neighbors=k, algorithm="brute").fit(codes).kneighbors()[1]
    return np.asarray(found)
