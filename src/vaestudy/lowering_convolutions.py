r"""What a compiled step makes of a strided convolution of one member: matrix products of patches.

With kernel 4, stride 2 and padding 1, an output pixel sees a patch of 4 x 4 pixels, and a row of
patches times the weights is a row of output pixels with their channels side by side:

.. math:: y = \mathrm{patches}(x)\, W, \qquad W \in \mathbb{R}^{16 C \times C'}.

The transpose of taking patches is laying them over one another and adding up: a transposed
convolution is :math:`\mathrm{overlay}(x W^T)`, and the gradients of both are made of the same two.
The compiler fuses patches and overlays with the activations beside them, so that a step is made of
a few large products and single passes over the images; of the library's convolutions it could fuse
nothing. Channels come last here; in the graph they come first.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

aten = torch.ops.aten

#: Side of a patch, in pixels.
_KERNEL = 4


def patches(images: Tensor) -> Tensor:
    """Return the patches of ``images`` [R, S, S, C], as [R, S/2, S/2, 16 C]."""
    padded = F.pad(images, (0, 0, 1, 1, 1, 1)).contiguous()
    r, s, _, c = padded.shape
    # A patch is four runs of memory. Strides, not slices: the compiler then writes what is padded
    # first, and not whatever function of it an activation is, over again for each of four patches.
    size = (r, s // 2 - 1, s // 2 - 1, _KERNEL, _KERNEL * c)
    return padded.as_strided(size, (s * s * c, 2 * s * c, 2 * c, s * c, 1)).flatten(3)


def overlay(pieces: Tensor) -> Tensor:
    """Return the sum of patches [R, S/2, S/2, 16 C] where they lie, [R, S, S, C]."""
    # Patches lie two pixels apart: each gives one quarter to each of four blocks of 2 x 2 pixels.
    quarters = pieces.unflatten(-1, (2, 2, 2, 2, -1))
    shifted = [
        F.pad(quarters[:, :, :, i, :, j], (0, 0, 0, 0, 0, 0, j, 1 - j, i, 1 - i))
        for i in range(2)
        for j in range(2)
    ]
    blocks = shifted[0] + shifted[1] + shifted[2] + shifted[3]
    return blocks.transpose(2, 3).flatten(3, 4).flatten(1, 2)[:, 1:-1, 1:-1]


def convolution(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
) -> Tensor:
    """Return a convolution of ``x`` [R, C, S, S]; decline if it is not the one described above."""
    if not _is_ours(weight, stride, padding, dilation, output_padding, groups):
        # What tracing takes for "no, record the operation itself".
        return NotImplemented  # type: ignore[no-any-return]
    if transposed:
        y = overlay(_product(_channels_last(x), _matrix(weight)))
    else:
        y = _product(patches(_channels_last(x)), _matrix(weight).t())
    return _channels_first(y if bias is None else y + bias)


def convolution_backward(
    gradient: Tensor,
    x: Tensor,
    weight: Tensor,
    bias_sizes: Sequence[int] | None,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    transposed: bool,
    output_padding: Sequence[int],
    groups: int,
    wanted: Sequence[bool],
) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
    """Return the gradients at x, weight and bias that are ``wanted``, given that at the output."""
    if not _is_ours(weight, stride, padding, dilation, output_padding, groups):
        return NotImplemented  # type: ignore[no-any-return]
    at_x, at_weight, at_bias = wanted
    outer, inner, w = _channels_last(gradient), _channels_last(x), _matrix(weight)
    # Of the two, patches are taken of the larger images: that is how weights meet them.
    small, large = (inner, patches(outer)) if transposed else (outer, patches(inner))
    dx = dw = None
    if at_x:
        dx = _channels_first(_product(large, w.t()) if transposed else overlay(_product(small, w)))
    if at_weight:
        matrix = small.flatten(0, 2).t() @ large.flatten(0, 2)
        dw = matrix.view(len(weight), _KERNEL, _KERNEL, -1).permute(0, 3, 1, 2)
    return dx, dw, outer.sum((0, 1, 2)) if at_bias else None


def _is_ours(
    weight: Tensor,
    stride: Sequence[int],
    padding: Sequence[int],
    dilation: Sequence[int],
    output_padding: Sequence[int],
    groups: int,
) -> bool:
    found = (*weight.shape[2:], *stride, *padding, *dilation, *output_padding, groups)
    return found == (_KERNEL, _KERNEL, 2, 2, 1, 1, 1, 1, 0, 0, 1)


def _matrix(weight: Tensor) -> Tensor:
    """Return a weight [C', C, 4, 4] as [C', 16 C], the order of a patch."""
    return weight.permute(0, 2, 3, 1).flatten(1)


def _product(images: Tensor, matrix: Tensor) -> Tensor:
    """Multiply each pixel's channels."""
    product: Tensor = (images.flatten(0, 2) @ matrix).unflatten(0, images.shape[:3])
    return product


def _channels_last(x: Tensor) -> Tensor:
    return x.permute(0, 2, 3, 1)


def _channels_first(x: Tensor) -> Tensor:
    return x.permute(0, 3, 1, 2)
