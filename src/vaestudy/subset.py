"""Fashion-MNIST small enough to ship: 2,000 training and 500 test images of the published sets.

Chosen by their bytes, not by a generator: of every class the images whose SHA-256 come first. The
file is the table of 785 bytes a row (an image, its class) under LZMA, training rows first. To make
it again from the published set:

    python -m vaestudy.subset DATA_FOLDER OUTPUT_FILE
"""

from __future__ import annotations

import hashlib
import lzma
import sys
from importlib import resources
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from vaestudy.dataset import DataError, Dataset
from vaestudy.files import atomic_path

N_TRAIN: Final = 2000
N_TEST: Final = 500
_ROW: Final = 785
_SOURCE: Final = (
    "2,500 images of Fashion-MNIST (Xiao, Rasul, Vollgraf; Zalando Research), packaged with "
    "vaestudy under Fashion-MNIST's MIT licence."
)


def packaged_path() -> Path:
    """Return where the package keeps the file."""
    return Path(str(resources.files("vaestudy").joinpath("resources/fashion-2k.xz")))


def read_fashion(path: Path) -> Dataset:
    """Read the packaged table.

    Raises
    ------
    DataError
        If the file is missing or is not such a table.
    """
    try:
        content = lzma.decompress(path.read_bytes())
    except (OSError, lzma.LZMAError) as error:
        raise DataError(f"{path} cannot be read ({error}): reinstall vaestudy") from error
    if len(content) != (N_TRAIN + N_TEST) * _ROW:
        raise DataError(
            f"{path} holds {len(content)} bytes, expected {N_TRAIN + N_TEST} rows of {_ROW}: "
            "reinstall vaestudy"
        )
    table = np.frombuffer(content, np.uint8).reshape(-1, _ROW)
    arrays = columns("train", table[:N_TRAIN]) | columns("test", table[N_TRAIN:])
    return Dataset.build("fashion-2k", arrays, (28, 28), _SOURCE)


def write_fashion(published: Dataset, path: Path) -> None:
    """Choose the images from the published set and write the file that :func:`read_fashion` reads.

    Parameters
    ----------
    published
        All of Fashion-MNIST.
    path
        File to write.
    """
    parts = []
    for split, n in (("train", N_TRAIN), ("test", N_TEST)):
        pixels, labels = published.arrays[split], published.arrays[f"{split}_labels"]
        table = np.column_stack([pixels.numpy(), labels.numpy().astype(np.uint8)])
        parts.append(stratified(table)[:n])
    with atomic_path(path) as temporary:
        content = np.concatenate(parts).tobytes()
        temporary.write_bytes(lzma.compress(content, preset=9 | lzma.PRESET_EXTREME))


def stratified(table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Order rows by their image's hash within their class, and take the classes in turn."""
    hashes = [hashlib.sha256(row[:-1].tobytes()).digest() for row in table]
    seen = [0] * 256
    ranked = []
    for row in sorted(range(len(table)), key=hashes.__getitem__):
        label = table[row, -1]
        ranked.append((seen[label], label, row))
        seen[label] += 1
    return table[[row for _, _, row in sorted(ranked)]]


def columns(split: str, table: NDArray[np.uint8]) -> dict[str, torch.Tensor]:
    """Return a table's images and classes as the arrays of a split."""
    return {
        split: torch.from_numpy(table[:, :-1].copy()),
        f"{split}_labels": torch.from_numpy(table[:, -1].astype(np.int64)),
    }


def main(root: str, output: str) -> None:
    """Make the packaged file from the published set below ``root``."""
    from vaestudy.data import load_dataset

    write_fashion(load_dataset("fashion-mnist", Path(root), download=False), Path(output))


if __name__ == "__main__":
    main(*sys.argv[1:])
