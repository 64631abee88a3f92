r"""Points in the plane, on which a model can be looked at whole.

``square`` is uniform on the unit square, and a point's class is its quadrant. ``ring`` is

.. math:: g(z) = z / 10 + z / \|z\|, \quad z \sim N(0, I)

(Doersch 2016), a point's class the quadrant of z. ``moons`` are two half circles of radius 1, one
in the other's opening, with noise of standard deviation 0.1. ``mixture`` are eight Gaussians of
that width on a circle of radius 1.

Points are made of raw random bits and rounded to multiples of :math:`2^{-20}`: neither another
version of a library nor another machine's last bits change them, which a checksum verifies.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from vaestudy.dataset import Dataset

N_TRAIN: Final = 10_000
N_TEST: Final = 2_000
_NOISE: Final = 0.1
_COMPONENTS: Final = 8
_GRID: Final = 2.0**20

Array = NDArray[np.float64]
#: Uniform numbers [N, 3] to points [N, 2] and classes [N].
Shape = Callable[[Array], tuple[Array, NDArray[np.int64]]]


def make_toy(name: str) -> Dataset:
    """Return the points of a shape of ``SHAPES``: always the same, train and test apart.

    Raises
    ------
    KeyError
        If there is no such shape.
    """
    n = N_TRAIN + N_TEST
    points, classes = SHAPES[name](_uniform(zlib.crc32(name.encode()), n))
    values = torch.from_numpy((np.round(points * _GRID) / _GRID).astype(np.float32))
    labels = torch.from_numpy(classes)
    arrays = {"train": values[:N_TRAIN], "train_labels": labels[:N_TRAIN]}
    arrays |= {"test": values[N_TRAIN:], "test_labels": labels[N_TRAIN:]}
    source = f"{n:,} points in the plane ({name}), made by vaestudy; no rights reserved."
    return Dataset.build(name, arrays, (1, 2), source)


def quadrant(points: Array) -> NDArray[np.int64]:
    """Return each point's quadrant about the origin: 0 lower left, 1 lower right, 2, 3 above."""
    right, above = points[:, 0] >= 0, points[:, 1] >= 0
    return right.astype(np.int64) + 2 * above.astype(np.int64)


def _uniform(seed: int, n: int) -> Array:
    """Return numbers uniform on (0, 1), [n, 3], from raw bits, whose stream NumPy guarantees."""
    bits = np.random.PCG64(seed).random_raw(3 * n) >> np.uint64(11)
    return ((bits.astype(np.float64) + 0.5) * 2.0**-53).reshape(n, 3)


def _normal(uniform: Array) -> Array:
    """Return standard normal pairs [N, 2] of uniform ones, by Box and Muller."""
    radius, angle = np.sqrt(-2 * np.log(uniform[:, 0])), 2 * np.pi * uniform[:, 1]
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], 1)


def _square(uniform: Array) -> tuple[Array, NDArray[np.int64]]:
    points = uniform[:, :2]
    return points, quadrant(points - 0.5)


def _ring(uniform: Array) -> tuple[Array, NDArray[np.int64]]:
    z = _normal(uniform)
    return z / 10 + z / np.linalg.norm(z, axis=1, keepdims=True), quadrant(z)


def _moons(uniform: Array) -> tuple[Array, NDArray[np.int64]]:
    # One uniform number is a point's moon and its place there.
    second = uniform[:, 2] >= 0.5
    angle = np.pi * (2 * uniform[:, 2] % 1)
    upper = np.stack([np.cos(angle), np.sin(angle)], 1)
    points = np.where(second[:, None], [1.0, 0.5] - upper, upper)
    return points + _NOISE * _normal(uniform), second.astype(np.int64)


def _mixture(uniform: Array) -> tuple[Array, NDArray[np.int64]]:
    component = np.floor(_COMPONENTS * uniform[:, 2]).astype(np.int64)
    angle = 2 * np.pi * component / _COMPONENTS
    centres = np.stack([np.cos(angle), np.sin(angle)], 1)
    return centres + _NOISE * _normal(uniform), component


SHAPES: Final[Mapping[str, Shape]] = MappingProxyType(
    {"square": _square, "ring": _ring, "moons": _moons, "mixture": _mixture}
)
