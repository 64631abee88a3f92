r"""Labels beside pixels: a row of data is an image and the class that the model is told, one-hot.

.. math:: (x, c), \qquad c = e_y \text{ where the label y is known, } c = 0 \text{ where it is not}

C further columns of the same matrix, one a class of the data set: batches, binarization and graphs
take rows as they are, and the model alone knows where its condition begins. Which labels are known
is a property of the data set and the share, the same for every seed.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from jaxtyping import Bool, Float, Int64, UInt8
from torch import Tensor

from vaestudy.binarization import as_float
from vaestudy.config_errors import ConfigError
from vaestudy.parameters import ModelParameters

if TYPE_CHECKING:
    from vaestudy.dataset import Dataset
    from vaestudy.splits import Splits

#: The order in which labels of a class become known.
_SEED = 20_162
#: By how much the share that is known may differ from ``label_share``, as a part of it.
_SHARE_TOLERANCE = 0.2


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


def one_hot(labels: Int64[Tensor, "N"], n_classes: int) -> UInt8[Tensor, "N C"]:
    """Return a row of C zeros with a 1 at the label.

    Raises
    ------
    ValueError
        If there is a label that is none of 0 to C - 1.
    """
    if labels.min() < 0 or labels.max() >= n_classes:
        raise ValueError(
            f"labels go from {labels.min()} to {labels.max()}, expected 0 to {n_classes - 1}"
        )
    return torch.nn.functional.one_hot(labels, n_classes).to(torch.uint8)


def training_rows(
    values: UInt8[Tensor, "N D"] | Float[Tensor, "N D"],
    labels: UInt8[Tensor, "N C"],
    binarization: str,
) -> UInt8[Tensor, "N E"] | Float[Tensor, "N E"]:
    """Append one-hot labels to training data, so that they are presented as 0 and 1.

    Beside 8-bit pixels a column of 255 is 1 in every draw, and 1 as a grey value; pixels that were
    binarized for good are 0 and 1 themselves, and floats what they are.
    """
    grey = values.dtype == torch.uint8 and binarization in ("dynamic", "none")
    return torch.cat([values, ((255 if grey else 1) * labels).to(values)], 1)


def labelled(
    x: Float[Tensor, "T D"], labels: Int64[Tensor, "T"], n_classes: int
) -> Float[Tensor, "T E"]:
    """Append every label."""
    return torch.cat([x, one_hot(labels, n_classes).to(x)], 1)


def unlabelled(x: Float[Tensor, "T D"], n_classes: int) -> Float[Tensor, "T E"]:
    """Append what says that no label is known: zeros."""
    return torch.cat([x, x.new_zeros(len(x), n_classes)], 1)


def tested_rows(
    x: Float[Tensor, "T D"], labels: Int64[Tensor, "T"], n_classes: int, run: ModelParameters
) -> Float[Tensor, "T E"]:
    """Return the rows that a run's histories and bounds are of.

    A model that infers labels is tested without them, on log p(x); one that is conditioned on
    them with them, on log p(x|y).
    """
    if run.labels == "none":
        return x
    return unlabelled(x, n_classes) if run.labels == "m2" else labelled(x, labels, n_classes)


def _check_share(known: Bool[Tensor, "N"], share: float) -> None:
    """Refuse a share of which the weight of a known label would be far from what it says."""
    n_known, n = int(known.sum()), len(known)
    if abs(n_known / (share * n) - 1) > _SHARE_TOLERANCE:
        raise ConfigError(
            f"label_share is {share} but whole labels, and at least one of every class, are known: "
            f"{n_known} of {n}, which is {n_known / n:.3g}; labels: m2 weighs each by label_share, "
            f"so set that to {n_known / n:.3g}, or higher"
        )


def with_labels(splits: Splits, dataset: Dataset, run: ModelParameters) -> Splits:
    """Return the rows that a run trains and is tested on, from the pixels of its data set.

    Raises
    ------
    ConfigError
        If labels are inferred, and far from ``label_share`` of them are known.
    """
    if run.labels == "none":
        return splits
    assert isinstance(splits.train, Tensor)
    known = known_labels(dataset.train_labels, run.label_share)
    if run.labels == "m2":
        _check_share(known, run.label_share)
    told = one_hot(dataset.train_labels, dataset.n_classes) * known.unsqueeze(1)
    rows = training_rows(splits.train.cpu(), told, run.binarization)
    test_labels = dataset.test_labels.to(splits.test.device)
    pixels = as_float(splits.test, run.binarization)
    tested = tested_rows(pixels, test_labels, dataset.n_classes, run)
    return replace(splits, train=rows.to(splits.test.device), test=tested)
