r"""Convolutional networks with the member axis, and how wide they are made.

A strided convolution of kernel 4, stride 2 and padding 1 halves the side of an image, its transpose
doubles it:

.. math:: y_{m,o} = b_{m,o} + \sum_i w_{m,o,i} * x_{m,i}

M members are M groups of one convolution. Encoder: two convolutions of c and 2c channels, a dense
layer of h; the decoder mirrors it. Between convolutions, activations are images [M, R, C, S, S]; in
the rows [M, R, F] of all else, F runs over channels, then over pixels.
:mod:`vaestudy.lowering_convolutions` says what a compiled step makes of them.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from vaestudy.layers import Activation, MemberLinear
from vaestudy.networks import Networks, Shape, n_dense

KERNEL, STRIDE, PADDING = 4, 2, 1
#: The dense layer is at least so many times as wide as the first convolution has channels.
_DENSE_A_CHANNEL = 4


class MemberConv2d(nn.Module):
    """M strided convolutions ``[M, R, n_in, S, S] -> [M, R, n_out, S', S']``, S' = S / 2.

    Parameters
    ----------
    members, n_in, n_out
        M, and channels.
    transposed
        Whether it is the transpose, with S' = 2 S.
    """

    def __init__(self, members: int, n_in: int, n_out: int, *, transposed: bool = False) -> None:
        super().__init__()
        self.n_in, self.n_out = n_in, n_out
        self.transposed = transposed
        channels = (n_in, n_out) if transposed else (n_out, n_in)
        self.weight = nn.Parameter(torch.empty(members, *channels, KERNEL, KERNEL))
        self.bias = nn.Parameter(torch.zeros(members, n_out))

    @torch.no_grad()
    def initialize(self, generators: Sequence[torch.Generator]) -> None:
        """Draw w from Glorot & Bengio's normal, each member's from its own generator.

        The fans are how many inputs an output sums, and how many outputs an input reaches: a stride
        of 2 makes one of them a quarter of kernel times channels.
        """
        n_in, n_out = self.n_in, self.n_out
        shared = KERNEL**2 // STRIDE**2
        fans = (
            (n_in * shared, n_out * KERNEL**2)
            if self.transposed
            else (n_in * KERNEL**2, n_out * shared)
        )
        std = math.sqrt(2 / sum(fans))
        for weight, generator in zip(self.weight, generators, strict=True):
            draw = torch.empty(weight.shape, device=generator.device)
            weight.copy_(draw.normal_(std=std, generator=generator))

    def forward(self, x: Float[Tensor, "M R n_in S S"]) -> Float[Tensor, "M R n_out T T"]:
        """Apply member m's convolution to the images ``x[m]``."""
        members = len(x)
        convolve = F.conv_transpose2d if self.transposed else F.conv2d
        maps = convolve(
            x.transpose(0, 1).flatten(1, 2), self.weight.flatten(0, 1), self.bias.flatten(),
            stride=STRIDE, padding=PADDING, groups=members,
        )  # fmt: skip
        images: Tensor = maps.unflatten(1, (members, -1)).transpose(0, 1)
        return images


class BesideCondition(nn.Module):
    """Apply a network to the first D columns of its rows, and hand on the others beside it."""

    def __init__(self, network: nn.Module, n_features: int) -> None:
        super().__init__()
        self.network, self.n_features = network, n_features

    def forward(self, x: Float[Tensor, "M R E"]) -> Float[Tensor, "M R F"]:
        """Return the network's outputs and the columns that it does not see."""
        return torch.cat([self.network(x[..., : self.n_features]), x[..., self.n_features :]], -1)


def n_maps(shape: Shape, channels: int) -> int:
    """Return how many numbers two convolutions leave of an image."""
    return 2 * channels * (math.isqrt(shape.n_features) // STRIDE**2) ** 2


def n_parameters(shape: Shape, channels: int, dense: int) -> int:
    """Return how many parameters convolutional encoder and decoder have, heads included."""
    taps, maps = KERNEL**2, n_maps(shape, channels)
    # Down and up again: between 1 (n_heads) and c channels, and twice between c and 2c.
    weights = taps * channels * (1 + 4 * channels + shape.n_heads)
    biases = channels + 2 * channels + channels + shape.n_heads
    encoder = n_dense((maps + shape.n_classes, dense, 2 * shape.n_z))
    return weights + biases + encoder + n_dense((shape.n_z + shape.n_classes, dense, maps))


def conv_widths(shape: Shape) -> tuple[int, int]:
    """Return c and h whose networks have as many parameters as the perceptrons, as near as can be.

    c is the largest power of two that leaves h at least four times as wide: most parameters are the
    dense layers', and h is what brings their number nearest. One more or less in h changes it by
    less than a 4c-th part.

    Raises
    ------
    ValueError
        If the images cannot be halved twice.
    """
    side = math.isqrt(shape.n_features)
    if side**2 != shape.n_features or side % STRIDE**2:
        raise ValueError(
            f"rows have {shape.n_features} features, expected square images with a side that 4 "
            "divides; set network to mlp"
        )
    wanted = shape.n_parameters()
    channels = dense = 1
    for candidate in (2**power for power in range(9)):
        least = n_parameters(shape, candidate, 0)
        width = round((wanted - least) / (n_parameters(shape, candidate, 1) - least))
        if candidate > 1 and width < _DENSE_A_CHANNEL * candidate:
            break
        channels, dense = candidate, max(1, width)
    return channels, dense


def conv_networks(shape: Shape, members: int, activation: str, batch_norm: bool) -> Networks:
    """Return the networks of a convolutional autoencoder.

    Raises
    ------
    ValueError
        If they are to be batch-normalised, and as :func:`conv_widths`.
    """
    if batch_norm:
        raise ValueError("batch_norm is True, which convolutional networks do not have; set False")
    c, h = conv_widths(shape)
    maps, side = n_maps(shape, c), math.isqrt(shape.n_features)
    down: nn.Module = nn.Sequential(
        nn.Unflatten(2, (1, side, side)),
        MemberConv2d(members, 1, c), Activation(activation),
        MemberConv2d(members, c, 2 * c), Activation(activation),
        nn.Flatten(2),
    )  # fmt: skip
    if shape.n_classes:
        down = BesideCondition(down, shape.n_features)
    inside = MemberLinear(members, maps + shape.n_classes, h)
    up = nn.Sequential(
        MemberLinear(members, shape.n_z + shape.n_classes, h), Activation(activation),
        MemberLinear(members, h, maps), Activation(activation),
        nn.Unflatten(2, (2 * c, side // STRIDE**2, side // STRIDE**2)),
        MemberConv2d(members, 2 * c, c, transposed=True), Activation(activation),
    )  # fmt: skip
    output = MemberConv2d(members, c, shape.n_heads, transposed=True)
    return Networks(nn.Sequential(down, inside, Activation(activation)), h, up, output)
