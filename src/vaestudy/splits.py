"""What runs are trained and tested on: the same rows for all runs of a binarization."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import torch
from jaxtyping import Float, UInt8
from torch import Tensor

from vaestudy.binarization import as_float, fixed_binarization
from vaestudy.data import Dataset

#: Every run is tested on the same draw of the test pixels, whatever its seed.
TEST_BINARIZATION_SEED = 20_160
#: A static training set is the same for every run too: the seed of a run does not change the data.
TRAIN_BINARIZATION_SEED = 20_161


@runtime_checkable
class Rows(Protocol):
    """N rows of data that are made or read when a batch asks for them; a tensor [N, D] is some."""

    def __len__(self) -> int: ...

    def index_select(self, dim: int, index: Tensor, /) -> Tensor:
        """Return the rows at ``index`` [B] as a tensor [B, D]; ``dim`` is 0."""
        ...


@dataclass(frozen=True)
class Splits:
    """What a group trains and is tested on, on its device.

    ``train`` holds 8-bit intensities (or 0/1 once binarized for good) [N, D], or data that are
    floats already and presented as they are; ``test`` the same fixed data for every run, as bytes
    that :func:`vaestudy.binarization.as_float` takes, or as floats.
    """

    train: UInt8[Tensor, "N D"] | Float[Tensor, "N D"] | Rows
    test: UInt8[Tensor, "T D"] | Float[Tensor, "T D"]


def load_splits(dataset: Dataset, binarization: str, device: torch.device) -> Splits:
    """Return the pixels to train on and the fixed test pixels, on ``device``."""
    rows = dataset.train
    if binarization in ("static", "threshold") and dataset.is_grey:
        rows = fixed_binarization(rows, binarization, TRAIN_BINARIZATION_SEED)
    test = _fixed(dataset.test, binarization, TEST_BINARIZATION_SEED)
    return Splits(rows.to(device), test.to(device))


def test_pixels(dataset: Dataset, binarization: str) -> Tensor:
    """Return the test set as every run of this binarization sees it, [T, D] floats."""
    return as_float(_fixed(dataset.test, binarization, TEST_BINARIZATION_SEED), binarization)


def train_pixels(dataset: Dataset, binarization: str, n: int | None = None) -> Tensor:
    """Return the first n training rows, binarized once, the same for every run: [n, D] floats."""
    rows = _fixed(dataset.train[:n], binarization, TRAIN_BINARIZATION_SEED)
    return as_float(rows, binarization)


def _fixed(rows: Tensor, binarization: str, seed: int) -> Tensor:
    # Data that are floats already have nothing to be drawn.
    return rows if rows.is_floating_point() else fixed_binarization(rows, binarization, seed)
