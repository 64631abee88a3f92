"""A data set's rows as all runs of a binarization are trained and tested on them."""

from __future__ import annotations

import torch

from vaestudy.binarization import as_float, fixed_binarization
from vaestudy.data import Dataset
from vaestudy.train import Splits

#: Every run is tested on the same draw of the test pixels, whatever its seed.
TEST_BINARIZATION_SEED = 20_160
#: A static training set is the same for every run too: the seed of a run does not change the data.
TRAIN_BINARIZATION_SEED = 20_161


def load_splits(dataset: Dataset, binarization: str, device: torch.device) -> Splits:
    """Return the pixels to train on and the fixed test pixels, on ``device``."""
    rows = dataset.train
    if binarization in ("static", "threshold") and dataset.is_grey:
        rows = fixed_binarization(rows, binarization, TRAIN_BINARIZATION_SEED)
    return Splits(rows.to(device), test_pixels(dataset, binarization).to(device))


def test_pixels(dataset: Dataset, binarization: str) -> torch.Tensor:
    """Return the test set as every run of this binarization sees it, [T, D] floats."""
    return _fixed(dataset.test, binarization, TEST_BINARIZATION_SEED)


def train_pixels(dataset: Dataset, binarization: str, n: int | None = None) -> torch.Tensor:
    """Return the first n training rows, binarized once, the same for every run: [n, D] floats."""
    return _fixed(dataset.train[:n], binarization, TRAIN_BINARIZATION_SEED)


def _fixed(rows: torch.Tensor, binarization: str, seed: int) -> torch.Tensor:
    # Data that are floats already have nothing to be drawn.
    if rows.is_floating_point():
        return rows
    return as_float(fixed_binarization(rows, binarization, seed), binarization)
