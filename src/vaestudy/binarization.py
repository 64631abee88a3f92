r"""From 8-bit grey images to the binary data that a Bernoulli likelihood models.

With intensities :math:`v \in \{0, \dots, 255\}`, a pixel is

.. math:: x \sim \mathrm{Bernoulli}(v / 255),

drawn afresh at every presentation (``dynamic``; Burda et al. 2016) or once (``static``;
Larochelle & Murray 2011), or it is ``x = 1[v / 255 > 1/2]`` (``threshold``), or it is left grey
(``none``).

The draw needs no floating point: with r uniform on {0, ..., 254}, P(r < v) = v / 255 exactly.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from jaxtyping import Float, UInt8
from torch import Tensor

BINARIZATIONS: Final = ("dynamic", "static", "threshold", "none")

_BYTES_PER_WORD: Final = 8
_INT64_MIN: Final = -(2**63)


def draw_bernoulli(
    pixels: UInt8[Tensor, "*batch D"], generator: torch.Generator
) -> Float[Tensor, "*batch D"]:
    """Draw x = 1 with probability v / 255 for every pixel v.

    Parameters
    ----------
    pixels
        Intensities 0..255 on the generator's device.
    generator
        Where the random numbers come from; equal states give equal draws.

    Returns
    -------
    Tensor
        0.0 and 1.0 in float32.

    Raises
    ------
    TypeError
        If the pixels are not uint8.

    Notes
    -----
    On a CPU the draw takes one random byte a pixel, a fraction of the cost of `torch.bernoulli`. On
    an accelerator all shapes are static, so that a CUDA graph can capture it. A device has its
    own stream: the CPU and a GPU draw different pixels from one seed.

    References
    ----------
    Burda, Grosse, Salakhutdinov (2016), Importance weighted autoencoders, section 5.
    """
    _require_uint8(pixels)
    return torch.lt(uniform_below_255(pixels, generator), pixels).float()


def uniform_below_255(
    like: UInt8[Tensor, "*shape"], generator: torch.Generator
) -> UInt8[Tensor, "*shape"]:
    """Return integers uniform on 0..254, of the shape and device of ``like``.

    One is below an intensity v with probability v / 255: what :func:`draw_bernoulli` compares.
    """
    return (_fast_uniform if like.device.type == "cpu" else _uniform)(like, generator)


def fixed_binarization(pixels: UInt8[Tensor, "N D"], how: str, seed: int) -> UInt8[Tensor, "N D"]:
    """Binarize a whole set once, in one byte a pixel.

    ``dynamic`` and ``static`` both give one draw that the seed fixes, ``threshold`` gives
    ``v >= 128`` and ``none`` the grey values themselves. The test set of every run goes through
    here, so that all runs are measured on the same pixels.

    Parameters
    ----------
    pixels
        Intensities 0..255.
    how
        One of `BINARIZATIONS`.
    seed
        Fixes the draw. Training and test set need different seeds: under one seed the n-th image
        of both meets the same random numbers.

    Returns
    -------
    Tensor
        0 and 1 (grey values 0..255 for ``none``) on the pixels' device. The first n rows do not
        depend on the rows after them: a subset's draw is the subset of the draw.

    Raises
    ------
    ValueError
        If ``how`` is none of `BINARIZATIONS`.
    TypeError
        If the pixels are not uint8.
    """
    _require_known(how)
    _require_uint8(pixels)
    return _FIXED[how](pixels, seed)


def as_float(
    pixels: UInt8[Tensor, "*batch D"] | Float[Tensor, "*batch D"],
    how: str,
    out: Float[Tensor, "*batch D"] | None = None,
) -> Float[Tensor, "*batch D"]:
    """Return what `fixed_binarization` gave as the floating-point data that a model sees.

    Parameters
    ----------
    pixels
        0 and 1, or grey values 0..255 if ``how`` is ``none``; or floats, which are data already.
    how
        One of `BINARIZATIONS`.
    out
        Tensor of the same shape to write to; a new float32 one if None.

    Returns
    -------
    Tensor
        0.0 and 1.0, or v / 255 for ``none``; floats as they are.

    Raises
    ------
    ValueError
        If ``how`` is none of `BINARIZATIONS`.
    """
    _require_known(how)
    if pixels.is_floating_point():
        return pixels if out is None else out.copy_(pixels)
    if out is None:
        out = torch.empty(pixels.shape, device=pixels.device)
    out.copy_(pixels)
    return out.div_(255) if how == "none" else out


def _fast_uniform(like: Tensor, generator: torch.Generator) -> UInt8[Tensor, "*shape"]:
    """Return integers uniform on 0..254, from one random byte each, on the CPU.

    A byte below 255 is uniform on 0..254; the one in 256 that is 255 is drawn again.
    """
    n = like.numel()
    words = torch.empty(-(-n // _BYTES_PER_WORD), dtype=torch.int64)
    # From the least integer without an upper end is the only call that fills all 64 bits: the
    # default, random_(), leaves the sign bit, and with it every eighth byte's top bit, at 0.
    words.random_(_INT64_MIN, None, generator=generator)
    uniform = words.view(torch.uint8)[:n]
    values = uniform.numpy()
    again = np.flatnonzero(values == 255)
    values[again] = _uniform(torch.empty(again.size, dtype=torch.uint8), generator).numpy()
    return uniform.view(like.shape)


def _uniform(like: Tensor, generator: torch.Generator) -> UInt8[Tensor, "*shape"]:
    """Return integers uniform on 0..254 (to 2^-32), one 32-bit random number each.

    On the CPU they are made in order, one a pixel: the first n do not depend on how many follow.
    """
    return torch.empty_like(like, dtype=torch.uint8).random_(0, 255, generator=generator)


def _draw_once(pixels: Tensor, seed: int) -> Tensor:
    # Always drawn on the CPU, so that a run on a GPU is measured on the same pixels.
    grey = pixels.cpu().contiguous()
    uniform = _uniform(grey, torch.Generator().manual_seed(seed))
    return (uniform < grey).view(torch.uint8).to(pixels.device)


def _above_half(pixels: Tensor, seed: int) -> Tensor:
    return (pixels >= 128).view(torch.uint8)


def _grey(pixels: Tensor, seed: int) -> Tensor:
    return pixels


_FIXED: Final[Mapping[str, Callable[[Tensor, int], Tensor]]] = MappingProxyType(
    {"dynamic": _draw_once, "static": _draw_once, "threshold": _above_half, "none": _grey}
)


def _require_known(how: str) -> None:
    if how not in BINARIZATIONS:
        raise ValueError(f"binarization={how!r} is unknown: choose one of {BINARIZATIONS}")


def _require_uint8(pixels: Tensor) -> None:
    if pixels.dtype != torch.uint8:
        raise TypeError(f"pixels are {pixels.dtype}: give intensities 0..255 as torch.uint8")
