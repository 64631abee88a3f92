"""Which features of an image are observed, for :mod:`vaestudy.inference`."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool
from torch import Tensor


def top_half(image_shape: tuple[int, int]) -> Bool[Tensor, "D"]:
    """Return a mask that hides the bottom half of an image."""
    mask = torch.zeros(image_shape, dtype=torch.bool)
    mask[: image_shape[0] // 2] = True
    return mask.flatten()


def without_quadrant(image_shape: tuple[int, int]) -> Bool[Tensor, "D"]:
    """Return a mask that hides the lower right quarter of an image."""
    mask = torch.ones(image_shape, dtype=torch.bool)
    mask[image_shape[0] // 2 :, image_shape[1] // 2 :] = False
    return mask.flatten()


def random_pixels(
    image_shape: tuple[int, int], share: float, generator: torch.Generator
) -> Bool[Tensor, "D"]:
    """Return a mask that leaves each pixel with probability ``share``.

    Raises
    ------
    ValueError
        If ``share`` is not between 0 and 1.
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share is {share}; expected a number from 0 to 1")
    return torch.rand(math.prod(image_shape), generator=generator) < share
