"""A data set as tensors ``[N, D]``, of 8-bit intensities or of floats, and its prepared file.

`save_prepared` writes the tensors to one safetensors file and `load_prepared` reads it back,
verified, in a fraction of a second at the start of a job.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import torch
from jaxtyping import Float, Int64, UInt8
from torch import Tensor

from vaestudy.config_errors import DataError
from vaestudy.tensorfile import DamagedFileError, ForeignFileError, read_tensors, write_tensors

__all__ = ["ARRAYS", "DataError", "Dataset", "load_prepared", "save_prepared"]

#: The names of the four arrays.
ARRAYS: Final = ("train", "train_labels", "test", "test_labels")

_BLOCK: Final = 512
_METADATA: Final = "dataset"


@dataclass(frozen=True, eq=False)
class Dataset:
    """A data set in its fixed order; make one with `Dataset.build`.

    Parameters
    ----------
    name
        What the configuration calls it.
    train, test
        Intensities 0..255, one flattened image a row; or floats that are presented as they are.
    train_labels, test_labels
        Class of each row.
    image_shape
        Height and width; their product is D. (1, D) for rows that are no images.
    sha256
        Checksum of the four arrays and the image's shape.
    source
        Origin and licence, one sentence.
    label_names, feature_names
        What classes and columns are called; empty if by their numbers.
    """

    name: str
    train: UInt8[Tensor, "N D"] | Float[Tensor, "N D"]
    train_labels: Int64[Tensor, " N"]
    test: UInt8[Tensor, "T D"] | Float[Tensor, "T D"]
    test_labels: Int64[Tensor, " T"]
    image_shape: tuple[int, int]
    sha256: str
    source: str
    label_names: tuple[str, ...] = ()
    feature_names: tuple[str, ...] = ()

    @classmethod
    def build(
        cls,
        name: str,
        arrays: Mapping[str, Tensor],
        image_shape: tuple[int, int],
        source: str,
        label_names: tuple[str, ...] = (),
        feature_names: tuple[str, ...] = (),
    ) -> Dataset:
        """Check the four arrays, named as the fields are, and compute their checksum.

        Raises
        ------
        ValueError
            If an array's dtype or shape is not what the fields declare.
        """
        n_features = math.prod(image_shape)
        floats = all(arrays[split].dtype == torch.float32 for split in ("train", "test"))
        dtype = torch.float32 if floats else torch.uint8
        for split in ("train", "test"):
            pixels, labels = arrays[split], arrays[f"{split}_labels"]
            if pixels.dtype != dtype or pixels.shape[1:] != (n_features,):
                raise ValueError(
                    f"{split} is {pixels.dtype} {tuple(pixels.shape)}, "
                    f"expected uint8 (N, {n_features}), or float32 in both splits"
                )
            if labels.dtype != torch.int64 or labels.shape != pixels.shape[:1]:
                raise ValueError(
                    f"{split}_labels is {labels.dtype} {tuple(labels.shape)}, "
                    f"expected int64 ({len(pixels)},)"
                )
        fields: dict[str, Any] = {key: arrays[key].contiguous() for key in ARRAYS}
        sha256 = _checksum(fields, image_shape)
        return cls(
            name=name,
            image_shape=image_shape,
            sha256=sha256,
            source=source,
            label_names=label_names,
            feature_names=feature_names,
            **fields,
        )

    @property
    def arrays(self) -> dict[str, Tensor]:
        """The four arrays by name."""
        return {key: getattr(self, key) for key in ARRAYS}

    @property
    def is_grey(self) -> bool:
        """Whether these are 8-bit intensities, which may be binarized, and no floats."""
        return self.train.dtype == torch.uint8

    def pixel_means(self) -> Float[torch.Tensor, "D"]:
        """Return the mean of every feature of the training set; of a pixel, in [0, 1]."""
        # In blocks: all of it in float64 would be the most memory that a training job ever takes.
        total = torch.zeros(self.train.shape[1], dtype=torch.float64)
        for block in self.train.split(_BLOCK):
            total += block.double().sum(0)
        return total.div(len(self.train)).div(255 if self.is_grey else 1).float()

    @property
    def n_classes(self) -> int:
        """C, the number of classes; 1 if all rows are of one, that is, of none."""
        if self.label_names:
            return len(self.label_names)
        return 1 + int(torch.cat([self.train_labels, self.test_labels]).max())

    @property
    def of_images(self) -> bool:
        """Whether rows are pictures."""
        return self.image_shape[0] > 1

    def subset(self, n_train: int | None = None, n_test: int | None = None) -> Dataset:
        """Return the first images of each split, in the fixed order; None keeps all.

        Raises
        ------
        ValueError
            If a count is below 1 or above what there is.
        """
        arrays = {}
        for split, n in (("train", n_train), ("test", n_test)):
            available = len(self.arrays[split])
            if n is not None and not 1 <= n <= available:
                raise ValueError(f"n_{split}={n}: {self.name} allows 1 to {available}")
            for key in (split, f"{split}_labels"):
                arrays[key] = self.arrays[key][:n]
        names = self.label_names, self.feature_names
        return Dataset.build(self.name, arrays, self.image_shape, self.source, *names)


def save_prepared(dataset: Dataset, path: Path) -> None:
    """Write a data set to one safetensors file, atomically and byte for byte reproducibly."""
    described = {
        "name": dataset.name,
        "image_shape": dataset.image_shape,
        "sha256": dataset.sha256,
        "source": dataset.source,
        "label_names": dataset.label_names,
        "feature_names": dataset.feature_names,
    }
    write_tensors(path, _METADATA, described, dataset.arrays)


def load_prepared(path: Path) -> Dataset:
    """Read what `save_prepared` wrote and verify its checksum.

    Raises
    ------
    DataError
        If the file is missing, damaged or something else.
    """
    expects = "expected a file that `vaestudy data` wrote"
    remedy = f"{expects}; if it is one, delete it and run `vaestudy data` again"
    try:
        arrays, described = read_tensors(path, _METADATA)
        height, width = described["image_shape"]
        dataset = Dataset.build(
            described["name"],
            arrays,
            (height, width),
            described["source"],
            tuple(described.get("label_names", ())),
            tuple(described.get("feature_names", ())),
        )
        expected = described["sha256"]
    except FileNotFoundError as error:
        raise DataError(f"{path} does not exist; {expects}: run it first") from error
    except ForeignFileError as error:
        raise DataError(f"{path} is {error}; {expects}") from error
    except DamagedFileError as error:
        raise DataError(f"{path} cannot be read ({error}); {remedy}") from error
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(
            f"{path} is not a whole prepared data set ({type(error).__name__}: {error}); {remedy}"
        ) from error
    if dataset.sha256 != expected:
        raise DataError(
            f"{path} is damaged: its arrays have the checksum {dataset.sha256}, not {expected}; "
            f"{remedy}"
        )
    return dataset


def _checksum(arrays: Mapping[str, Tensor], image_shape: tuple[int, int]) -> str:
    digest = hashlib.sha256(f"image_shape {image_shape}\n".encode())
    for key in ARRAYS:
        array = arrays[key].numpy()
        digest.update(f"{key} {array.dtype} {array.shape}\n".encode())
        digest.update(array.astype(array.dtype.newbyteorder("<"), copy=False).data)
    return digest.hexdigest()
