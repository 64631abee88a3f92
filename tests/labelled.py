"""Models that are told classes, and rows that say them, for several tests."""

from __future__ import annotations

import torch
from torch import Tensor

from builders import architecture, perturbed, randn
from vaestudy.labels import one_hot
from vaestudy.vae import VAE

M, K, B, D, C, Z = 2, 3, 5, 12, 10, 3
CONDITION: dict[str, object] = {"labels": "condition"}
BLANKED: dict[str, object] = {"labels": "blanked", "label_share": 0.5}
M2: dict[str, object] = {"labels": "m2", "label_share": 0.5}
LABELS = (3, 1, 4, 1, 5)


def told(**changes: object) -> VAE:
    return perturbed(VAE(architecture(n_classes=C, **changes), M))


def rows(known: tuple[bool, ...] = (True,) * B) -> Tensor:
    """B images of 0 and 1, with the labels above where they are known."""
    pixels = (randn(M, B, D) > 0).double()
    labels = one_hot(torch.tensor(LABELS), C).double() * torch.tensor(known).double()[:, None]
    return torch.cat([pixels, labels.expand(M, B, C)], -1)
