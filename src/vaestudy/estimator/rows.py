"""Training data that are not one tensor: a subset, weighted rows, a file too large for memory.

Each is a :class:`vaestudy.splits.Rows`: it has a length, and gives the rows at some indices. A file
is a memory-mapped array, or :class:`Intensities`, of which rows are read as NumPy's.
"""

from __future__ import annotations

import mmap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from jaxtyping import Float, Int64
from numpy.typing import NDArray
from torch import Tensor

from vaestudy.splits import Rows

#: The most rows that whole weights may add up to: their order is drawn afresh every epoch.
MOST_REPEATED: Final = 10**8
#: Rows of a mapped file between two releases of its pages.
_ROWS_AT_ONCE = 1024


@dataclass(frozen=True, eq=False)
class Intensities:
    """8-bit intensities in a memory-mapped file, read as numbers in [0, 1].

    It stands where a memory-mapped array does, so that values are divided as they are read.

    Parameters
    ----------
    file [N, D]
        Of type ``uint8``.

    Raises
    ------
    ValueError
        If the array is no table of 8-bit integers.
    """

    file: np.memmap

    def __post_init__(self) -> None:
        if self.file.dtype != np.uint8 or self.file.ndim != 2:
            raise ValueError(
                f"file is {self.file.dtype} of shape {self.file.shape}; expected uint8 of shape "
                "(N, D): reshape images to rows, and give other numbers as they are"
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """N and D."""
        return self.file.shape

    @property
    def size(self) -> int:
        """How many intensities there are."""
        return self.file.size

    @property
    def dtype(self) -> np.dtype[Any]:
        """What rows are read as."""
        return np.dtype(np.float64)

    def __len__(self) -> int:
        return len(self.file)

    def __getitem__(self, index: Any) -> NDArray[np.float64]:
        return np.asarray(self.file[index] / 255)

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> NDArray[Any]:
        return np.asarray(self[:], dtype)


#: What is read from a file as rows are asked for.
Stored = np.memmap | Intensities


@dataclass(frozen=True, eq=False)
class Subset:
    """The rows of ``rows`` at ``chosen`` [n]."""

    rows: Rows
    chosen: Int64[Tensor, " n"]

    def __len__(self) -> int:
        return len(self.chosen)

    def index_select(self, dim: int, index: Tensor, /) -> Tensor:
        return self.rows.index_select(dim, self.chosen.index_select(0, index))


@dataclass(frozen=True, eq=False)
class Weighted:
    r"""Rows that are met in proportion to their weights.

    Index i of n stands for the stretch [i, i + 1) of the weights laid end to end, scaled to a
    total of n; each presentation draws one point of it and gives the row there. The expected
    gradient is the weighted one. Whole weights with n their sum are repetitions: a row of weight 3
    stands three times, and nothing is drawn.

    Parameters
    ----------
    rows
        What is weighted.
    ends [N]
        Running sum of the weights, its last entry ``n``.
    generator
        For the points; None puts each in the middle of its stretch.
    """

    rows: Rows
    ends: Float[Tensor, " N"]
    n: int
    generator: torch.Generator | None

    def __len__(self) -> int:
        return self.n

    @property
    def weights(self) -> Float[Tensor, " N"]:
        """The rows' weights, ``n`` in all."""
        return self.ends.diff(prepend=self.ends.new_zeros(1))

    def index_select(self, dim: int, index: Tensor, /) -> Tensor:
        within: Tensor | float = 0.5
        if self.generator is not None:
            within = torch.rand(index.shape, generator=self.generator, dtype=torch.float64)
            within = within.to(index.device)
        at = torch.searchsorted(self.ends, index.double() + within, right=True)
        return self.rows.index_select(dim, at.clamp_max(len(self.ends) - 1))

    def of(self, chosen: Int64[Tensor, " k"], n: int, *, drawn: bool) -> Weighted:
        """Return the rows at ``chosen`` with their weights, as n presentations, drawn or fixed."""
        weights = self.weights[chosen]
        ends = weights.cumsum(0) * (n / weights.sum())
        return Weighted(Subset(self.rows, chosen), ends, n, self.generator if drawn else None)


def weighted(rows: Rows, weights: NDArray[np.float64], seed: int, device: torch.device) -> Weighted:
    """Return ``rows`` weighted; with whole weights as repetitions.

    Raises
    ------
    ValueError
        If these would be too many.
    """
    total = weights.sum()
    whole = bool((weights == np.round(weights)).all())
    if whole and total > MOST_REPEATED:
        raise ValueError(
            f"sample_weight adds up to {total:.3g} rows, as whole weights say how often each one "
            f"stands; expected at most {MOST_REPEATED:.0e}: to weigh rows against each other in as "
            "many steps as without weights, divide sample_weight by its mean"
        )
    n = int(total) if whole else len(rows)
    ends = torch.from_numpy(np.cumsum(weights) * (n / total)).to(device)
    return Weighted(rows, ends, n, None if whole else torch.Generator().manual_seed(seed))


@dataclass(frozen=True, eq=False)
class Mapped:
    """Rows of a memory-mapped array, read when they are asked for and let go after.

    Parameters
    ----------
    array [N, D]
        Numbers of any real type, or intensities.
    prepare
        Checks a block of rows and makes of it what the model sees.
    device
        Where batches go.
    """

    array: Stored
    prepare: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    device: torch.device

    def __len__(self) -> int:
        return len(self.array)

    def index_select(self, dim: int, index: Tensor, /) -> Tensor:
        block = self.prepare(gather(self.array, index.cpu().numpy()))
        return torch.from_numpy(block.astype(np.float32)).to(self.device)


def gather(array: Stored, index: NDArray[np.intp]) -> NDArray[np.float64]:
    """Read the rows at ``index``: no others, forwards through the file, pages let go after."""
    order = np.argsort(index)
    rows = np.empty((len(index), array.shape[1]))
    _advise(array, "MADV_RANDOM")
    for some in np.array_split(order, -(-len(order) // _ROWS_AT_ONCE)):
        rows[some] = array[index[some]]
        release(array)
    _advise(array, "MADV_NORMAL")
    return rows


def release(array: Stored) -> None:
    """Let go of the memory that a mapped file's pages take; they are read again when needed."""
    # Not of a copy-on-write map: its changes live in these pages alone.
    if getattr(_mapped(array), "mode", "c") != "c":
        _advise(array, "MADV_DONTNEED")


def _mapped(array: Stored) -> np.memmap:
    return array.file if isinstance(array, Intensities) else array


def _advise(array: Stored, name: str) -> None:
    """Tell the kernel, where it can be told, how a mapped array will be read."""
    mapping, advice = getattr(_mapped(array), "_mmap", None), getattr(mmap, name, None)
    if isinstance(mapping, mmap.mmap) and advice is not None:
        mapping.madvise(advice)
