"""Files in the format of MNIST (IDX), packed or unpacked, verified; torchvision downloads them.

An IDX file of unsigned bytes is the header ``0 0 8 n_axes``, the sizes as big-endian 32-bit
integers, and the bytes in C order.
"""

from __future__ import annotations

import gzip
import hashlib
import http.client
import math
import struct
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from jaxtyping import UInt8
from torch import Tensor

from vaestudy.dataset import ARRAYS, DataError, Dataset

_UNSIGNED_BYTE: Final = 8
#: What a lost connection, a folder that cannot be written or a damaged archive raise.
_DOWNLOAD_ERRORS: Final = (
    OSError,
    RuntimeError,
    ValueError,
    EOFError,
    zlib.error,
    http.client.HTTPException,
)


@dataclass(frozen=True)
class IdxFile:
    """One published file of unsigned bytes: name without ``.gz``, shape, SHA-256 unpacked."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    def find(self, folder: Path) -> Path | None:
        """Return the file, unpacked if there is such a copy, else packed, else None."""
        candidates = (folder / self.name, folder / f"{self.name}.gz")
        return next((path for path in candidates if path.exists()), None)


@dataclass(frozen=True)
class IdxSet:
    """The four files of a data set in the format of MNIST, and torchvision's class that has it."""

    name: str
    torchvision_class: str
    train: IdxFile
    train_labels: IdxFile
    test: IdxFile
    test_labels: IdxFile
    source: str

    @property
    def files(self) -> dict[str, IdxFile]:
        """The four files by the array they hold."""
        return {key: getattr(self, key) for key in ARRAYS}


def load_idx_set(idx_set: IdxSet, root: Path, download: bool) -> Dataset:
    """Read four IDX files, downloading them first only if one is missing; see `load_dataset`."""
    folder = root / idx_set.torchvision_class / "raw"
    if download and _missing(idx_set, folder):
        _download(idx_set, root)
    if missing := _missing(idx_set, folder):
        raise DataError(
            f"data set {idx_set.name}: {', '.join(missing)} missing in {folder}: "
            + _by_hand(idx_set, folder)
        )
    arrays = {}
    for key, file in idx_set.files.items():
        path = file.find(folder)
        assert path is not None  # none is missing
        arrays[key] = read_idx(path, file)
    height, width = arrays["train"].shape[1:]
    flat = {
        key: array.long() if key.endswith("labels") else array.flatten(1)
        for key, array in arrays.items()
    }
    return Dataset.build(idx_set.name, flat, (height, width), idx_set.source)


def read_idx(path: Path, file: IdxFile) -> UInt8[Tensor, "*shape"]:
    """Read an IDX file of unsigned bytes, packed or not, and verify it.

    The content is verified rather than the archive, so that one checksum serves both.

    Raises
    ------
    DataError
        If it cannot be read, or its header, length or checksum is not the published file's.
    """
    remedy = (
        f"delete {path} and run `vaestudy data` again, or point data_dir or VAESTUDY_DATA to a "
        "folder with the published file"
    )
    try:
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{path} cannot be read ({error}), expected {file}: {remedy}") from error
    header = struct.pack(
        f">4B{len(file.shape)}I", 0, 0, _UNSIGNED_BYTE, len(file.shape), *file.shape
    )
    digest = hashlib.sha256(content).hexdigest()
    for what, came, expected in (
        ("header", content[: len(header)].hex() or "empty", header.hex()),
        ("length", len(content), len(header) + math.prod(file.shape)),
        ("SHA-256", digest, file.sha256),
    ):
        if came != expected:
            raise DataError(
                f"{path} is not the published file: the {what} of its content is {came}, "
                f"expected {expected}: {remedy}"
            )
    # Copied because a tensor must not share memory with immutable bytes.
    array = np.frombuffer(content, dtype=np.uint8, offset=len(header)).reshape(file.shape).copy()
    return torch.from_numpy(array)


def _missing(idx_set: IdxSet, folder: Path) -> list[str]:
    return [file.name for file in idx_set.files.values() if file.find(folder) is None]


def _download(idx_set: IdxSet, root: Path) -> None:
    """Let torchvision fetch what is missing; it verifies the archives and tries its mirrors."""
    # Imported here because it takes seconds and only a first run needs it.
    from torchvision import datasets

    try:
        getattr(datasets, idx_set.torchvision_class)(root, download=True)
    except _DOWNLOAD_ERRORS as error:
        folder = root / idx_set.torchvision_class / "raw"
        cause = " ".join(str(error).split())
        raise DataError(
            f"data set {idx_set.name} could not be downloaded to {folder} ({cause}): "
            + _by_hand(idx_set, folder)
        ) from error


def _by_hand(idx_set: IdxSet, folder: Path) -> str:
    names = ", ".join(f"{file.name}.gz" for file in idx_set.files.values())
    return (
        "run `vaestudy data` where there is a network, or put the files that "
        f"torchvision.datasets.{idx_set.torchvision_class} lists, {names}, in {folder}, or point "
        "data_dir or VAESTUDY_DATA to a root that has them"
    )
