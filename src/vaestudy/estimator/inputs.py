"""What comes in: checked arrays, weights, and files too large for memory.

A memory-mapped array (``np.load(path, mmap_mode="r")``) of ``STREAM_FROM`` bytes or more, and
:class:`vaestudy.estimator.rows.Intensities` of any size, are never loaded: their range, mean and
spread come from rows evenly spread over them, and each row is checked when it is read.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final, TypeGuard

import numpy as np
import torch
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.utils.validation import _check_sample_weight, validate_data

from vaestudy.estimator.rows import Intensities, Mapped, Stored, gather, release, weighted
from vaestudy.estimator.support import Facts, Scaling, domain_of, warn_between, warn_outside
from vaestudy.estimator.tables import numbers, refuse_not_finite
from vaestudy.splits import Rows

Array = NDArray[np.float64]

#: Bytes of a memory-mapped array from which it is streamed.
STREAM_FROM: Final = 2**28
#: Bytes of float64 in one block, and in the rows that a streamed array is judged by.
BLOCK_BYTES: Final = 2**25


def is_streamed(X: Any) -> TypeGuard[Stored]:
    """Whether ``X`` is a memory-mapped table too large to load."""
    if isinstance(X, Intensities):
        return True
    return isinstance(X, np.memmap) and X.ndim == 2 and X.nbytes >= STREAM_FROM


def check(estimator: BaseEstimator, X: Any, *, reset: bool, missing: bool = False) -> Array:
    """Return ``X`` as numbers [N, D] (a streamed one as it is); see ``validate_data``.

    Parameters
    ----------
    estimator
        Whose data they are.
    X
        A table of numbers.
    reset
        Whether the estimator learns from it how many features there are, or holds it to that.
    missing
        Whether NaN may stand for a missing value.

    Raises
    ------
    ValueError
        If ``X`` is no table of numbers, holds NaN or infinity, or has other features than before.
    """
    if is_streamed(X):
        if X.dtype.kind not in "biuf":
            raise ValueError(f"X holds {X.dtype}; expected real numbers")
        streamed: Array = validate_data(estimator, X, reset=reset, skip_check_array=True)
        return streamed
    return numbers(estimator, X, reset=reset, missing=missing)


def check_weights(sample_weight: Any, X: Array) -> Array | None:
    """Return the weights [N], or None if every row counts once.

    Raises
    ------
    ValueError
        If one is negative or no number, all are zero, or there is not one a row.
    """
    if sample_weight is None:
        return None
    weights: Array = _check_sample_weight(sample_weight, X, dtype=np.float64)
    if (weights < 0).any():
        raise ValueError(f"sample_weight holds {weights.min():g}; expected no negative weights")
    if not weights.any():
        raise ValueError("sample_weight is zero for every row; expected a weight above zero")
    return weights


def weighted_mean(values: Array, sample_weight: Any) -> float:
    """Return the mean of ``values`` [N], weighted.

    Raises
    ------
    ValueError
        As :func:`check_weights`.
    """
    weights = check_weights(sample_weight, values)
    if weights is None:
        return float(np.mean(values))
    # Zero times minus infinity, the log of an impossible row's density, would be no number.
    counted = weights > 0
    return float(np.average(values[counted], weights=weights[counted]))


def survey(X: Array, weights: Array | None) -> tuple[Array, Array | None]:
    """Return the rows, with their weights, that range, mean and spread are taken from.

    All of them, unless streamed: then as many as fill a block, at even distances among those that
    have a weight.
    """
    if not is_streamed(X):
        return X, weights
    n = len(X) if weights is None else np.count_nonzero(weights)
    count = min(n, max(2, BLOCK_BYTES // (8 * X.shape[1])))
    seen = np.unique(np.linspace(0, n - 1, count).astype(np.intp))
    if weights is None:
        return gather(X, seen), None
    seen = np.flatnonzero(weights)[seen]
    return gather(X, seen), weights[seen]


def blocks(X: Array, *, missing: bool = False) -> Iterator[Array]:
    """Yield the rows of what :func:`check` returned, some at a time, as finite float64."""
    size = max(1, BLOCK_BYTES // (8 * X.shape[1]))
    for start in range(0, len(X), size):
        block = X[start : start + size]
        if is_streamed(X):
            block = np.array(block, np.float64)
            release(X)
            refuse_not_finite(block, missing=missing, some=True)
        yield block


@dataclass(frozen=True, eq=False)
class Preparation:
    """What data go through before the model sees them: checks, then standardisation.

    Parameters
    ----------
    likelihood
        Name.
    scaling
        Of the rows of training.
    binary
        Whether the likelihood is a mass that was chosen because these were 0s and 1s.
    """

    likelihood: str
    scaling: Scaling
    binary: bool = False

    def shown(self, block: Array) -> Array:
        """Return what the model sees, [B, D'], of ``block`` [B, D]; see :class:`Scaling`."""
        self.scaling.warn_of_unseen(block)
        return self.scaling.forward(block)

    def watched(self, blocks: Iterable[Array]) -> Iterator[Array]:
        """Pass ``blocks`` on; after the last one warn, once, of values that are not for it."""
        lowest, highest, between = np.inf, -np.inf, False
        for block in blocks:
            facts = Facts.of(block)
            lowest, highest = min(lowest, facts.lowest), max(highest, facts.highest)
            between = between or not facts.binary
            yield block
        warn_outside(self.likelihood, lowest, highest)
        if self.binary and between and lowest >= 0 and highest <= 1:
            warn_between()

    def __call__(self, block: Array) -> Array:
        """Prepare ``block`` [B, D].

        Raises
        ------
        ValueError
            If a value is not finite, or impossible under the likelihood.
        """
        refuse_not_finite(block, some=True)  # Those in memory have been checked before.
        facts = Facts.of(block)
        if domain_of(self.likelihood).bounded and not facts.in_unit_interval:
            raise ValueError(
                f"X holds values in [{block.min():g}, {block.max():g}] but is fitted with "
                f"likelihood {self.likelihood!r}, which is for [0, 1]: scale X, or set "
                "likelihood='normal'"
            )
        if self.binary and not facts.binary:
            warn_between()
        return self.shown(block)


def training_rows(
    X: Array, weights: Array | None, preparation: Preparation, seed: int, device: torch.device
) -> Rows:
    """Return what the engine trains on.

    In memory, rows are put in an order that depends on their values alone: the same set of rows
    gives the same model, in whatever order it comes.
    """
    if is_streamed(X):
        mapped = Mapped(X, preparation, device)
        return mapped if weights is None else weighted(mapped, weights, seed, device)
    # Adding 0 makes -0 a 0, which is the same number in other bits.
    prepared = preparation(X).astype(np.float32) + np.float32(0)
    order = _order_by_value(prepared)
    tensor = torch.from_numpy(prepared[order]).to(device)
    return tensor if weights is None else weighted(tensor, weights[order], seed, device)


def _order_by_value(rows: NDArray[np.float32]) -> NDArray[np.intp]:
    as_bytes = np.ascontiguousarray(rows).view(np.dtype((np.void, rows.itemsize * rows.shape[1])))
    return np.argsort(as_bytes.ravel(), kind="stable")
