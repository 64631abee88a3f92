r"""Labels beside pixels: a row of data is an image and the class that the model is told, one-hot.

.. math:: (x, c), \qquad c = e_y \text{ where the label y is known, } c = 0 \text{ where it is not}

C further columns of the same matrix: batches, binarization and graphs take rows as they are, and
the model alone knows where its condition begins. Which labels are known is a property of the data
set and the share, the same for every seed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from vaestudy.label_parameters import N_CLASSES
from vaestudy.parameters import ModelParameters

if TYPE_CHECKING:
    from vaestudy.dataset import Dataset
    from vaestudy.splits import Splits

#: The order in which labels of a class become known.
_SEED = 20_162


def known_labels(labels: Int64[Tensor, "N"], share: float) -> Bool[Tensor, "N"]:
    """Return which labels are known: of every class the same share, and at least one.

    A smaller share is a part of a larger one.
    """
    order = torch.randperm(len(labels), generator=torch.Generator().manual_seed(_SEED))
    known = torch.zeros(len(labels), dtype=torch.bool)
    for label in labels.unique():
        rows = order[labels[order] == label]
        known[rows[: max(1, round(share * len(rows)))]] = True
    return known


def one_hot(labels: Int64[Tensor, "N"]) -> UInt8[Tensor, "N C"]:
    """Return a row of C zeros with a 1 at the label.

    Raises
    ------
    ValueError
        If there is a label that is none of 0 to C - 1.
    """
    if labels.min() < 0 or labels.max() >= N_CLASSES:
        raise ValueError(
            f"labels go from {labels.min()} to {labels.max()}, expected 0 to {N_CLASSES - 1}"
        )
    return torch.nn.functional.one_hot(labels, N_CLASSES).to(torch.uint8)


def training_rows(
    pixels: UInt8[Tensor, "N D"],
    labels: Int64[Tensor, "N"],
    known: Bool[Tensor, "N"],
    binarization: str,
) -> UInt8[Tensor, "N E"]:
    """Append to 8-bit pixels the labels that are known, so that they are presented as 0 and 1.

    A column of 255 is 1 in every draw, and 1 as a grey value; pixels that were binarized for good
    are 0 and 1 themselves.
    """
    one = 255 if binarization in ("dynamic", "none") else 1
    return torch.cat([pixels, one * one_hot(labels) * known.unsqueeze(1)], 1)


def labelled(x: Float[Tensor, "T D"], labels: Int64[Tensor, "T"]) -> Float[Tensor, "T E"]:
    """Append every label."""
    return torch.cat([x, one_hot(labels).to(x)], 1)


def unlabelled(x: Float[Tensor, "T D"]) -> Float[Tensor, "T E"]:
    """Append what says that no label is known: zeros."""
    return torch.cat([x, x.new_zeros(len(x), N_CLASSES)], 1)


def tested_rows(
    pixels: Float[Tensor, "T D"], labels: Int64[Tensor, "T"], run: ModelParameters
) -> Float[Tensor, "T E"]:
    """Return the rows that a run's histories and bounds are of.

    A model that infers labels is tested without them, on log p(x); one that is conditioned on
    them with them, on log p(x|y).
    """
    if run.labels == "none":
        return pixels
    return unlabelled(pixels) if run.labels == "m2" else labelled(pixels, labels)


def with_labels(splits: Splits, dataset: Dataset, run: ModelParameters) -> Splits:
    """Return the rows that a run trains and is tested on, from the pixels of its data set."""
    if run.labels == "none":
        return splits
    assert isinstance(splits.train, Tensor)
    known = known_labels(dataset.train_labels, run.label_share)
    rows = training_rows(splits.train.cpu(), dataset.train_labels, known, run.binarization)
    test_labels = dataset.test_labels.to(splits.test.device)
    tested = tested_rows(splits.test, test_labels, run)
    return replace(splits, train=rows.to(splits.test.device), test=tested)
