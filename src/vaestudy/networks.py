"""Encoder and decoder as a VAE takes them, and those of dense layers.

:mod:`vaestudy.convolutions` makes the others.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

from torch import nn

from vaestudy.layers import MemberLinear, hidden_layers

if TYPE_CHECKING:
    from vaestudy.convolutions import MemberConv2d


@dataclass(frozen=True)
class Shape:
    """What decides the sizes of the networks.

    Parameters
    ----------
    n_features, n_classes, n_z, n_heads
        D, C, Z, and parameters of the likelihood a feature.
    hidden
        Widths of the perceptrons' hidden layers.
    """

    n_features: int
    n_classes: int
    n_z: int
    n_heads: int
    hidden: tuple[int, ...]

    @property
    def encoder(self) -> tuple[int, ...]:
        """Widths of the perceptron that is the encoder, without its heads."""
        return (self.n_features + self.n_classes, *self.hidden)

    @property
    def decoder(self) -> tuple[int, ...]:
        """Widths of the perceptron that is the decoder, without its last layer."""
        return (self.n_z + self.n_classes, *self.hidden[::-1])

    def n_parameters(self) -> int:
        """Return how many parameters the perceptrons have, heads included, not normalised."""
        return n_dense((*self.encoder, 2 * self.n_z)) + n_dense(
            (*self.decoder, self.n_heads * self.n_features)
        )


@dataclass(frozen=True)
class Networks:
    """Encoder up to its heads and the width it ends with; decoder, and its last layer."""

    encoder: nn.Sequential
    width: int
    decoder: nn.Sequential
    output: MemberLinear | MemberConv2d


def n_dense(widths: Sequence[int]) -> int:
    """Return the number of weights and biases of dense layers between these widths."""
    return sum(n_in * n_out + n_out for n_in, n_out in pairwise(widths))


def mlp_networks(shape: Shape, members: int, activation: str, batch_norm: bool) -> Networks:
    """Return multilayer perceptrons, the decoder mirroring the encoder."""
    n_params = shape.n_heads * shape.n_features
    return Networks(
        hidden_layers(members, shape.encoder, activation, batch_norm),
        shape.encoder[-1],
        hidden_layers(members, shape.decoder, activation, batch_norm),
        MemberLinear(members, shape.decoder[-1], n_params, heads=shape.n_heads),
    )
