"""Named random streams, one set a member.

Every random number of a run is a pure function of (seed, stream, epoch):

    generator(seed, stream, epoch) = Generator(SHA-256(seed / stream / epoch))

so a run resumed at an epoch boundary draws what it would have drawn, a member trained alone draws
what it draws in a group, and no generator state needs saving.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from jaxtyping import Float, Int64
from torch import Tensor

Stream = Literal["init", "order", "binarize", "eps", "test-eps", "estimate", "activity"]


def stream_seed(seed: int, stream: str, epoch: int = 0) -> int:
    """Return a 63-bit seed that is a hash of the three names."""
    digest = hashlib.sha256(f"{seed}/{stream}/{epoch}".encode()).digest()
    return int.from_bytes(digest[:8], "little") >> 1


@dataclass(frozen=True)
class MemberRNG:
    """The random streams of M members.

    Parameters
    ----------
    seeds
        One seed a member; a member's draws depend on its seed alone, never on its index.
    device
        Where the random numbers are made. CPU and CUDA generators give different numbers.
    """

    seeds: tuple[int, ...]
    device: torch.device

    def generators(self, stream: Stream, epoch: int = 0) -> list[torch.Generator]:
        """Return one freshly seeded generator a member."""
        return [
            torch.Generator(self.device).manual_seed(stream_seed(seed, stream, epoch))
            for seed in self.seeds
        ]

    def permutations(self, n: int, epoch: int) -> Int64[Tensor, "M N"]:
        """Return each member's order of presentation of ``n`` examples in ``epoch``."""
        orders = self.generators("order", epoch)
        return torch.stack([torch.randperm(n, generator=g, device=self.device) for g in orders])


def normal(
    generators: Sequence[torch.Generator], shape: tuple[int, ...], device: torch.device
) -> Float[Tensor, "M ..."]:
    """Return standard normal noise ``[M, *shape]``, each member's from its own generator."""
    noise = torch.empty(len(generators), *shape, device=device)
    for member, generator in zip(noise, generators, strict=True):
        member.normal_(generator=generator)
    return noise
